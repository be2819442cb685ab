/// Doubles as text, in the forms of Go's `strconv.FormatFloat`, with the shortest digits that are read back to the same
/// value.
public enum FloatText {
    /// The shortest decimal digits of a finite number, and the position of the point.
    ///
    /// `value = 0.d₁d₂… × 10^point`, without trailing zeros; zero is one digit before the point.
    private struct Digits {
        var isNegative: Bool
        var digits: UInt64
        var count: Int
        var point: Int

        init(_ value: Double) {
            let decimal = ShortestDecimal(value)
            isNegative = value.sign == .minus
            digits = decimal.digits
            count = FloatText.length(digits)
            point = count &+ decimal.exponent
        }
    }

    /// The most bytes of any form of a double.
    static let maxLength = 360

    /// The most bytes of ``writeAPI(_:to:)``.
    public static let maxAPILength = 32

    // MARK: Into memory

    private typealias Target = UnsafeMutablePointer<UInt8>

    /// The number of decimal digits.
    @inline(__always)
    private static func length(_ value: UInt64) -> Int {
        var (rest, length) = (value, 1)
        while rest >= 10_000 {
            rest /= 10_000
            length &+= 4
        }
        return length &+ (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
    }

    /// All numbers of two digits, one after the other.
    private static let pairs: StaticString =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

    /// Writes the last `count` digits of `value`.
    @inline(__always)
    private static func write(_ value: UInt64, count: Int, to target: Target) {
        let pairs = Self.pairs.utf8Start
        var (rest, at) = (value, count)
        while at >= 2 {
            let quotient = rest / 100
            let pair = pairs + Int(truncatingIfNeeded: (rest &- quotient &* 100) &* 2)
            at &-= 2
            target[at] = pair[0]
            target[at &+ 1] = pair[1]
            rest = quotient
        }
        if at == 1 { target[0] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10) }
    }

    /// Writes an integer in decimal, at most 20 bytes; returns their number.
    @inline(__always)
    public static func writeInt(_ value: Int64, to target: UnsafeMutablePointer<UInt8>) -> Int {
        target[0] = UInt8(ascii: "-")
        let sign = value < 0 ? 1 : 0
        let count = length(value.magnitude)
        write(value.magnitude, count: count, to: target + sign)
        return sign &+ count
    }

    private static func writeSpecial(_ value: Double, to target: Target) -> Int? {
        guard !value.isFinite else { return nil }
        let text: StaticString = value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf"
        target.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
        return text.utf8CodeUnitCount
    }

    @inline(__always)
    private static func writeInteger(_ value: Double, to target: Target) -> Int? {
        guard value.magnitude < 1e15 else { return nil }
        let integer = Int64(value)
        guard Double(integer) == value, !(integer == 0 && value.sign == .minus) else { return nil }
        return writeInt(integer, to: target)
    }

    private static func writeFixed(_ d: Digits, to target: Target) -> Int {
        target[0] = UInt8(ascii: "-")
        let start = target + (d.isNegative ? 1 : 0)
        var end = start
        if d.point <= 0 {
            let zeros = 2 &- d.point
            end.update(repeating: UInt8(ascii: "0"), count: zeros)
            end[1] = UInt8(ascii: ".")
            write(d.digits, count: d.count, to: end + zeros)
            end += zeros &+ d.count
        } else if d.count <= d.point {
            write(d.digits, count: d.count, to: end)
            (end + d.count).update(repeating: UInt8(ascii: "0"), count: d.point &- d.count)
            end += d.point
        } else {
            // The digits are written one place too far to the right, then the integer part moves left.
            write(d.digits, count: d.count, to: end + 1)
            end.update(from: end + 1, count: d.point)
            end[d.point] = UInt8(ascii: ".")
            end += d.count &+ 1
        }
        return end - target
    }

