import Glibc

/// Functions of Go's `math` package where they differ from C's.
public enum GoMath {
    /// `math.Max`: +∞ has precedence over NaN, 0 over −0.
    public static func greater(_ a: Double, _ b: Double) -> Double {
        if a == .infinity || b == .infinity { return .infinity }
        if a.isNaN || b.isNaN { return .nan }
        if a == 0, b == 0 { return a.sign == .minus ? b : a }
        return a > b ? a : b
    }

    /// `math.Min`: −∞ has precedence over NaN, −0 over 0.
    public static func lesser(_ a: Double, _ b: Double) -> Double {
        if a == -.infinity || b == -.infinity { return -.infinity }
        if a.isNaN || b.isNaN { return .nan }
        if a == 0, b == 0 { return a.sign == .minus ? a : b }
        return a < b ? a : b
    }

    /// `math.Log` as amd64 computes it: denormals are processed as if they had the implicit leading bit.
    public static func log(_ x: Double) -> Double {
        guard x > 0, x < 0x1p-1022 else { return Glibc.log(x) }
        let mantissa = Double(bitPattern: x.bitPattern | 0x3FE0_0000_0000_0000)
        return Glibc.log(mantissa) - 1022 * 0.693147180559945309417
    }

    /// `math.Log10`, which has the same error for denormals as `math.Log`.
    public static func log10(_ x: Double) -> Double {
        guard x > 0, x < 0x1p-1022 else { return Glibc.log10(x) }
        return log(x) * (1 / 2.30258509299404568402)
    }
}
