import Glibc

/// The version of a file, which changes with it, and is read without opening it.
public struct FileStamp: Sendable, Hashable {
    /// The time of the last change, s and ns since the epoch.
    public var seconds: Int
    public var nanoseconds: Int
    private var size: Int
    private var inode: UInt

    /// The current version of the file; nil if there is none.
    public init?(_ path: String) {
        var info = stat()
        guard stat(path, &info) == 0 else { return nil }
        seconds = info.st_mtim.tv_sec
        nanoseconds = info.st_mtim.tv_nsec
        size = info.st_size
        inode = UInt(info.st_ino)
    }
}
