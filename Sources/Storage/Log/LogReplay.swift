import Encoding
import Model
import Platform
import Telemetry

/// Reads the log into the head.
struct LogReplay {
    private let head: Head
    private let log = Log("storage")
    /// What the records that are not samples mean.
    var onMetadata: (String, MetricMetadata) -> Void = { _, _ in }
    var onExemplar: (UInt32, Exemplar) -> Void = { _, _ in }
    var onDeletion: ([UInt32], Int64, Int64) -> Void = { _, _, _ in }
    private(set) var damaged = 0
    private(set) var samples = 0
    /// Groups of which a record of the segment is missing: their differences lead nowhere until the next segment.
    private var broken: Set<UInt32> = []
    private var hasGap = false
    private var ids: [UInt32] = []
    private var times: [Int64] = []

    init(_ head: Head) { self.head = head }

    /// Reads one segment; `isLast` says that its end may be torn.
    mutating func read(_ number: UInt64, _ path: String, isLast: Bool, _ fileSystem: any FileSystem) throws(FileError) {
        let mapping = try fileSystem.map(path)
        let bytes = mapping.bytes
        broken = []
        hasGap = false
        var header = Array(WriteAheadLog.magic)
        header.appendLittle(number)
        guard bytes.count >= header.count, header.elementsEqual(bytes[0..<header.count]) else {
            if !(isLast && bytes.count < header.count) { report(path, 0, "the log's header") }
            return
        }
        var at = header.count
        while at < bytes.count {
            guard let length = frame(bytes, at) else {
                // A torn tail has nothing behind it. Elsewhere, go on with the next frame that is whole.
                guard let next = resume(bytes, at &+ 1) else {
                    if !isLast { report(path, at, "a whole frame") }
                    return
                }
                report(path, at, "a whole frame")
                hasGap = true
                at = next
                continue
            }
            let content = UnsafeRawBufferPointer(rebasing: bytes[(at &+ 8)..<(at &+ 8 &+ length)])
            do { try apply(content, number) } catch {
                report(path, at, "\(error)")
                hasGap = true
            }
            at &+= 8 &+ length
        }
    }

    private mutating func report(_ path: String, _ offset: Int, _ expected: String) {
        damaged += 1
        log.error(
            "The log is damaged; what it touches is left out",
            ["file": path, "offset": "\(offset)", "expected": expected])
    }

