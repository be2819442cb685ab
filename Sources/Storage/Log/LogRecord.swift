import Encoding
import Model

/// The records of the log: a byte with the kind, then the fields.
///
///     1 group     id · size · name
///     2 series    group · id · size · packed labels
///     3 samples   group · sequence · flags · count · runs of ids · times · start timestamps, see ``starts`` ·
///                 changed bits · codes of changed values
///     4 metadata  size · metric · size · type · size · unit · size · help
///     5 exemplar  id · time (zigzag) · value (8) · size · packed labels
///     6 deletion  from (zigzag) · to (zigzag) · ids
///     7 skipped   a segment: numbers from it to the segment of the record that have no file were not used
///     8 size      a segment · its bytes: all of them were on disk when this was written
///
/// A record of samples is the last record of its frame.
///
/// `sequence` counts the sample records of a group in a segment, so that a reader notices a missing record and does not
/// use the differences after it.
enum LogRecord {
    static let group: UInt8 = 1
    static let series: UInt8 = 2
    static let samples: UInt8 = 3
    static let metadata: UInt8 = 4
    static let exemplar: UInt8 = 5
    static let deletion: UInt8 = 6
    static let skipped: UInt8 = 7
    static let size: UInt8 = 8

    /// The flag of samples with their own times.
    static let ownTimes: UInt8 = 1
    /// The flag of start timestamps after the times.
    ///
    /// They are: their number, then for each the distance of its sample's number from the previous one, and its
    /// difference to the sample's time (zigzag).
    static let starts: UInt8 = 2
    /// The flag of samples that may be before the newest of their series, because the wall clock was set back.
    static let rewinds: UInt8 = 4

    static func group(_ id: UInt32, _ name: String) -> [UInt8] {
        var record = [group]
        record.appendVarint(UInt64(id))
        record.appendSized(Array(name.utf8))
        return record
    }

    static func series(_ id: UInt32, group: UInt32, _ labels: Labels) -> [UInt8] {
        var record = [series]
        record.reserveCapacity(labels.bytes.count + 16)
        record.appendVarint(UInt64(group))
        record.appendVarint(UInt64(id))
        record.appendSized(labels.bytes)
        return record
    }

    static func skipped(from segment: UInt64) -> [UInt8] {
        var record = [skipped]
        record.appendVarint(segment)
        return record
    }

    static func size(of segment: UInt64, _ bytes: Int) -> [UInt8] {
        var record = [size]
        record.appendVarint(segment)
        record.appendVarint(bytes)
        return record
    }

    static func metadata(_ metric: String, _ metadata: MetricMetadata) -> [UInt8] {
        var record = [Self.metadata]
        for text in [metric, metadata.type.rawValue, metadata.unit, metadata.help] {
            record.appendSized(Array(text.utf8))
        }
        return record
    }

    static func exemplar(_ id: UInt32, _ exemplar: Exemplar) -> [UInt8] {
        var record = [Self.exemplar]
        record.appendVarint(UInt64(id))
        record.appendZigzag(exemplar.timestamp)
        record.appendLittle(exemplar.value.bitPattern)
        record.appendSized(exemplar.labels.bytes)
        return record
    }

    static func deletion(_ ids: some Collection<UInt32>, _ from: Int64, _ to: Int64) -> [UInt8] {
        var record = [deletion]
        record.appendZigzag(from)
        record.appendZigzag(to)
        record.appendVarint(ids.count)
        for id in ids { record.appendVarint(UInt64(id)) }
        return record
    }

