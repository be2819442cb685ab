import Glibc
import Platform

/// Finds the process that writes the write-ahead log of a Prometheus's data directory, if this user has the permission
/// to see it.
enum DirectoryUsers {
    struct Process: Equatable {
        var id: Int
        var name: String
        var user: UInt32
    }

    enum Finding: Equatable {
        case nobody
        /// The process has the lock file, or a file of the write-ahead log, open for writing.
        case writer(Process)
        /// The process runs as the owner of the write-ahead log, and this user must not inspect its open files.
        case unseen(Process)
        /// The processes of other users are not visible.
        case hidden
    }

    /// The files that a running Prometheus has open for writing.
    ///
    /// Readers, for example a backup, are ignored.
    private static let written = ["lock", "wal/", "wbl/", "chunks_head/"]

    static func find(of directory: String, _ files: any FileSystem) -> Finding {
        guard let resolved = realpath(directory, nil) else { return .nobody }
        defer { free(resolved) }
        let root = String(cString: resolved)
        let owners = owners(root, files)
        var unseen: Process?
        var isFirstShown = false
        for name in (try? files.list("/proc")) ?? [] {
            guard let id = Int(name) else { continue }
            if id == 1 { isFirstShown = true }
            guard id != Int(getpid()) else { continue }
            do throws(FileError) {
                for descriptor in try files.list("/proc/\(name)/fd") where isWritten(name, descriptor, below: root) {
                    return .writer(process(id))
                }
            } catch {
                guard error.code == EACCES || error.code == EPERM else { continue }
                let other = process(id)
                // Kernel threads have no command line.
                if unseen == nil, owners.contains(other.user), !start(of: "/proc/\(name)/cmdline").isEmpty {
                    unseen = other
                }
            }
        }
        if let unseen { return .unseen(unseen) }
        return isFirstShown || owners.isSubset(of: [geteuid()]) ? .nobody : .hidden
    }

    private static func isWritten(_ process: String, _ descriptor: String, below root: String) -> Bool {
        let path = target("/proc/\(process)/fd/\(descriptor)")
        guard path.hasPrefix(root + "/") else { return false }
        let rest = path.dropFirst(root.count + 1)
        guard written.contains(where: { $0.hasSuffix("/") ? rest.hasPrefix($0) : rest == $0 }) else { return false }
        // A line: `flags:	0100001`, octal.
        let lines = start(of: "/proc/\(process)/fdinfo/\(descriptor)").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("flags:") }),
            let flags = Int32(line.dropFirst(6).drop { $0 == " " || $0 == "\t" }, radix: 8)
        else { return true }
        return flags & O_ACCMODE != O_RDONLY
    }

    /// The owners of the newest files of the write-ahead log: its writer runs as one of them.
    private static func owners(_ root: String, _ files: any FileSystem) -> Set<UInt32> {
        var paths = [root + "/lock", root + "/queries.active", root + "/wal"]
        if let newest = (try? files.list(root + "/wal"))?.last(where: { !$0.hasPrefix("checkpoint") }) {
            paths.append(root + "/wal/" + newest)
        }
        return Set(paths.compactMap { try? files.status($0).owner })
    }

    private static func process(_ id: Int) -> Process {
        var status = stat()
        let user = stat("/proc/\(id)", &status) == 0 ? status.st_uid : 0
        return Process(id: id, name: String(start(of: "/proc/\(id)/comm").prefix { $0 != "\n" }), user: user)
    }

    private static func target(_ link: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let size = readlink(link, base, buffer.count)
            return String(decoding: buffer.prefix(max(0, size)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    /// The first bytes of a file; empty if it cannot be read.
    private static func start(of path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        let size = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, size)), as: UTF8.self)
    }
}
