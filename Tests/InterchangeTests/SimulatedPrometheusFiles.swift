import Encoding
import Model
import Platform
import TestSupport

@testable import Interchange

/// The files of a ``SimulatedPrometheus``.
struct SimulatedPrometheusFiles {
    let files: FaultyFileSystem
    /// The number of the first series of histograms; the numbers before it are of floats.
    let firstHistogram: Int
    let series: Int

    static func labels(_ series: Int) -> Labels { Labels([("__name__", "m"), ("s", "\(series)")]) }

    static func histogram(_ sum: Double) -> FloatHistogram {
        FloatHistogram(zeroThreshold: 0.001, zeroCount: 2, count: 2, sum: sum)
    }

    func write(_ peer: SimulatedPrometheus, to directory: String) throws {
        try files.createDirectory(directory)
        for block in peer.blocks { try write(block, to: directory) }
        var head = PrometheusSegment()
        var record = PrometheusBytes([1])
        for number in 0..<series {
            record.big64(UInt64(number))
            record.varint(2)
            for text in ["__name__", "m", "s", "\(number)"] { record.text(text) }
        }
        head.append(record.bytes)
        for record in peer.log { for bytes in encode(record) { head.append(bytes) } }
        var late = PrometheusSegment()
        for record in peer.lateLog { for bytes in encode(record) { late.append(bytes) } }
        var chunks = PrometheusHeadChunkFile()
        for chunk in peer.chunks where chunk.series < firstHistogram {
            let sorted = chunk.samples.sorted { $0.key < $1.key }
            let (times, values) = (sorted.map(\.key), sorted.map(\.value))
            guard let first = times.first, let last = times.last else { continue }
            let data = times.withUnsafeBufferPointer { times in
                values.withUnsafeBufferPointer { PrometheusChunk.floats(times, $0) }
            }
            chunks.append(
                UInt64(chunk.series), first...last, encoding: PrometheusChunk.xor, isOutOfOrder: chunk.isLate, data)
        }
        for (path, content) in [
            ("wal/00000000", head.bytes), ("wbl/00000000", late.bytes), ("chunks_head/000001", chunks.bytes),
        ] {
            try files.createDirectory(FilePath.parent(directory + "/" + path))
            try files.open(directory + "/" + path, .replace).write(content)
        }
    }

    private func encode(_ record: SimulatedPrometheus.Record) -> [[UInt8]] {
        switch record {
        case .deletions(let list):
            var record = PrometheusBytes([3])
            for (series, times) in list {
                record.big64(UInt64(series))
                record.zigzag(times.lowerBound)
                record.zigzag(times.upperBound)
            }
            return [record.bytes]
        case .samples(let list):
            var (floats, histograms) = (PrometheusBytes([2]), PrometheusBytes([8]))
            floats.run(Self.zeros)
            histograms.run(Self.zeros)
            for push in list {
                if push.series < firstHistogram {
                    floats.zigzag(Int64(push.series))
                    floats.zigzag(push.time)
                    floats.float(push.value)
                } else {
                    histograms.zigzag(Int64(push.series))
                    histograms.zigzag(push.time)
                    append(Self.histogram(push.value), to: &histograms)
                }
            }
            return [floats.bytes, histograms.bytes].filter { $0.count > 17 }
        }
    }

    /// The base of the references and times of a record.
    private static let zeros = [UInt8](repeating: 0, count: 16)

    private func append(_ histogram: FloatHistogram, to record: inout PrometheusBytes) {
        record.byte(0)
        record.zigzag(Int64(histogram.schema))
        for number in [histogram.zeroThreshold, histogram.zeroCount, histogram.count, histogram.sum] {
            record.float(number)
        }
        // No spans and no buckets.
        record.run([0, 0, 0, 0])
    }

    private func write(_ block: SimulatedPrometheus.Block, to directory: String) throws {
        let numbers = Set((0..<series).map { ExactText("\($0)") })
        let writer = try PrometheusBlockWriter(
            files, parent: directory, id: block.id,
            symbols: numbers.union(["__name__", "m", "s"].map { ExactText($0) }))
        let order = block.samples.keys.sorted()
        for number in order {
            var columns = SampleColumns()
            for (time, value) in (block.samples[number] ?? [:]).sorted(by: { $0.key < $1.key }) {
                if number < firstHistogram {
                    columns.append(time, value)
                } else {
                    columns.append(time, Self.histogram(value))
                }
            }
            try writer.add(Self.labels(number), columns)
        }
        _ = try writer.finish()
        let path = directory + "/" + block.id
        let parents = block.parents.map { #"{"ulid":"x","minTime":\#($0.minTime),"maxTime":\#($0.maxTime)}"# }
        let hints = block.isLate ? #","hints":["from-out-of-order"]"# : ""
        try files.replace(
            path + "/meta.json",
            with: Array(
                (#"{"ulid":"\#(block.id)","minTime":\#(block.minTime),"maxTime":\#(block.maxTime),"#
                    + #""compaction":{"level":\#(block.level),"parents":[\#(parents.joined(separator: ","))]\#(hints)}}"#)
                    .utf8))
        var stones = PrometheusBytes()
        for (at, reference) in try references(path + "/index").enumerated() {
            for times in block.deleted[order[at]] ?? [] {
                stones.varint(reference)
                stones.zigzag(times.lowerBound)
                stones.zigzag(times.upperBound)
            }
        }
        var file = PrometheusBytes([0x01, 0x30, 0xBA, 0x30, 1])
        file.run(stones.bytes)
        file.big32(castagnoli(stones.bytes))
        try files.replace(path + "/tombstones", with: file.bytes)
    }

    /// The references of the series in an index, in their order: a sixteenth of their places.
    private func references(_ path: String) throws -> [UInt64] {
        let bytes = try files.read(path, limit: 1 << 26)
        let table = bytes.count - 52
        func place(_ at: Int) -> Int { bytes[(table + at)..<(table + at + 8)].reduce(0) { $0 << 8 | Int($1) } }
        var (at, result) = (place(8), [UInt64]())
        while true {
            at = (at + 15) / 16 * 16
            guard at < place(16) else { return result }
            result.append(UInt64(at / 16))
            var (size, shift) = (0, 0)
            repeat {
                size |= Int(bytes[at] & 0x7F) << shift
                shift += 7
                at += 1
            } while bytes[at - 1] & 0x80 != 0
            at += size + 4
        }
    }
}
