import Encoding
import Model
import Platform
import Synchronization
import Telemetry

/// The newest samples of all series, in memory and in the spill files.
///
/// The states are flat arrays of trivial structures indexed by series id; there is no object and no allocation per
/// series. Ids are assigned in the order in which series are resolved, so that the ids of a target's series are
/// adjacent. Ids are not reused while the process runs. Locks are taken in this order: `maintenanceLock`, groups by ascending
/// id, the registry.
final class Head: @unchecked Sendable {
    // SAFETY: a state belongs to the lock of the group that it names; index, groups and ids belong to `registry`.
    /// The most ids in the life of a data directory; only live series use memory.
    static let maxSeries = 1 << 30
    static let maxGroups = 1 << 18

    let blockDuration: Int64
    let space: HeadSpace
    let arena: BlockArena
    let sealed: SealedChunks
    let spill: SpillStore
    private let column: Column<SeriesState>
    let states: SeriesTable

    /// The lock for changes to the set of files, and for the removal of series.
    let maintenanceLock = Lock()
    let registry = Lock()
    /// The index of labels; a smaller copy replaces it at times, under the registry's lock and the locks of all groups.
    var index: LabelIndex
    private let givenIds = Atomic<UInt32>(0)
    /// The number of ids assigned so far, including ids of removed series; it grows under the registry's lock.
    var idEnd: UInt32 {
        get { givenIds.load(ordering: .acquiring) }
        set { givenIds.store(newValue, ordering: .releasing) }
    }
    let live: LiveIds
    var liveSeries: Int { live.count }
    var groups: [HeadGroup] = []
    var groupByName: [String: Int] = [:]
    /// The groups that were vacant when they were last looked at; a new name gets one of them.
    var vacantGroups: [UInt32] = []

    /// The number of removed series whose labels still use memory in the index.
    var deadLabels = 0
    /// The number of sealed chunks that could not be read.
    let damagedRecords = Atomic<Int>(0)
    /// The number of chunks that are no longer in the head, because a block has them or because they were lost.
    let chunksRemoved = Atomic<Int>(0)
    let logger = Log("storage")

    /// The series whose states were restored from a damaged checkpoint; nil if the checkpoint is whole.
    var restored: Set<UInt32>?
    /// The series that a damaged checkpoint has only in part, with the low bits of the log segment whose differences do
    /// not apply to them; used while the store is opened.
    var doubtful: [UInt32: UInt16] = [:]

    /// The first limit that data reached while it was restored; nil if all of it fitted.
    let shortage = Mutex<StorageError?>(nil)
    /// The space of the process that wrote the checkpoint; without a note of it, address space was not limited.
    var writtenSpace = HeadSpace()
    /// Whether new series leave the ids of the reserve free.
    let keepsReserve = Atomic(false)

    private let serials = Atomic<UInt64>(1)
    /// The newest time of any series.
    let newest = Atomic<Int64>(.min)
    /// The windows in which samples are accepted.
    let admittedWindows: HeadWindows

    init(
        blockDuration: Int64, spill: SpillStore, space: HeadSpace = .own, openFiles: Int = .max
    ) throws(StorageError) {
        self.space = space
        admittedWindows = HeadWindows(openFiles: openFiles)
        self.blockDuration = blockDuration
        self.spill = spill
        arena = try BlockArena(blocks: space.chunkBlocks)
        sealed = try SealedChunks(capacity: space.sealedChunks)
        column = try Column(capacity: min(space.series, Self.maxSeries))
        states = SeriesTable(column)
        live = try LiveIds(capacity: column.capacity)
        index = try LabelIndex(space)
    }

    /// The number of series that fit, including removed series.
    var capacity: Int { live.capacity }

    /// Returns the memory of the states in a range of ids to the system; none of the ids may be in use.
    func discardStates(_ ids: Range<Int>) { column.discard(ids) }

    // MARK: Series

    /// The series with these labels, if there is one.
    func find(_ labels: Labels, hash: UInt64) -> UInt32? {
        labels.bytes.withUnsafeBufferPointer { packed in
            registry.withLock { index.find(packed, hash: hash) { states[$0].labels } }
        }
    }

