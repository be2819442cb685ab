import Glibc
import Platform
import Synchronization

/// A file system in memory that can fail, tear and stop, and forgets what was not synced.
///
/// Strict as POSIX is: content is durable after `syncData`, names only after `syncDirectory` of their directory.
/// Operations that change something are counted from 1, so that a test can stop at each of them in turn.
public final class FaultyFileSystem: FileSystem {
    /// What happens at one of the counted operations.
    public enum Fault: Sendable, Hashable {
        /// Throws this error number; the system goes on afterwards.
        case fail(Int32)
        /// A write is done by half, then throws; other operations throw.
        case tear
        /// This operation and all that follow throw, as if the process had been killed.
        case stop
    }

    /// What a power cut leaves of what was not synced.
    public enum Aftermath: Sendable, Hashable, CaseIterable {
        /// Nothing of it.
        case dropped
        /// All of it.
        case kept
        /// Names as synced; of the unsynced end of each file, a part.
        case torn
    }

    /// One counted operation.
    public struct Operation: Sendable, Hashable {
        public var name: String
        public var path: String
    }

    struct Node {
        var isDirectory: Bool
        var content: [UInt8] = []
        var durable: [UInt8] = []
        /// What a failed sync left only in memory: a later sync does not bring it to the disk.
        var lost = 0..<0
        var entries: [String: Int] = [:]
        var durableEntries: [String: Int] = [:]
    }

    struct State {
        var nodes: [Int: Node] = [0: Node(isDirectory: true)]
        var nextNode = 1
        var operations: [Operation] = []
        var faults: [Int: Fault] = [:]
        /// One of so many syncs fails, at random; 0 for none.
        var failingSyncs: UInt64 = 0
        var unreadable: (part: String, code: Int32, after: Int)?
        /// The names of operations that fail.
        var failing: Set<String> = []
        var random: UInt64 = 0
        var isStopped = false
        var locks: Set<String> = []
        var capacity = Int.max

        /// Bytes of the files that have a name.
        var used: Int {
            var seen: Set<Int> = []
            var waiting = [0]
            var sum = 0
            while let id = waiting.popLast() {
                guard seen.insert(id).inserted, let node = nodes[id] else { continue }
                sum += node.content.count
                waiting += node.entries.values
            }
            return sum
        }
    }

    let state: Mutex<State>

    public init() { state = Mutex(State()) }

    private init(_ state: State) { self.state = Mutex(state) }

    /// The number of open files, and the most.
    let opened = Mutex((count: 0, most: Int.max))

    /// The number of open files.
    public var openFiles: Int { opened.withLock { $0.count } }

    /// Lets files be opened until there are so many.
    public func limitOpenFiles(_ most: Int) { opened.withLock { $0.most = most } }

    /// Counts an open file.
    func take(_ path: String) throws(FileError) {
        let isFree = opened.withLock { opened in
            guard opened.count < opened.most else { return false }
            opened.count += 1
            return true
        }
        guard isFree else { throw FileError("open", path, code: EMFILE) }
    }

    func giveBack() { opened.withLock { $0.count -= 1 } }

    /// The operations so far that changed something.
    public var operations: [Operation] { state.withLock { $0.operations } }

    /// Arranges for `fault` at the operation that is `number`, counted from 1 since the beginning.
    public func inject(_ fault: Fault, at number: Int) { state.withLock { $0.faults[number] = fault } }

    /// Lets one of `count` syncs fail from now on, of files and of directories, at random; 0 for none.
    public func failSyncs(oneIn count: Int, seed: UInt64) {
        state.withLock {
            $0.failingSyncs = UInt64(max(0, count))
            $0.random = seed &* 2 &+ 1
        }
    }

    /// Lets reads of all files fail whose paths contain `part`, after so many of them.
    public func failReads(of part: String, code: Int32, after count: Int = 0) {
        state.withLock { $0.unreadable = (part, code, count) }
    }

    /// Lets operations with these names fail, for instance `unlink`.
    public func fail(_ names: Set<String>) { state.withLock { $0.failing = names } }

