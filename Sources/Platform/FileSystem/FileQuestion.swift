import Glibc

/// A query about a file that is not the daemon's own; the file system may never answer it.
package enum FileQuestion: Hashable, Sendable {
    /// The content of a regular file; more than `limit` bytes are an error.
    case content(limit: Int)
    /// The content of the regular file `name` below the directory of the query, with links followed.
    case contentBelow(name: String, limit: Int)
    /// The version, which changes with the file; nil if there is none.
    case version
    /// The names in a directory, in order of their bytes.
    case names
    /// Whether the name exists, also as a symbolic link without a target.
    case isThere
    /// Whether the file is neither a regular file nor a directory.
    case isSpecial
    /// Whether the file may be read; otherwise an error with the reason.
    case access
    /// The file, opened for appending lines.
    case appended

    package enum Answer: Sendable {
        case content([UInt8])
        case version(FileStamp?)
        case names([String])
        case isThere(Bool)
        case isSpecial(Bool)
        case access
        case appended(AppendedFile)
    }

    /// The most names of a directory that are read.
    private static let mostNames = 1_000_000

    /// Runs the query; blocks until the system answers.
    func ask(_ path: String) throws(FileError) -> Answer {
        switch self {
        case .content(let limit): return .content(try RegularFile.content(path, limit: limit))
        case .contentBelow(let name, let limit):
            return .content(try RegularFile.content(name, below: path, limit: limit))
        case .version: return .version(FileStamp(path))
        case .names: return .names(try RealFileSystem.names(in: path, limit: Self.mostNames))
        case .isThere:
            var info = stat()
            return .isThere(lstat(path, &info) == 0)
        case .isSpecial:
            var info = stat()
            return .isSpecial(stat(path, &info) == 0 && ![S_IFREG, S_IFDIR].contains(info.st_mode & S_IFMT))
        case .access:
            _ = try RealFileSystem.retry("access", path) { Glibc.access(path, R_OK) }
            return .access
        case .appended: return .appended(try AppendedFile(path: path))
        }
    }
}
