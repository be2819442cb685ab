import Glibc

/// A file operation that failed: which, on what, and why.
public struct FileError: Error, Hashable, CustomStringConvertible {
    /// The system call or step, for instance `open`.
    public var operation: String
    public var path: String
    /// The system's error number.
    public var code: Int32

    public init(_ operation: String, _ path: String, code: Int32) {
        self.operation = operation
        self.path = path
        self.code = code
    }

    /// The ``code`` of what is no regular file and must be one; no number of the system.
    public static let notRegular: Int32 = -1

    /// The ``code`` of a file that has other names and would change under all of them; no number of the system.
    public static let hasOtherNames: Int32 = -2
    /// The ``code`` of a file that does not answer; no number of the system.
    public static let slow: Int32 = -3
    /// The ``code`` of a file that was not asked because very many do not answer; no number of the system.
    public static let crowded: Int32 = -4

    /// The ``code`` of a directory with more names than are read; no number of the system.
    public static let tooMany: Int32 = -5

    /// There is no such file or directory.
    public var isNotFound: Bool { code == ENOENT }
    /// The path leads nowhere: there is nothing, or a part of it is no directory.
    public var leadsNowhere: Bool { code == ENOENT || code == ENOTDIR || code == ELOOP }
    /// The path is one that may not be read, or cannot be one.
    public var isForbidden: Bool { code == EACCES || code == EPERM || code == ENAMETOOLONG }
    /// The disk or the quota is full.
    public var isFull: Bool { code == ENOSPC || code == EDQUOT }
    /// The process or the system has no room for another open file: that says nothing about this one.
    public var isShortage: Bool { code == EMFILE || code == ENFILE || code == ENOMEM }
    /// The file system may not be written.
    public var isReadOnly: Bool { code == EROFS }

    /// As Go prints it: `open data/wal/000001: no such file or directory`.
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
