import Encoding
import Model

/// The code of a changed value in the log, as the difference to the previous value.
///
///     0xxxxxxx, 10… +1, 110… +2, 1110… +3, 11110… +4 bytes   difference of mantissas, zigzag, at the series' scale
///     F8 + 8 bytes     the pattern
///     F9 s + varint    from now on scale s; difference of mantissas
///     FA               stale marker
///     FB + varint      difference of mantissas, long
///     FC + size        a native histogram
///     FD + 8 bytes     a sample out of order, its pattern
///     FE + size        a native histogram out of order
///     FF ln + bytes    exclusive or with the previous pattern: l leading zero bytes, n bytes
enum ValueCode {
    static let pattern: UInt8 = 0xF8
    static let rescaled: UInt8 = 0xF9
    static let stale: UInt8 = 0xFA
    static let long: UInt8 = 0xFB
    static let histogram: UInt8 = 0xFC
    static let outOfOrder: UInt8 = 0xFD
    static let outOfOrderHistogram: UInt8 = 0xFE
    static let exclusiveOr: UInt8 = 0xFF
    /// The bytes of the longest code without a histogram.
    static let maxSize = 12

    /// Appends the code of `value` after `base`; memory for ``maxSize`` bytes must be reserved.
    @inline(__always)
    static func put(
        _ value: Double, after base: Double, scale: inout Int8, mantissa: Int64, mantissaScale: Int8,
        to sink: inout ByteSink
    ) {
        if let old = Decimal.mantissa(base, scale) {
            let new: Int64?
            if mantissaScale == scale, mantissa > -Decimal.limit, mantissa < Decimal.limit,
                mantissa != 0 || value.bitPattern == 0
            {
                new = mantissa
            } else {
                new = Decimal.mantissa(value, scale)
            }
            if let new { return putDifference(new &- old, to: &sink) }
        }
        putOther(value, after: base, scale: &scale, hint: mantissaScale, to: &sink)
    }

    @inline(__always)
    private static func putDifference(_ difference: Int64, to sink: inout ByteSink) {
        let zigzag = UInt64(bitPattern: difference << 1 ^ difference >> 63)
        if zigzag < 1 << 7 {
            sink.put(UInt8(truncatingIfNeeded: zigzag))
        } else if zigzag < 1 << 14 {
            sink.put(0x80 | UInt8(truncatingIfNeeded: zigzag >> 8))
            sink.putLittle(zigzag, 1)
        } else if zigzag < 1 << 21 {
            sink.put(0xC0 | UInt8(truncatingIfNeeded: zigzag >> 16))
            sink.putLittle(zigzag, 2)
        } else if zigzag < 1 << 28 {
            sink.put(0xE0 | UInt8(truncatingIfNeeded: zigzag >> 24))
            sink.putLittle(zigzag, 3)
        } else if zigzag < 1 << 35 {
            sink.put(0xF0 | UInt8(truncatingIfNeeded: zigzag >> 32))
            sink.putLittle(zigzag, 4)
        } else {
            sink.put(long)
            sink.putVarint(zigzag)
        }
    }

    private static func putOther(
        _ value: Double, after base: Double, scale: inout Int8, hint: Int8, to sink: inout ByteSink
    ) {
        let start = hint >= 0 && hint <= Int8(Decimal.maxScale) ? hint : 0
        if let wanted = Decimal.scale(value, hint: start), let old = Decimal.mantissa(base, wanted),
            let new = Decimal.mantissa(value, wanted)
        {
            scale = wanted
            sink.put(rescaled)
            sink.put(UInt8(truncatingIfNeeded: Int(wanted)))
            return sink.putZigzag(new &- old)
        }
        let difference = value.bitPattern ^ base.bitPattern
        let lead = difference.leadingZeroBitCount >> 3
        let trail = min(7, difference.trailingZeroBitCount >> 3)
        let size = max(0, 8 &- lead &- trail)
        guard size < 7 else {
            sink.put(pattern)
            return sink.putLittle(value.bitPattern, 8)
        }
        sink.put(exclusiveOr)
        sink.put(UInt8(truncatingIfNeeded: lead << 4 | size))
        sink.putLittle(difference >> UInt64(64 &- 8 &* (lead &+ size)), size)
    }

