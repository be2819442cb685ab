/// The prefix code of a value relative to the previous one: XOR compression of Gorilla (Pelkonen et al., 2015).
///
///     0                                   the same bits
///     10 + meaningful bits                within the window of the last `11`
///     11 + 5 bits leading zeros (0…30) + 6 bits size − 1 + meaningful bits
///     11 + 11111                          stale
///
/// All 2^64 bit patterns are preserved. Leading zeros are limited to 30, so that 31 is free for the stale marker.
struct XORCode {
    /// The leading zeros of the window, or 255 if there is none yet.
    var leading: UInt8
    /// The size of the window in bits.
    var size: UInt8

    init(leading: UInt8 = 255, size: UInt8 = 0) {
        self.leading = leading
        self.size = size
    }

    static let staleSize = 7

    /// Whether a non-zero `difference` fits the window, and the size of its code in bits.
    @inline(__always)
    private func plan(_ difference: UInt64) -> (fits: Bool, leading: Int, size: Int) {
        let leading = min(difference.leadingZeroBitCount, 30)
        let size = 64 &- leading &- difference.trailingZeroBitCount
        if self.leading != 255, leading >= Int(self.leading) {
            let end = Int(self.leading) &+ Int(self.size)
            // A window that is much wider than necessary is not used.
            if 64 &- difference.trailingZeroBitCount <= end, Int(self.size) <= size &+ 11 {
                return (true, leading, size)
            }
        }
        return (false, leading, size)
    }

    /// The size of the code for `difference` in bits.
    @inline(__always)
    func size(_ difference: UInt64) -> Int {
        if difference == 0 { return 1 }
        let plan = plan(difference)
        return plan.fits ? 2 &+ Int(size) : 13 &+ plan.size
    }

    @inline(__always)
    mutating func put(_ difference: UInt64, into writer: inout BitWriter) {
        guard difference != 0 else { return writer.put(0, 1) }
        let plan = plan(difference)
        if plan.fits {
            writer.put(0b10, 2)
        } else {
            writer.put(0b11 &<< 11 | UInt64(plan.leading) &<< 6 | UInt64(plan.size &- 1), 13)
            leading = UInt8(truncatingIfNeeded: plan.leading)
            size = UInt8(truncatingIfNeeded: plan.size)
        }
        writer.put(difference &>> UInt64(64 &- Int(leading) &- Int(size)), Int(size))
    }

    static func putStale(into writer: inout BitWriter) { writer.put(0b11_11111, 7) }

    /// The next difference, or nil for the stale code.
    @inline(__always)
    mutating func get(from reader: inout BitReader) -> UInt64? {
        let word = reader.peek()
        if word &>> 63 == 0 {
            reader.position &+= 1
            return 0
        }
        if word &>> 62 == 0b11 {
            let leading = UInt8(truncatingIfNeeded: word &>> 57 & 31)
            if leading == 31 {
                reader.position &+= 7
                return nil
            }
            self.leading = leading
            size = UInt8(truncatingIfNeeded: (word &>> 51 & 63) &+ 1)
            reader.position &+= 13
        } else {
            reader.position &+= 2
        }
        // Damaged bytes may have a window that ends after bit 64; the masking shift keeps that harmless.
        let bits = reader.get(Int(size))
        return bits &<< UInt64(truncatingIfNeeded: 64 &- Int(leading & 63) &- Int(size))
    }
}