    /// ``find(_:hash:)`` for a caller that holds the registry's lock.
    func findLocked(_ labels: Labels, hash: UInt64) -> UInt32? {
        registry.assertHeld()
        return labels.bytes.withUnsafeBufferPointer { packed in
            index.find(packed, hash: hash) { states[$0].labels }
        }
    }

    /// Makes a series with the next id; the caller has checked that the labels are new.
    ///
    /// Needs the registry's lock.
    func insert(_ labels: Labels, hash: UInt64, group: UInt32) throws(StorageError) -> UInt32 {
        if keepsReserve.load(ordering: .relaxed), Int(idEnd) &+ 1 >= HeadSpace.filled(capacity) { throw tooMany }
        return try insert(labels, hash: hash, group: group, as: idEnd)
    }

    private var tooMany: StorageError { .limit("\(capacity) series\(AddressSpace.note)") }

    /// Makes a series with the id that it had before a restart; needs the registry's lock.
    func insert(_ labels: Labels, hash: UInt64, group: UInt32, as id: UInt32) throws(StorageError) -> UInt32 {
        registry.assertHeld()
        guard Int(id) &+ 1 < capacity else { throw tooMany }
        var failure: StorageError?
        var record: UInt32 = 0
        labels.bytes.withUnsafeBufferPointer { packed in
            do throws(StorageError) { record = try index.insert(id, packed, hash: hash) } catch { failure = error }
        }
        if let failure { throw failure }
        idEnd = max(idEnd, id &+ 1)
        live.add(id)
        states[id].lastTime = .min
        states[id].group = group
        states[id].labels = record
        return id
    }

    /// Restores the series that had this id before a restart.
    func restoreSeries(_ id: UInt32, _ group: UInt32, _ labels: Labels) throws(StorageError) {
        guard Int(id) &+ 1 < capacity else { throw tooMany }
        // The id of a series that does not fit must not be assigned to another one.
        defer { registry.withLock { idEnd = max(idEnd, id &+ 1) } }
        let owner = restoreGroup(group, nil)
        // The checkpoint may have the samples of a series whose labels are only in the log.
        let before = states[id]
        let hash = labels.stableHash
        guard states[id].labels == 0, find(labels, hash: hash) == nil else { return }
        _ = try registry.withLock { () throws(StorageError) in
            try insert(labels, hash: hash, group: group, as: id)
        }
        if before.run != 0 || before.sealed != 0 || before.lastTime > .min && before.lastTime != 0 {
            let record = states[id].labels
            states[id] = before
            states[id].labels = record
        }
        owner.lock.withLock { owner.add(id) }
    }

    // MARK: Times

    /// The end of the block window that holds `time`.
    @inline(__always)
    func windowEnd(_ time: Int64) -> Int64 {
        let rest = time % blockDuration
        let start = time &- (rest < 0 ? rest &+ blockDuration : rest)
        return start.addingReportingOverflow(blockDuration).overflow ? .max : start &+ blockDuration
    }

    /// Moves a series to `time`, which is later than its newest time: extends its run, or seals its chunk and takes
    /// another run; needs the group's lock.
    @inline(__always)
    func step(_ id: UInt32, to time: Int64, _ group: HeadGroup) {
        group.lock.assertHeld()
        let state = states.at(id)
        let run = state.pointee.run
        guard run != 0 else { return attach(id, to: time, hint: 0, group) }
        let entry = group.runs.element(run)
        let at = Int(state.pointee.first) &+ Int(state.pointee.count)
        if at < Int(entry.pointee.count) {
            if entry.pointee.time(at) == time { return }
        } else if !entry.pointee.isClosed, at < Int(entry.pointee.limit), time < entry.pointee.windowEnd {
            group.runs.append(time, to: run)
            group.runs.latest = run
            return
        }
        leave(id, to: time, group)
    }

