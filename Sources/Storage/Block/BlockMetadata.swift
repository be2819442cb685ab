import Encoding
import Model

/// The type, unit and help of the metrics of a block, in the form of its index.
///
///     section   size of the entries (varint), the entries as zstd frames
///     entry     sized metric, type, unit and help, in bytewise order of the metrics
enum BlockMetadata {
    /// The most bytes of the entries of a section; further metrics are left out.
    static let maxSize = 64 << 20
    /// The most bytes of the entries that a reader accepts: earlier versions did not limit them.
    private static let maxReadSize = 2 * maxSize
    /// The bytes of entries that are compressed at a time.
    private static let partSize = 1 << 20
    /// The suffixes that distinguish the names of series from the name of their metric family.
    private static let suffixes = ["_bucket", "_count", "_sum", "_total", "_created", "_info"]

    /// Calls `body` with the parts of the section.
    static func encode(
        _ metadata: [ExactText: MetricMetadata], _ memory: MemoryRequest, to body: ([UInt8]) throws -> Void
    ) throws {
        // A sort needs a copy of a half.
        try memory.ask(metadata.count * MemoryLayout<ExactText>.stride * 3 / 2, for: "the names of metrics")
        var entries: [UInt8] = []
        func append(_ metric: ExactText) {
            guard let one = metadata[metric] else { return }
            for text in [metric.text, one.type.rawValue, one.unit, one.help] { entries.appendSized(text.utf8) }
        }
        let metrics = metadata.keys.sorted()
        var (size, count) = (0, 0)
        for metric in metrics {
            entries.removeAll(keepingCapacity: true)
            append(metric)
            guard size + entries.count <= maxSize else { break }
            size += entries.count
            count += 1
        }
        entries.removeAll(keepingCapacity: true)
        var section: [UInt8] = []
        section.appendVarint(size)
        let compressor = try ZstdCompressor()
        for (at, metric) in metrics.prefix(count).enumerated() {
            append(metric)
            guard entries.count >= partSize || at + 1 == count else { continue }
            try entries.withUnsafeBytes { try compressor.compress($0, level: 6, to: &section) }
            try body(section)
            section.removeAll(keepingCapacity: true)
            entries.removeAll(keepingCapacity: true)
        }
    }

    static func decode(_ section: [UInt8], _ memory: MemoryRequest = MemoryRequest()) throws -> [ExactText:
        MetricMetadata]
    {
        try section.withUnsafeBytes { bytes in
            var outer = ByteReader(bytes)
            let size = try outer.count(maxReadSize)
            // The entries, and the texts that are made of them.
            try memory.ask(3 * size, for: "the metadata of a block")
            let entries = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
            defer { entries.deallocate() }
            try ZstdDecompressor().decompress(try outer.run(outer.remaining), into: entries)
            var result: [ExactText: MetricMetadata] = [:]
            var reader = ByteReader(UnsafeRawBufferPointer(entries))
            func text() throws -> String { String(decoding: try reader.sizedRun(), as: UTF8.self) }
            while !reader.isAtEnd {
                let (metric, type, unit, help) = (try text(), try text(), try text(), try text())
                try memory.reserve(in: result, for: "the metadata of a block")
                result[ExactText(metric)] = MetricMetadata(
                    type: MetricType(rawValue: type) ?? .unknown, help: help, unit: unit)
            }
            return result
        }
    }

    /// The names under which the metadata of a series named `name` may be stored.
    static func families(of name: String) -> [String] {
        var result = [name]
        for suffix in suffixes where name.hasSuffix(suffix) { result.append(String(name.dropLast(suffix.count))) }
        return result
    }
}
