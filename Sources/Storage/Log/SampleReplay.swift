import Encoding
import Model
import Platform
import Synchronization

/// Replays the sample records of a segment of the log into the head, for each group in their order.
struct SampleReplay {
    /// The position of a record of samples among the bytes, after its kind and group, and of its frame in the segment.
    struct Record {
        var group: UInt32
        var start: Int
        var end: Int
        var frame: Int
    }

    /// The result of applying records.
    struct Result {
        var samples = 0
        var failures: [(offset: Int, expected: String)] = []
    }

    /// The bytes of samples for which one more thread is used.
    private static let worthThread = 1 << 16

    private let head: Head
    private let segment: UInt64
    private var ids: [UInt32] = []
    private var times: [Int64] = []
    private var starts: [(number: Int, start: Int64)] = []
    private var result = Result()

    /// The data that all threads read.
    private struct Source: @unchecked Sendable {
        // SAFETY: the bytes and the records do not change while the threads run, and the caller waits for their end.
        let bytes: UnsafeRawBufferPointer
        let records: [Record]
        /// The ranges of records of the same group.
        let pieces: [Range<Int>]
    }

    /// Applies records, on several threads if they are many.
    static func run(_ records: [Record], _ bytes: UnsafeRawBufferPointer, segment: UInt64, _ head: Head) -> Result {
        guard !records.isEmpty else { return Result() }
        let sorted = records.sorted { ($0.group, $0.start) < ($1.group, $1.start) }
        var pieces: [Range<Int>] = []
        var size = 0
        var first = 0
        for at in sorted.indices {
            size &+= sorted[at].end &- sorted[at].start
            if at + 1 == sorted.count || sorted[at + 1].group != sorted[at].group {
                pieces.append(first..<(at + 1))
                first = at + 1
            }
        }
        let source = Source(bytes: bytes, records: sorted, pieces: pieces)
        let total = Mutex(Result())
        Workers.run(pieces: pieces.count, threads: min(Workers.count, 1 + size / worthThread)) { piece in
            var replay = SampleReplay(head, segment)
            let records = source.records[source.pieces[piece]]
            if let first = records.first, let group = head.group(first.group) {
                group.lock.withLock { for record in records { replay.apply(record, group, source.bytes) } }
            }
            total.withLock { total in
                total.samples += replay.result.samples
                total.failures += replay.result.failures
            }
        }
        var result = total.withLock { $0 }
        result.failures.sort { $0.offset < $1.offset }
        return result
    }

    private init(_ head: Head, _ segment: UInt64) {
        self.head = head
        self.segment = segment
    }

    /// The number of samples of the record for which there was no memory.
    private var unfit = 0

