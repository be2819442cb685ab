import CSnappy

/// Snappy's block format, which remote write uses.
public enum SnappyBlock {
    /// Decompresses `bytes`; more than `limit` bytes are an error.
    public static func decompress(_ bytes: UnsafeRawBufferPointer, limit: Int) throws(CompressionError) -> [UInt8] {
        var size = 0
        let source = bytes.assumingMemoryBound(to: CChar.self).baseAddress
        guard let source, snappy_uncompressed_length(source, bytes.count, &size) == SNAPPY_OK else {
            throw CompressionError(format: "snappy", reason: "corrupt input")
        }
        guard size <= limit else {
            throw CompressionError(format: "snappy", reason: "\(size) bytes are more than the limit of \(limit)")
        }
        var failed = false
        let out = [UInt8](unsafeUninitializedCapacity: max(size, 1)) { buffer, count in
            let status = buffer.withMemoryRebound(to: CChar.self) {
                snappy_uncompress(source, bytes.count, $0.baseAddress, &size)
            }
            failed = status != SNAPPY_OK
            count = failed ? 0 : size
        }
        if failed { throw CompressionError(format: "snappy", reason: "corrupt input") }
        return out
    }

    /// Decompresses `bytes`; more than `limit` bytes are an error.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        let result = bytes.withUnsafeBytes { raw -> Result<[UInt8], CompressionError> in
            do throws(CompressionError) {
                return .success(try decompress(raw, limit: limit))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Compresses `bytes`.
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        var size = snappy_max_compressed_length(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: max(size, 1)) { buffer, count in
            let status = bytes.withUnsafeBytes { source in
                buffer.withMemoryRebound(to: CChar.self) {
                    snappy_compress(
                        source.assumingMemoryBound(to: CChar.self).baseAddress, bytes.count, $0.baseAddress, &size)
                }
            }
            count = status == SNAPPY_OK ? size : 0
        }
    }
}
