import CZlib

/// Gzip, and for reading also zlib's own format.
public enum Gzip {
    /// Decompresses all members in `bytes`; more than `limit` bytes are an error.
    public static func decompress(_ bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        var stream = z_stream()
        guard czlib_inflate_init_gzip(&stream) == Z_OK else {
            throw CompressionError(format: "gzip", reason: "out of memory")
        }
        defer { inflateEnd(&stream) }
        var out: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var consumed = 0
        while true {
            var status = Z_OK
            var produced = 0
            bytes.withUnsafeBufferPointer { source in
                chunk.withUnsafeMutableBufferPointer { target in
                    let offered = min(source.count &- consumed, 1 << 30)
                    stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress?.advanced(by: consumed))
                    stream.avail_in = UInt32(offered)
                    stream.next_out = target.baseAddress
                    stream.avail_out = UInt32(target.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    produced = target.count &- Int(stream.avail_out)
                    consumed &+= offered &- Int(stream.avail_in)
                }
            }
            guard status == Z_OK || status == Z_STREAM_END || (status == Z_BUF_ERROR && produced > 0) else {
                let reason = status == Z_BUF_ERROR ? "unexpected EOF" : "invalid data"
                throw CompressionError(format: "gzip", reason: reason)
            }
            guard out.count &+ produced <= limit else {
                throw CompressionError(format: "gzip", reason: "more than \(limit) bytes")
            }
            out += chunk[..<produced]
            if status == Z_STREAM_END {
                if consumed >= bytes.count { return out }
                guard inflateReset(&stream) == Z_OK else {
                    throw CompressionError(format: "gzip", reason: "invalid data")
                }
            }
        }
    }

    /// Compresses `bytes` with gzip; level 1 (fast) … 9 (small).
    public static func compress(_ bytes: [UInt8], level: Int32 = 1) throws(CompressionError) -> [UInt8] {
        var stream = z_stream()
        guard czlib_deflate_init_gzip(&stream, min(max(level, 1), 9)) == Z_OK else {
            throw CompressionError(format: "gzip", reason: "out of memory")
        }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        guard bytes.count <= Int(UInt32.max), bound <= Int(UInt32.max) else {
            throw CompressionError(format: "gzip", reason: "more than 4 GiB")
        }
        var status = Z_OK
        let out = [UInt8](unsafeUninitializedCapacity: max(bound, 64)) { target, count in
            bytes.withUnsafeBufferPointer { source in
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                status = deflate(&stream, Z_FINISH)
            }
            count = status == Z_STREAM_END ? Int(stream.total_out) : 0
        }
        guard status == Z_STREAM_END else { throw CompressionError(format: "gzip", reason: "could not compress") }
        return out
    }
}