    /// The length of the content of a whole frame at `at`, or nil.
    private func frame(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> Int? {
        guard bytes.count &- at >= 8 else { return nil }
        let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
        let checksum = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at &+ 4, as: UInt32.self))
        guard length > 0, length <= WriteAheadLog.maxFrame, length <= bytes.count &- at &- 8 else { return nil }
        let content = UnsafeRawBufferPointer(rebasing: bytes[(at &+ 8)..<(at &+ 8 &+ length)])
        return CRC32C.hash(content) == checksum ? length : nil
    }

    /// The next place where a whole frame begins; looks at most 64 KiB ahead, then only where lengths are small.
    private func resume(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var at = start
        var budget = 1 << 26
        while at &+ 8 < bytes.count, budget > 0 {
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            if length > 0, length <= bytes.count &- at &- 8, length < 1 << 22 {
                budget &-= length
                if frame(bytes, at) != nil { return at }
            }
            at &+= 1
        }
        return nil
    }

    private mutating func apply(_ content: UnsafeRawBufferPointer, _ number: UInt64) throws {
        var reader = ByteReader(content)
        try apply(&reader, number)
    }

    /// Applies records until the reader is at its end.
    mutating func apply(_ reader: inout ByteReader, _ number: UInt64) throws {
        while !reader.isAtEnd {
            switch try reader.byte() {
            case LogRecord.group:
                let id = try reader.count(Head.maxGroups - 1)
                let name = String(decoding: try reader.sizedRun(), as: UTF8.self)
                head.restoreGroup(UInt32(id), name)
            case LogRecord.series: try series(&reader)
            case LogRecord.samples: try samples(&reader, number)
            case LogRecord.metadata:
                var texts: [String] = []
                for _ in 0..<4 { texts.append(String(decoding: try reader.sizedRun(), as: UTF8.self)) }
                onMetadata(
                    texts[0],
                    MetricMetadata(type: MetricType(rawValue: texts[1]) ?? .unknown, help: texts[3], unit: texts[2]))
            case LogRecord.exemplar:
                let id = UInt32(try reader.count(Int(UInt32.max)))
                let time = try reader.zigzag()
                let value = Double(bitPattern: try reader.u64())
                let labels = Labels(packed: Array(try reader.sizedRun()))
                onExemplar(id, Exemplar(labels: labels, value: value, timestamp: time))
            case LogRecord.deletion:
                let (from, to) = (try reader.zigzag(), try reader.zigzag())
                var ids: [UInt32] = []
                for _ in 0..<(try reader.count(reader.remaining)) {
                    ids.append(UInt32(try reader.count(Int(UInt32.max))))
                }
                onDeletion(ids, from, to)
            default: throw DecodeError(expected: "a record", offset: reader.offset)
            }
        }
    }

    private func series(_ reader: inout ByteReader) throws {
        let group = UInt32(try reader.count(Head.maxGroups - 1))
        let id = UInt32(try reader.count(Head.maxSeries - 2))
        let labels = Labels(packed: Array(try reader.sizedRun()))
        try head.restoreSeries(id, group, labels)
    }

    private mutating func samples(_ reader: inout ByteReader, _ number: UInt64) throws {
        let groupId = UInt32(try reader.count(Head.maxGroups - 1))
        let sequence = try reader.varint()
        let flags = try reader.byte()
        // Each sample has a bit of its own.
        let count = try reader.count(min(1 << 26, reader.remaining &* 8))
        if ids.count < count {
            ids = [UInt32](repeating: 0, count: count)
            times = [Int64](repeating: 0, count: count)
        }
        let group = head.restoreGroup(groupId, nil)
        // What a checkpoint holds is read, for the length, but not stored.
        let isKnown = number < group.segment || number == group.segment && sequence < group.sequence
        if !isKnown {
            let expected = number == group.segment ? group.sequence : 0
            if sequence != expected { broken.insert(groupId) }
            if group.segment != number { group.logTime = 0 }
            group.segment = number
            group.sequence = sequence &+ 1
        }
        let isBroken = broken.contains(groupId)
        try ids.withUnsafeMutableBufferPointer { all in
            try LogRecord.readIds(&reader, into: UnsafeMutableBufferPointer(rebasing: all[0..<count]))
        }
        let base = group.logTime
        if flags & LogRecord.ownTimes != 0 {
            try times.withUnsafeMutableBufferPointer { all in
                try LogRecord.readTimes(&reader, base: base, into: .init(rebasing: all[0..<count]))
            }
            if !isKnown, count > 0 { group.logTime = times[count - 1] }
        } else {
            let time = base &+ (try reader.zigzag())
            for i in 0..<count { times[i] = time }
            if !isKnown { group.logTime = time }
        }
        let bits = try reader.run((count &+ 7) >> 3)
        let low = UInt16(truncatingIfNeeded: number)
        let idEnd = head.idEnd
        let hasDoubts = !head.doubtful.isEmpty
        var latest = Int64.min
        var done = true
        for k in 0..<count {
            let (id, time) = (ids[k], times[k])
            let state = head.states + Int(min(id, UInt32(Head.maxSeries - 1)))
            let isStored =
                !isKnown && !isBroken && id < idEnd && state.pointee.labels != 0 && state.pointee.group == groupId
                && !(hasDoubts && head.doubtful[id] == low)
            let isFresh = state.pointee.logSegment != low
            var scale = isFresh ? 0 : state.pointee.logScale
            let before = isFresh ? 0 : state.pointee.lastValue
            guard bits[k >> 3] & 1 << UInt8(k & 7) != 0 else {
                guard isStored, time > state.pointee.lastTime else { continue }
                if isFresh { state.pointee.logScale = 0 }
                state.pointee.logSegment = low
                done = head.append(id, time, before, 0, -1, group) && done
                latest = max(latest, time)
                continue
            }
            guard isStored else {
                // Only the length matters; the base may be wrong, so a decimal that does not fit is no damage.
                try ValueCode.skip(&reader)
                continue
            }
            switch try ValueCode.read(&reader, after: before, scale: &scale) {
            case .value(let value, let mantissa, let places):
                state.pointee.logScale = scale
                state.pointee.logSegment = low
                guard time > state.pointee.lastTime else { continue }
                done = head.append(id, time, value, mantissa, places, group) && done
            case .stale:
                guard time > state.pointee.lastTime else { continue }
                done = head.append(id, time, Staleness.marker, 0, -1, group) && done
            case .histogram(let histogram):
                guard time > state.pointee.lastTime else { continue }
                done = head.append(id, time, histogram, group) && done
            case .late(let value, let histogram): head.addLate(id, time, value, histogram, group)
            }
            latest = max(latest, time)
        }
        if !isKnown { samples += count }
        head.raiseNewest(latest)
        if !done { throw StorageError.outOfMemory("open chunks") }
    }
}
