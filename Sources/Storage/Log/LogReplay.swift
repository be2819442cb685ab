import Encoding
import Model
import Platform
import Telemetry

/// Reads the log into the head.
///
/// A segment is read in stretches: first, in order, the records that are not samples; then the samples, each group by
/// itself, on all cores. Groups are independent of each other, and one group's states stay in the cache meanwhile.
struct LogReplay {
    private let head: Head
    private let log = Log("storage")
    /// What the records that are not samples mean.
    var onMetadata: (String, MetricMetadata) -> Void = { _, _ in }
    var onExemplar: (UInt32, Exemplar) -> Void = { _, _ in }
    var onDeletion: ([UInt32], Int64, Int64) -> Void = { _, _, _ in }
    private(set) var damaged = 0
    private(set) var samples = 0
    /// Records of samples that wait for the others of their stretch.
    private var waiting: [SampleReplay.Record] = []

    /// Records of a stretch at most.
    private static let stretch = 1 << 16

    init(_ head: Head) { self.head = head }

    /// Reads one segment; `isLast` says that its end may be torn.
    mutating func read(_ number: UInt64, _ path: String, isLast: Bool, _ fileSystem: any FileSystem) throws(FileError) {
        let mapping = try fileSystem.map(path)
        let bytes = mapping.bytes
        var header = Array(WriteAheadLog.magic)
        header.appendLittle(number)
        guard bytes.count >= header.count else {
            if !isLast { report(path, 0, "the log's header") }
            return
        }
        // The frames behind it are checked by themselves, and may hold what is nowhere else.
        if !header.elementsEqual(bytes[0..<header.count]) { report(path, 0, "the log's header") }
        defer { replaySamples(bytes, number, path) }
        var at = header.count
        while at < bytes.count {
            guard let length = frame(bytes, at) else {
                // A torn tail has nothing behind it. Elsewhere, go on with the next frame that is whole.
                guard let next = resume(bytes, at &+ 1) else {
                    if !isLast { report(path, at, "a whole frame") }
                    return
                }
                report(path, at, "a whole frame")
                at = next
                continue
            }
            var reader = ByteReader(UnsafeRawBufferPointer(rebasing: bytes[0..<(at &+ 8 &+ length)]), at: at &+ 8)
            do {
                if let group = try apply(&reader) {
                    waiting.append(.init(group: group, start: reader.offset, end: at &+ 8 &+ length))
                }
            } catch {
                report(path, at, "\(error)")
            }
            at &+= 8 &+ length
            if waiting.count == Self.stretch { replaySamples(bytes, number, path) }
        }
    }

    /// Applies the samples that wait.
    private mutating func replaySamples(_ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ path: String) {
        let result = SampleReplay.run(waiting, bytes, segment: number, head)
        waiting.removeAll(keepingCapacity: true)
        samples += result.samples
        for failure in result.failures { report(path, failure.offset, failure.expected) }
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

    /// Applies records until the reader is at its end, or at samples: a record of them is the last of its frame.
    ///
    /// - Returns: The group of the samples.
    mutating func apply(_ reader: inout ByteReader) throws -> UInt32? {
        while !reader.isAtEnd {
            switch try reader.byte() {
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
        return nil
    }

    private func series(_ reader: inout ByteReader) throws {
        let group = UInt32(try reader.count(Head.maxGroups - 1))
        let id = UInt32(try reader.count(Head.maxSeries - 2))
        let labels = Labels(packed: Array(try reader.sizedRun()))
        try head.restoreSeries(id, group, labels)
    }
}
