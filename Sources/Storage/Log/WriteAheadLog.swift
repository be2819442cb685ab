import Encoding
import Glibc
import GoCompatibility
import Platform
import Synchronization
import Telemetry

/// The write-ahead log: all data that is not in a checkpoint yet.
///
/// The files are `wal/00000001`, `wal/00000002`, …; each starts with a ``Header``, then frames:
///
///     length (4) · crc32c of the content (4) · content: records, see ``LogRecord``
///     length with ``packedFlag`` (4) · crc32c of the content (4) · content: size of the records (varint), zstd of them
///
/// A frame is written with one call before the commit returns, so that a killed process loses nothing; `sync` syncs it
/// to disk.
///
/// After a failed write, the file is truncated to its last whole frame, and the next segment is started.
final class WriteAheadLog: Sendable {
    static let magic: [UInt8] = Array("MLTWAL2\n".utf8)
    static let headerSize = 28
    /// The longest frame that a reader accepts.
    static let maxFrame = 1 << 28
    /// The most bytes of a segment that a reader maps: no segment is longer.
    static let longestSegment = 1 << 31
    /// The highest number of a segment: a file with a higher number is damage, or not a segment.
    static let lastSegment: UInt64 = 1 << 62
    /// Set in the length of a frame whose content is compressed.
    static let packedFlag: UInt32 = 1 << 31
    static let framing = RecordFraming(flags: packedFlag, longest: maxFrame, longestSought: 1 << 22 - 1)

    private struct State {
        var file: (any File)?
        /// The identity of the file in the file system; 0 if it is not known.
        var identity: UInt64 = 0
        var size = 0
        /// The records of new series that are written before the next frame.
        var pending: [UInt8] = []
        /// The positions where a frame of waiting records must end.
        var pendingEnds: [Int] = []
        var frame: [UInt8] = []
        /// The bytes written in all segments since the last checkpoint.
        var written = 0
        var failure: String?
        /// The finished segments that may not be on disk yet.
        var unsynced: [Segment] = []
        /// The bytes of the current segment that are on disk.
        var synced = 0
        /// The sizes of finished segments that are on disk, by their numbers.
        var sizes: [UInt64: Int] = [:]
        /// The segments whose size the current segment does not state yet; the next frame does.
        var unsaid: [UInt64] = []
        /// The newest segment that the disk may lack in part although it was written.
        ///
        /// A sync of it failed, and another sync proves nothing. It is set until a checkpoint has the data of the
        /// segment.
        var lost: (number: UInt64, error: FileError)?
        /// The error that the store's directory is not the one that was opened; nothing is written while it is set.
        var gone: FileError?
        /// The first segment that is still needed, which a checkpoint names.
        var durableBelow: UInt64 = 0
        /// The segment that the newest checkpoint names or will name: its file stays, with or without a frame.
        var named: UInt64 = 0
        /// A named segment that was left without a frame.
        var emptyNamed: UInt64?
        /// The first number without a file, until a segment with a frame states it.
        var unusedFrom: UInt64?
        /// The bytes of the current segment when it was started.
        var startSize = 0
        /// The newest segment with frames of its own.
        var newestWithFrame: UInt64 = 0
        /// Whether the current segment has no frame of its own.
        var isEmpty: Bool { size == startSize }
        var isDirty = false
        var frames: UInt64 = 0
    }

    /// A segment that is finished, or is being synced.
    struct Segment {
        var number: UInt64
        /// The bytes up to the end of the last whole frame.
        var size: Int
        /// Whether it has no frame of its own, so that its file may be removed.
        var isEmpty = false
        /// The open file; nil if the file is opened for the sync.
        var file: (any File)?
    }

