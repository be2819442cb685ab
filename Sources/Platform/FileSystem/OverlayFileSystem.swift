import Glibc
import Synchronization

/// A file system in which one directory can be changed without a change of the disk.
///
/// Bytes that are written below the directory are kept in temporary files without names, which the system removes with
/// the process. All else is read from the disk. So code that opens a store for writing can read one that must not change.
public final class OverlayFileSystem: FileSystem {
    /// A file or a directory below the root.
    private final class Node {
        enum Content {
            /// A thing on the disk that was not changed.
            case original(String)
            case temporary(RealFile)
            case directory([String: Node])
        }

        var content: Content

        init(_ content: Content) { self.content = content }
    }

    /// The directory that does not change on the disk.
    public let root: String
    private let base = RealFileSystem()
    private let tree: Mutex<Node>

    /// Prepares an overlay of a directory.
    ///
    /// - Throws: The error of a temporary file, with the name of its directory.
    public init(_ root: String) throws(FileError) {
        RealFile(root, try RegularFile.temporary()).close()
        self.root = root
        tree = Mutex(Node(.original(root)))
    }

    /// The names from the root to a path; nil if the path is not below the root.
    private func names(_ path: String) -> [String]? {
        if path == root { return [] }
        let start = root == "/" ? root : root + "/"
        guard path.hasPrefix(start) else { return nil }
        return path.dropFirst(start.count).split(separator: "/").map(String.init)
    }

    /// Calls `body` with what a path names now: nil if a changed directory has no such name.
    private func at<R: Sendable>(
        _ path: String, _ body: (Node.Content?) throws(FileError) -> R
    ) throws(FileError) -> R {
        guard let names = names(path) else { return try body(.original(path)) }
        return try tree.withLock { (root) throws(FileError) -> R in
            var node = root
            for (index, name) in names.enumerated() {
                switch node.content {
                case .original(let place):
                    return try body(.original(place + "/" + names[index...].joined(separator: "/")))
                case .temporary: throw FileError("open", path, code: ENOTDIR)
                case .directory(let entries):
                    guard let next = entries[name] else { return try body(nil) }
                    node = next
                }
            }
            return try body(node.content)
        }
    }

    /// Calls `body` with the entries of a path's directory and its name there, and keeps the changes.
    private func change<R: Sendable>(
        _ path: String, _ operation: String, _ body: (inout [String: Node], String) throws(FileError) -> R
    ) throws(FileError) -> R {
        guard let names = names(path), let last = names.last else { throw FileError(operation, path, code: EROFS) }
        return try tree.withLock { (root) throws(FileError) -> R in
            var node = root
            var entries = try entries(node)
            for name in names.dropLast() {
                guard let next = entries[name] else { throw FileError(operation, path, code: ENOENT) }
                node = next
                entries = try self.entries(node)
            }
            defer { node.content = .directory(entries) }
            return try body(&entries, last)
        }
    }

    /// The entries of a directory; from now on they are kept here.
    private func entries(_ node: Node) throws(FileError) -> [String: Node] {
        switch node.content {
        case .directory(let entries): return entries
        case .temporary(let file): throw FileError("open", file.path, code: ENOTDIR)
        case .original(let place):
            var entries: [String: Node] = [:]
            for name in try base.list(place) { entries[name] = Node(.original(place + "/" + name)) }
            node.content = .directory(entries)
            return entries
        }
    }

    // MARK: Files

    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any File {
        if mode == .read {
            return try at(path) { content throws(FileError) -> any File in
                switch content {
                case nil: throw FileError("open", path, code: ENOENT)
                case .original(let place): return try base.open(place, .read)
                case .temporary(let file): return try file.duplicate(path)
                case .directory: throw FileError("open", path, code: EISDIR)
                }
            }
        }
        return try change(path, "open") { entries, name throws(FileError) -> any File in
            let file: RealFile
            switch (entries[name]?.content, mode) {
            case (.some, .create): throw FileError("open", path, code: EEXIST)
            case (.directory, _): throw FileError("open", path, code: EISDIR)
            case (.temporary(let known), .append): return try known.duplicate(path)
            case (.original(let place), .append): file = try copy(place, path)
            default: file = RealFile(path, try RegularFile.temporary())
            }
            entries[name] = Node(.temporary(file))
            return try file.duplicate(path)
        }
    }

