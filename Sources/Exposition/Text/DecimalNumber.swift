import Glibc
import Model

/// A number of an exposition text: the nearest double and, if the text is a short decimal, that decimal.
public struct DecimalNumber: Sendable {
    /// The double nearest to the text; every NaN is Prometheus's ordinary NaN.
    public var value: Double
    /// `text == mantissa / 10^scale` exactly, at most 2^53 in size, unless `scale` is `SampleBatch.notDecimal`.
    public var mantissa: Int64
    /// Decimal places 0…22 without trailing zeros, or `SampleBatch.notDecimal`.
    public var scale: Int8

    @inlinable
    public init(value: Double, mantissa: Int64 = 0, scale: Int8 = SampleBatch.notDecimal) {
        self.value = value
        self.mantissa = mantissa
        self.scale = scale
    }

    /// The bit pattern of the NaN that Prometheus stores for every NaN it reads.
    public static let normalNaN = Double(bitPattern: 0x7FF8_0000_0000_0001)

    /// 10^0…10^22, all exact as doubles.
    @usableFromInline static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    /// 10^0…10^19.
    private static let integerPowers: [UInt64] = {
        var powers: [UInt64] = [1]
        for _ in 0..<19 { powers.append((powers.last ?? 1) &* 10) }
        return powers
    }()

    /// 10^0…10^15 without lazy initialization in the hot path.
    @inline(__always)
    private static func power(_ exponent: Int) -> Double {
        switch exponent {
        case 0: 1e0
        case 1: 1e1
        case 2: 1e2
        case 3: 1e3
        case 4: 1e4
        case 5: 1e5
        case 6: 1e6
        case 7: 1e7
        case 8: 1e8
        case 9: 1e9
        case 10: 1e10
        case 11: 1e11
        case 12: 1e12
        case 13: 1e13
        case 14: 1e14
        case 15: 1e15
        case 16: 1e16
        case 17: 1e17
        case 18: 1e18
        case 19: 1e19
        case 20: 1e20
        case 21: 1e21
        default: 1e22
        }
    }

    /// Reads all of `text` by the rules of Go's `strconv.ParseFloat` without hexadecimal and underscores.
    ///
    /// Decimals of up to 2^53 with up to 22 places are one exact division (Clinger's fast path); up to 19 digits with
    /// up to 19 places are one 128-bit division with a sticky remainder; `strtod` reads the rest.
    ///
    /// - Returns: nil if the text is not a number or is out of range.
    public static func parse(_ text: UnsafeBufferPointer<UInt8>) -> DecimalNumber? {
        guard let base = text.baseAddress else { return nil }
        return parse(base, text.count)
    }

