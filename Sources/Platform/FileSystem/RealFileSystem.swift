import CPlatform
import Glibc

/// The machine's file system.
public final class RealFileSystem: FileSystem {
    public init() {}

    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any File {
        let flags =
            switch mode {
            case .read: O_RDONLY
            case .append: O_RDWR | O_CREAT | O_APPEND
            case .create: O_RDWR | O_CREAT | O_EXCL | O_APPEND
            case .replace: O_RDWR | O_CREAT | O_TRUNC | O_APPEND
            }
        do throws(FileError) {
            return RealFile(path, try RegularFile.open(path, flags, followsLinks: mode == .read))
        } catch {
            guard error.code == FileError.hasOtherNames, mode == .append else { throw error }
        }
        try separate(path)
        return RealFile(path, try RegularFile.open(path, flags, followsLinks: false))
    }

    /// Replaces a file that has other names, for example those of a backup by `cp -l`, with a copy.
    private func separate(_ path: String) throws(FileError) {
        let temporary = path + ".tmp"
        let old = RealFile(path, try RegularFile.open(path, O_RDONLY))
        let copy = try open(temporary, .replace)
        defer {
            old.close()
            copy.close()
        }
        do throws(FileError) {
            try old.copy(to: copy, keeping: try old.holes())
            try copy.syncData()
            try rename(temporary, to: path)
            try syncDirectory(FilePath.parent(path))
        } catch {
            try? remove(temporary)
            throw error
        }
    }

    public func map(_ path: String, limit: Int?) throws(FileError) -> FileMapping {
        let descriptor = try RegularFile.open(path, O_RDONLY)
        defer { _ = Glibc.close(descriptor) }
        return try Self.map(descriptor, path, limit: limit)
    }

    /// Maps an open file, which may be closed afterwards.
    static func map(_ descriptor: Int32, _ path: String, limit: Int?) throws(FileError) -> FileMapping {
        let info = try RegularFile.status(descriptor, path)
        let size = Int(info.st_size)
        let holes = Self.holes(descriptor, info)
        var mapped = size
        if let limit {
            if let last = holes.last, last.upperBound == size { mapped = last.lowerBound }
            mapped = min(mapped, limit)
        }
        guard mapped > 0 else {
            return FileMapping(UnsafeRawBufferPointer(start: nil, count: 0), isPartial: size > 0) { _ in }
        }
        let address = mmap(nil, mapped, PROT_READ, MAP_SHARED, descriptor, 0)
        guard let address, address != MAP_FAILED else { throw FileError("mmap", path, code: errno) }
        return FileMapping(
            UnsafeRawBufferPointer(start: address, count: mapped),
            holes: holes.map { $0.clamped(to: 0..<mapped) }.filter { !$0.isEmpty }, isPartial: mapped < size
        ) { bytes in
            munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
        }
    }

    /// The holes of a file, ascending: the first thousand, and the last one if it ends the file.
    static func holes(_ descriptor: Int32, _ info: stat) -> [Range<Int>] {
        let size = Int(info.st_size)
        guard Int(info.st_blocks) < size / 512 else { return [] }
        // The numbers of Linux. A file system without support for holes reports that there are none.
        let (seekData, seekHole): (Int32, Int32) = (3, 4)
        var result: [Range<Int>] = []
        var at = 0
        while at < size, result.count < 1000 {
            let start = Int(lseek(descriptor, off_t(at), seekHole))
            guard start >= at, start < size else { break }
            let end = Int(lseek(descriptor, off_t(start), seekData))
            // Without data after it the call fails.
            at = end < 0 ? size : min(end, size)
            guard at > start else { break }
            result.append(start..<at)
        }
        return result
    }

    public func createDirectory(_ path: String) throws(FileError) {
        if mkdir(path, 0o750) == 0 { return FileOwnership.inherit(path) }
        let code = errno
        if code == ENOENT {
            let parent = FilePath.parent(path)
            guard parent != path else { throw FileError("mkdir", path, code: code) }
            try createDirectory(parent)
            if mkdir(path, 0o750) == 0 || errno == EEXIST { return FileOwnership.inherit(path) }
            throw FileError("mkdir", path, code: errno)
        }
        guard code == EEXIST else { throw FileError("mkdir", path, code: code) }
        guard try status(path).isDirectory else { throw FileError("mkdir", path, code: ENOTDIR) }
    }

    public func list(_ path: String) throws(FileError) -> [String] { try Self.names(in: path) }

