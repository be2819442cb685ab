import Encoding
import Model

/// Reads a file of `chunks_head`: chunks of the head that Prometheus has written to disk.
enum PrometheusHeadChunks {
    struct Chunk {
        /// The position in its file.
        var offset: Int
        var reference: UInt64
        var minTime: Int64
        var maxTime: Int64
        var encoding: UInt8
        /// Whether the samples were out of order.
        var isOutOfOrder: Bool
        var bytes: UnsafeRawBufferPointer

        /// The number of samples in its header.
        var count: Int { PrometheusChunk.count(encoding, bytes) }
    }

    private static let magic: UInt32 = 0x0130_BC91

    /// Calls `body` with each chunk up to the end, or up to the first damaged one.
    static func read(_ bytes: UnsafeRawBufferPointer, _ body: (Chunk) -> Void) -> PrometheusLog.Damage? {
        var reader = ByteReader(bytes)
        do {
            guard try reader.big32() == magic, try reader.byte() == 1 else {
                throw DecodeError(expected: "head chunks of version 1 with the magic 0130bc91", offset: 0)
            }
            _ = try reader.run(3)
            while !reader.isAtEnd {
                let start = reader.offset
                // The rest of a file that was not closed is zeros.
                if bytes[start..<min(start + 25, bytes.count)].allSatisfy({ $0 == 0 }) { return nil }
                let reference = try reader.big64()
                let (from, to) = (Int64(bitPattern: try reader.big64()), Int64(bitPattern: try reader.big64()))
                let encoding = try reader.byte()
                let content = try reader.sizedRun()
                let checked = UnsafeRawBufferPointer(rebasing: bytes[start..<reader.offset])
                guard try reader.big32() == CRC32C.hash(checked) else {
                    return .init(offset: start, reason: "the checksum of a chunk does not match", isAtEnd: true)
                }
                body(
                    Chunk(
                        offset: start, reference: reference, minTime: from, maxTime: to, encoding: encoding & 0x7F,
                        isOutOfOrder: encoding & 0x80 != 0, bytes: content))
            }
            return nil
        } catch {
            return .init(offset: (error as? DecodeError)?.offset ?? 0, reason: "\(error)", isAtEnd: true)
        }
    }
}
