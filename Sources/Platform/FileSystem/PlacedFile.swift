import CPlatform
import Glibc

/// A file that is written in place, a few bytes at a time; only the writer handles failures.
///
/// It is for notes that may be lost; see `File` for data that may not.
package final class PlacedFile: Sendable {
    private let descriptor: Int32

    /// Opens an empty file.
    package init(path: String) throws(FileError) {
        descriptor = try RegularFile.open(path, O_RDWR | O_CREAT | O_TRUNC, followsLinks: false)
    }

    deinit { close(descriptor) }

    /// Writes at an offset.
    package func write(_ bytes: [UInt8], at offset: Int) { _ = pwrite(descriptor, bytes, bytes.count, offset) }

    /// The first bytes of a file; empty if it cannot be read.
    ///
    /// - Parameter isOwn: Whether only a file with no other name is read, such as one of ``init(path:)``.
    package static func content(_ path: String, atMost limit: Int, isOwn: Bool = false) -> [UInt8] {
        guard let file = try? isOwn ? RegularFile.openOwn(path) : RegularFile.open(path, O_RDONLY) else { return [] }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var size = 0
        while size < limit {
            let n = bytes.withUnsafeMutableBytes { buffer in
                read(file, buffer.baseAddress.map { $0 + size }, limit - size)
            }
            guard n > 0 else { break }
            size += n
        }
        return Array(bytes.prefix(size))
    }
}

/// A file to which lines are appended, also by other processes at the same time; it may be a pipe or a terminal.
package final class AppendedFile: Sendable {
    private let descriptor: Int32

    /// Opens or makes it.
    ///
    /// Neither this nor a write waits for the reader of a pipe.
    package init(path: String) throws(FileError) {
        descriptor = try RealFileSystem.retry("open", path) {
            cplatform_open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o640)
        }
    }

    deinit { close(descriptor) }

    /// Appends bytes in one write; returns false on failure.
    package func append(_ bytes: [UInt8]) -> Bool { write(descriptor, bytes, bytes.count) == bytes.count }
}
