import Encoding
import Glibc
import GoCompatibility
import Platform
import Synchronization
import Telemetry

/// The log of everything that is not in a checkpoint yet.
///
/// Files `wal/00000001`, `wal/00000002`, …; each begins with 8 bytes of magic and its number (8), then frames:
///
///     length (4) · crc32c of the content (4) · content: records, see ``LogRecord``
///     length with ``packedFlag`` (4) · crc32c of the content (4) · content: size of the records (varint), zstd of them
///
/// A frame is written with one call before the commit returns, so a killed process loses nothing; `sync` brings it to
/// the disk. After a failed write the file is cut to its last whole frame and the next segment is begun.
final class WriteAheadLog: Sendable {
    static let magic: [UInt8] = Array("MLTWAL1\n".utf8)
    static let headerSize = 16
    /// The longest frame that a reader believes.
    static let maxFrame = 1 << 28
    /// Bytes of a segment that a reader looks at: more than any has.
    static let longestSegment = 1 << 31
    /// No segment has a higher number: a higher one is damage, or the name of somebody else's file.
    static let lastSegment: UInt64 = 1 << 62
    /// Set in the length of a frame whose content is compressed.
    static let packedFlag: UInt32 = 1 << 31
    static let framing = RecordFraming(flags: packedFlag, longest: maxFrame, longestSought: 1 << 22 - 1)

    private struct State {
        var file: (any File)?
        /// Which file that is, as the file system says; 0 if it is not known.
        var identity: UInt64 = 0
        var size = 0
        /// Records of new series that go in front of the next frame.
        var pending: [UInt8] = []
        /// Where a frame of what waits has to end.
        var pendingEnds: [Int] = []
        var frame: [UInt8] = []
        /// Bytes written in all segments since the last checkpoint.
        var written = 0
        var failure: String?
        /// Segments that were left, of which it is not known that they are on the disk.
        var unsynced: [Segment] = []
        /// How much of the current segment is on the disk.
        var synced = 0
        /// Sizes of segments that were left and are on the disk, by their numbers.
        var sizes: [UInt64: Int] = [:]
        /// Segments whose size this one does not say yet; the next frame that has something else to say says it.
        var unsaid: [UInt64] = []
        /// The newest segment of which the disk may lack a part though it was written: a sync of it failed, and another
        /// one proves nothing.
        ///
        /// Set until a checkpoint holds what is in it.
        var lost: (number: UInt64, error: FileError)?
        /// Why the store's directory is not the one that was opened; nothing is written while it is not.
        var gone: FileError?
        /// Segments below this one are not needed any more; a checkpoint names it.
        var durableBelow: UInt64 = 0
        /// The segment that the newest checkpoint names, or will name: its file stays, with or without a frame.
        var named: UInt64 = 0
        /// A segment that was named and left without a frame.
        var emptyNamed: UInt64?
        /// The first number that has no file, until a segment with a frame says so.
        var unusedFrom: UInt64?
        /// Bytes of the current segment when it began.
        var startSize = 0
        /// The newest segment that has frames of its own.
        var newestWithFrame: UInt64 = 0
        /// Whether the current segment has no frame of its own.
        var isEmpty: Bool { size == startSize }
        var isDirty = false
        var frames: UInt64 = 0
    }

    /// A segment to which nothing is written any more.
    struct Segment {
        var number: UInt64
        /// Bytes up to the end of the last whole frame.
        var size: Int
        /// Whether it has no frame of its own. Its file may be removed.
        var isEmpty = false
        /// nil: it is opened when it is synced.
        var file: (any File)?
    }

    let directory: String
    /// The identity of the store's directory; 0 if it is not known.
    private let home: UInt64
    private let segmentSize: Atomic<Int>
    private let fileSystem: any FileSystem
    private let state: Mutex<State>
    private let syncing = Mutex<UInt64>(0)
    private let number: Atomic<UInt64>
    private let reserve: DiskReserve?
    private let clock: any Clock = SystemClock()
    private let durations = Mutex(QuantileWindow())
    private let failures = Atomic<Int>(0)

    /// The segments that an earlier process has left, and no checkpoint holds.
    struct Earlier {
        /// Bytes of all of them.
        var written: Int
        /// Those that are whole; a process that was killed has written them, perhaps without a sync.
        var whole: [Segment]
    }

