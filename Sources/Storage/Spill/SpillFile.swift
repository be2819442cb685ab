import Encoding
import Glibc
import Platform
import Synchronization

/// The sealed chunks of one block window, until a block has them.
///
/// The file is a sequence of records, each `checksum (4) · content`; the checksum is the crc32c of the content, XOR
/// ``mask``. The writer of a record knows its position and
/// length.
///
/// Appended records are collected in memory and written in large parts. While the disk is full they stay in memory,
/// where they can be read, too.
final class SpillFile: Sendable {
    /// The bytes that are collected before they are written.
    private static let batch = 1 << 18
    /// The size at which new chunks are written to another file, because positions have 32 bits.
    static let longest = 3 << 30

    private struct State {
        var file: (any File)?
        /// The bytes of the file that are records.
        var written = 0
        var tail: [UInt8] = []
        /// Whether a failed write may have left bytes after `written`.
        var needsCut = false
        /// Whether a sync failed: the disk may lack written data, and another sync proves nothing.
        var isDoubtful = false
        /// The bytes of the file that are known to be on disk; nil if there are none.
        var synced: Int?
        /// The size of the tail at which it is written; more than a batch after a failure.
        var flushSize = SpillFile.batch
    }

    let path: String
    /// The first time after the window, ms.
    let windowEnd: Int64
    let number: UInt16
    private let fileSystem: any FileSystem
    private let state: Mutex<State>
    private let detached = Atomic(false)
    private let maskBits = Atomic<UInt32>(0)

    /// Whether new chunks are written to another file, because the window is being made a block or this file is long.
    var isDetached: Bool {
        get { detached.load(ordering: .acquiring) }
        set { detached.store(newValue, ordering: .releasing) }
    }

    /// The part of the store in the checksums of records; 0 if the store has no id.
    var mask: UInt32 {
        get { maskBits.load(ordering: .relaxed) }
        set { maskBits.store(newValue, ordering: .relaxed) }
    }

    /// Prepares a file that is opened or made on demand; bytes after `size` are removed at the first write.
    init(_ path: String, windowEnd: Int64, number: UInt16, size: Int, fileSystem: any FileSystem) {
        self.path = path
        self.windowEnd = windowEnd
        self.number = number
        self.fileSystem = fileSystem
        state = Mutex(State(written: size, needsCut: true))
    }

    /// Appends the checksum of a record and the record; returns its position, or nil if the file would reach 4 GiB.
    func append(_ content: UnsafeRawBufferPointer) -> UInt32? {
        let checksum = CRC32C.hash(content) ^ mask
        return state.withLock { state in
            let offset = state.written &+ state.tail.count
            guard offset &+ content.count &+ 4 < Int(UInt32.max) else { return nil }
            state.tail.appendLittle(checksum)
            state.tail.append(contentsOf: content)
            if offset >= Self.longest { isDetached = true }
            if state.tail.count >= state.flushSize { _ = Self.flush(&state, path, fileSystem) }
            return UInt32(offset)
        }
    }

    private static func flush(_ state: inout State, _ path: String, _ fileSystem: any FileSystem) -> FileError? {
        do throws(FileError) {
            let file: any File
            if let open = state.file { file = open } else { file = try fileSystem.open(path, .append) }
            state.file = file
            if state.needsCut {
                try file.truncate(to: state.written)
                state.needsCut = false
            }
            var done = 0
            defer {
                state.written &+= done
                if done == state.tail.count {
                    state.tail.removeAll(keepingCapacity: done <= batch * 2)
                } else {
                    state.tail.removeFirst(done)
                }
            }
            while done < state.tail.count {
                // A long tail, collected while the disk was full, is written in parts; each part that is written is
                // kept.
                let piece = min(state.tail.count &- done, 4 * batch)
                state.needsCut = true
                var failure: FileError?
                state.tail.withUnsafeBytes { bytes in
                    do throws(FileError) {
                        try file.write(UnsafeRawBufferPointer(rebasing: bytes[done..<(done &+ piece)]))
                    } catch { failure = error }
                }
                if let failure { throw failure }
                state.needsCut = false
                done &+= piece
            }
            state.flushSize = batch
            return nil
        } catch {
            state.flushSize = state.tail.count &+ batch
            return error
        }
    }

