import Glibc

/// The limit of open files of the process, and its distribution.
///
/// Each kind of connection has its own part, so that clients in any number do not prevent scrapes, and do not use up
/// the files of the storage.
public enum OpenFiles {
    /// With fewer, threads and sockets of the runtime cannot be made, which ends the process without a message.
    static let least: UInt64 = 32

    /// Raises the limit as far as the process may, as programs in Go do.
    public static func raiseLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(resource, &limit)
    }

    /// The most files that the process may have open.
    public static var most: Int { Int(clamping: limit ?? 1024) }

    private static var limit: UInt64? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return UInt64(limit.rlim_cur)
    }

    /// The reason why the limit is too low, or nil.
    public static var shortage: String? { limit.flatMap { shortage(limit: $0) } }

    static func shortage(limit: UInt64) -> String? {
        limit >= least
            ? nil : "it is \(limit), and \(least) is the least: raise `ulimit -n`, or LimitNOFILE= of the service"
    }

    /// The numbers of files for connections; the rest is for the storage and everything else.
    public struct Parts: Sendable, Hashable {
        /// Connections of clients.
        public let clients: Int
        /// Connections to targets.
        public let scrapes: Int
        /// Other connections that the daemon opens.
        public let requests: Int

        init(limit: UInt64) {
            let limit = Int(clamping: limit)
            let rest = limit - min(limit / 2, 64 + limit / 16)
            clients = max(2, rest / 2)
            // A name look-up uses two sockets, and two addresses may be tried at once, so each part has a reserve.
            scrapes = min(max(4, rest / 4), 32_768)
            requests = min(max(4, rest / 8), 32_768)
        }
    }

    /// The parts with the current limit.
    public static var parts: Parts { Parts(limit: limit ?? 1024) }
}