    let directory: String
    /// The identity of the store's directory; 0 if it is not known.
    private let home: UInt64
    private let segmentSize: Atomic<Int>
    let fileSystem: any FileSystem
    /// The id of the store; nil if it has none.
    let store: UInt64?
    private let state: Mutex<State>
    private let syncing = Mutex<UInt64>(0)
    private let number: Atomic<UInt64>
    private let reserve: DiskReserve?
    private let clock: any Clock = SystemClock()
    private let durations = Mutex(QuantileWindow())
    private let failures = Atomic<Int>(0)

    /// The store and the segments of an earlier process that are not in a checkpoint.
    struct Earlier {
        /// The id of the store; nil if it has none.
        var store: UInt64?
        /// The bytes of all of them.
        var written: Int
        /// The segments that are whole; a killed process may have written them without a sync.
        var whole: [Segment]
    }

    /// Makes a log whose next segment is `first`, after the earlier segments.
    ///
    /// - Parameter reserve: The disk space that is released when the disk is full.
    init(
        _ directory: String, first: UInt64, segmentSize: Int, fileSystem: any FileSystem, reserve: DiskReserve?,
        behind earlier: Earlier
    ) throws(FileError) {
        self.directory = directory
        self.reserve = reserve
        self.segmentSize = Atomic(segmentSize)
        self.fileSystem = fileSystem
        store = earlier.store
        number = Atomic(first &- 1)
        home = try fileSystem.status(FilePath.parent(directory)).identity
        state = Mutex(State(written: earlier.written, unsynced: earlier.whole))
        try fileSystem.createDirectory(directory)
    }

    /// Limits the size of segments from now on, unless their limit is smaller.
    func limitSegments(to size: Int) {
        segmentSize.store(min(size, segmentSize.load(ordering: .relaxed)), ordering: .relaxed)
    }

    /// The segment of the next frame; ``SeriesState/logSegment`` has the low bits of such a number.
    var segment: UInt64 { number.load(ordering: .acquiring) }

    private func begin(_ state: inout State) throws(FileError) {
        if let gone = state.gone { throw gone }
        if try !fileSystem.exists(directory) {
            // The directory was removed. It is made again, but its parent is not.
            let parent = FilePath.parent(directory)
            guard try fileSystem.exists(parent) else { throw FileError("open", parent, code: ENOENT) }
            try fileSystem.createDirectory(directory)
            try fileSystem.syncDirectory(parent)
        }
        var next = number.load(ordering: .relaxed) &+ 1
        // Existing files are not overwritten.
        while try fileSystem.exists(Self.path(directory, next)) { next &+= 1 }
        let path = Self.path(directory, next)
        var start = Header(number: next, store: store).bytes
        if let unused = state.unusedFrom { Self.append(LogRecord.skipped(from: unused)[...], nil, 0, to: &start) }
        let file: any File
        do throws(FileError) {
            try Self.make(path + ".tmp", start, fileSystem)
            try fileSystem.rename(path + ".tmp", to: path)
            file = try fileSystem.open(path, .append)
            try fileSystem.syncDirectory(directory)
        } catch {
            for name in [path + ".tmp", path] { try? fileSystem.remove(name) }
            throw error
        }
        if let old = state.file {
            let current = number.load(ordering: .relaxed)
            let left = Segment(number: current, size: state.size, isEmpty: state.isEmpty, file: old)
            if state.synced == left.size { noteSize(left, &state) } else { state.unsynced.append(left) }
        }
        // Each segment states the sizes of all others, so that two damaged segments cannot hide each other.
        state.unsaid = state.sizes.keys.sorted().suffix(Self.mostSizes)
        // The header must be synced, too: an empty segment without it would be damage when another segment follows.
        state.isDirty = true
        state.synced = 0
        state.file = file
        state.identity = (try? fileSystem.status(path).identity) ?? 0
        (state.startSize, state.size) = (start.count, start.count)
        number.store(next, ordering: .releasing)
    }

    /// The most segments whose size a new segment states.
    private static let mostSizes = 64

