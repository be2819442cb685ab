import Encoding
import Model

/// What reads Prometheus's files.
enum PrometheusTargets {
    static func chunk(_ bytes: UnsafeRawBufferPointer) {
        guard let encoding = bytes.first else { return }
        var columns = SampleColumns()
        _ = try? PrometheusChunk.read(
            encoding & 3, UnsafeRawBufferPointer(rebasing: bytes[1...]), into: &columns)
    }
}
