import Model

/// The values of a sealed chunk; their number is stored elsewhere.
///
///     header    codec in the low 4 bits; bit 5: start timestamps follow, see ``StartSteps``; bit 6: bits follow, see
///               ``ChunkParts``; bit 7: stale markers follow
///     stale     number of runs, then for each: values before it, markers in it (varints)
///     payload   0 constant: scale (one byte, 255 for a raw double), zigzag varint mantissa or 8 bytes
///               1 Gorilla XOR: nothing; the bits are 8 bytes of the first value and ``XORCode``
///               2 packed: scale (one byte), then ``PackedIntegers`` of the mantissas, or, with scale 255, of the
///                 bit patterns as signed integers
///
/// The payload does not contain the markers. All 2^64 bit patterns are preserved.
public enum ValueChunk {
    public static let constant: UInt8 = 0
    public static let xor: UInt8 = 1
    public static let packed: UInt8 = 2
    /// The codec of chunks of native histograms, see ``HistogramChunk``.
    public static let histograms: UInt8 = 3
    static let codecMask: UInt8 = 0x0F
    static let staleFlag: UInt8 = 0x80
    /// The scale of values that are not decimals.
    static let rawScale: UInt8 = 255

    /// Writes `count` values to `values`, and moves `reader` after the chunk; `bits` are those of the frame.
    public static func read(
        _ reader: inout ByteReader, bits: UnsafeRawBufferPointer, count: Int, into values: UnsafeMutablePointer<Double>
    ) throws(DecodeError) {
        let start = reader.offset
        let header = try reader.byte()
        let own = try ChunkParts.bits(header, &reader, bits)
        guard header & staleFlag != 0 else {
            return try readPayload(header & codecMask, &reader, own, count, values)
        }
        var runs = reader
        let number = try reader.count(count)
        var stale = 0
        for _ in 0..<number {
            _ = try reader.count(count)
            stale &+= try reader.count(count)
        }
        guard stale <= count else { throw DecodeError(expected: "at most \(count) stale markers", offset: start) }
        let real = count &- stale
        // The values are read to the end of the memory, then moved forward to insert the markers.
        let source = values + stale
        if real > 0 { try readPayload(header & codecMask, &reader, own, real, source) }
        _ = try runs.count(count)
        var (from, to) = (0, 0)
        for _ in 0..<number {
            let gap = try runs.count(count)
            let markers = try runs.count(count)
            guard gap <= real &- from, markers <= count &- to &- gap else {
                throw DecodeError(expected: "stale runs within \(count) values", offset: start)
            }
            if gap > 0 { (values + to).update(from: source + from, count: gap) }
            from &+= gap
            to &+= gap
            (values + to).update(repeating: Staleness.marker, count: markers)
            to &+= markers
        }
        if real > from { (values + to).update(from: source + from, count: real &- from) }
    }

    private static func readPayload(
        _ codec: UInt8, _ reader: inout ByteReader, _ bits: UnsafeRawBufferPointer, _ count: Int,
        _ values: UnsafeMutablePointer<Double>
    ) throws(DecodeError) {
        let start = reader.offset
        switch codec {
        case constant:
            let scale = try reader.byte()
            if scale == rawScale {
                values.update(repeating: Double(bitPattern: try reader.u64()), count: count)
            } else {
                guard scale <= ExactDecimal.maxScale else {
                    throw DecodeError(expected: "a scale of at most \(ExactDecimal.maxScale)", offset: start)
                }
                values.update(
                    repeating: Double(try reader.zigzag()) / ExactDecimal.power(Int(scale)), count: count)
            }
        case xor: try GorillaXOR.read(bits, count: count, into: values)
        case packed:
            let scale = try reader.byte()
            guard scale <= ExactDecimal.maxScale || scale == rawScale else {
                throw DecodeError(expected: "a scale of at most \(ExactDecimal.maxScale)", offset: start)
            }
            // Integers are decoded in place: both are 8 bytes wide.
            let raw = UnsafeMutableRawPointer(values)
            let integers = raw.bindMemory(to: Int64.self, capacity: count)
            defer { _ = raw.bindMemory(to: Double.self, capacity: count) }
            try PackedIntegers.read(&reader, bits: bits, count: count, into: integers)
            // The bit patterns are the values already.
            if scale == rawScale { return }
            if scale == 0 {
                for i in 0..<count {
                    raw.storeBytes(of: Double(integers[i]), toByteOffset: i &* 8, as: Double.self)
                }
            } else {
                let power = ExactDecimal.power(Int(scale))
                for i in 0..<count {
                    raw.storeBytes(of: Double(integers[i]) / power, toByteOffset: i &* 8, as: Double.self)
                }
            }
        default: throw DecodeError(expected: "a codec of float values, found \(codec)", offset: start)
        }
    }
}