    /// Notes that a whole segment is on disk; the next frame states its size.
    ///
    /// A reader that finds less then knows that frames are missing. Before the sync, a power cut may shorten the
    /// segment without damage.
    private func noteSize(_ segment: Segment, _ state: inout State) {
        guard segment.number >= state.durableBelow, !segment.isEmpty else { return }
        state.sizes[segment.number] = segment.size
        state.unsaid.append(segment.number)
    }

    /// Notes that a number has no file, or will have none; the next segments state it.
    private func noteUnused(_ number: UInt64, _ state: inout State) {
        state.unusedFrom = min(number, state.unusedFrom ?? number)
    }

    /// Starts a new segment, from which on all later records can be read without earlier segments; returns its number.
    ///
    /// A segment without a frame is used again, so that a checkpoint that fails repeatedly does not leave many of them.
    func rotate() throws(FileError) -> UInt64 {
        var failure: FileError?
        let next = state.withLock { state in
            let current = number.load(ordering: .relaxed)
            if state.file != nil, state.isEmpty, state.failure == nil, state.lost?.number != current {
                state.written = 0
                state.named = current
                return current
            }
            // The checkpoint that names it was never finished.
            let unneeded = state.emptyNamed.flatMap { $0 == state.durableBelow ? nil : $0 }
            if let unneeded { noteUnused(unneeded, &state) }
            do throws(FileError) {
                try begin(&state)
                state.written = 0
                if let unneeded { try? fileSystem.remove(Self.path(directory, unneeded)) }
                state.emptyNamed = nil
                state.named = number.load(ordering: .relaxed)
            } catch { failure = error }
            return number.load(ordering: .relaxed)
        }
        if let failure { throw failure }
        return next
    }

    /// Adds records that are written before the next frame.
    func enqueue(_ records: [UInt8]) {
        state.withLock { state in
            if state.pending.count &- (state.pendingEnds.last ?? 0) &+ records.count > Self.pendingSize {
                state.pendingEnds.append(state.pending.count)
            }
            state.pending += records
        }
    }

    /// The most bytes of waiting records in one frame.
    private static let pendingSize = 32 << 20

    /// The bytes of records that wait for a frame.
    var pendingBytes: Int { state.withLock { $0.pending.count } }

    /// Whether records wait for a frame, or a failed log must be tried again.
    var hasPending: Bool { state.withLock { !$0.pending.isEmpty || $0.failure != nil } }

    /// The result of writing a frame.
    enum Written {
        case done(UInt64)
        /// Another segment has started: the differences must be made again.
        case otherSegment
        case failed(FileError)
    }

