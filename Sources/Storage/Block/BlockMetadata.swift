import Encoding
import Model

/// The type, unit and help of the metrics of a block, in the form of its index.
///
///     section   size of the entries (varint), the entries as a zstd frame
///     entry     sized metric, type, unit and help, in bytewise order of the metrics
enum BlockMetadata {
    /// The most bytes of the entries of a section that is not damaged.
    private static let maxSize = 64 << 20
    /// The suffixes that distinguish the names of series from the name of their metric family.
    private static let suffixes = ["_bucket", "_count", "_sum", "_total", "_created", "_info"]

    static func encode(_ metadata: [ExactText: MetricMetadata]) throws(CompressionError) -> [UInt8] {
        var entries: [UInt8] = []
        for (metric, one) in metadata.sorted(by: { $0.key < $1.key }) {
            for text in [metric.text, one.type.rawValue, one.unit, one.help] { entries.appendSized(Array(text.utf8)) }
        }
        var section: [UInt8] = []
        section.appendVarint(entries.count)
        let compressor = try ZstdCompressor()
        let failure = entries.withUnsafeBytes { bytes -> CompressionError? in
            do throws(CompressionError) {
                try compressor.compress(bytes, level: 6, to: &section)
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
        return section
    }

    static func decode(_ section: [UInt8]) throws -> [ExactText: MetricMetadata] {
        try section.withUnsafeBytes { bytes in
            var outer = ByteReader(bytes)
            let size = try outer.count(maxSize)
            let entries = try ZstdDecompressor().decompress(try outer.run(outer.remaining), limit: size)
            var result: [ExactText: MetricMetadata] = [:]
            try entries.withUnsafeBytes { entries in
                var reader = ByteReader(entries)
                func text() throws -> String { String(decoding: try reader.sizedRun(), as: UTF8.self) }
                while !reader.isAtEnd {
                    let (metric, type, unit, help) = (try text(), try text(), try text(), try text())
                    result[ExactText(metric)] = MetricMetadata(
                        type: MetricType(rawValue: type) ?? .unknown, help: help, unit: unit)
                }
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
