import Encoding
import Model
import Platform
import Synchronization
import Telemetry

/// Replays the log into the head.
///
/// A segment is read in parts: first the records that are not samples, in their order; then the samples, each group
/// separately, on all cores. Groups are independent of each other, and the states of one group stay in the cache
/// meanwhile.
struct LogReplay {
    private let head: Head
    private let log = Log("storage")
    /// The receivers of metadata and exemplars.
    var onMetadata: (String, MetricMetadata) -> Void = { _, _ in }
    var onExemplar: (UInt32, Exemplar) -> Void = { _, _ in }
    /// The id of the store; nil if it has none.
    var store: UInt64?
    private(set) var damaged = 0
    /// The segments that are damaged.
    private(set) var damagedSegments: Set<UInt64> = []
    /// The files with the name of a segment that have neither its header nor a whole frame.
    private(set) var foreign: Set<UInt64> = []
    /// The segments of another store, which are not read.
    private(set) var others: Set<UInt64> = []
    /// The numbers below segments that were read which may be unused according to the log.
    private(set) var unused: [Range<UInt64>] = []
    /// The last segment, and its bytes up to the end of its last whole frame, if its end is torn (incomplete).
    private(set) var torn: (path: String, size: Int)?
    /// The segments that were read, with their bytes up to the end of the last whole frame.
    private(set) var sizes: [UInt64: Int] = [:]
    /// Segments with bytes after their last whole frame although later segments exist: the path and the end of the frame.
    private var openEnds: [UInt64: (path: String, size: Int)] = [:]
    /// The sizes of segments with frames, as later segments state them.
    private(set) var saidSizes: [UInt64: Int] = [:]
    /// Whether any segment has a record that is not about the log itself.
    private(set) var hasContent = false
    private var segment: UInt64 = 0
    private(set) var samples = 0
    /// The deletions that were read and are not carried out yet.
    private var deletions: [(ids: [UInt32], from: Int64, to: Int64)] = []
    /// The records of samples that are not applied yet.
    private var waiting: [SampleReplay.Record] = []

    /// The most records of samples that are applied together, and their approximate bytes.
    private static let stretch = 1 << 16
    private static let stretchBytes = 8 << 20

    private let decompressor: ZstdDecompressor

    init(_ head: Head) throws(CompressionError) {
        self.head = head
        decompressor = try ZstdDecompressor()
    }

    /// Reads one segment, whose end may be torn if `isLast`.
    ///
    /// What does not fit is noted in the head.
    mutating func read(_ number: UInt64, _ path: String, isLast: Bool, _ fileSystem: any FileSystem) throws(FileError) {
        segment = number
        let mapping = try fileSystem.map(path, limit: WriteAheadLog.longestSegment)
        let bytes = mapping.bytes
        // A segment gets its name only when its header is on disk.
        guard bytes.count >= WriteAheadLog.firstHeaderSize else { return report(path, 0, "the log's header") }
        // The frames have their own checksums, and may have data that is nowhere else.
        let header = WriteAheadLog.Header(bytes.prefix(WriteAheadLog.headerSize))
        if let other = header?.store, let store, other != store { return refuse(number, path) }
        let isOwn = header?.number == number
        if !isOwn { report(path, 0, "the log's header") }
        var frames = 0
        // Frames are read one by one; their samples are applied when there are many.
        var records = ByteSink()
        var at = header?.bytes.count ?? WriteAheadLog.firstFrame(bytes)
        while at < bytes.count {
            guard let frame = WriteAheadLog.framing.frame(bytes, at: at) else {
                // There is nothing after a torn end. Elsewhere, reading continues with the next whole frame.
                guard let next = WriteAheadLog.framing.next(mapping, from: at &+ 1, budget: 1 << 26) else {
                    if !isLast { openEnds[number] = (path, at) }
                    // A foreign file, or one that will be set aside, is not truncated.
                    if isLast, !damagedSegments.contains(number) { torn = (path, at) }
                    break
                }
                report(path, at, "a whole frame")
                at = next
                continue
            }
            frames += 1
            let start = records.count
            do {
                try unpack(frame, bytes, to: &records)
                var reader = ByteReader(records.bytes, at: start)
                let group = try apply(&reader)
                if !deletions.isEmpty {
                    // Earlier samples are deleted, later ones are not.
                    replaySamples(records.bytes, number, path)
                    carryOutDeletions()
                }
                if let group {
                    waiting.append(.init(group: group, start: reader.offset, end: records.count, frame: at))
                } else {
                    records.truncate(to: start)
                }
            } catch {
                records.truncate(to: start)
                report(path, at, "\(error)")
            }
            at = frame.content.upperBound
            if waiting.count == Self.stretch || records.count > Self.stretchBytes {
                replaySamples(records.bytes, number, path)
                records.removeAll()
            }
        }
        replaySamples(records.bytes, number, path)
        sizes[number] = at
        // The rest of the file, which is not mapped, has no frame either.
        if mapping.isPartial, at == bytes.count {
            if !isLast { openEnds[number] = (path, at) }
            if isLast, !damagedSegments.contains(number) { torn = (path, at) }
        }
        if !isOwn, frames == 0 { foreign.insert(number) }
    }

    /// The segments that are finished, and of which nothing is known to be missing.
    var whole: [WriteAheadLog.Segment] {
        sizes.filter { !damagedSegments.contains($0.key) && !foreign.contains($0.key) }
            .map { WriteAheadLog.Segment(number: $0.key, size: $0.value, file: nil) }
            .sorted { $0.number < $1.number }
    }