    /// The meaning of a code.
    enum Meaning {
        /// A value, its mantissa and its scale; the scale is negative if the value was not written as a mantissa.
        case value(Double, Int64, Int8)
        case stale
        case histogram(FloatHistogram)
        case outOfOrder(Double, FloatHistogram?)
        /// An invalid histogram, which is left out.
        case unsound
    }

    /// Reads a code that was written after `base`.
    @inline(__always)
    static func read(_ reader: inout ByteReader, after base: Double, scale: inout Int8) throws(DecodeError) -> Meaning {
        let first = try reader.byte()
        var zigzag: UInt64
        switch first {
        case 0..<0x80: zigzag = UInt64(first)
        case 0x80..<0xC0: zigzag = UInt64(first & 0x3F) << 8 | UInt64(try reader.byte())
        case 0xC0..<0xE0: zigzag = UInt64(first & 0x1F) << 16 | UInt64(try reader.u16())
        case 0xE0..<0xF0:
            zigzag = UInt64(first & 0x0F) << 24 | UInt64(try reader.u16())
            zigzag |= UInt64(try reader.byte()) << 16
        case 0xF0..<0xF8: zigzag = UInt64(first & 0x07) << 32 | UInt64(try reader.u32())
        case long: zigzag = try reader.varint()
        case rescaled:
            let wanted = try reader.byte()
            guard wanted <= UInt8(Decimal.maxScale) else {
                throw DecodeError(expected: "a scale of at most \(Decimal.maxScale)", offset: reader.offset)
            }
            scale = Int8(wanted)
            zigzag = try reader.varint()
        case pattern: return .value(Double(bitPattern: try reader.u64()), 0, -1)
        case stale: return .stale
        case histogram: return try HistogramBytes.read(&reader).map { .histogram($0) } ?? .unsound
        case outOfOrder: return .outOfOrder(Double(bitPattern: try reader.u64()), nil)
        case outOfOrderHistogram: return try HistogramBytes.read(&reader).map { .outOfOrder(0, $0) } ?? .unsound
        default:
            let shape = try reader.byte()
            let (lead, size) = (Int(shape >> 4), Int(shape & 15))
            guard lead &+ size <= 8 else {
                throw DecodeError(expected: "at most 8 bytes of a pattern", offset: reader.offset)
            }
            var difference: UInt64 = 0
            for i in 0..<size { difference |= UInt64(try reader.byte()) << UInt64(8 &* i) }
            let shift = 64 &- 8 &* (lead &+ size)
            return .value(Double(bitPattern: base.bitPattern ^ (difference << UInt64(shift))), 0, -1)
        }
        guard let old = Decimal.mantissa(base, scale) else {
            throw DecodeError(expected: "a value that is a decimal", offset: reader.offset)
        }
        let mantissa = old &+ (Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1))
        return .value(Double(mantissa) / Decimal.power(scale), mantissa, scale)
    }

    /// Skips a code.
    static func skip(_ reader: inout ByteReader) throws(DecodeError) {
        let first = try reader.byte()
        switch first {
        case 0..<0x80, stale: return
        case 0x80..<0xC0: _ = try reader.byte()
        case 0xC0..<0xE0: _ = try reader.u16()
        case 0xE0..<0xF0: _ = try reader.run(3)
        case 0xF0..<0xF8: _ = try reader.u32()
        case long: _ = try reader.varint()
        case rescaled:
            _ = try reader.byte()
            _ = try reader.varint()
        case pattern, outOfOrder: _ = try reader.u64()
        case histogram, outOfOrderHistogram: _ = try HistogramBytes.read(&reader)
        default: _ = try reader.run(Int(try reader.byte() & 15))
        }
    }
}
