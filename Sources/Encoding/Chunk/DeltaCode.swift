/// The prefix code of one residual in an open chunk of integers, after the timestamps of Gorilla (Pelkonen et al., 2015).
///
///     0          residual 0           11110  + 20 bits
///     10    + 5  bits, signed         111110 + 32 bits
///     110   + 9  bits                 1111110 + 64 bits
///     1110  + 14 bits                 1111111 stale
///
/// The residual is the change of the change of the scaled value.
enum DeltaCode {
    /// Bits of the code for `residual`.
    @inline(__always)
    static func size(_ residual: Int64) -> Int {
        if residual == 0 { return 1 }
        if residual >= -16, residual < 16 { return 7 }
        if residual >= -256, residual < 256 { return 12 }
        if residual >= -8192, residual < 8192 { return 18 }
        if residual >= -524_288, residual < 524_288 { return 25 }
        if residual >= -2_147_483_648, residual < 2_147_483_648 { return 38 }
        return 71
    }

    static let staleSize = 7

    @inline(__always)
    static func put(_ residual: Int64, into writer: inout BitWriter) {
        let bits = UInt64(bitPattern: residual)
        switch size(residual) {
        case 1: writer.put(0, 1)
        case 7: writer.put(0b10 &<< 5 | bits & 0x1F, 7)
        case 12: writer.put(0b110 &<< 9 | bits & 0x1FF, 12)
        case 18: writer.put(0b1110 &<< 14 | bits & 0x3FFF, 18)
        case 25: writer.put(0b11110 &<< 20 | bits & 0xFFFFF, 25)
        case 38: writer.put(0b111110 &<< 32 | bits & 0xFFFF_FFFF, 38)
        default:
            writer.put(0b1111110, 7)
            writer.put(bits, 64)
        }
    }

    static func putStale(into writer: inout BitWriter) { writer.put(0b1111111, 7) }

    /// The next residual, or nil for the stale code.
    @inline(__always)
    static func get(from reader: inout BitReader) -> Int64? {
        let word = reader.peek()
        if word &>> 63 == 0 {
            reader.position &+= 1
            return 0
        }
        let width: Int
        let prefix = (~word).leadingZeroBitCount
        switch prefix {
        case 1: width = 5
        case 2: width = 9
        case 3: width = 14
        case 4: width = 20
        case 5: width = 32
        case 6:
            reader.position &+= 7
            return Int64(bitPattern: reader.get(64))
        default:
            reader.position &+= 7
            return nil
        }
        reader.position &+= prefix &+ 1 &+ width
        return Int64(bitPattern: word &<< UInt64(prefix &+ 1)) &>> Int64(64 &- width)
    }
}
