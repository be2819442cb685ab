import Model

@testable import Encoding

/// What reads Prometheus's files.
enum PrometheusTargets {
    static func chunk(_ bytes: UnsafeRawBufferPointer) {
        guard let encoding = bytes.first else { return }
        var columns = SampleColumns()
        _ = try? PrometheusChunk.read(
            encoding & 7, UnsafeRawBufferPointer(rebasing: bytes[1...]), into: &columns)
        // What was read is cut anew, as for an export.
        var chunker = HistogramChunker()
        for (index, histogram) in columns.histograms { chunker.append(histogram, at: columns.timestamps[index]) }
        chunker.cut()
        for chunk in chunker.chunks {
            var again = SampleColumns()
            let encoding = chunk.isFloat ? PrometheusChunk.floatHistogram : PrometheusChunk.histogram
            do {
                try chunk.bytes.withUnsafeBytes { try PrometheusChunk.read(encoding, $0, into: &again) }
            } catch { fatalError("a chunk that was written is not read: \(error)") }
            precondition(again.count == chunk.count)
        }
    }
}
