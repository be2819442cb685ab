import Glibc

/// The way in which a file is opened.
public enum FileMode: Sendable, Hashable {
    /// The file must exist; it is only read.
    case read
    /// Made if it is missing; writes append.
    case append
    /// Must not exist yet; writes append.
    case create
    /// Made if it is missing, emptied if it exists; writes append.
    case replace
}

/// The attributes of a file or directory, read without opening it.
public struct FileStatus: Sendable, Hashable {
    /// Bytes of content.
    public var size: Int
    /// The bytes that are allocated on disk.
    public var allocated: Int
    public var isDirectory: Bool
    /// The time of the last change in milliseconds since the epoch.
    public var modified: Int64
    /// The inode: the same for all names of one file in one file system; 0 if it is unknown.
    public var identity: UInt64
    /// The owner.
    public var owner: UInt32
    /// The permissions, as the lower nine bits of a mode.
    public var permissions: UInt16
    /// The number of names of a file.
    ///
    /// If there are several, it may be a file of another program.
    public var names: Int

    public init(
        size: Int, allocated: Int, isDirectory: Bool, modified: Int64, identity: UInt64 = 0, owner: UInt32 = 0,
        permissions: UInt16 = 0o750, names: Int = 1
    ) {
        self.size = size
        self.allocated = allocated
        self.isDirectory = isDirectory
        self.modified = modified
        self.identity = identity
        self.owner = owner
        self.permissions = permissions
        self.names = names
    }
}

/// The kind of the entry with a name in a directory; links are not followed.
public enum FileKind: Sendable, Hashable {
    case file
    case directory
    case link
    /// A pipe, a socket or a device.
    case other
}

/// The lock of a directory that only this process may use, until the lock is released or the process ends.
public protocol DirectoryLock: AnyObject, Sendable {
    func release()
}

/// An open file.
///
/// Several threads may read at once; only one at a time may use writes, `truncate` and `close`. It is closed at the
/// latest with the last reference.
public protocol File: AnyObject, Sendable {
    var path: String { get }

    /// Appends all of `bytes`.
    ///
    /// If it throws, a part may have been written: truncate to the last known size before the next write.
    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError)

    /// Fills `buffer` from `offset` on, and returns the number of bytes read: fewer only at the end of the file.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int

    /// Returns when the written bytes are on disk, with the metadata that is necessary to read them back.
    func syncData() throws(FileError)

    /// Truncates the file, or extends it with zeros.
    func truncate(to size: Int) throws(FileError)

    /// The size of the content in bytes.
    func size() throws(FileError) -> Int

    /// Closes the file; further use fails. Calling it again does nothing.
    func close()
}

/// The content of a file as read-only memory, valid until the last reference is gone.
public final class FileMapping: Sendable {
    // SAFETY: never written after initialisation; the memory is read-only and lives as long as the object.
    /// Valid only while the object is referenced; prefer ``withBytes(_:)``.
    nonisolated(unsafe) public let bytes: UnsafeRawBufferPointer
    /// Ranges of ``bytes`` that use no disk space and read as zeros, ascending; the list may be incomplete.
    public let holes: [Range<Int>]
    /// Whether the file continues after ``bytes``.
    public let isPartial: Bool
    private let free: @Sendable (UnsafeRawBufferPointer) -> Void

    public init(
        _ bytes: UnsafeRawBufferPointer, holes: [Range<Int>] = [], isPartial: Bool = false,
        free: @escaping @Sendable (UnsafeRawBufferPointer) -> Void
    ) {
        self.bytes = bytes
        self.holes = holes
        self.isPartial = isPartial
        self.free = free
    }

    deinit { free(bytes) }

    /// Calls `body` with the content, which stays valid during the call.
    public func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withExtendedLifetime(self) { try body(bytes) }
    }

    /// The position of the first byte from `offset` on that is not zero, or the end; holes are not read.
    ///
    /// - Parameter budget: The remaining cost: one for each started 64 bytes of zeros that are read. If it is used up,
    ///   the result is the end.
    public func skipZeros(from offset: Int, budget: inout Int) -> Int {
        var at = offset
        var hole = 0
        while at < bytes.count {
            while hole < holes.count, holes[hole].upperBound <= at { hole &+= 1 }
            if hole < holes.count, holes[hole].contains(at) {
                at = holes[hole].upperBound
                continue
            }
            let end = min(bytes.count, hole < holes.count ? holes[hole].lowerBound : bytes.count, at &+ 64)
            while end &- at >= 8, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self) == 0 { at &+= 8 }
            while at < end {
                if bytes[at] != 0 { return at }
                at &+= 1
            }
            budget &-= 1
            if budget <= 0 { return bytes.count }
        }
        return bytes.count
    }
}

/// The interface to the disk, so that tests can fail, tear and stop each operation.
///
/// Paths are those of the system. Interrupted calls are repeated. Several threads may use it at once.
public protocol FileSystem: AnyObject, Sendable {
    func open(_ path: String, _ mode: FileMode) throws(FileError) -> any File

    /// Maps a file for reading; an empty file becomes an empty buffer.
    ///
    /// - Parameter limit: The most bytes from the start that are mapped, without a hole at the end; nil maps the whole
    ///   file.
    func map(_ path: String, limit: Int?) throws(FileError) -> FileMapping

    /// Makes a directory and its missing parents; an existing one is not an error.
    func createDirectory(_ path: String) throws(FileError)

