/// The shortest decimal that is read back as a given double, and of several the nearest: `digits × 10^exponent`.
///
/// The method is Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles", 2020): of the decimals of two
/// neighbouring lengths only four can be in the interval of numbers that are rounded to the double, and one product of
/// 128 bits for each end of the interval determines which ones are.
struct ShortestDecimal {
    /// The digits without trailing zeros, except for zero itself.
    var digits: UInt64
    var exponent: Int

    /// Converts a finite double; the sign is left out.
    init(_ value: Double) {
        let magnitude = value.magnitude
        if let short = Self.short(magnitude) {
            self = short
        } else {
            self.init(bits: magnitude.bitPattern)
        }
        guard digits != 0 else {
            exponent = 0
            return
        }
        while true {
            let (quotient, rest) = digits.quotientAndRemainder(dividingBy: 10)
            if rest != 0 { break }
            digits = quotient
            exponent &+= 1
        }
    }

    private init(digits: UInt64, exponent: Int) {
        self.digits = digits
        self.exponent = exponent
    }

    /// Converts numbers of up to three decimals and 15 digits in all, which are most numbers in practice.
    ///
    /// No two decimals of 15 digits are rounded to the same double, so a matching one is the shortest.
    @inline(__always)
    private static func short(_ magnitude: Double) -> ShortestDecimal? {
        guard magnitude < 1e12 else { return nil }
        let thousands = UInt64(magnitude * 1000 + 0.5)
        guard Double(thousands) / 1000 == magnitude else { return nil }
        return ShortestDecimal(digits: thousands, exponent: -3)
    }

    private init(bits: UInt64) {
        let fraction = bits & (1 << 52 &- 1)
        let biased = Int(bits >> 52)
        // The double is significand × 2^binary.
        let significand = biased == 0 ? fraction : fraction | 1 << 52
        let binary = max(biased, 1) &- 1075
        // Below a power of two the neighbour is only half as far away.
        let isUneven = fraction == 0 && biased > 1
        // floor(log10 of the interval's width)
        let scale = (binary &* 1_262_611 &- (isUneven ? 524_031 : 0)) >> 22
        let power = PowersOfTen.power(-scale)
        let shift = UInt64(binary &+ ((-scale &* 1_741_647) >> 19) &+ 1)
        let quadruple = significand << 2
        let odd = significand & 1
        let below = Self.roundToOdd(power, (quadruple &- (isUneven ? 1 : 2)) << shift) &+ odd
        let exact = Self.roundToOdd(power, quadruple << shift)
        let above = Self.roundToOdd(power, (quadruple &+ 2) << shift) &- odd
        let whole = exact >> 2
        if whole >= 10 {
            let tens = whole / 10
            let isLower = below <= tens &* 40
            let isUpper = tens &* 40 &+ 40 <= above
            if isLower != isUpper {
                self.init(digits: isUpper ? tens &+ 1 : tens, exponent: scale &+ 1)
                return
            }
        }
        let isLower = below <= whole << 2
        let isUpper = (whole << 2) &+ 4 <= above
        if isLower != isUpper {
            self.init(digits: isUpper ? whole &+ 1 : whole, exponent: scale)
            return
        }
        let middle = (whole << 2) &+ 2
        let isNearerUpper = exact > middle || exact == middle && whole & 1 == 1
        self.init(digits: isNearerUpper ? whole &+ 1 : whole, exponent: scale)
    }

    /// The upper 64 bits of a product of 128 by 64 bits, with the lowest bit set if any lower bit is not zero.
    @inline(__always)
    private static func roundToOdd(_ power: PowersOfTen.Power, _ factor: UInt64) -> UInt64 {
        let low = power.low.multipliedFullWidth(by: factor).high
        let high = power.high.multipliedFullWidth(by: factor)
        let (middle, carry) = high.low.addingReportingOverflow(low)
        return (high.high &+ (carry ? 1 : 0)) | (middle > 1 ? 1 : 0)
    }
}

/// Powers of ten in 128 bits: `10^k = power × 2^…`, rounded up, with the highest bit set.
enum PowersOfTen {
    struct Power: Sendable {
        var high: UInt64
        var low: UInt64
    }

    private static let least = -293
    private static let greatest = 325
    private static let table = makeTable()

    static func power(_ exponent: Int) -> Power { table[exponent &- least] }

    /// The table is computed by multiplications and divisions by ten in 256 bits, so that rounding errors never reach
    /// the upper 128.
    private static func makeTable() -> [Power] {
        var table = [Power](repeating: Power(high: 0, low: 0), count: greatest - least + 1)
        let one: [UInt64] = [0, 0, 0, 1 << 63]
        var words = one
        for exponent in 0...greatest {
            table[exponent - least] = rounded(words)
            // The binary exponent is not kept, so × 5 is equivalent to × 10.
            let (last, carry) = multiplied(words, by: 5)
            words = shifted(last, into: carry)
        }
        words = one
        for exponent in stride(from: -1, through: least, by: -1) {
            words = dividedByFive(words)
            table[exponent - least] = rounded(words)
        }
        return table
    }

    private static func rounded(_ words: [UInt64]) -> Power {
        let (low, carry) = words[2].addingReportingOverflow(words[0] | words[1] == 0 ? 0 : 1)
        return Power(high: words[3] &+ (carry ? 1 : 0), low: low)
    }

    private static func multiplied(_ words: [UInt64], by factor: UInt64) -> ([UInt64], UInt64) {
        var result = words
        var carry: UInt64 = 0
        for i in result.indices {
            let product = words[i].multipliedFullWidth(by: factor)
            let (sum, overflow) = product.low.addingReportingOverflow(carry)
            result[i] = sum
            carry = product.high &+ (overflow ? 1 : 0)
        }
        return (result, carry)
    }

    /// Shifts a number with bits above its words to the right until it fits.
    private static func shifted(_ words: [UInt64], into carry: UInt64) -> [UInt64] {
        let bits = UInt64(64 - carry.leadingZeroBitCount)
        guard bits > 0 else { return words }
        var result = words
        for i in result.indices {
            let above = i + 1 < words.count ? words[i + 1] : carry
            result[i] = words[i] >> bits | above << (64 - bits)
        }
        return result
    }

    /// Divides by five, with the highest bit set afterwards.
    private static func dividedByFive(_ words: [UInt64]) -> [UInt64] {
        // Three more bits at the low end keep the precision of the result when it is shifted up.
        var result = words
        var rest: UInt64 = 0
        for i in result.indices.reversed() {
            let (quotient, remainder) = UInt64(5).dividingFullWidth((rest, words[i]))
            result[i] = quotient
            rest = remainder
        }
        let bits = UInt64(result[3].leadingZeroBitCount)
        for i in result.indices.reversed() {
            result[i] = result[i] << bits | (i > 0 ? result[i - 1] >> (64 - bits) : 0)
        }
        // The division continues below the lowest word.
        let (more, _) = UInt64(5).dividingFullWidth((rest, 0))
        result[0] |= more >> (64 - bits)
        return result
    }
}
