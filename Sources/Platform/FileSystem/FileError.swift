import Glibc

/// A failed file operation: its name, its path, and the reason.
public struct FileError: Error, Hashable, CustomStringConvertible {
    /// The system call or step, for example `open`.
    public var operation: String
    public var path: String
    /// The system's error number.
    public var code: Int32

    public init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// The ``code`` of a file that must be a regular file and is not; not a number of the system.
    public static let notRegular: Int32 = -1

    /// The ``code`` of a file with other names, all of which a write would change; not a number of the system.
    public static let hasOtherNames: Int32 = -2
    /// The ``code`` of a file that does not answer; not a number of the system.
    public static let slow: Int32 = -3
    /// The ``code`` of a file that was not read because too many files do not answer; not a number of the system.
    public static let crowded: Int32 = -4

    /// The ``code`` of a directory with more names than are read; not a number of the system.
    public static let tooMany: Int32 = -5

    /// There is no such file or directory.
    public var isNotFound: Bool { code == ENOENT }
    /// The path does not exist, or a part of it is not a directory.
    public var leadsNowhere: Bool { code == ENOENT || code == ENOTDIR || code == ELOOP }
    /// The path may not be read, or is not a valid path.
    public var isForbidden: Bool { code == EACCES || code == EPERM || code == ENAMETOOLONG }
    /// The disk or the quota is full.
    public var isFull: Bool { code == ENOSPC || code == EDQUOT }
    /// The process or the system cannot open another file; this is not an error of this file.
    public var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
    /// The file system is read-only.
    public var isReadOnly: Bool { code == EROFS }

    /// The text in Go's format: `open data/wal/000001: no such file or directory`.
    public var description: String { "\(operation) \(path): \(Self.text(code))" }

    /// The system's text for an error number, beginning in lower case.
    public static func text(_ code: Int32) -> String {
        switch code {
        case notRegular: return "not a regular file"
        case hasOtherNames: return "the file has other names (hard links)"
        case slow: return "takes too long: the file system does not answer"
        case tooMany: return "too many files"
        case crowded: return "is not tried: too many other files do not answer"
        default: break
        }
        var buffer = [CChar](repeating: 0, count: 128)
        guard strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        var text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if let first = text.first { text = first.lowercased() + text.dropFirst() }
        return text
    }
}