    /// Writes a frame that was made for `segment`; `isPacked` if ``LogPacker`` compressed it.
    func write(_ records: UnsafeRawBufferPointer, isPacked: Bool = false, segment: UInt64) -> Written {
        state.withLock { state in
            do throws(FileError) {
                let isLost = state.lost.map { $0.number == number.load(ordering: .relaxed) } ?? false
                if let gone = state.gone { throw gone }
                if state.file == nil || state.size >= segmentSize.load(ordering: .relaxed) || state.failure != nil
                    || isLost
                {
                    do throws(FileError) { try begin(&state) } catch {
                        guard error.isFull, reserve?.giveUp() == true else { throw error }
                        try begin(&state)
                    }
                    state.failure = nil
                }
            } catch {
                state.failure = error.description
                failures.wrappingAdd(1, ordering: .relaxed)
                return .failed(error)
            }
            guard number.load(ordering: .relaxed) == segment, let file = state.file else { return .otherSegment }
            let length = state.pending.count &+ records.count
            guard length > 0 else { return .done(state.frames) }
            state.frame.removeAll(keepingCapacity: true)
            let sizes = state.unsaid.flatMap { number in
                state.sizes[number].map { LogRecord.size(of: number, $0) } ?? []
            }
            if !sizes.isEmpty { Self.append(sizes[...], nil, 0, to: &state.frame) }
            // The waiting records may be more than a reader accepts in one frame.
            var start = 0
            for end in state.pendingEnds where end > start {
                Self.append(state.pending[start..<end], nil, 0, to: &state.frame)
                start = end
            }
            let rest = state.pending[start...]
            if isPacked || records.count > Self.maxFrame / 2 {
                if !rest.isEmpty { Self.append(rest, nil, 0, to: &state.frame) }
                if records.count > 0 { Self.append([], records, isPacked ? Self.packedFlag : 0, to: &state.frame) }
            } else {
                Self.append(rest, records, 0, to: &state.frame)
            }
            do throws(FileError) {
                do throws(FileError) { try file.write(state.frame) } catch {
                    // A whole frame after the rest of a torn one would not be found.
                    let isCut = (try? file.truncate(to: state.size)) != nil
                    guard isCut, error.isFull, reserve?.giveUp() == true else { throw error }
                    try file.write(state.frame)
                }
            } catch {
                state.failure = error.description
                failures.wrappingAdd(1, ordering: .relaxed)
                leave(file, &state)
                return .failed(error)
            }
            state.pending.removeAll(keepingCapacity: state.pending.count < 1 << 20)
            state.pendingEnds.removeAll()
            state.unsaid = []
            state.unusedFrom = nil
            state.newestWithFrame = number.load(ordering: .relaxed)
            state.size &+= state.frame.count
            state.written &+= state.frame.count
            state.isDirty = true
            state.frames &+= 1
            return .done(state.frames)
        }
    }

    /// Finishes a segment to which a frame could not be written.
    private func leave(_ file: any File, _ state: inout State) {
        let current = number.load(ordering: .relaxed)
        if !state.isEmpty || current == state.named {
            try? file.truncate(to: state.size)
            if state.isEmpty { state.emptyNamed = current }
            return
        }
        // The segment has no frame. Without its removal, each attempt would leave another one.
        file.close()
        try? fileSystem.remove(file.path)
        state.file = nil
        noteUnused(current, &state)
    }

    /// Writes records in a separate frame; if it throws, none of them is or will be in the log.
    func append(_ records: [UInt8]) throws {
        for _ in 0..<8 {
            switch records.withUnsafeBytes({ write($0, segment: segment) }) {
            case .done: return
            case .otherSegment: continue
            case .failed(let cause): throw StorageError.refusal(cause)
            }
        }
        throw StorageError.notWritable("segments of the log change too often")
    }

    /// Writes the waiting records; for the end and for records without samples.
    func flush() throws {
        for _ in 0..<8 {
            switch write(UnsafeRawBufferPointer(start: nil, count: 0), segment: segment) {
            case .done: return
            case .otherSegment: continue
            case .failed(let cause): throw StorageError.refusal(cause)
            }
        }
    }

    /// Returns when everything that was written before the call is on disk.
    ///
    /// After a failure it throws until ``forget(below:)`` is called for a checkpoint that has the data which may not be
    /// on disk.
    func sync() throws(FileError) {
        var failure: FileError?
        syncing.withLock { done in
            let (segments, reached, lost) = state.withLock { state in
                var segments = state.unsynced
                if state.isDirty, let file = state.file {
                    let current = number.load(ordering: .relaxed)
                    segments.append(
                        Segment(number: current, size: state.size, isEmpty: state.isEmpty, file: file))
                }
                state.unsynced = []
                state.isDirty = false
                return (segments, state.frames, state.lost)
            }
            failure = lost?.error
            for segment in segments {
                let number = segment.number
                let started = clock.monotonic()
                defer {
                    let seconds = Double(clock.monotonic() - started) / 1e9
                    durations.withLock { $0.add(seconds) }
                }
                do throws(FileError) {
                    try bringToDisk(segment)
                    state.withLock { state in
                        if number == self.number.load(ordering: .relaxed) {
                            state.synced = segment.size
                        } else {
                            noteSize(segment, &state)
                        }
                    }
                } catch {
                    let isNeeded = state.withLock { state in
                        guard number >= state.durableBelow else { return false }
                        if number >= state.lost?.number ?? 0 { state.lost = (number, error) }
                        return true
                    }
                    if isNeeded { failure = error }
                }
            }
            if failure == nil { done = reached }
        }
        if let failure { throw failure }
    }