    /// Moves a series to `time` if it cannot continue in its run: in another run, or in a branch of its run.
    private func leave(_ id: UInt32, to time: Int64, _ group: HeadGroup) {
        let state = states.at(id)
        let run = state.pointee.run
        let entry = group.runs[run]
        let at = Int(state.pointee.first) &+ Int(state.pointee.count)
        let isAtEnd = at >= Int(entry.count)
        if time >= entry.windowEnd || isAtEnd || Int(state.pointee.count) >= HeadChunk.capacity {
            group.runs[run].isClosed = true
            let next = entry.next
            // The reference is held while the chunk is sealed, so that no other run gets the number.
            group.runs[run].references &+= 1
            seal(id, group)
            attach(id, to: time, hint: next, group)
            if group.runs[run].next == 0 { group.runs[run].next = state.pointee.run }
            group.runs.release(run)
            return
        }
        let branch = group.runs.branch(
            from: run, first: state.pointee.first, count: state.pointee.count, time: time, serial: nextSerial())
        group.runs[branch].references &+= 1
        group.runs.release(run)
        state.pointee.run = branch
        state.pointee.first = 0
    }

    /// Starts a chunk at `time`.
    private func attach(_ id: UInt32, to time: Int64, hint: UInt32, _ group: HeadGroup) {
        let state = states.at(id)
        group.chunksBegun &+= 1
        if let (run, at) = group.runs.find(time, hint: hint) {
            group.runs[run].references &+= 1
            group.runs.latest = run
            state.pointee.run = run
            state.pointee.first = UInt8(truncatingIfNeeded: at)
            return
        }
        // The first run of a group is shorter, by another length for each group, so that not all targets seal their
        // chunks at the same time.
        let limit =
            group.runs.end == 1
            ? HeadChunk.capacity / 2 &+ Int(group.id &* 37 % UInt32(HeadChunk.capacity / 2)) : HeadChunk.capacity
        let run = group.runs.make(time, windowEnd: windowEnd(time), limit: limit, serial: nextSerial())
        group.runs[run].references = 1
        group.runs.latest = run
        state.pointee.run = run
        state.pointee.first = 0
    }

    func nextSerial() -> UInt64 { serials.add(1, ordering: .relaxed).oldValue }

    // MARK: Samples

    /// Appends a float or a stale marker that is later than the newest sample; returns false if no memory is left.
    @inline(__always)
    func append(
        _ id: UInt32, _ time: Int64, _ value: Double, _ mantissa: Int64, _ scale: Int8, _ group: HeadGroup
    ) -> Bool {
        let state = states.at(id)
        step(id, to: time, group)
        state.pointee.lastTime = time
        if state.pointee.codec == SeriesState.histogram {
            return appendBesideHistograms(id, time, value, group)
        }
        if value.bitPattern == Staleness.bits {
            if HeadChunk.appendStale(state, arena) { return true }
        } else if HeadChunk.append(state, arena, value, mantissa, scale) {
            return true
        }
        return appendToNextChunk(id, time, value, group)
    }

    /// Appends a sample for which there is no memory in the open chunk: sealing the chunk frees its memory, and the
    /// next chunk needs none for its first sample, except for a stale marker.
    private func appendToNextChunk(_ id: UInt32, _ time: Int64, _ value: Double, _ group: HeadGroup) -> Bool {
        let state = states.at(id)
        if state.pointee.count > 0 { changeForm(id, time, group) }
        let isDone =
            value.bitPattern == Staleness.bits
            ? HeadChunk.appendStale(state, arena) : HeadChunk.append(state, arena, value, 0, -1)
        // A series without an open chunk has no run: the next sample would get the time of this one.
        if !isDone, state.pointee.count == 0 { seal(id, group) }
        return isDone
    }

    private func appendBesideHistograms(_ id: UInt32, _ time: Int64, _ value: Double, _ group: HeadGroup) -> Bool {
        let state = states.at(id)
        if value.bitPattern == Staleness.bits, state.pointee.count > 0 {
            group.histograms[id, default: OpenHistograms()].bytes.append(0)
            state.pointee.count &+= 1
            state.pointee.isStale = true
            state.pointee.isHistogram = false
            state.pointee.isNewestDeleted = false
            return true
        }
        changeForm(id, time, group)
        return appendToNextChunk(id, time, value, group)
    }

