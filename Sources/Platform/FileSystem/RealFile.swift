import CPlatform
import Glibc
import Synchronization

/// A file in the machine's file system.
final class RealFile: File {
    let path: String
    /// −1 once closed.
    private let handle: Atomic<Int32>

    init(_ path: String, _ descriptor: Int32) {
        self.path = path
        handle = Atomic(descriptor)
    }

    deinit { close() }

    /// The open descriptor; throws if the file was closed.
    func descriptor(_ operation: String) throws(FileError) -> Int32 {
        let descriptor = handle.load(ordering: .relaxed)
        guard descriptor >= 0 else { throw FileError(operation, path, code: EBADF) }
        return descriptor
    }

    /// Another reference to the open file, which is closed by itself.
    func duplicate(_ path: String) throws(FileError) -> RealFile {
        let descriptor = try descriptor("open")
        return RealFile(path, try RealFileSystem.retry("open", path) { cplatform_duplicate(descriptor) })
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        let descriptor = try descriptor("write")
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count &- done)
            if count > 0 {
                done &+= count
            } else if count == 0 {
                throw FileError("write", path, code: EIO)
            } else if errno != EINTR {
                throw FileError("write", path, code: errno)
            }
        }
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        let descriptor = try descriptor("read")
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress?.advanced(by: done), buffer.count &- done, off_t(offset &+ done))
            if count > 0 {
                done &+= count
            } else if count == 0 {
                break
            } else if errno != EINTR {
                throw FileError("read", path, code: errno)
            }
        }
        return done
    }

    func syncData() throws(FileError) {
        let descriptor = try descriptor("fdatasync")
        _ = try RealFileSystem.retry("fdatasync", path) { fdatasync(descriptor) }
    }

    func truncate(to size: Int) throws(FileError) {
        let descriptor = try descriptor("truncate")
        _ = try RealFileSystem.retry("truncate", path) { ftruncate(descriptor, off_t(size)) }
    }

    func size() throws(FileError) -> Int { Int(try RegularFile.status(try descriptor("stat"), path).st_size) }

    /// The holes of the file, ascending; the list may be incomplete.
    func holes() throws(FileError) -> [Range<Int>] {
        let descriptor = try descriptor("stat")
        return RealFileSystem.holes(descriptor, try RegularFile.status(descriptor, path))
    }

    func close() {
        let descriptor = handle.exchange(-1, ordering: .acquiringAndReleasing)
        // The call is not repeated after EINTR: Linux has released the descriptor already.
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }
}

/// The lock of a directory: a file in it and the directory itself, open and locked.
final class HeldLock: DirectoryLock {
    private let file: RealFile?
    private let directory: RealFile

    init(_ file: RealFile?, _ directory: RealFile) {
        self.file = file
        self.directory = directory
    }

    func release() {
        file?.close()
        directory.close()
    }
}
