import Encoding
import Interchange
import Model
import Platform
import TestSupport

/// The head of a Prometheus: segments of its logs and files of `chunks_head`.
///
/// The input is a row of parts, each a byte for its kind, two for its size, and so many bytes. Records and chunks get
/// right frames and checksums; other parts are the bytes of files.
enum PrometheusHeadTarget {
    static func head(_ bytes: UnsafeRawBufferPointer) {
        var logs = [PrometheusSegment(), PrometheusSegment()]
        var chunks = PrometheusHeadChunkFile()
        var raw: [(String, [UInt8])] = []
        var reader = ByteReader(bytes)
        while let kind = try? reader.byte(), let size = try? reader.u16() {
            let part = Array((try? reader.run(min(Int(size), reader.remaining))) ?? .init(start: nil, count: 0))
            switch kind {
            case 0...15:
                // Of the log or of that of late samples; as it is or said to be compressed, or compressed.
                let compression = kind >> 1 & 3
                if kind & 8 != 0, compression == 1 {
                    logs[Int(kind & 1)].append(SnappyBlock.compress(part), compression: 8)
                } else if kind & 8 != 0, compression == 2 {
                    logs[Int(kind & 1)].append(zstd(part), compression: 16)
                } else {
                    logs[Int(kind & 1)].append(part, compression: compression << 3)
                }
            case 16...31:
                guard let reference = part.first, part.count > 2 else { continue }
                let from = Int64(Int8(bitPattern: part[1])) << 40
                chunks.append(
                    UInt64(reference), from...Int64.max, encoding: kind & 7, isOutOfOrder: kind & 8 != 0,
                    Array(part[2...]))
            case 32: raw.append(("data/wal/00000001", part))
            case 33: raw.append(("data/wbl/00000001", part))
            case 34: raw.append(("data/chunks_head/000002", part))
            case 35: raw.append(("data/wal/checkpoint.00000000/00000000", part))
            default: continue
            }
        }
        let files = FaultyFileSystem()
        raw += [
            ("data/wal/00000002", logs[0].bytes), ("data/wbl/00000002", logs[1].bytes),
            ("data/chunks_head/000001", chunks.bytes),
        ]
        do {
            for name in ["wal/checkpoint.00000000", "wbl", "chunks_head"] { try files.createDirectory("data/" + name) }
            for (name, content) in raw { try files.open(name, .replace).write(content) }
            guard let head = try PrometheusHead(files, "data", minTime: 0) else { return }
            var last: Labels?
            // A portion this small makes several passes.
            try head.forEach(portion: 4096) { labels, columns in
                if let last { precondition(last < labels, "series are not in order") }
                last = labels
                for at in 1..<max(1, columns.count) {
                    precondition(columns.timestamps[at - 1] < columns.timestamps[at], "times are not in order")
                }
                for (_, histogram) in columns.histograms { precondition((try? histogram.validate()) != nil) }
            }
        } catch { return }
    }

    private static func zstd(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        guard let compressor = try? ZstdCompressor() else { return out }
        _ = try? bytes.withUnsafeBytes { try compressor.compress($0, level: 1, to: &out) }
        return out
    }
}
