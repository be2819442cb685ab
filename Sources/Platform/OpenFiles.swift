import Glibc

/// How many files the process may have open.
public enum OpenFiles {
    /// With fewer, threads and sockets of the runtime cannot be made, which ends the process without a message.
    static let least: UInt64 = 32

    /// Why the limit is too low, or nil.
    public static var shortage: String? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return shortage(limit: UInt64(limit.rlim_cur))
    }

    static func shortage(limit: UInt64) -> String? {
        limit >= least
            ? nil : "it is \(limit), and \(least) is the least: raise `ulimit -n`, or LimitNOFILE= of the service"
    }
}
