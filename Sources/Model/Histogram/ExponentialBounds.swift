import Glibc

/// The bounds of the buckets of exponential native histograms, identical to Prometheus's tables bit by bit.
public enum ExponentialBounds {
    /// The schemas for computations; finer ones are reduced when they are read.
    public static let schemas: ClosedRange<Int32> = -4...8

    /// The difference, in units in the last place, between the correctly rounded 2^(j/256 − 1) and Prometheus's bound
    /// of schema 8: `p` is one up, a digit that many down.
    private static let deviations: StaticString = """
        00000010001000000012001111111111001000100111001100110p1100110011\
        0000001111221021001000100001000000010p00102200110111001010221111\
        1010112211211011111111212122212200110010112210221122101121221121\
        1132112122322232222222333344324311211222213311222132112222432233
        """

    /// Fractions in [0.5, 1) of schema 8; coarser schemas use every 2^(8 − schema)-th.
    static let fractions: [Double] = deviations.withUTF8Buffer { deviations in
        deviations.enumerated().map { index, deviation in
            let rounded = exp2(Double(index) / 256 - 1)
            if deviation == UInt8(ascii: "p") { return rounded.nextUp }
            return Double(bitPattern: rounded.bitPattern &- UInt64(deviation &- UInt8(ascii: "0")))
        }
    }

    /// The upper bound of bucket `index` of exponential `schema`, 2^(index · 2^−schema); the largest double in place of
    /// the first power of two beyond it.
    ///
    /// All indices and schemas have a bound, without overflow.
    public static func upper(_ index: Int, schema: Int32) -> Double {
        if schema < 0 {
            let exponent = clamped(index) << Int(min(-Int64(schema), 16))
            return exponent == 1024 ? .greatestFiniteMagnitude : ldexp(1, Int32(clamping: exponent))
        }
        let shift = Int(min(schema, 8))
        let index = clamped(index)
        let fraction = fractions[(index & ((1 << shift) &- 1)) << (8 &- shift)]
        let exponent = (index >> shift) &+ 1
        if fraction == 0.5, exponent == 1025 { return .greatestFiniteMagnitude }
        return ldexp(fraction, Int32(clamping: exponent))
    }

    /// The bound of an index outside of this range is 0 or infinity, so the index is limited to prevent overflow.
    private static func clamped(_ index: Int) -> Int { min(max(index, -(1 << 40)), 1 << 40) }
}