    /// Reports the segments that lack frames at their end, because a later segment states a larger size.
    mutating func reportShortSegments(_ directory: String) {
        for (number, end) in openEnds.sorted(by: { $0.key < $1.key }) {
            // A failed write may leave a part of a frame that could not be removed: nothing of it was acknowledged.
            if saidSizes[number] == end.size { continue }
            segment = number
            report(end.path, end.size, "a whole frame")
        }
        for (number, size) in saidSizes.sorted(by: { $0.key < $1.key }) {
            guard let found = sizes[number], found < size, !damagedSegments.contains(number) else { continue }
            segment = number
            report(WriteAheadLog.path(directory, number), found, "\(size) bytes")
        }
    }

    /// Truncates the torn end of the last segment, durably.
    ///
    /// Another segment will follow it, and a torn end before another segment would be damage at the next start.
    func cutTornEnd(_ fileSystem: any FileSystem) {
        guard let torn else { return }
        do throws(FileError) {
            let file = try fileSystem.open(torn.path, .append)
            defer { file.close() }
            try file.truncate(to: torn.size)
            try file.syncData()
        } catch {
            log.warn("The torn end of the log cannot be cut off", ["file": torn.path, "err": "\(error)"])
        }
    }

    /// Appends the records of a frame, decompressed.
    private func unpack(_ frame: RecordFraming.Frame, _ bytes: UnsafeRawBufferPointer, to records: inout ByteSink)
        throws
    {
        let content = UnsafeRawBufferPointer(rebasing: bytes[frame.content])
        guard frame.flags & WriteAheadLog.packedFlag != 0 else { return records.append(content) }
        var reader = ByteReader(content)
        let size = try reader.count(LogPacker.longest)
        let packed = try reader.run(reader.remaining)
        let start = records.appendZeros(size)
        try decompressor.decompress(
            packed, into: UnsafeMutableRawBufferPointer(start: records.base + start, count: size))
    }

    /// Applies the waiting records of samples.
    private mutating func replaySamples(_ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ path: String) {
        let first = waiting.first?.frame ?? 0
        let lost = head.lost.load(ordering: .relaxed)
        let result = SampleReplay.run(waiting, bytes, segment: number, head)
        let lostNow = head.lost.exchange(lost, ordering: .relaxed) - lost
        if lostNow > 0 {
            let limit = StorageError.limit("\(head.space.sealedChunks) sealed chunks\(AddressSpace.note)")
            if head.mustFit {
                head.note(limit)
            } else {
                report(path, first, "\(limit); \(lostNow) samples are left out")
            }
        }
        waiting.removeAll(keepingCapacity: true)
        samples += result.samples
        for failure in result.failures { report(path, failure.offset, failure.expected) }
    }

    /// Carries out the deletions that were read so far.
    mutating func carryOutDeletions() {
        head.maintenanceLock.withLock {
            for deletion in deletions {
                let failed = head.delete(deletion.ids, from: deletion.from, to: deletion.to)
                if failed > 0 {
                    log.error("Samples could not be deleted again; they are served", ["chunks": "\(failed)"])
                }
            }
        }
        deletions.removeAll()
    }

    /// Notes that a segment is of another store.
    mutating func refuse(_ number: UInt64, _ path: String) {
        damaged += 1
        damagedSegments.insert(number)
        others.insert(number)
        log.error("A file of the log is left out", ["file": path, "err": StoreIdentity.otherStore])
    }

    private mutating func report(_ path: String, _ offset: Int, _ expected: String) {
        damaged += 1
        damagedSegments.insert(segment)
        log.error(
            "The log is damaged; what it touches is left out",
            ["file": path, "offset": "\(offset)", "expected": expected])
    }

    /// Applies records to the end of the reader, or to a record of samples, which is the last of its frame.
    ///
    /// - Returns: The group of the samples; nil if there are none.
    mutating func apply(_ reader: inout ByteReader) throws -> UInt32? {
        while !reader.isAtEnd {
            let kind = try reader.byte()
            if segment > 0, kind != LogRecord.size, kind != LogRecord.skipped { hasContent = true }
            switch kind {
            case LogRecord.group:
                let id = try reader.count(Head.maxGroups - 1)
                let name = String(decoding: try reader.sizedRun(), as: UTF8.self)
                head.restoreGroup(UInt32(id), name)
            case LogRecord.series: try series(&reader)
            case LogRecord.samples:
                let group = UInt32(try reader.count(Head.maxGroups - 1))
                head.restoreGroup(group, nil)
                return group
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
                // The log does not state whether the exemplar came with its time. A repetition with the time is
                // recognized by it.
                onExemplar(id, Exemplar(labels: labels, value: value, timestamp: time, hasTimestamp: false))
            case LogRecord.deletion:
                let (from, to) = (try reader.zigzag(), try reader.zigzag())
                var ids: [UInt32] = []
                for _ in 0..<(try reader.count(reader.remaining)) {
                    ids.append(UInt32(try reader.count(Int(UInt32.max))))
                }
                deletions.append((ids, from, to))
            case LogRecord.skipped:
                let first = try reader.varint()
                if first < segment { unused.append(first..<segment) }
            case LogRecord.size:
                let number = try reader.varint()
                let size = try reader.count(Int.max)
                if number < segment { saidSizes[number] = max(size, saidSizes[number] ?? 0) }
            default: throw DecodeError(expected: "a record", offset: reader.offset)
            }
        }
        return nil
    }

    private mutating func series(_ reader: inout ByteReader) throws {
        let group = UInt32(try reader.count(Head.maxGroups - 1))
        let id = UInt32(try reader.count(Head.maxSeries - 2))
        let labels = Labels(packed: Array(try reader.sizedRun()))
        do throws(StorageError) { try head.restoreSeries(id, group, labels) } catch { head.note(error) }
    }
}