    /// The names in a directory, without `.` and `..`, sorted bytewise.
    func list(_ path: String) throws(FileError) -> [String]

    func status(_ path: String) throws(FileError) -> FileStatus

    /// The kind of the entry with a name; nil if there is none.
    func kind(_ path: String) throws(FileError) -> FileKind?

    /// Moves a file or directory, and replaces an existing file.
    func rename(_ from: String, to: String) throws(FileError)

    /// Makes a second name of a file.
    func link(_ from: String, to: String) throws(FileError)

    /// Removes a file.
    func remove(_ path: String) throws(FileError)

    /// Removes an empty directory.
    func removeDirectory(_ path: String) throws(FileError)

    /// Returns when the changes of names in a directory are on disk.
    func syncDirectory(_ path: String) throws(FileError)

    /// The disk itself, without a limit that was set for a directory.
    var disk: any FileSystem { get }

    /// The bytes that may still be written to the file system of `path`.
    func freeSpace(_ path: String) throws(FileError) -> Int

    /// Locks the lock file at `path`, and its directory where directories can be locked; throws `EWOULDBLOCK` if
    /// another process holds one of the locks.
    func lock(_ path: String) throws(FileError) -> any DirectoryLock

    /// The process that holds the lock file at `path`, and its name; nil if it is unknown.
    func lockHolder(_ path: String) -> (process: Int, name: String)?
}

extension FileSystem {
    public func lockHolder(_ path: String) -> (process: Int, name: String)? { nil }

    /// The kind of the entry with a name, in a file system without links.
    public func kind(_ path: String) throws(FileError) -> FileKind? {
        do throws(FileError) { return try status(path).isDirectory ? .directory : .file } catch {
            if error.isNotFound { return nil }
            throw error
        }
    }

    /// Whether the name exists, also as a link without a target.
    public func exists(_ path: String) throws(FileError) -> Bool { try kind(path) != nil }

    /// Maps a whole file for reading.
    public func map(_ path: String) throws(FileError) -> FileMapping { try map(path, limit: nil) }

    /// The content of a file.
    ///
    /// - Parameter limit: A file of more bytes is an error, `EFBIG`, and is not read.
    public func read(_ path: String, limit: Int) throws(FileError) -> [UInt8] {
        let file = try open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= limit else { throw FileError("read", path, code: EFBIG) }
        // A file with holes may have any size.
        guard size <= MachineMemory.limit / 4, AddressSpace.canAllocate(size) else {
            throw FileError("read", path, code: ENOMEM)
        }
        var content = [UInt8](repeating: 0, count: size)
        var failure: FileError?
        var got = 0
        content.withUnsafeMutableBytes { buffer in
            do throws(FileError) { got = try file.read(at: 0, into: buffer) } catch { failure = error }
        }
        if let failure { throw failure }
        content.removeLast(content.count - got)
        return content
    }

    /// Replaces a file so that after a crash it has either the old content or all of the new.
    ///
    /// Writes `path.tmp`, syncs it, renames it and syncs the directory.
    public func replace(_ path: String, with content: [UInt8]) throws(FileError) {
        let temporary = path + ".tmp"
        let file = try open(temporary, .replace)
        defer { file.close() }
        try file.write(content)
        try file.syncData()
        try rename(temporary, to: path)
        try syncDirectory(FilePath.parent(path))
    }

    /// Removes a file, or a directory with all its contents; a missing one is not an error, and links are not followed.
    public func removeAll(_ path: String) throws(FileError) {
        do throws(FileError) {
            guard try kind(path) == .directory else { return try remove(path) }
            for name in try list(path) { try removeAll(path + "/" + name) }
            try removeDirectory(path)
        } catch {
            if !error.isNotFound { throw error }
        }
    }

    /// The bytes on disk of a file, or of a directory with all its contents; entries that are removed meanwhile count
    /// as 0.
    public func usage(_ path: String) throws(FileError) -> Int {
        do throws(FileError) {
            let status = try status(path)
            guard status.isDirectory else { return status.allocated }
            var sum = status.allocated
            for name in try list(path) { sum &+= try usage(path + "/" + name) }
            return sum
        } catch {
            if error.isNotFound { return 0 }
            throw error
        }
    }
}

extension File {
    /// Appends all of `bytes`.
    public func write(_ bytes: [UInt8]) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { buffer in
            do throws(FileError) { try write(buffer) } catch { failure = error }
        }
        if let failure { throw failure }
    }
}

/// Parts of a path.
public enum FilePath {
    /// The directory of `path`; `.` for a bare name.
    public static func parent(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.utf8.startIndex ? "/" : String(path[..<slash])
    }

    /// Whether `path`, which need not exist, is a directory or below it after all links are followed.
    public static func isBelow(_ directory: String, _ path: String) -> Bool {
        guard let root = resolved(directory) else { return false }
        var part = path
        while !part.isEmpty {
            if let found = resolved(part) { return found == root || found.hasPrefix(root == "/" ? root : root + "/") }
            let next = parent(part)
            if next == part { return false }
            part = next
        }
        return false
    }

    /// The path without links and dots; nil if it does not exist.
    private static func resolved(_ path: String) -> String? {
        guard let found = realpath(path, nil) else { return nil }
        defer { free(found) }
        return String(cString: found)
    }

    /// The text after the last slash.
    public static func name(_ path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }
}

extension FileSystem {
    public var disk: any FileSystem { self }
}