    /// A log whose next segment is `first`, behind others.
    ///
    /// - Parameter reserve: Given up when the disk is full.
    init(
        _ directory: String, first: UInt64, segmentSize: Int, fileSystem: any FileSystem, reserve: DiskReserve?,
        behind earlier: Earlier
    ) throws(FileError) {
        self.directory = directory
        self.reserve = reserve
        self.segmentSize = Atomic(segmentSize)
        self.fileSystem = fileSystem
        number = Atomic(first &- 1)
        home = try fileSystem.status(FilePath.parent(directory)).identity
        state = Mutex(State(written: earlier.written, unsynced: earlier.whole))
        try fileSystem.createDirectory(directory)
    }

    /// Ends segments at this size from now on, if they were to grow larger.
    func limitSegments(to size: Int) {
        segmentSize.store(min(size, segmentSize.load(ordering: .relaxed)), ordering: .relaxed)
    }

    /// The segment that the next frame goes to; its low bits are what ``SeriesState/logSegment`` compares with.
    var segment: UInt64 { number.load(ordering: .acquiring) }

    private func begin(_ state: inout State) throws(FileError) {
        if let gone = state.gone { throw gone }
        if try !fileSystem.exists(directory) {
            // Somebody has removed it. Above it nothing is made anew.
            let parent = FilePath.parent(directory)
            guard try fileSystem.exists(parent) else { throw FileError("open", parent, code: ENOENT) }
            try fileSystem.createDirectory(directory)
            try fileSystem.syncDirectory(parent)
        }
        var next = number.load(ordering: .relaxed) &+ 1
        // What is there under that name is not written over.
        while try fileSystem.exists(Self.path(directory, next)) { next &+= 1 }
        let path = Self.path(directory, next)
        var start = Self.header(next)
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
        // Each segment says the sizes of all others, so that no two damaged ones hide each other.
        state.unsaid = state.sizes.keys.sorted().suffix(Self.mostSizes)
        // The header counts: without it, a segment that stays empty is damage once another stands behind it.
        state.isDirty = true
        state.synced = 0
        state.file = file
        state.identity = (try? fileSystem.status(path).identity) ?? 0
        (state.startSize, state.size) = (start.count, start.count)
        number.store(next, ordering: .releasing)
    }

    /// The most segments of which a new one says the size.
    private static let mostSizes = 64

    /// Notes that all of a segment is on the disk; the next frame says so.
    ///
    /// A reader that finds less then knows that frames are missing. Before the sync, a power cut may cut it rightly.
    private func noteSize(_ segment: Segment, _ state: inout State) {
        guard segment.number >= state.durableBelow, !segment.isEmpty else { return }
        state.sizes[segment.number] = segment.size
        state.unsaid.append(segment.number)
    }

    /// Notes that a number has no file, or will have none; the next segments say so.
    private func noteUnused(_ number: UInt64, _ state: inout State) {
        state.unusedFrom = min(number, state.unusedFrom ?? number)
    }

