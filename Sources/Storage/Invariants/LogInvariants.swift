import Encoding
import Model
import Platform
import Synchronization

extension TimeSeriesStore {
    /// Checks that the segments of the log are whole, and that each group counts its records in them.
    ///
    /// A log that was damaged, or that cannot be written now, is not checked.
    func checkLog() throws {
        guard damagedRecords == 0, log.failure == nil, log.lost == nil else { return }
        let groups = head.registry.withLock { head.groups }
        let places = groups.map { group in group.lock.withLock { (group.segment, group.sequence) } }
        for number in try WriteAheadLog.segments(log.directory, fileSystem) {
            try BrokenInvariant.require(
                number <= log.segment, "segment \(number) of the log is there, and the newest is \(log.segment)")
            let next = try LogSegmentCheck.sequences(
                of: number,
                try fileSystem.read(WriteAheadLog.path(log.directory, number), limit: WriteAheadLog.longestSegment))
            for (group, place) in places.enumerated() where place.0 == number {
                let found = next[UInt32(group)] ?? 0
                try BrokenInvariant.require(
                    found == place.1,
                    "segment \(number) has \(found) records of group \(group), which counts \(place.1)")
            }
        }
    }
}

/// A check of a segment of the log that changes nothing.
enum LogSegmentCheck {
    /// The number of records of samples of each group.
    static func sequences(of number: UInt64, _ content: [UInt8]) throws -> [UInt32: UInt64] {
        let header = WriteAheadLog.Header(content.prefix(WriteAheadLog.headerSize))
        guard let header, header.number == number else {
            throw BrokenInvariant(description: "segment \(number) does not begin as a segment")
        }
        var next: [UInt32: UInt64] = [:]
        let decompressor = try ZstdDecompressor()
        try content.withUnsafeBytes { bytes in
            var reader = ByteReader(bytes, at: header.bytes.count)
            while !reader.isAtEnd {
                let offset = reader.offset
                do {
                    let (word, checksum) = (try reader.u32(), try reader.u32())
                    let frame = try reader.run(Int(word & ~WriteAheadLog.packedFlag))
                    try BrokenInvariant.require(
                        CRC32C.hash(frame) == checksum, "segment \(number): the frame at \(offset) is damaged")
                    guard word & WriteAheadLog.packedFlag != 0 else {
                        try read(frame, number, &next)
                        continue
                    }
                    var packed = ByteReader(frame)
                    var records = [UInt8](repeating: 0, count: try packed.count(LogPacker.longest))
                    let rest = try packed.run(packed.remaining)
                    try records.withUnsafeMutableBytes { try decompressor.decompress(rest, into: $0) }
                    try records.withUnsafeBytes { try read($0, number, &next) }
                } catch let error as DecodeError {
                    throw BrokenInvariant(description: "segment \(number): the frame at \(offset): \(error)")
                }
            }
        }
        return next
    }

    /// Reads the records of a frame up to its samples.
    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ number: UInt64, _ next: inout [UInt32: UInt64]
    ) throws {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd {
            switch try reader.byte() {
            case LogRecord.group: try skip(&reader, numbers: 1, texts: 1)
            case LogRecord.series: try skip(&reader, numbers: 2, texts: 1)
            case LogRecord.metadata: try skip(&reader, numbers: 0, texts: 4)
            case LogRecord.exemplar:
                try skip(&reader, numbers: 2, texts: 0)
                _ = try reader.u64()
                try skip(&reader, numbers: 0, texts: 1)
            case LogRecord.deletion:
                try skip(&reader, numbers: 2, texts: 0)
                try skip(&reader, numbers: try reader.count(reader.remaining), texts: 0)
            case LogRecord.skipped: try skip(&reader, numbers: 1, texts: 0)
            case LogRecord.size: try skip(&reader, numbers: 2, texts: 0)
            case LogRecord.samples:
                let group = UInt32(try reader.count(Head.maxGroups - 1))
                let sequence = try reader.varint()
                try BrokenInvariant.require(
                    sequence == next[group] ?? 0,
                    "segment \(number): record \(sequence) of group \(group), where \(next[group] ?? 0) is expected")
                next[group] = sequence + 1
                return
            default: throw DecodeError(expected: "a record", offset: reader.offset)
            }
        }
    }

    private static func skip(_ reader: inout ByteReader, numbers: Int, texts: Int) throws(DecodeError) {
        for _ in 0..<numbers { _ = try reader.varint() }
        for _ in 0..<texts { _ = try reader.sizedRun() }
    }
}