    private static func writeExponent(_ d: Digits, to target: Target) -> Int {
        target[0] = UInt8(ascii: "-")
        let start = target + (d.isNegative ? 1 : 0)
        write(d.digits, count: d.count, to: start + 1)
        start[0] = start[1]
        var end = start + 1
        if d.count > 1 {
            start[1] = UInt8(ascii: ".")
            end += d.count
        }
        let exponent = d.digits == 0 ? 0 : d.point &- 1
        end[0] = UInt8(ascii: "e")
        end[1] = UInt8(ascii: exponent < 0 ? "-" : "+")
        let count = exponent.magnitude < 100 ? 2 : 3
        write(UInt64(exponent.magnitude), count: count, to: end + 2)
        return end - target + 2 + count
    }

    /// Writes the form of sample values in the HTTP API: fixed, but exponent below 1e-6 and from 1e21 on.
    ///
    /// - Parameter target: Space for ``maxAPILength`` bytes.
    /// - Returns: The number of bytes.
    public static func writeAPI(_ value: Double, to target: UnsafeMutablePointer<UInt8>) -> Int {
        if let count = writeInteger(value, to: target) ?? writeSpecial(value, to: target) { return count }
        let size = value.magnitude
        let isLarge = size != 0 && (size < 1e-6 || size >= 1e21)
        return isLarge ? writeExponent(Digits(value), to: target) : writeFixed(Digits(value), to: target)
    }

    // MARK: Into arrays

    @inline(__always)
    private static func append(_ out: inout [UInt8], _ write: (Target) -> Int) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maxLength) { buffer in
            guard let base = buffer.baseAddress else { return }
            out.append(contentsOf: UnsafeBufferPointer(start: base, count: write(base)))
        }
    }

    /// Appends an integer in decimal.
    public static func appendInt(_ value: Int64, to out: inout [UInt8]) { append(&out) { writeInt(value, to: $0) } }

    /// Go's `'f', -1`: never an exponent; `+Inf`, `-Inf`, `NaN`.
    public static func appendFixed(_ value: Double, to out: inout [UInt8]) {
        append(&out) {
            writeInteger(value, to: $0) ?? writeSpecial(value, to: $0) ?? writeFixed(Digits(value), to: $0)
        }
    }

    /// Go's `'e', -1`: one digit, a point, the rest, an exponent of at least two digits.
    public static func appendExponent(_ value: Double, to out: inout [UInt8]) {
        append(&out) { writeSpecial(value, to: $0) ?? writeExponent(Digits(value), to: $0) }
    }

    /// Go's `'g', -1`, `%g` and `%v`: exponent form below 1e-4 and from 1e6 on.
    public static func appendGeneral(_ value: Double, to out: inout [UInt8]) {
        append(&out) { target in
            if let count = writeSpecial(value, to: target) { return count }
            if value.magnitude < 1e6, let count = writeInteger(value, to: target) { return count }
            let d = Digits(value)
            let hasExponent = value != 0 && !(-4..<6).contains(d.point - 1)
            return hasExponent ? writeExponent(d, to: target) : writeFixed(d, to: target)
        }
    }

    /// The form of sample values in the HTTP API, see ``writeAPI(_:to:)``.
    public static func appendAPI(_ value: Double, to out: inout [UInt8]) { append(&out) { writeAPI(value, to: $0) } }

    /// Go's `'f', -1` as a string.
    public static func fixed(_ value: Double) -> String { string { appendFixed(value, to: &$0) } }
    /// Go's `'e', -1` as a string.
    public static func exponent(_ value: Double) -> String { string { appendExponent(value, to: &$0) } }
    /// Go's `%g` as a string.
    public static func general(_ value: Double) -> String { string { appendGeneral(value, to: &$0) } }
    /// The form of the HTTP API as a string.
    public static func api(_ value: Double) -> String { string { appendAPI(value, to: &$0) } }

    private static func string(_ body: (inout [UInt8]) -> Void) -> String {
        var out: [UInt8] = []
        body(&out)
        return String(decoding: out, as: UTF8.self)
    }
}