    private func bringToDisk(_ segment: Segment) throws(FileError) {
        if let file = segment.file { return try file.syncData() }
        // It is opened for reading, so that a file that a checkpoint has just removed is not made again.
        let file = try fileSystem.open(Self.path(directory, segment.number), .read)
        defer { file.close() }
        try file.syncData()
    }

    /// Checks whether the segment is still the file with its name, because writes to a removed file do not fail.
    ///
    /// The data of a segment that is gone counts as lost until a checkpoint has it.
    func look() {
        state.withLock { state in
            state.gone = change(of: FilePath.parent(directory), from: home)
            let problem =
                state.gone
                ?? state.file.flatMap {
                    change(of: $0.path, from: state.identity, size: state.failure == nil ? state.size : 0)
                }
            if let problem, state.lost == nil { state.lost = (number.load(ordering: .relaxed), problem) }
        }
    }

    /// Throws if the log's directory is not the one that was opened: nothing may be written to another store.
    func requireHome() throws(FileError) {
        let gone = state.withLock { state in
            state.gone = change(of: FilePath.parent(directory), from: home)
            return state.gone
        }
        if let gone { throw gone }
    }

    /// The error that `path` is another file or directory than before, or is shorter than what was written; nil if it
    /// is not, or if this is not known.
    private func change(of path: String, from identity: UInt64, size: Int = 0) -> FileError? {
        guard identity != 0 else { return nil }
        do throws(FileError) {
            let status = try fileSystem.status(path)
            return status.identity == identity && status.size >= size ? nil : FileError("stat", path, code: ESTALE)
        } catch {
            return error.leadsNowhere ? error : nil
        }
    }

    /// The reason why the disk may lack written data; nil if nothing is known to be missing.
    var lost: FileError? { state.withLock { $0.lost?.error } }

    /// Notes that a checkpoint on disk has the data of the segments below `first`.
    func forget(below first: UInt64) {
        state.withLock { state in
            state.durableBelow = max(state.durableBelow, first)
            state.unsynced.removeAll { $0.number < first }
            state.sizes = state.sizes.filter { $0.key >= first }
            if let lost = state.lost, lost.number < first { state.lost = nil }
        }
    }

    /// The newest segment to which this process has written a frame; 0 if there is none.
    var newestWithFrame: UInt64 { state.withLock { $0.newestWithFrame } }

    /// The bytes written since the last ``rotate()``.
    var writtenBytes: Int { state.withLock { $0.written } }

    /// The error of the last write if it failed, otherwise nil.
    var failure: String? { state.withLock { $0.failure } }

    /// The number of writes that failed since the start.
    var failedWrites: Int { failures.load(ordering: .relaxed) }

    /// The durations of syncing files to disk, s.
    var syncDurations: QuantileWindow { durations.withLock { $0 } }

    /// Removes the segments below `first`.
    ///
    /// A damaged segment is set aside. A file with another header stays, and so does a file that is not a segment.
    func remove(below first: UInt64, damaged: Set<UInt64>) throws(FileError) {
        for number in try Self.segments(directory, fileSystem) where number < first {
            let path = Self.path(directory, number)
            if damaged.contains(number) {
                try SetAside.rename(path, fileSystem)
            } else if try isOwn(path, number) {
                try fileSystem.remove(path)
            }
        }
    }

    func close() {
        state.withLock { state in
            state.file?.close()
            state.file = nil
        }
    }
}