    /// Reads `count` bytes at `text` in the same way.
    public static func parse(_ text: UnsafePointer<UInt8>, _ count: Int) -> DecimalNumber? {
        guard count > 0 else { return nil }
        var at = 0
        var isNegative = false
        let first = text[0]
        if first == 0x2D || first == 0x2B {
            isNegative = first == 0x2D
            at = 1
        }
        var mantissa: UInt64 = 0
        var digits = 0
        var places = 0
        var sawDigit = false
        var fits = true
        while at < count {
            let digit = text[at] &- 0x30
            guard digit <= 9 else { break }
            sawDigit = true
            if mantissa != 0 || digit != 0 { digits &+= 1 }
            // 19 digits always fit into 64 bits.
            if digits <= 19 { mantissa = mantissa &* 10 &+ UInt64(digit) } else { fits = false }
            at &+= 1
        }
        if at < count, text[at] == 0x2E {
            at &+= 1
            while at < count {
                let digit = text[at] &- 0x30
                guard digit <= 9 else { break }
                sawDigit = true
                if mantissa != 0 || digit != 0 { digits &+= 1 }
                if digits <= 19 {
                    mantissa = mantissa &* 10 &+ UInt64(digit)
                    places &+= 1
                } else {
                    fits = false
                }
                at &+= 1
            }
        }
        guard sawDigit else { return special(text, count) }
        if at < count {
            guard text[at] | 0x20 == 0x65 else { return nil }
            at &+= 1
            var exponentIsNegative = false
            if at < count, text[at] == 0x2D || text[at] == 0x2B {
                exponentIsNegative = text[at] == 0x2D
                at &+= 1
            }
            guard at < count else { return nil }
            var exponent = 0
            while at < count {
                let digit = text[at] &- 0x30
                guard digit <= 9 else { return nil }
                if exponent < 100_000 { exponent = exponent &* 10 &+ Int(digit) }
                at &+= 1
            }
            places = exponentIsNegative ? places &+ exponent : places &- exponent
        }
        if mantissa == 0, fits {
            return isNegative ? DecimalNumber(value: -0.0) : DecimalNumber(value: 0, mantissa: 0, scale: 0)
        }
        guard fits else { return slow(text, count) }
        while places > 0, mantissa % 10 == 0 {
            mantissa /= 10
            places &-= 1
        }
        if mantissa <= 1 << 53 {
            if places < 0, places >= -15 {
                let (product, high) = mantissa.multipliedReportingOverflow(by: integerPowers[-places])
                if !high, product <= 1 << 53 {
                    mantissa = product
                    places = 0
                }
            }
            if places >= 0, places <= 22 {
                let signed = isNegative ? 0 &- Int64(mantissa) : Int64(mantissa)
                let value = places == 0 ? Double(signed) : Double(signed) / power(places)
                return DecimalNumber(value: value, mantissa: signed, scale: Int8(truncatingIfNeeded: places))
            }
        }
        if places == 0 {
            let value = Double(mantissa)
            return DecimalNumber(value: isNegative ? -value : value)
        }
        if places > 0, places <= 19 {
            let value = divide(mantissa, by: integerPowers[places])
            return DecimalNumber(value: isNegative ? -value : value)
        }
        return slow(text, count)
    }

    /// The double nearest to `mantissa / divisor`, both positive.
    private static func divide(_ mantissa: UInt64, by divisor: UInt64) -> Double {
        // The numbers are scaled so that the quotient has 63 or 64 bits: enough for 53, a rounding bit and a sticky
        // bit.
        let divisorShift = divisor.leadingZeroBitCount
        let normalDivisor = divisor << UInt64(divisorShift)
        let mantissaShift = mantissa.leadingZeroBitCount
        // Half of the normalized mantissa is below the divisor, as the division of a full-width number requires.
        let high = (mantissa << UInt64(mantissaShift)) >> 1
        let low = (mantissa << UInt64(mantissaShift)) << 63
        var (quotient, remainder) = normalDivisor.dividingFullWidth((high, low))
        if remainder != 0 { quotient |= 1 }
        // quotient = mantissa × 2^(mantissaShift − 1 + 64) / (divisor × 2^divisorShift)
        let exponent = divisorShift &- mantissaShift &+ 1 &- 64
        return scalbn(Double(quotient), Int32(truncatingIfNeeded: exponent))
    }

    private static func special(_ text: UnsafePointer<UInt8>, _ count: Int) -> DecimalNumber? {
        func isWord(_ word: StaticString, from start: Int) -> Bool {
            guard count &- start == word.utf8CodeUnitCount else { return false }
            for i in 0..<word.utf8CodeUnitCount where text[start &+ i] | 0x20 != word.utf8Start[i] { return false }
            return true
        }
        if isWord("nan", from: 0) { return DecimalNumber(value: normalNaN) }
        let isSigned = text[0] == 0x2D || text[0] == 0x2B
        let start = isSigned ? 1 : 0
        guard isWord("inf", from: start) || isWord("infinity", from: start) else { return nil }
        return DecimalNumber(value: text[0] == 0x2D ? -.infinity : .infinity)
    }

    /// Reads a valid decimal number of any length.
    private static func slow(_ text: UnsafePointer<UInt8>, _ count: Int) -> DecimalNumber? {
        let value = withUnsafeTemporaryAllocation(of: CChar.self, capacity: count &+ 1) { buffer -> Double in
            for i in 0..<count { buffer[i] = CChar(bitPattern: text[i]) }
            buffer[count] = 0
            guard let start = buffer.baseAddress else { return .nan }
            return strtod(start, nil)
        }
        return value.isFinite ? DecimalNumber(value: value) : nil
    }
}
