import Glibc

/// The conversion of doubles to scaled integers: `value == Double(mantissa) / 10^scale`, bit for bit.
///
/// Mantissas are below 2^51, so that `value · 10^scale` rounds to the mantissa again (the product deviates by at most
/// two parts in 2^53). Therefore no mantissa is stored beside the value.
enum Decimal {
    /// The most decimal places that are tried.
    static let maxScale = 15
    static let limit: Int64 = 1 << 51

    // SAFETY: written once at first use, never freed.
    nonisolated(unsafe) private static let table: UnsafeMutablePointer<Double> = {
        let table = UnsafeMutablePointer<Double>.allocate(capacity: 32)
        var power = 1.0
        for i in 0..<32 {
            table[i] = i <= 22 ? power : 0
            power *= 10
        }
        return table
    }()

    /// 10^scale for 0…22.
    @inline(__always)
    static func power(_ scale: Int8) -> Double { table[Int(scale) & 31] }

    /// The integer nearest to `value`, whose absolute value must be below 2^51.
    ///
    /// Adding and subtracting 1.5 · 2^52 rounds as the processor does; calling `round` would take ten times as long.
    @inline(__always)
    static func nearest(_ value: Double) -> Int64 {
        let shift = 6_755_399_441_055_744.0
        return Int64((value + shift) - shift)
    }

    /// The mantissa of `value` at `scale`; nil if the value is not a decimal with this scale and a mantissa below the
    /// limit.
    @inline(__always)
    static func mantissa(_ value: Double, _ scale: Int8) -> Int64? {
        let power = power(scale)
        let scaled = value * power
        guard abs(scaled) < Double(limit) else { return nil }
        let mantissa = nearest(scaled)
        // The value is computed from the integer, which has no −0; so −0 has no mantissa.
        let back = Double(mantissa) / power
        return back.bitPattern == value.bitPattern ? mantissa : nil
    }

    /// The smallest scale at which `value` is a decimal, trying `hint` first; nil if there is none.
    static func scale(_ value: Double, hint: Int8) -> Int8? {
        guard value.isFinite else { return nil }
        if mantissa(value, hint) != nil { return hint }
        for scale in 0...Int8(maxScale) where mantissa(value, scale) != nil { return scale }
        return nil
    }
}
