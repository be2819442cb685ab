/// Doubles as scaled integers, if that is lossless.
///
/// A double v is exact at scale e (0…18) if an integer m with |m| ≤ 2^53 exists for which `Double(m) / 10^e` is v bit
/// by bit. 10^e is a double without error up to e = 22, so the quotient is correctly rounded and the integer can be
/// multiplied by ten, with e one larger, as long as it stays in range. −0, NaN and infinities are never exact.
public enum ExactDecimal {
    /// Largest scale tried.
    public static let maxScale = 18

    /// Largest magnitude of a mantissa.
    public static let limit: Int64 = 1 << 53

    private static let powerTable: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    ]

    /// 10^scale for scales 0…``maxScale``.
    @inline(__always)
    public static func power(_ scale: Int) -> Double {
        powerTable.withUnsafeBufferPointer { $0[min(max(scale, 0), maxScale)] }
    }

    /// The mantissa of `value`, given `power` = 10^scale, or nil if it is not exact.
    @inline(__always)
    public static func mantissa(_ value: Double, power: Double) -> Int64? {
        let scaled = value * power
        // The condition is also false for NaN.
        guard abs(scaled) <= 9_007_199_254_740_992 else { return nil }
        // This rounds half away from zero; if the sum is inexact, the comparison below detects it.
        let integer = Int64(scaled + (scaled < 0 ? -0.5 : 0.5))
        guard (Double(integer) / power).bitPattern == value.bitPattern else { return nil }
        return integer
    }

    /// The mantissa of `value` at `scale`, or nil if it is not exact.
    public static func mantissa(_ value: Double, scale: Int) -> Int64? {
        guard scale >= 0, scale <= maxScale else { return nil }
        return mantissa(value, power: power(scale))
    }

    /// The smallest scale, not below `atLeast`, at which `value` is exact; nil if there is none.
    public static func scale(of value: Double, atLeast: Int = 0) -> Int? {
        var scale = max(atLeast, 0)
        while scale <= maxScale {
            let power = power(scale)
            if mantissa(value, power: power) != nil { return scale }
            if !(abs(value * power) <= 9_007_199_254_740_992) { return nil }
            scale &+= 1
        }
        return nil
    }
}
