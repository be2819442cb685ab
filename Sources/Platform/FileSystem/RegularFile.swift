import CPlatform
import Glibc

/// The one way to open a file whose kind is not known.
///
/// A pipe, a terminal or another device can block whoever opens or reads it, and for ever. So files are opened without
/// waiting, and what is no regular file is refused before anything is read from it or written to it.
public enum RegularFile {
    /// Opens a regular file.
    ///
    /// - Parameters:
    ///   - flags: As for `open(2)`; files are always closed in programs that are run.
    ///   - followsLinks: Whether the last part of the path may be a symbolic link; never for files of our own making,
    ///     which a link could turn into somebody else's. For the same reason nothing is written to one that has other
    ///     names: with `O_TRUNC` it is replaced, with `O_APPEND` it is refused.
    /// - Returns: A descriptor, which the caller closes.
    public static func open(_ path: String, _ flags: Int32, followsLinks: Bool = true) throws(FileError) -> Int32 {
        do throws(FileError) {
            return try openOnce(path, flags, followsLinks: followsLinks)
        } catch {
            // What was to be emptied gives the name up instead, and keeps its content under the others.
            guard error.code == FileError.hasOtherNames, flags & O_TRUNC != 0 else { throw error }
            _ = try RealFileSystem.retry("unlink", path) { unlink(path) }
            return try openOnce(path, flags | O_EXCL, followsLinks: followsLinks)
        }
    }

    /// Opens a file of our own making for reading, if nothing else bears its name.
    static func openOwn(_ path: String) throws(FileError) -> Int32 {
        let descriptor = try openOnce(path, O_RDONLY, followsLinks: false)
        do throws(FileError) { try refuseOtherNames(descriptor, path) } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Throws if a file has other names: it may be somebody else's.
    private static func refuseOtherNames(_ descriptor: Int32, _ path: String) throws(FileError) {
        if try status(descriptor, path).st_nlink > 1 { throw FileError("open", path, code: FileError.hasOtherNames) }
    }

    private static func openOnce(_ path: String, _ flags: Int32, followsLinks: Bool) throws(FileError) -> Int32 {
        // Emptied only once its kind is known.
        let safe = (flags & ~O_TRUNC) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW)
        let descriptor: Int32
        do throws(FileError) {
            descriptor = try RealFileSystem.retry("open", path) { cplatform_open(path, safe, 0o640) }
        } catch {
            // A pipe that nobody reads, opened for writing; a socket.
            throw error.code == ENXIO ? FileError("open", path, code: FileError.notRegular) : error
        }
        do throws(FileError) {
            let kind = try status(descriptor, path).st_mode & S_IFMT
            if kind != S_IFREG { throw FileError("open", path, code: kind == S_IFDIR ? EISDIR : FileError.notRegular) }
            // A lock is taken on any file: nothing is written to it.
            if !followsLinks, flags & (O_TRUNC | O_APPEND) != 0 { try refuseOtherNames(descriptor, path) }
            if flags & O_TRUNC != 0 {
                _ = try RealFileSystem.retry("truncate", path) { ftruncate(descriptor, 0) }
            }
            if flags & O_CREAT != 0, !followsLinks { FileOwnership.inherit(path) }
        } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func status(_ descriptor: Int32, _ path: String) throws(FileError) -> stat {
        var info = stat()
        _ = try RealFileSystem.retry("stat", path) { fstat(descriptor, &info) }
        return info
    }

    /// The content of a regular file, of whatever size it turns out to be; the null device is an empty one.
    ///
    /// - Parameter limit: A file of more bytes is an error.
    public static func content(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let descriptor: Int32
        do throws(FileError) {
            descriptor = try open(path, O_RDONLY)
        } catch {
            if error.code == FileError.notRegular, isNull(path) { return [] }
            throw error
        }
        defer { close(descriptor) }
        return try read(descriptor, path, limit: limit)
    }

    /// The content of the regular file `name` below a directory, when all links are followed.
    public static func content(_ name: String, below folder: String, limit: Int) throws(FileError) -> [UInt8] {
        let path = folder + "/" + name
        guard let root = realpath(folder, nil) else { throw FileError("open", folder, code: errno) }
        defer { free(root) }
        guard let target = realpath(path, nil) else { throw FileError("open", path, code: errno) }
        defer { free(target) }
        guard String(cString: target).hasPrefix(String(cString: root) + "/") else {
            throw FileError("open", path, code: EACCES)
        }
        return try content(path, limit: limit)
    }

    /// The content of a file of any kind, read once, as a pipe of the shell's `<(…)` must be.
    ///
    /// - Parameters:
    ///   - limit: A file of more bytes is an error.
    ///   - seconds: How long to wait in all for the bytes and for the end.
    public static func contentOfAnyKind(_ path: String, limit: Int, seconds: Int) throws(FileError) -> [UInt8] {
        let descriptor = try RealFileSystem.retry("open", path) {
            cplatform_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0)
        }
        defer { close(descriptor) }
        let clock = SystemClock()
        let deadline = clock.monotonic() + Int64(seconds) * 1_000_000_000
        return try read(descriptor, path, limit: limit) { () throws(FileError) in
            let left = (deadline - clock.monotonic()) / 1_000_000
            var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = left > 0 ? poll(&request, 1, Int32(clamping: left)) : 0
            if ready == 0 { throw FileError("read", path, code: ETIMEDOUT) }
        }
    }

    /// Reads to the end.
    ///
    /// - Parameter wait: Called before each piece of what may have none yet; nil for a regular file.
    private static func read(
        _ descriptor: Int32, _ path: String, limit: Int, wait: (() throws(FileError) -> Void)? = nil
    ) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        // A file of known size is read in one piece, and one more that finds the end.
        let known = Int(try status(descriptor, path).st_size)
        var buffer = [UInt8](repeating: 0, count: min(max(known, 0) &+ 1, 1 << 20) | 4096)
        while true {
            try wait?()
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                // Some of the kernel's own files would block although they seem regular; asking again would be a busy wait.
                if errno == EINTR || errno == EAGAIN && wait != nil { continue }
                throw FileError("read", path, code: errno)
            }
            bytes += buffer[0..<count]
            if bytes.count > limit { throw FileError("read", path, code: EFBIG) }
        }
    }

    private static func isNull(_ path: String) -> Bool {
        var (info, null) = (stat(), stat())
        guard stat(path, &info) == 0, stat("/dev/null", &null) == 0 else { return false }
        return info.st_mode & S_IFMT == S_IFCHR && info.st_rdev == null.st_rdev
    }
}

/// Files that root creates belong to the owner of their directory.
///
/// Otherwise a command that root runs on a store leaves files that the daemon's user cannot open afterwards.
enum FileOwnership {
    /// Gives a new file or directory of root to the owner of its directory.
    static func inherit(_ path: String) {
        guard geteuid() == 0 else { return }
        var own = stat()
        var parent = stat()
        guard lstat(path, &own) == 0, own.st_uid == 0, lstat(FilePath.parent(path), &parent) == 0, parent.st_uid != 0
        else { return }
        // A file with another name may be root's own.
        if own.st_mode & S_IFMT != S_IFDIR, own.st_nlink > 1 { return }
        // Where that is not allowed, the file stays root's, as any program would leave it.
        _ = lchown(path, parent.st_uid, parent.st_gid)
    }
}