    /// Counts a read, and returns the error number if it fails.
    func failingRead(_ path: String) -> Int32? {
        state.withLock { state in
            guard let fault = state.unreadable, path.contains(fault.part) else { return nil }
            state.unreadable?.after = max(0, fault.after - 1)
            return fault.after == 0 ? fault.code : nil
        }
    }

    /// Arranges for all faults to be forgotten, for instance because the disk was exchanged.
    public func heal() {
        state.withLock {
            $0.faults = [:]
            $0.failingSyncs = 0
            $0.unreadable = nil
            $0.failing = []
            $0.isStopped = false
        }
    }

    /// The bytes that all files together may have, and have.
    public func setCapacity(_ bytes: Int) { state.withLock { $0.capacity = bytes } }
    public var used: Int { state.withLock { $0.used } }

    /// What a directory takes: the pages of its files, each once, and a page for each directory.
    public func pages(_ path: String) -> Int {
        state.withLock { state in
            guard let root = try? Self.find(state, path, "pages") else { return 0 }
            var seen: Set<Int> = []
            var waiting = [root]
            var sum = 0
            while let id = waiting.popLast() {
                guard seen.insert(id).inserted, let node = state.nodes[id] else { continue }
                sum += node.isDirectory ? 4096 : (node.content.count + 4095) / 4096 * 4096
                waiting += node.entries.values
            }
            return sum
        }
    }

    /// The file system as the next process finds it after a power cut, without faults and locks.
    public func afterPowerCut(_ aftermath: Aftermath) -> FaultyFileSystem {
        var next = state.withLock { $0 }
        next.faults = [:]
        next.failingSyncs = 0
        next.isStopped = false
        next.locks = []
        next.operations = []
        next.capacity = .max
        for id in next.nodes.keys {
            guard var node = next.nodes[id] else { continue }
            switch aftermath {
            case .kept: break
            case .dropped:
                node.content = node.durable
                node.entries = node.durableEntries
            case .torn:
                node.entries = node.durableEntries
                if node.content.starts(with: node.durable) {
                    let unsynced = node.content.count - node.durable.count
                    node.content.removeLast(unsynced - unsynced / 2)
                } else {
                    node.content = node.durable
                }
            }
            node.durable = node.content
            node.durableEntries = node.entries
            next.nodes[id] = node
        }
        return FaultyFileSystem(next)
    }

