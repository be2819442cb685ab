import Glibc
import Synchronization

/// A file system that counts the bytes of one directory, and enforces a limit on them.
///
/// Each file counts with its size rounded up to whole pages of 4 KiB, once for all its names; each directory counts as
/// one page. A write that would exceed the limit writes nothing and fails with `EDQUOT`, as with an exceeded quota, so
/// that code that handles a full disk handles the limit, too. Changes by other processes are not noticed. One
/// subdirectory may be excluded from the count, for files that users make and remove there.
public final class BoundedFileSystem: FileSystem {
    /// The unit to which the size of a file is rounded up, bytes.
    public static let page = 4096

    /// The state of a file or directory below the root.
    private struct Entry {
        var size: Int
        var names = 1
        var isDirectory: Bool

        var charge: Int { isDirectory ? page : BoundedFileSystem.charge(size) }
    }

    private struct State {
        /// The entry of each path.
        var paths: [String: Int] = [:]
        var entries: [Int: Entry] = [:]
        var next = 0
        var used = 0
        var limit: Int
        /// The most bytes with essential files: more than the limit if there were more at the start.
        var essentialLimit = 0
        /// Whether the limit is suspended.
        var isLifted = false

        mutating func add(_ path: String, size: Int, isDirectory: Bool) -> Int {
            let entry = Entry(size: size, isDirectory: isDirectory)
            next += 1
            paths[path] = next
            entries[next] = entry
            used &+= entry.charge
            return next
        }

        mutating func drop(_ path: String) {
            guard let id = paths.removeValue(forKey: path), var entry = entries[id] else { return }
            entry.names -= 1
            if entry.names > 0 {
                entries[id] = entry
            } else {
                entries[id] = nil
                used &-= entry.charge
            }
        }
    }

    /// The directory that is counted.
    public let root: String
    private let base: any FileSystem
    public var disk: any FileSystem { base.disk }
    private let isEssential: @Sendable (String) -> Bool
    private let uncounted: String?
    private let slack: Int
    private let state: Mutex<State>

    /// Counts `root`, which is made if it is missing, and reads its contents.
    ///
    /// - Parameters:
    ///   - limit: The most bytes of `root`; 0 for any number.
    ///   - slack: The bytes below the limit that only essential files may use, for example those that record removals.
    ///   - uncounted: The name of a directory in `root` without a limit.
    ///   - isEssential: Whether a file at this path may use the slack.
    public init(
        _ base: any FileSystem, root: String, limit: Int, slack: Int = 0, uncounted: String? = nil,
        isEssential: @escaping @Sendable (String) -> Bool = { _ in false }
    ) throws(FileError) {
        self.base = base
        self.root = Self.normal(root)
        self.isEssential = isEssential
        self.uncounted = uncounted.map { Self.normal(root + "/" + $0) }
        self.slack = slack
        try base.createDirectory(root)
        var known = State(limit: limit <= 0 ? .max : limit)
        var byIdentity: [UInt64: Int] = [:]
        try Self.scan(base, root, as: self.root, except: self.uncounted, &known, &byIdentity)
        known.essentialLimit = known.limit == .max ? .max : max(known.limit, known.used &+ slack)
        state = Mutex(known)
    }

    private static func scan(
        _ base: any FileSystem, _ path: String, as key: String, except uncounted: String?, _ state: inout State,
        _ byIdentity: inout [UInt64: Int]
    ) throws(FileError) {
        if key == uncounted { return }
        let status: FileStatus
        do throws(FileError) { status = try base.status(path) } catch {
            // The file was removed meanwhile, or is a link without a target.
            if error.isNotFound || error.code == ELOOP { return }
            throw error
        }
        if !status.isDirectory, status.identity != 0, let known = byIdentity[status.identity] {
            state.entries[known]?.names += 1
            state.paths[key] = known
            return
        }
        // A large file that consists mostly of holes, for example a damaged one, counts with its allocated bytes;
        // otherwise data would be deleted because of its size.
        let isSparse = status.size / 4 > max(status.allocated, 16 << 20)
        let id = state.add(
            key, size: isSparse ? status.allocated : status.size, isDirectory: status.isDirectory)
        guard status.isDirectory else {
            byIdentity[status.identity] = id
            return
        }
        for name in try base.list(path) {
            try scan(base, path + "/" + name, as: key + "/" + name, except: uncounted, &state, &byIdentity)
        }
    }