    private mutating func apply(_ record: Record, _ group: HeadGroup, _ bytes: UnsafeRawBufferPointer) {
        unfit = 0
        var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[0..<record.end]), at: record.start)
        do {
            try apply(&reader, group, record.frame)
            if !reader.isAtEnd { throw DecodeError(expected: "the end of the frame", offset: reader.offset) }
        } catch {
            group.brokenSegment = segment
            result.failures.append((record.frame, "\(error)"))
        }
        // The differences of later records do not depend on memory.
        if unfit > 0 {
            let limit = StorageError.limit("\(head.space.chunkBlocks) blocks of open chunks\(AddressSpace.note)")
            guard !head.mustFit else { return head.note(limit) }
            result.failures.append((record.frame, "\(limit); \(unfit) samples are left out"))
        }
    }

    /// Reads the start timestamps of a record of `count` samples.
    private mutating func readStarts(_ reader: inout ByteReader, _ flags: UInt8, _ count: Int) throws(DecodeError) {
        starts.removeAll(keepingCapacity: true)
        guard flags & LogRecord.starts != 0 else { return }
        var number = 0
        for _ in 0..<(try reader.count(min(count, reader.remaining))) {
            number += try reader.count(count)
            guard number < count else { throw DecodeError(expected: "one of \(count) samples", offset: reader.offset) }
            starts.append((number, times[number] &+ (try reader.zigzag())))
        }
    }

    /// Reads the sequence number of a record; returns whether its samples are applied.
    private mutating func isNext(_ reader: inout ByteReader, _ group: HeadGroup, _ frame: Int) throws -> Bool {
        let sequence = try reader.varint()
        // The checkpoint has these samples already.
        if segment < group.segment || segment == group.segment && sequence < group.sequence { return false }
        let expected = segment == group.segment ? group.sequence : 0
        if segment != group.segment { group.logTime = 0 }
        group.segment = segment
        group.sequence = sequence &+ 1
        // After a missing record, the differences of the group cannot be used until the next segment.
        if sequence != expected, group.brokenSegment != segment {
            group.brokenSegment = segment
            result.failures.append(
                (frame, "record \(expected) of group \(group.id) in segment \(segment), but it is \(sequence)"))
        }
        return group.brokenSegment != segment
    }

    /// Reads the series and the times of the samples of a record.
    private mutating func readIdsAndTimes(
        _ reader: inout ByteReader, _ flags: UInt8, _ count: Int, _ group: HeadGroup
    ) throws {
        if ids.count < count {
            ids = [UInt32](repeating: 0, count: count)
            times = [Int64](repeating: 0, count: count)
        }
        try ids.withUnsafeMutableBufferPointer { all in
            try LogRecord.readIds(&reader, into: UnsafeMutableBufferPointer(rebasing: all[0..<count]))
        }
        let base = group.logTime
        if flags & LogRecord.ownTimes != 0 {
            try times.withUnsafeMutableBufferPointer { all in
                try LogRecord.readTimes(&reader, base: base, into: .init(rebasing: all[0..<count]))
            }
            if count > 0 { group.logTime = times[count - 1] }
        } else {
            let time = base &+ (try reader.zigzag())
            for i in 0..<count { times[i] = time }
            group.logTime = time
        }
    }

    private mutating func apply(_ reader: inout ByteReader, _ group: HeadGroup, _ frame: Int) throws {
        guard try isNext(&reader, group, frame) else {
            reader = ByteReader(reader.bytes, at: reader.bytes.count)
            return
        }
        let flags = try reader.byte()
        // Each sample has one bit.
        let count = try reader.count(min(1 << 26, reader.remaining &* 8))
        try readIdsAndTimes(&reader, flags, count, group)
        try readStarts(&reader, flags, count)
        let bits = try reader.run((count &+ 7) >> 3)
        let low = UInt16(truncatingIfNeeded: segment)
        let idEnd = head.idEnd
        let hasDoubts = !head.doubtful.isEmpty
        let rewinds = flags & LogRecord.rewinds != 0
        let mayReplace = rewinds || group.rewoundUntil != .min
        var (latest, nextStart) = (Int64.min, 0)
        for k in 0..<count {
            let (id, time) = (ids[k], times[k])
            let state = head.states.at(min(id, UInt32(head.capacity - 1)))
            let isStored =
                id < idEnd && state.pointee.labels != 0 && state.pointee.group == group.id
                && !(hasDoubts && head.doubtful[id] == low)
            if nextStart < starts.count, starts[nextStart].number == k {
                if isStored {
                    group.setStart(id, time, starts[nextStart].start, isNewest: time > state.pointee.lastTime)
                }
                nextStart += 1
            }
            let isFresh = state.pointee.logSegment != low
            var scale = isFresh ? 0 : state.pointee.logScale
            let before = isFresh ? 0 : state.pointee.lastValue
            guard bits[k >> 3] & 1 << UInt8(k & 7) != 0 else {
                guard isStored, isLater(id, time, group, rewinds, mayReplace) else { continue }
                if isFresh { state.pointee.logScale = 0 }
                state.pointee.logSegment = low
                unfit += head.append(id, time, before, 0, -1, group) ? 0 : 1
                latest = max(latest, time)
                continue
            }
            guard isStored else {
                // Only the length matters. The base may be wrong, so a decimal that does not fit is not damage.
                try ValueCode.skip(&reader)
                continue
            }
            switch try ValueCode.read(&reader, after: before, scale: &scale) {
            case .value(let value, let mantissa, let places):
                state.pointee.logScale = scale
                state.pointee.logSegment = low
                guard isLater(id, time, group, rewinds, mayReplace) else { continue }
                unfit += head.append(id, time, value, mantissa, places, group) ? 0 : 1
            case .stale:
                guard isLater(id, time, group, rewinds, mayReplace) else { continue }
                unfit += head.append(id, time, Staleness.marker, 0, -1, group) ? 0 : 1
            case .histogram(let histogram):
                guard isLater(id, time, group, rewinds, mayReplace) else { continue }
                unfit += head.append(id, time, histogram, group) ? 0 : 1
            case .outOfOrder(let value, let histogram): head.addOutOfOrder(id, time, value, histogram, group)
            case .unsound: continue
            }
            latest = max(latest, time)
        }
        result.samples += count
        head.raiseNewest(latest)
    }

    /// Whether a sample is later than the newest one of its series, which may continue at an earlier time in a record
    /// that rewinds.
    @inline(__always)
    private func isLater(_ id: UInt32, _ time: Int64, _ group: HeadGroup, _ rewinds: Bool, _ mayReplace: Bool) -> Bool {
        if rewinds { head.rewindIfLater(id, than: time, group) }
        guard time > head.states.at(id).pointee.lastTime else { return false }
        if mayReplace { head.forgetReplaced(id, time, group) }
        return true
    }
}