    /// A temporary file with the content of a file on the disk.
    private func copy(_ place: String, _ path: String) throws(FileError) -> RealFile {
        let source = RealFile(place, try RegularFile.open(place, O_RDONLY))
        defer { source.close() }
        let copy = RealFile(path, try RegularFile.temporary())
        try source.copy(to: copy, keeping: try source.holes())
        return copy
    }

    public func map(_ path: String, limit: Int?) throws(FileError) -> FileMapping {
        try at(path) { content throws(FileError) -> FileMapping in
            switch content {
            case nil: throw FileError("open", path, code: ENOENT)
            case .original(let place): return try base.map(place, limit: limit)
            case .temporary(let file): return try RealFileSystem.map(try file.descriptor("mmap"), path, limit: limit)
            case .directory: throw FileError("open", path, code: EISDIR)
            }
        }
    }

    // MARK: Names

    public func createDirectory(_ path: String) throws(FileError) {
        do throws(FileError) {
            guard try status(path).isDirectory else { throw FileError("mkdir", path, code: ENOTDIR) }
            return
        } catch {
            guard error.isNotFound, path != root, names(path) != nil else { throw error }
        }
        try createDirectory(FilePath.parent(path))
        try change(path, "mkdir") { entries, name in entries[name] = Node(.directory([:])) }
    }

    public func list(_ path: String) throws(FileError) -> [String] {
        try at(path) { content throws(FileError) -> [String] in
            switch content {
            case nil: throw FileError("open", path, code: ENOENT)
            case .original(let place): return try base.list(place)
            case .temporary: throw FileError("open", path, code: ENOTDIR)
            case .directory(let entries):
                return entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            }
        }
    }

    public func status(_ path: String) throws(FileError) -> FileStatus {
        try at(path) { content throws(FileError) -> FileStatus in
            switch content {
            case nil: throw FileError("stat", path, code: ENOENT)
            case .original(let place): return try base.status(place)
            case .temporary(let file):
                let size = try file.size()
                return FileStatus(size: size, allocated: size, isDirectory: false, modified: 0)
            case .directory: return FileStatus(size: 4096, allocated: 4096, isDirectory: true, modified: 0)
            }
        }
    }

    public func kind(_ path: String) throws(FileError) -> FileKind? {
        try at(path) { content throws(FileError) -> FileKind? in
            switch content {
            case nil: nil
            case .original(let place): try base.kind(place)
            case .temporary: .file
            case .directory: .directory
            }
        }
    }

    public func rename(_ from: String, to: String) throws(FileError) {
        guard try status(FilePath.parent(to)).isDirectory else { throw FileError("rename", to, code: ENOTDIR) }
        let node = try change(from, "rename") { entries, name throws(FileError) -> Moved in
            guard let node = entries.removeValue(forKey: name) else { throw FileError("rename", from, code: ENOENT) }
            return Moved(node)
        }
        try change(to, "rename") { entries, name in entries[name] = node.node }
    }

    public func link(_ from: String, to: String) throws(FileError) {
        let node = try change(from, "link") { entries, name throws(FileError) -> Moved in
            guard let node = entries[name] else { throw FileError("link", from, code: ENOENT) }
            return Moved(node)
        }
        try change(to, "link") { entries, name throws(FileError) in
            guard entries[name] == nil else { throw FileError("link", to, code: EEXIST) }
            entries[name] = node.node
        }
    }

    // SAFETY: a node is only used under the lock of the tree.
    private struct Moved: @unchecked Sendable {
        let node: Node

        init(_ node: Node) { self.node = node }
    }

    public func remove(_ path: String) throws(FileError) {
        try change(path, "unlink") { entries, name throws(FileError) in
            guard entries.removeValue(forKey: name) != nil else { throw FileError("unlink", path, code: ENOENT) }
        }
    }

    public func removeDirectory(_ path: String) throws(FileError) {
        guard try list(path).isEmpty else { throw FileError("rmdir", path, code: ENOTEMPTY) }
        try remove(path)
    }

    public func syncDirectory(_ path: String) throws(FileError) {}

    public func freeSpace(_ path: String) throws(FileError) -> Int {
        try base.freeSpace(RegularFile.temporaryFolder)
    }

    /// Locks a directory, and its lock file if there is one.
    public func lock(_ path: String) throws(FileError) -> any DirectoryLock { try base.lockUnchanged(path) }

    public func lockHolder(_ path: String) -> (process: Int, name: String)? { base.lockHolder(path) }
}
