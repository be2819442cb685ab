import CPlatform
import Glibc

/// Opens files of unknown kind.
///
/// No other code does this.
///
/// A pipe, a terminal or another device can block its opener or reader for ever. So files are opened without waiting,
/// and a file that is not regular is refused before it is read or written.
public enum RegularFile {
    /// Opens a regular file.
    ///
    /// - Parameters:
    ///   - flags: As for `open(2)`; the file is always closed in child programs.
    ///   - followsLinks: Whether the last part of the path may be a symbolic link. It is false for our own files,
    ///     because a link could redirect writes to another file. For the same reason no file with other names is
    ///     written: with `O_TRUNC` it is replaced, with `O_APPEND` it is refused.
    /// - Returns: A descriptor, which the caller closes.
    public static func open(_ path: String, _ flags: Int32, followsLinks: Bool = true) throws(FileError) -> Int32 {
        do throws(FileError) {
            return try openOnce(path, flags, followsLinks: followsLinks)
        } catch {
            // A file that would be emptied loses this name instead, and keeps its content under the other names.
            guard error.code == FileError.hasOtherNames, flags & O_TRUNC != 0 else { throw error }
            _ = try RealFileSystem.retry("unlink", path) { unlink(path) }
            return try openOnce(path, flags | O_EXCL, followsLinks: followsLinks)
        }
    }

    /// Opens our own file for reading, if it has no other names.
    static func openOwn(_ path: String) throws(FileError) -> Int32 {
        let descriptor = try openOnce(path, O_RDONLY, followsLinks: false)
        do throws(FileError) { try refuseOtherNames(descriptor, path) } catch {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    /// The directory of temporary files.
    static var temporaryFolder: String {
        guard let name = getenv("TMPDIR").map({ String(cString: $0) }), !name.isEmpty else { return "/tmp" }
        return name
    }

    /// Opens an empty file without a name, which ends with its descriptors; writes append.
    static func temporary() throws(FileError) -> Int32 {
        let folder = temporaryFolder
        return try RealFileSystem.retry("open", folder) { cplatform_open_temporary(folder) }
    }

    /// Throws if a file has other names, because it may belong to another program.
    private static func refuseOtherNames(_ descriptor: Int32, _ path: String) throws(FileError) {
        if try status(descriptor, path).st_nlink > 1 { throw FileError("open", path, code: FileError.hasOtherNames) }
    }

    private static func openOnce(_ path: String, _ flags: Int32, followsLinks: Bool) throws(FileError) -> Int32 {
        // The file is emptied only after its kind is known.
        let safe = (flags & ~O_TRUNC) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW)
        let descriptor: Int32
        do throws(FileError) {
            descriptor = try RealFileSystem.retry("open", path) { cplatform_open(path, safe, 0o640) }
        } catch {
            // A pipe without a reader, opened for writing, or a socket.
            throw error.code == ENXIO ? FileError("open", path, code: FileError.notRegular) : error
        }
        do throws(FileError) {
            let kind = try status(descriptor, path).st_mode & S_IFMT
            if kind != S_IFREG { throw FileError("open", path, code: kind == S_IFDIR ? EISDIR : FileError.notRegular) }
            // A lock may be taken on any file, because nothing is written to it.
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

    /// The attributes of an open file.
    static func status(_ descriptor: Int32, _ path: String) throws(FileError) -> stat {
        var info = stat()
        _ = try RealFileSystem.retry("stat", path) { fstat(descriptor, &info) }
        return info
    }

    /// The content of a regular file of any size; the null device counts as empty.
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

    /// The content of the regular file `name` below a directory, after all links are followed.
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

    /// The content of a file of any kind, read once, as necessary for a pipe of the shell's `<(…)`.
    ///
    /// - Parameters:
    ///   - limit: A file of more bytes is an error.
    ///   - seconds: The time limit for the whole content.
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
    /// - Parameter wait: Called before each part if it may not be available yet; nil for a regular file.
    private static func read(
        _ descriptor: Int32, _ path: String, limit: Int, wait: (() throws(FileError) -> Void)? = nil
    ) throws(FileError) -> [UInt8] {
        var bytes: [UInt8] = []
        // A file of known size is read with one call, and another one that finds the end.
        let known = Int(try status(descriptor, path).st_size)
        var buffer = [UInt8](repeating: 0, count: min(max(known, 0) &+ 1, 1 << 20) | 4096)
        while true {
            try wait?()
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            if count < 0 {
                // Some of the kernel's files would block although they count as regular; a repeated read would be a
                // busy wait.
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

/// Sets the owner of files that root makes to the owner of their directory.
///
/// Otherwise a command that root runs on a storage makes files that the daemon's user cannot open afterwards.
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
        // If that is not allowed, the file stays root's.
        _ = lchown(path, parent.st_uid, parent.st_gid)
    }
}