    /// Replaces the content of a file, durably and uncounted, as damage does.
    public func damage(_ path: String, _ change: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard let id = try? Self.find(state, path, "damage") else { return }
            change(&state.nodes[id, default: Node(isDirectory: false)].content)
            let content = state.nodes[id]?.content ?? []
            state.nodes[id]?.durable = content
        }
    }

    // MARK: Walking

    private static func parts(_ path: String) -> [String] {
        path.split(separator: "/").map(String.init).filter { $0 != "." }
    }

    private static func find(_ state: State, _ path: String, _ operation: String) throws(FileError) -> Int {
        var id = 0
        for part in parts(path) {
            guard let node = state.nodes[id], node.isDirectory else {
                throw FileError(operation, path, code: ENOTDIR)
            }
            guard let next = node.entries[part] else { throw FileError(operation, path, code: ENOENT) }
            id = next
        }
        return id
    }

    private static func parent(_ state: State, _ path: String, _ operation: String) throws(FileError)
        -> (id: Int, name: String)
    {
        let all = parts(path)
        guard let name = all.last else { throw FileError(operation, path, code: EEXIST) }
        let id = try find(state, all.dropLast().joined(separator: "/"), operation)
        guard state.nodes[id]?.isDirectory == true else { throw FileError(operation, path, code: ENOTDIR) }
        return (id, name)
    }

    /// Runs `body` as one counted operation; `tear` is what a torn one still does.
    func change<R: Sendable>(
        _ name: String, _ path: String, tear: (inout State) -> Void = { _ in },
        fail: (inout State) -> Void = { _ in },
        _ body: (inout State) throws(FileError) -> R
    ) throws(FileError) -> R {
        let result = state.withLock { state -> Result<R, FileError> in
            if state.isStopped { return .failure(FileError(name, path, code: EIO)) }
            state.operations.append(Operation(name: name, path: path))
            switch state.faults[state.operations.count] {
            case .fail(let code):
                fail(&state)
                return .failure(FileError(name, path, code: code))
            case .tear:
                tear(&state)
                return .failure(FileError(name, path, code: EIO))
            case .stop:
                tear(&state)
                state.isStopped = true
                return .failure(FileError(name, path, code: EIO))
            case nil: break
            }
            if state.failing.contains(name) { return .failure(FileError(name, path, code: EIO)) }
            if ["fsync", "fdatasync"].contains(name), Self.failsNext(&state) {
                fail(&state)
                return .failure(FileError(name, path, code: EIO))
            }
            do throws(FileError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Draws whether a sync fails.
    private static func failsNext(_ state: inout State) -> Bool {
        guard state.failingSyncs > 0 else { return false }
        state.random = state.random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return (state.random >> 33) % state.failingSyncs == 0
    }

    func look<R: Sendable>(
        _ name: String, _ path: String, _ body: (State) throws(FileError) -> R
    ) throws(FileError) -> R {
        let result = state.withLock { state -> Result<R, FileError> in
            if state.isStopped { return .failure(FileError(name, path, code: EIO)) }
            do throws(FileError) { return .success(try body(state)) } catch { return .failure(error) }
        }
        return try result.get()
    }

    // MARK: FileSystem

    public func open(_ path: String, _ mode: FileMode) throws(FileError) -> any File {
        try take(path)
        do throws(FileError) { return try FaultyFile(self, node(path, mode), path) } catch {
            giveBack()
            throw error
        }
    }

    /// Finds or makes the node of a file that is opened.
    private func node(_ path: String, _ mode: FileMode) throws(FileError) -> Int {
        let existing = try look("open", path) { state throws(FileError) -> Int? in
            do throws(FileError) {
                let id = try Self.find(state, path, "open")
                guard state.nodes[id]?.isDirectory == false || mode == .read else {
                    throw FileError("open", path, code: EISDIR)
                }
                return id
            } catch {
                if error.isNotFound, mode != .read { return nil }
                throw error
            }
        }
        if let existing {
            if mode == .create { throw FileError("open", path, code: EEXIST) }
            if mode == .replace {
                try change("truncate", path) { state in
                    state.nodes[existing]?.content = []
                    state.nodes[existing]?.lost = 0..<0
                }
            }
            return existing
        }
        return try change("create", path) { state throws(FileError) -> Int in
            let parent = try Self.parent(state, path, "open")
            let id = state.nextNode
            state.nextNode += 1
            state.nodes[id] = Node(isDirectory: false)
            state.nodes[parent.id]?.entries[parent.name] = id
            return id
        }
    }

    public func map(_ path: String, limit: Int?) throws(FileError) -> FileMapping {
        try take(path)
        defer { giveBack() }
        if let code = failingRead(path) { throw FileError("mmap", path, code: code) }
        let whole = try look("mmap", path) { state throws(FileError) -> [UInt8] in
            state.nodes[try Self.find(state, path, "open")]?.content ?? []
        }
        let content = limit.map { Array(whole.prefix($0)) } ?? whole
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: content.count, alignment: 8)
        copy.copyBytes(from: content)
        return FileMapping(UnsafeRawBufferPointer(copy), isPartial: content.count < whole.count) { $0.deallocate() }
    }

    public func createDirectory(_ path: String) throws(FileError) {
        let all = Self.parts(path)
        for depth in 0..<all.count {
            let part = all[...depth].joined(separator: "/")
            let isThere = try look("stat", part) { state throws(FileError) -> Bool in
                do throws(FileError) {
                    return state.nodes[try Self.find(state, part, "stat")]?.isDirectory == true
                } catch {
                    if error.isNotFound { return false }
                    throw error
                }
            }
            if isThere { continue }
            try change("mkdir", part) { state throws(FileError) in
                let parent = try Self.parent(state, part, "mkdir")
                guard state.nodes[parent.id]?.entries[parent.name] == nil else {
                    throw FileError("mkdir", part, code: EEXIST)
                }
                state.nodes[state.nextNode] = Node(isDirectory: true)
                state.nodes[parent.id]?.entries[parent.name] = state.nextNode
                state.nextNode += 1
            }
        }
    }

    public func list(_ path: String) throws(FileError) -> [String] {
        try look("open", path) { state throws(FileError) in
            guard let node = state.nodes[try Self.find(state, path, "open")], node.isDirectory else {
                throw FileError("open", path, code: ENOTDIR)
            }
            return node.entries.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        }
    }

    public func status(_ path: String) throws(FileError) -> FileStatus {
        try look("stat", path) { state throws(FileError) in
            let id = try Self.find(state, path, "stat")
            let node = state.nodes[id]
            let size = node?.content.count ?? 0
            return FileStatus(
                size: size, allocated: (size + 4095) / 4096 * 4096, isDirectory: node?.isDirectory ?? false,
                modified: 0, identity: UInt64(id) + 1)
        }
    }

    public func rename(_ from: String, to: String) throws(FileError) {
        try change("rename", "\(from) \(to)") { state throws(FileError) in
            let id = try Self.find(state, from, "rename")
            let old = try Self.parent(state, from, "rename")
            let new = try Self.parent(state, to, "rename")
            if let target = state.nodes[new.id]?.entries[new.name], let node = state.nodes[target], node.isDirectory {
                guard node.entries.isEmpty, state.nodes[id]?.isDirectory == true else {
                    throw FileError("rename", "\(from) \(to)", code: ENOTEMPTY)
                }
            }
            state.nodes[old.id]?.entries[old.name] = nil
            state.nodes[new.id]?.entries[new.name] = id
        }
    }

    public func link(_ from: String, to: String) throws(FileError) {
        try change("link", "\(from) \(to)") { state throws(FileError) in
            let id = try Self.find(state, from, "link")
            let new = try Self.parent(state, to, "link")
            guard state.nodes[new.id]?.entries[new.name] == nil else {
                throw FileError("link", "\(from) \(to)", code: EEXIST)
            }
            state.nodes[new.id]?.entries[new.name] = id
        }
    }

    public func remove(_ path: String) throws(FileError) {
        try change("unlink", path) { state throws(FileError) in
            let id = try Self.find(state, path, "unlink")
            guard state.nodes[id]?.isDirectory == false else { throw FileError("unlink", path, code: EISDIR) }
            let parent = try Self.parent(state, path, "unlink")
            state.nodes[parent.id]?.entries[parent.name] = nil
        }
    }

    public func removeDirectory(_ path: String) throws(FileError) {
        try change("rmdir", path) { state throws(FileError) in
            let id = try Self.find(state, path, "rmdir")
            guard let node = state.nodes[id], node.isDirectory else { throw FileError("rmdir", path, code: ENOTDIR) }
            guard node.entries.isEmpty else { throw FileError("rmdir", path, code: ENOTEMPTY) }
            let parent = try Self.parent(state, path, "rmdir")
            state.nodes[parent.id]?.entries[parent.name] = nil
        }
    }

    public func syncDirectory(_ path: String) throws(FileError) {
        try change("fsync", path) { state throws(FileError) in
            let id = try Self.find(state, path, "fsync")
            let entries = state.nodes[id]?.entries ?? [:]
            state.nodes[id]?.durableEntries = entries
        }
    }

    public func freeSpace(_ path: String) throws(FileError) -> Int {
        try look("statvfs", path) { state in max(0, state.capacity - state.used) }
    }

    public func lock(_ path: String) throws(FileError) -> any DirectoryLock {
        let isFree = try look("lock", path) { state in !state.locks.contains(path) }
        guard isFree else { throw FileError("lock", path, code: EWOULDBLOCK) }
        _ = try open(path, .append)
        state.withLock { _ = $0.locks.insert(path) }
        return FaultyLock(self, path)
    }
}
