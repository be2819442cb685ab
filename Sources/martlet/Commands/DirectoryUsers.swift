import Glibc
import Platform

/// Finds the processes that have files of a directory open.
enum DirectoryUsers {
    /// The first other process that has a file below `directory` open, as far as this user may see that.
    static func first(of directory: String, _ files: any FileSystem) -> (process: Int, name: String)? {
        guard let resolved = realpath(directory, nil) else { return nil }
        defer { free(resolved) }
        let prefix = String(cString: resolved) + "/"
        for name in (try? files.list("/proc")) ?? [] {
            guard let process = Int(name), process != Int(getpid()) else { continue }
            for descriptor in (try? files.list("/proc/\(name)/fd")) ?? [] {
                guard target("/proc/\(name)/fd/\(descriptor)").hasPrefix(prefix) else { continue }
                let program = target("/proc/\(name)/exe").split(separator: "/").last.map(String.init)
                return (process, program ?? "")
            }
        }
        return nil
    }

    private static func target(_ link: String) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let size = readlink(link, base, buffer.count)
            return String(decoding: buffer.prefix(max(0, size)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }
}
