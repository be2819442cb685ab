import Encoding
import Interchange
import Model
import TestSupport

/// A block of Prometheus: its index, behind the checksums, with the chunks and deletions that it leads to.
///
/// The input is the version of the index, then a row of parts, each a byte for its kind, two for its size, and so many
/// bytes.
enum PrometheusIndexTarget {
    static func block(_ bytes: UnsafeRawBufferPointer) {
        var reader = ByteReader(bytes)
        guard let version = try? reader.byte() else { return }
        var block = PrometheusBlockFiles()
        block.version = version & 3
        var raw: [UInt8]?
        while let kind = try? reader.byte(), let size = try? reader.u16() {
            let part = Array((try? reader.run(min(Int(size), reader.remaining))) ?? .init(start: nil, count: 0))
            switch kind % 7 {
            case 0: block.symbols = part
            case 1: block.series.append(part)
            case 2: block.chunks.append(part)
            case 3: block.tombstones = part
            case 4: block.all = part
            case 5: block.table = part
            default: raw = part
            }
        }
        let files = FaultyFileSystem()
        do {
            try block.write(files, "b", index: raw)
            try PrometheusBlock(files, "b").forEach { _, columns in
                for at in 1..<max(1, columns.count) {
                    precondition(columns.timestamps[at - 1] < columns.timestamps[at], "times are not in order")
                }
                for (index, histogram) in columns.histograms {
                    precondition(index < columns.count, "a histogram has no time")
                    precondition((try? histogram.validate()) != nil)
                }
            }
        } catch { return }
    }
}