    /// Seals the open chunk if it has samples; the series stays in its run.
    private func changeForm(_ id: UInt32, _ time: Int64, _ group: HeadGroup) {
        let state = states.at(id)
        let run = state.pointee.run
        guard state.pointee.count > 0 else {
            state.pointee.codec = SeriesState.constant
            return
        }
        group.runs[run].references &+= 1
        seal(id, group)
        attach(id, to: time, hint: run, group)
        group.runs.release(run)
    }

    /// The bytes of native histograms at which an open chunk is sealed: histograms are long, and not compressed in
    /// memory.
    private static let longHistograms = 2048

    /// Appends a native histogram that is later than the newest sample.
    func append(_ id: UInt32, _ time: Int64, _ histogram: FloatHistogram, _ group: HeadGroup) -> Bool {
        let state = states.at(id)
        step(id, to: time, group)
        state.pointee.lastTime = time
        let isLong = (group.histograms[id]?.bytes.count ?? 0) >= Self.longHistograms
        if state.pointee.codec != SeriesState.histogram || isLong {
            changeForm(id, time, group)
            state.pointee.codec = SeriesState.histogram
            group.histograms[id] = OpenHistograms()
        }
        var chunk = group.histograms.removeValue(forKey: id) ?? OpenHistograms()
        chunk.bytes.append(1)
        HistogramBytes.append(histogram, to: &chunk.bytes)
        chunk.last = histogram
        group.histograms[id] = chunk
        state.pointee.count &+= 1
        state.pointee.isStale = false
        state.pointee.isHistogram = true
        state.pointee.isNewestDeleted = false
        return true
    }

    // MARK: Sealing

    /// The bytes before the values in a sealed record: codec, scale, bits of the values (2), first, count, 2 unused.
    static let recordHeader = 8

