import Glibc
import Platform
import Synchronization

/// A lock of a `FaultyFileSystem`.
final class FaultyLock: DirectoryLock {
    private let files: FaultyFileSystem
    private let path: String

    init(_ files: FaultyFileSystem, _ path: String) {
        self.files = files
        self.path = path
    }

    deinit { release() }

    func release() { files.state.withLock { _ = $0.locks.remove(path) } }
}

/// A file of a `FaultyFileSystem`.
final class FaultyFile: File {
    let path: String
    private let files: FaultyFileSystem
    private let node: Int
    private let isClosed = Atomic<Bool>(false)

    init(_ files: FaultyFileSystem, _ node: Int, _ path: String) {
        self.files = files
        self.node = node
        self.path = path
    }

    private func check(_ operation: String) throws(FileError) {
        if isClosed.load(ordering: .relaxed) { throw FileError(operation, path, code: EBADF) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
        try check("write")
        let content = Array(bytes)
        let half = Array(content[..<(content.count / 2)])
        let (node, path) = (node, path)
        try files.change(
            "write", path, tear: { state in state.nodes[node]?.content.append(contentsOf: half) },
            { state throws(FileError) in
                let room = state.capacity == .max ? Int.max : max(0, state.capacity - state.used)
                state.nodes[node]?.content.append(contentsOf: content.prefix(room))
                if content.count > room { throw FileError("write", path, code: ENOSPC) }
            })
    }

    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Int {
        try check("read")
        let (node, count) = (node, buffer.count)
        let path = path
        if let code = files.failingRead(path) { throw FileError("read", path, code: code) }
        let part = try files.look("read", path) { state throws(FileError) -> [UInt8] in
            let content = state.nodes[node]?.content ?? []
            guard offset >= 0, offset < content.count else { return [] }
            return Array(content[offset...].prefix(count))
        }
        buffer.copyBytes(from: part)
        return part.count
    }

    func syncData() throws(FileError) {
        try check("fdatasync")
        let node = node
        // As Linux does: pages that could not be written count as clean from then on.
        func lose(_ state: inout FaultyFileSystem.State) {
            guard let known = state.nodes[node], known.content.count > known.durable.count else { return }
            let start = known.lost.isEmpty ? known.durable.count : min(known.lost.lowerBound, known.durable.count)
            state.nodes[node]?.lost = start..<known.content.count
        }
        try files.change("fdatasync", path, fail: lose) { state in
            guard var known = state.nodes[node] else { return }
            known.durable = known.content
            for at in known.lost.clamped(to: 0..<known.durable.count) { known.durable[at] = 0 }
            state.nodes[node] = known
        }
    }

    func truncate(to size: Int) throws(FileError) {
        try check("truncate")
        let node = node
        try files.change("truncate", path) { state in
            let count = state.nodes[node]?.content.count ?? 0
            if let lost = state.nodes[node]?.lost { state.nodes[node]?.lost = lost.clamped(to: 0..<max(size, 0)) }
            if count > size {
                state.nodes[node]?.content.removeLast(count - size)
            } else {
                state.nodes[node]?.content.append(contentsOf: repeatElement(0, count: size - count))
            }
        }
    }

    func size() throws(FileError) -> Int {
        try check("stat")
        return try files.look("stat", path) { [node] state in state.nodes[node]?.content.count ?? 0 }
    }

    func close() { if !isClosed.exchange(true, ordering: .relaxed) { files.giveBack() } }

    deinit { close() }
}