    /// The names in a directory, in order of their bytes; more than `limit` are an error.
    static func names(in path: String, limit: Int = .max) throws(FileError) -> [String] {
        guard let directory = opendir(path) else { throw FileError("open", path, code: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw FileError("readdir", path, code: errno) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
                field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name == "." || name == ".." { continue }
            guard names.count < limit else { throw FileError("readdir", path, code: FileError.tooMany) }
            names.append(name)
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public func status(_ path: String) throws(FileError) -> FileStatus {
        var info = stat()
        _ = try Self.retry("stat", path) { stat(path, &info) }
        return FileStatus(
            size: Int(info.st_size), allocated: Int(info.st_blocks) &* 512,
            isDirectory: info.st_mode & S_IFMT == S_IFDIR,
            modified: Int64(info.st_mtim.tv_sec) &* 1000 &+ Int64(info.st_mtim.tv_nsec) / 1_000_000,
            identity: UInt64(info.st_ino), owner: info.st_uid, permissions: UInt16(info.st_mode & 0o777),
            names: Int(info.st_nlink))
    }

    public func kind(_ path: String) throws(FileError) -> FileKind? {
        var info = stat()
        do throws(FileError) {
            _ = try Self.retry("stat", path) { lstat(path, &info) }
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        return switch info.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .other
        }
    }

    public func rename(_ from: String, to: String) throws(FileError) {
        _ = try Self.retry("rename", "\(from) \(to)") { Glibc.rename(from, to) }
    }

    public func link(_ from: String, to: String) throws(FileError) {
        _ = try Self.retry("link", "\(from) \(to)") { Glibc.link(from, to) }
    }

    public func remove(_ path: String) throws(FileError) {
        _ = try Self.retry("unlink", path) { unlink(path) }
    }

    public func removeDirectory(_ path: String) throws(FileError) {
        _ = try Self.retry("rmdir", path) { rmdir(path) }
    }

    public func syncDirectory(_ path: String) throws(FileError) {
        let descriptor = try Self.retry("open", path) { cplatform_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) }
        defer { _ = Glibc.close(descriptor) }
        _ = try Self.retry("fsync", path) { fsync(descriptor) }
    }

    public func freeSpace(_ path: String) throws(FileError) -> Int {
        var info = statvfs()
        _ = try Self.retry("statvfs", path) { statvfs(path, &info) }
        let (bytes, overflow) = UInt(info.f_bavail).multipliedReportingOverflow(by: UInt(info.f_frsize))
        return overflow ? .max : Int(clamping: bytes)
    }

    public func lock(_ path: String) throws(FileError) -> any DirectoryLock {
        try lock(path, RealFile(path, try RegularFile.open(path, O_RDWR | O_CREAT, followsLinks: false)))
    }

    /// Locks a directory, and its lock file if there is one; neither is changed.
    func lockUnchanged(_ path: String) throws(FileError) -> any DirectoryLock {
        guard try kind(path) == .file else { return try lock(path, nil) }
        return try lock(path, RealFile(path, try RegularFile.open(path, O_RDONLY, followsLinks: false)))
    }

    private func lock(_ path: String, _ file: RealFile?) throws(FileError) -> any DirectoryLock {
        if let file, flock(try file.descriptor("lock"), LOCK_EX | LOCK_NB) != 0 {
            throw FileError("lock", path, code: errno)
        }
        // The lock file may be removed and made again; the directory is the same for all processes.
        let parent = FilePath.parent(path)
        let directory = RealFile(
            parent, try Self.retry("open", parent) { cplatform_open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0) })
        // Not all file systems can lock directories; NFS cannot.
        if flock(try directory.descriptor("lock"), LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            throw FileError("lock", parent, code: EWOULDBLOCK)
        }
        return HeldLock(file, directory)
    }

    public func lockHolder(_ path: String) -> (process: Int, name: String)? {
        // A line: `1: FLOCK ADVISORY WRITE PID MAJOR:MINOR:INODE 0 EOF`.
        guard let inode = try? status(path).identity,
            let table = try? RegularFile.content("/proc/locks", limit: 1 << 24)
        else { return nil }
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", let process = Int(fields[4]), process > 0,
                fields[5].split(separator: ":").last.flatMap({ UInt64($0) }) == inode
            else { continue }
            let name = (try? RegularFile.content("/proc/\(process)/comm", limit: 4096)) ?? []
            return (process, String(decoding: name.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
        }
        return nil
    }

    /// Repeats a call that a signal interrupted.
    static func retry(_ operation: String, _ path: String, _ call: () -> Int32) throws(FileError) -> Int32 {
        while true {
            let result = call()
            if result >= 0 { return result }
            let code = errno
            if code != EINTR { throw FileError(operation, path, code: code) }
        }
    }
}