    /// The bytes of the directory.
    public var used: Int { state.withLock { $0.used } }

    /// The most bytes of the directory; `Int.max` for any number.
    public var limit: Int { state.withLock { $0.limit } }

    /// Sets the most bytes of the directory; 0 for any number.
    public func setLimit(_ limit: Int) {
        state.withLock { state in
            state.limit = limit <= 0 ? .max : limit
            state.essentialLimit = state.limit == .max ? .max : max(state.limit, state.used &+ slack)
        }
    }

    /// Runs `body` without the limit: for work that uses space before it frees more.
    public func withoutLimit<R>(_ body: () throws -> R) rethrows -> R {
        state.withLock { $0.isLifted = true }
        defer { state.withLock { $0.isLifted = false } }
        return try body()
    }

    /// The bytes that ordinary files may still use.
    public var spaceLeft: Int { state.withLock { $0.limit == .max ? .max : max(0, $0.limit &- slack &- $0.used) } }

    private static func charge(_ size: Int) -> Int { (max(0, size) &+ (page - 1)) / page &* page }

    /// The path without doubled and trailing slashes and `.` parts.
    private static func normal(_ path: String) -> String {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
        let joined = parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "/")
        if path.utf8.first == UInt8(ascii: "/") { return "/" + joined }
        return joined.isEmpty ? "." : "./" + joined
    }

    /// The path relative to the root, or nil if it is not counted.
    private func own(_ path: String) -> String? {
        let path = Self.normal(path)
        if let uncounted, Self.isWithin(path, uncounted) { return nil }
        return Self.isWithin(path, root) ? path : nil
    }

    /// Whether a path is a directory, or lies below it.
    private static func isWithin(_ path: String, _ directory: String) -> Bool {
        guard path.hasPrefix(directory) else { return false }
        if directory == "/" { return true }
        return path.utf8.dropFirst(directory.utf8.count).first.map { $0 == UInt8(ascii: "/") } ?? true
    }

    /// Changes the charge of an entry.
    ///
    /// If that exceeds the limit, throws and changes nothing.
    private func resize(_ key: String, to size: Int, _ operation: String, _ path: String) throws(FileError) {
        let isEssential = isEssential(path)
        let fits = state.withLock { state -> Bool in
            guard let id = state.paths[key], let entry = state.entries[id] else { return true }
            let more = Self.charge(size) &- entry.charge
            if state.used <= state.limit { state.essentialLimit = state.limit }
            let bound = isEssential || state.limit == .max ? state.essentialLimit : state.limit &- slack
            guard more <= 0 || state.isLifted || state.used &+ more <= bound else { return false }
            state.entries[id]?.size = size
            state.used &+= more
            return true
        }
        if !fits { throw FileError(operation, path, code: EDQUOT) }
    }

    private func size(_ key: String) -> Int {
        state.withLock { state in state.paths[key].flatMap { state.entries[$0]?.size } ?? 0 }
    }

    /// Charges a new entry; a known one is not changed.
    private func add(_ key: String, isDirectory: Bool) {
        state.withLock { state in
            if state.paths[key] == nil { _ = state.add(key, size: 0, isDirectory: isDirectory) }
        }
    }

    // MARK: FileSystem

    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any File {
        guard mode != .read, let key = own(path) else { return try base.open(path, mode) }
        let file = try base.open(path, mode)
        add(key, isDirectory: false)
        if mode == .replace { try resize(key, to: 0, "open", path) }
        return BoundedFile(self, key, file)
    }

    public func map(_ path: String, limit: Int?) throws(FileError) -> FileMapping { try base.map(path, limit: limit) }

    public func createDirectory(_ path: String) throws(FileError) {
        guard var key = own(path) else { return try base.createDirectory(path) }
        var missing: [String] = []
        let fits = state.withLock { state in
            while key != root, Self.isWithin(key, root) {
                if state.paths[key] == nil { missing.append(key) }
                key = FilePath.parent(key)
            }
            return missing.isEmpty || state.limit == .max || state.isLifted
                || state.used &+ missing.count &* Self.page <= state.limit &- slack
        }
        guard fits else { throw FileError("mkdir", path, code: EDQUOT) }
        try base.createDirectory(path)
        for key in missing { add(key, isDirectory: true) }
    }

    public func list(_ path: String) throws(FileError) -> [String] { try base.list(path) }

    public func status(_ path: String) throws(FileError) -> FileStatus { try base.status(path) }

    public func kind(_ path: String) throws(FileError) -> FileKind? { try base.kind(path) }

    public func rename(_ from: String, to: String) throws(FileError) {
        try base.rename(from, to: to)
        let (old, new) = (own(from), own(to))
        state.withLock { state in
            guard let old, let id = state.paths[old], let entry = state.entries[id], new != old else { return }
            if let new { state.drop(new) }
            var moved = [old]
            if entry.isDirectory { moved += state.paths.keys.filter { $0.hasPrefix(old + "/") } }
            for path in moved {
                guard let new else {
                    state.drop(path)
                    continue
                }
                state.paths[new + path.dropFirst(old.count)] = state.paths.removeValue(forKey: path)
            }
        }
    }

    public func link(_ from: String, to: String) throws(FileError) {
        try base.link(from, to: to)
        guard let old = own(from), let new = own(to) else { return }
        state.withLock { state in
            guard let id = state.paths[old] else { return }
            state.entries[id]?.names += 1
            state.paths[new] = id
        }
    }

    public func remove(_ path: String) throws(FileError) {
        try base.remove(path)
        if let key = own(path) { state.withLock { $0.drop(key) } }
    }

    public func removeDirectory(_ path: String) throws(FileError) {
        try base.removeDirectory(path)
        if let key = own(path) { state.withLock { $0.drop(key) } }
    }

    public func syncDirectory(_ path: String) throws(FileError) { try base.syncDirectory(path) }

    public func freeSpace(_ path: String) throws(FileError) -> Int {
        let free = try base.freeSpace(path)
        return own(path) == nil ? free : min(free, spaceLeft)
    }

    public func lockHolder(_ path: String) -> (process: Int, name: String)? { base.lockHolder(path) }

    public func lock(_ path: String) throws(FileError) -> any DirectoryLock {
        let lock = try base.lock(path)
        if let key = own(path) { add(key, isDirectory: false) }
        return lock
    }

    /// A file whose growth is charged.
    private final class BoundedFile: File {
        private let owner: BoundedFileSystem
        private let key: String
        private let file: any File

        init(_ owner: BoundedFileSystem, _ key: String, _ file: any File) {
            self.owner = owner
            self.key = key
            self.file = file
        }

        var path: String { file.path }

        func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
            let before = owner.size(key)
            try owner.resize(key, to: before &+ bytes.count, "write", path)
            do throws(FileError) { try file.write(bytes) } catch {
                // A part may have been written, so the actual size is counted.
                let now = (try? file.size()) ?? before &+ bytes.count
                try? owner.resize(key, to: now, "write", path)
                throw error
            }
        }

        func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
            try file.read(at: offset, into: buffer)
        }

        func syncData() throws(FileError) { try file.syncData() }

        func truncate(to size: Int) throws(FileError) {
            let before = owner.size(key)
            if size > before { try owner.resize(key, to: size, "truncate", path) }
            do throws(FileError) { try file.truncate(to: size) } catch {
                try? owner.resize(key, to: (try? file.size()) ?? before, "truncate", path)
                throw error
            }
            try owner.resize(key, to: size, "truncate", path)
        }

        func size() throws(FileError) -> Int { try file.size() }

        func close() { file.close() }
    }
}