    /// Moves the open chunk of a series to the spill file of its window; needs the group's lock.
    func seal(_ id: UInt32, _ group: HeadGroup) {
        group.lock.assertHeld()
        let state = states.at(id)
        let run = state.pointee.run
        guard run != 0 else { return }
        defer {
            group.runs.release(run)
            state.pointee.run = 0
            state.pointee.first = 0
        }
        guard state.pointee.count > 0 else {
            chunksRemoved.wrappingAdd(1, ordering: .relaxed)
            return
        }
        let entry = group.runs[run]
        if group.spill?.windowEnd != entry.windowEnd || group.spill?.isDetached == true {
            group.spill = spill.file(windowEnd: entry.windowEnd)
        }
        guard let file = group.spill else { return lose(id, group) }
        let timesAt = spilledTimes(of: state, file, group)
        let codec = state.pointee.codec
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: HeadChunk.maxWords &+ 4) { words in
            guard let base = words.baseAddress else { return }
            let header = UnsafeMutableRawPointer(base)
            Self.writeHeader(of: state, to: header)
            var at: UInt32?
            var length = Self.recordHeader
            switch codec {
            case SeriesState.constant:
                header.storeBytes(
                    of: state.pointee.lastValue.bitPattern.littleEndian, toByteOffset: 8, as: UInt64.self)
                length = 16
                at = file.append(UnsafeRawBufferPointer(start: header, count: length))
            case SeriesState.histogram:
                var record = [UInt8](UnsafeRawBufferPointer(start: header, count: length))
                record += group.histograms.removeValue(forKey: id)?.bytes ?? []
                length = record.count
                at = record.withUnsafeBytes { file.append($0) }
            default:
                let content = UnsafeMutableBufferPointer(rebasing: words[2...])
                HeadChunk.copyWords(state.pointee, arena, to: content)
                let bytes = (Int(state.pointee.bits) &+ 7) >> 3
                length = Self.recordHeader &+ bytes
                if let shorter = SealedRecord.pack(
                    ChunkView(state.pointee, words: UnsafeBufferPointer(content)),
                    to: UnsafeMutableRawBufferPointer(start: header + Self.recordHeader, count: bytes &- 1))
                {
                    header.storeBytes(of: SealedRecord.packed, as: UInt8.self)
                    header.storeBytes(of: UInt16(shorter &* 8).littleEndian, toByteOffset: 2, as: UInt16.self)
                    length = Self.recordHeader &+ shorter
                }
                at = file.append(UnsafeRawBufferPointer(start: header, count: length))
            }
            let chunk = sealed.allocate()
            guard let at, timesAt != .max, chunk != 0 else {
                if chunk != 0 { sealed.release(chunk) }
                lost.add(Int(state.pointee.count), ordering: .relaxed)
                chunksRemoved.wrappingAdd(1, ordering: .relaxed)
                return
            }
            let start = entry.time(Int(state.pointee.first)) &- (entry.windowEnd &- blockDuration)
            sealed[chunk] = SealedChunk(
                next: state.pointee.sealed, offset: at, timesOffset: timesAt,
                start: UInt32(truncatingIfNeeded: start), length: UInt32(truncatingIfNeeded: length),
                file: file.number, first: state.pointee.first, count: state.pointee.count)
            state.pointee.sealed = chunk
        }
        HeadChunk.release(state, arena)
    }

    /// Drops an open chunk that finds no spill file; needs the group's lock.
    private func lose(_ id: UInt32, _ group: HeadGroup) {
        let state = states.at(id)
        lost.add(Int(state.pointee.count), ordering: .relaxed)
        chunksRemoved.wrappingAdd(1, ordering: .relaxed)
        group.histograms[id] = nil
        HeadChunk.release(state, arena)
    }

    /// The number of samples that were lost because they found no place in a spill file, or no memory for their entry,
    /// and that were not reported yet.
    let lost = Atomic<Int>(0)

    /// Writes the header of the record of a sealed chunk.
    private static func writeHeader(of state: StateReference, to header: UnsafeMutableRawPointer) {
        header.storeBytes(of: state.pointee.codec, as: UInt8.self)
        header.storeBytes(of: state.pointee.scale, toByteOffset: 1, as: Int8.self)
        header.storeBytes(of: state.pointee.bits.littleEndian, toByteOffset: 2, as: UInt16.self)
        header.storeBytes(of: state.pointee.first, toByteOffset: 4, as: UInt8.self)
        header.storeBytes(of: state.pointee.count, toByteOffset: 5, as: UInt8.self)
        header.storeBytes(of: 0, toByteOffset: 6, as: UInt16.self)
    }

    /// The position of an open chunk's times in a file; writes them if they are not there.
    ///
    /// `UInt32.max` if that failed.
    private func spilledTimes(of state: StateReference, _ file: SpillFile, _ group: HeadGroup) -> UInt32 {
        let run = state.pointee.run
        let entry = group.runs[run]
        // All times of a chunk must be in the file of the chunk. The times of a run are written again if the file of
        // its window was replaced, or if they were written before the last time of the chunk was added.
        let end = UInt16(state.pointee.first) &+ UInt16(state.pointee.count)
        if entry.spilledAt == .max || entry.spilledFile != file.number || entry.spilledCount < end {
            return spillTimes(run, file, group) ?? .max
        }
        return entry.spilledAt
    }

    /// Writes the times of a run: count (2 bytes), first time (8), then an offset for each time (4); returns the
    /// position.
    private func spillTimes(_ run: UInt32, _ file: SpillFile, _ group: HeadGroup) -> UInt32? {
        let entry = group.runs[run]
        var record: [UInt8] = []
        record.reserveCapacity(10 &+ Int(entry.count) &* 4)
        record.appendLittle(entry.count)
        record.appendLittle(UInt64(bitPattern: entry.base))
        for at in 0..<Int(entry.count) { record.appendLittle(entry.offset(at)) }
        let at = record.withUnsafeBytes { file.append($0) }
        if let at {
            group.runs[run].spilledAt = at
            group.runs[run].spilledFile = file.number
            group.runs[run].spilledCount = entry.count
        }
        return at
    }
}