    /// Writes the records that are only in memory; returns the size of the file when it is on disk.
    func sync() throws(FileError) -> Int {
        let (failure, file, size, isSynced) = state.withLock { state in
            var failure = Self.flush(&state, path, fileSystem)
            if failure == nil, state.isDoubtful { failure = Self.rewrite(&state, path, fileSystem) }
            return (failure, state.file, state.written, state.synced == state.written)
        }
        if let failure { throw failure }
        // A file that is on disk is not synced again: with many files, some fail each time, and all would never succeed
        // at once.
        if isSynced { return size }
        do throws(FileError) { try file?.syncData() } catch {
            distrust()
            throw error
        }
        state.withLock { if !$0.isDoubtful { $0.synced = size } }
        return size
    }

    /// Notes that the disk may lack the file, or parts of it: the next ``sync()`` writes it again.
    func distrust() {
        state.withLock { state in
            state.isDoubtful = true
            state.synced = nil
        }
    }

    /// Copies the open file, which still has the data, to a new file that gets its name.
    private static func rewrite(_ state: inout State, _ path: String, _ fileSystem: any FileSystem) -> FileError? {
        guard let old = state.file else { return nil }
        let temporary = path + ".tmp"
        do throws(FileError) {
            let copy = try fileSystem.open(temporary, .replace)
            var buffer = [UInt8](repeating: 0, count: min(state.written, 4 * batch))
            var done = 0
            while done < state.written {
                let wanted = min(buffer.count, state.written &- done)
                var got = 0
                var failure: FileError?
                buffer.withUnsafeMutableBytes { bytes in
                    let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[..<wanted])
                    do throws(FileError) {
                        got = try old.read(at: done, into: piece)
                        try copy.write(UnsafeRawBufferPointer(piece))
                    } catch { failure = error }
                }
                if let failure { throw failure }
                guard got == wanted else { throw FileError("read", path, code: EIO) }
                done &+= got
            }
            try copy.syncData()
            try fileSystem.rename(temporary, to: path)
            state.file = copy
            state.isDoubtful = false
            state.synced = done
            return nil
        } catch {
            try? fileSystem.remove(temporary)
            return error
        }
    }

    /// Copies the record at `offset`, which is the checksum and `count` bytes, to `buffer`; returns false if it is
    /// damaged.
    ///
    /// - Throws: If the system cannot read the file now. The record may be undamaged.
    func read(at offset: UInt32, _ count: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Bool {
        guard try peek(at: offset, count, into: buffer) else { return false }
        let content = UnsafeRawBufferPointer(rebasing: buffer[4..<(count &+ 4)])
        let checksum = UInt32(littleEndian: buffer.loadUnaligned(as: UInt32.self))
        let found = CRC32C.hash(content)
        // Records that were written before the store had an id have the checksum alone.
        return found ^ mask == checksum || found == checksum
    }

    /// ``read(at:_:into:)`` without the check of the checksum.
    func peek(at offset: UInt32, _ count: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FileError) -> Bool {
        guard count >= 0, buffer.count >= count &+ 4 else { return false }
        let wanted = UnsafeMutableRawBufferPointer(rebasing: buffer[0..<(count &+ 4)])
        var copied = false
        var failure: FileError?
        let file: (any File)? = state.withLock { state in
            let at = Int(offset) &- state.written
            if at < 0 {
                // The file stays open, so that readers can continue after its removal.
                if state.file == nil {
                    do throws(FileError) { state.file = try fileSystem.open(path, .append) } catch { failure = error }
                }
                return state.file
            }
            guard at &+ count &+ 4 <= state.tail.count else { return nil }
            copied = true
            state.tail.withUnsafeBytes { wanted.copyMemory(from: .init(rebasing: $0[at..<(at &+ count &+ 4)])) }
            return nil
        }
        if let failure {
            // A file that was removed is damage; the system's other errors may end.
            guard failure.leadsNowhere else { throw failure }
            return false
        }
        guard let file else { return copied }
        return try file.read(at: Int(offset), into: wanted) == count &+ 4
    }

    /// The bytes of records that are only in memory.
    var unwritten: Int { state.withLock { $0.tail.count } }

    /// The bytes of records, written or not.
    var size: Int { state.withLock { $0.written &+ $0.tail.count } }

    /// Removes the file; readers that have this object can still read it.
    func remove() {
        state.withLock { if $0.file == nil { $0.file = try? fileSystem.open(path, .append) } }
        try? fileSystem.remove(path)
    }
}
