import CSnappy

/// Reads the snappy block format of remote write.
enum SnappyBody {
    /// Most bytes that a body may unpack to.
    static let maxSize = 32 << 20

    /// The unpacked body; nil if it is no snappy or too large.
    static func unpack(_ body: [UInt8]) -> [UInt8]? {
        body.withUnsafeBytes { input -> [UInt8]? in
            guard let base = input.baseAddress?.assumingMemoryBound(to: CChar.self) else { return nil }
            var size = 0
            guard snappy_uncompressed_length(base, input.count, &size) == SNAPPY_OK, size <= maxSize else { return nil }
            var status = SNAPPY_INVALID_INPUT
            let out = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                var written = size
                buffer.withMemoryRebound(to: CChar.self) { output in
                    status = snappy_uncompress(base, input.count, output.baseAddress, &written)
                }
                count = status == SNAPPY_OK ? written : 0
            }
            return status == SNAPPY_OK ? out : nil
        }
    }
}
