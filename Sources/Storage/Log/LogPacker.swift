import Encoding

/// A compressor of frames of the log, for one thread at a time.
final class LogPacker {
    /// The longest records that are compressed, bytes: a reader allocates memory for the whole frame.
    static let longest = 1 << 24

    /// The shortest records that are compressed, bytes; 0 compresses all, even if they become longer.
    private let shortest: Int

    private let compressor = try? ZstdCompressor()
    private var packed: [UInt8] = []

    init(shortest: Int) { self.shortest = shortest }

    /// Calls `body` with the content of a frame, and whether it is compressed.
    func withContent<R>(_ records: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Bool) throws -> R) rethrows
        -> R
    {
        guard records.count >= shortest, records.count <= Self.longest, let compressor else {
            return try body(records, false)
        }
        packed.removeAll(keepingCapacity: packed.capacity < 1 << 20)
        packed.appendVarint(records.count)
        guard (try? compressor.compress(records, level: 1, to: &packed)) != nil,
            packed.count < records.count || shortest == 0
        else {
            return try body(records, false)
        }
        return try packed.withUnsafeBytes { try body($0, true) }
    }
}