    /// Begins a new segment, with which everything later can be read without the ones before; returns its number.
    ///
    /// A segment without a frame is as good as a new one: a checkpoint that fails again and again leaves no row of them.
    func rotate() throws(FileError) -> UInt64 {
        var failure: FileError?
        let next = state.withLock { state in
            let current = number.load(ordering: .relaxed)
            if state.file != nil, state.isEmpty, state.failure == nil, state.lost?.number != current {
                state.written = 0
                state.named = current
                return current
            }
            // Its checkpoint was never finished.
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

    /// Puts records in front of the next frame.
    func enqueue(_ records: [UInt8]) {
        state.withLock { state in
            if state.pending.count &- (state.pendingEnds.last ?? 0) &+ records.count > Self.pendingSize {
                state.pendingEnds.append(state.pending.count)
            }
            state.pending += records
        }
    }

    /// Bytes of records that are put into one frame before its own.
    private static let pendingSize = 32 << 20

    /// Bytes of records that wait for a frame.
    var pendingBytes: Int { state.withLock { $0.pending.count } }

    /// Whether records wait for a frame, or a failed log to be tried again.
    var hasPending: Bool { state.withLock { !$0.pending.isEmpty || $0.failure != nil } }

    /// What became of a frame.
    enum Written {
        case done(UInt64)
        /// Another segment has begun: differences must be made anew.
        case otherSegment
        case failed(String)
    }

    /// Writes a frame that was made for `segment`; `isPacked` if ``LogPacker`` made it.
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
                return .failed(error.description)
            }
            guard number.load(ordering: .relaxed) == segment, let file = state.file else { return .otherSegment }
            let length = state.pending.count &+ records.count
            guard length > 0 else { return .done(state.frames) }
            state.frame.removeAll(keepingCapacity: true)
            let sizes = state.unsaid.flatMap { number in
                state.sizes[number].map { LogRecord.size(of: number, $0) } ?? []
            }
            if !sizes.isEmpty { Self.append(sizes[...], nil, 0, to: &state.frame) }
            // Records that wait may be more than a reader takes for one frame.
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
                    try? file.truncate(to: state.size)
                    guard error.isFull, reserve?.giveUp() == true else { throw error }
                    try file.write(state.frame)
                }
            } catch {
                state.failure = error.description
                failures.wrappingAdd(1, ordering: .relaxed)
                leave(file, &state)
                return .failed(error.description)
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

    /// Ends a segment to which a frame could not be written.
    private func leave(_ file: any File, _ state: inout State) {
        let current = number.load(ordering: .relaxed)
        if !state.isEmpty || current == state.named {
            try? file.truncate(to: state.size)
            if state.isEmpty { state.emptyNamed = current }
            return
        }
        // A segment without a frame: each attempt would else leave another.
        file.close()
        try? fileSystem.remove(file.path)
        state.file = nil
        noteUnused(current, &state)
    }

    /// Writes records in a frame of their own; if it throws, nothing of them is in the log, and nothing will be.
    func append(_ records: [UInt8]) throws(StorageError) {
        for _ in 0..<8 {
            switch records.withUnsafeBytes({ write($0, segment: segment) }) {
            case .done: return
            case .otherSegment: continue
            case .failed(let why): throw .notWritable(why)
            }
        }
        throw .notWritable("segments of the log change too often")
    }

    /// Writes what was put aside; for the end and for records without samples.
    func flush() throws(StorageError) {
        for _ in 0..<8 {
            switch write(UnsafeRawBufferPointer(start: nil, count: 0), segment: segment) {
            case .done: return
            case .otherSegment: continue
            case .failed(let why): throw .notWritable(why)
            }
        }
    }

    /// Returns when everything that was written before the call is on the disk.
    ///
    /// After a failure it throws until ``forget(below:)`` says that a checkpoint holds what was not known to be there.
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
        // Not to be made again if a checkpoint has just removed it.
        let file = try fileSystem.open(Self.path(directory, segment.number), .read)
        defer { file.close() }
        try file.syncData()
    }

    /// Looks whether the segment is still what its name stands for: writes to a file that was removed do not fail.
    ///
    /// What was written to one that is gone counts as lost until a checkpoint holds it.
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

    /// Throws if the log's directory is not where it was: another store may lie there now, in which nothing may be written.
    func requireHome() throws(FileError) {
        let gone = state.withLock { state in
            state.gone = change(of: FilePath.parent(directory), from: home)
            return state.gone
        }
        if let gone { throw gone }
    }

    /// Why `path` is another file or directory than before, or shorter than what was written; nil if it is not, or if
    /// that cannot be told.
    private func change(of path: String, from identity: UInt64, size: Int = 0) -> FileError? {
        guard identity != 0 else { return nil }
        do throws(FileError) {
            let status = try fileSystem.status(path)
            return status.identity == identity && status.size >= size ? nil : FileError("stat", path, code: ESTALE)
        } catch {
            return error.leadsNowhere ? error : nil
        }
    }

    /// Why the disk may lack what was written to it; nil if nothing is known to be missing.
    var lost: FileError? { state.withLock { $0.lost?.error } }

    /// A checkpoint that is on the disk holds what the segments below `first` hold.
    func forget(below first: UInt64) {
        state.withLock { state in
            state.durableBelow = max(state.durableBelow, first)
            state.unsynced.removeAll { $0.number < first }
            state.sizes = state.sizes.filter { $0.key >= first }
            if let lost = state.lost, lost.number < first { state.lost = nil }
        }
    }

    /// The newest segment that this process has written a frame to; 0 if there is none.
    var newestWithFrame: UInt64 { state.withLock { $0.newestWithFrame } }

    /// Bytes written since the last ``rotate()``.
    var writtenBytes: Int { state.withLock { $0.written } }

    /// Why the last write failed, or nil.
    var failure: String? { state.withLock { $0.failure } }

    /// Writes that failed since the start.
    var failedWrites: Int { failures.load(ordering: .relaxed) }

    /// Seconds that bringing files to the disk took.
    var syncDurations: QuantileWindow { durations.withLock { $0 } }

    /// Removes segments below `first`; one that is damaged is set aside, and a file with another header stays, as do
    /// those that are no segments.
    func remove(below first: UInt64, damaged: Set<UInt64>) throws(FileError) {
        for number in try Self.segments(directory, fileSystem) where number < first {
            let path = Self.path(directory, number)
            if damaged.contains(number) {
                try SetAside.rename(path, fileSystem)
            } else if try Self.isOwn(path, number, fileSystem) {
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