    /// Appends ids as runs (start, length, repeats); a start is the difference to the end of the previous run.
    static func putIds(_ ids: UnsafeBufferPointer<UInt32>, to sink: inout ByteSink) {
        var at = 0
        var end: Int64 = 0
        while at < ids.count {
            let start = ids[at]
            var repeats = 1
            while at &+ repeats < ids.count, ids[at &+ repeats] == start { repeats &+= 1 }
            var length = 1
            var next = at &+ repeats
            while next &+ repeats <= ids.count {
                let wanted = start &+ UInt32(length)
                var same = 0
                while same < repeats, ids[next &+ same] == wanted { same &+= 1 }
                guard same == repeats else { break }
                length &+= 1
                next &+= repeats
            }
            // Further repetitions of the last id are read as the next run.
            sink.reserve(32)
            sink.putZigzag(Int64(start) &- end)
            sink.putVarint(UInt64(length) << 1 | (repeats > 1 ? 1 : 0))
            if repeats > 1 { sink.putVarint(UInt64(repeats)) }
            end = Int64(start) &+ Int64(length)
            at = next
        }
    }

    /// Reads `ids.count` ids.
    static func readIds(_ reader: inout ByteReader, into ids: UnsafeMutableBufferPointer<UInt32>) throws(DecodeError) {
        var at = 0
        var end: Int64 = 0
        while at < ids.count {
            let start = end &+ (try reader.zigzag())
            let shape = try reader.varint()
            let repeats = shape & 1 == 0 ? 1 : try reader.varint()
            let (total, overflow) = (shape >> 1).multipliedReportingOverflow(by: repeats)
            guard !overflow, total > 0, total <= UInt64(ids.count &- at), start >= 0,
                start &+ Int64(shape >> 1) <= Int64(UInt32.max)
            else { throw DecodeError(expected: "a run of ids", offset: reader.offset) }
            for i in 0..<Int64(shape >> 1) {
                for _ in 0..<repeats {
                    ids[at] = UInt32(start &+ i)
                    at &+= 1
                }
            }
            end = start &+ Int64(shape >> 1)
        }
    }

    /// Appends times: the distinct times as differences, then the index of the time of each sample.
    ///
    /// Samples of a push repeat the same few times: each index is expected to be the next one, and the first one after
    /// the last. Only the lengths of expected rows and the exceptions are written.
    static func putTimes(_ times: UnsafeBufferPointer<Int64>, base: Int64, to sink: inout ByteSink) {
        var table: [Int64] = []
        var index: [Int64: Int] = [:]
        for (i, time) in times.enumerated() where i == 0 || times[i &- 1] != time {
            if index[time] == nil {
                index[time] = table.count
                table.append(time)
            }
        }
        sink.reserve(table.count &* 10 &+ 20)
        sink.putVarint(UInt64(table.count))
        var last = base
        for time in table {
            sink.putZigzag(time &- last)
            last = time
        }
        var (at, expected) = (0, 0)
        while at < times.count {
            let start = at
            while at < times.count, table[expected] == times[at] {
                at &+= 1
                expected = expected &+ 1 == table.count ? 0 : expected &+ 1
            }
            sink.reserve(20)
            sink.putVarint(UInt64(at &- start))
            guard at < times.count, let actual = index[times[at]] else { break }
            sink.putVarint(UInt64(actual))
            at &+= 1
            expected = actual &+ 1 == table.count ? 0 : actual &+ 1
            if at == times.count { break }
        }
    }

    /// Reads `times.count` times.
    static func readTimes(
        _ reader: inout ByteReader, base: Int64, into times: UnsafeMutableBufferPointer<Int64>
    ) throws(DecodeError) {
        guard !times.isEmpty else { return }
        var table: [Int64] = []
        let size = try reader.count(times.count)
        guard size > 0 else { throw DecodeError(expected: "times", offset: reader.offset) }
        var last = base
        for _ in 0..<size {
            last = last &+ (try reader.zigzag())
            table.append(last)
        }
        var (at, expected) = (0, 0)
        while at < times.count {
            let row = try reader.count(times.count &- at)
            for _ in 0..<row {
                times[at] = table[expected]
                at &+= 1
                expected = expected &+ 1 == size ? 0 : expected &+ 1
            }
            guard at < times.count else { break }
            let actual = try reader.count(size &- 1)
            times[at] = table[actual]
            at &+= 1
            expected = actual &+ 1 == size ? 0 : actual &+ 1
        }
    }
}
