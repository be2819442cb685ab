import Glibc

/// Doubles as text, in the forms of Go's `strconv.FormatFloat` with the shortest digits that read back the same.
public enum FloatText {
    /// The shortest decimal digits of a finite number and where the point stands.
    ///
    /// `value = 0.d₁d₂… × 10^point`, digits as ASCII without leading or trailing zeros (one "0" for zero).
    struct Digits {
        var isNegative: Bool
        var digits: [UInt8]
        var point: Int

        init(_ value: Double) {
            isNegative = value.sign == .minus
            digits = []
            point = 0
            var seenPoint = false
            var exponent = 0
            // Swift's description holds the shortest digits, in one of two layouts: parse it into digits and exponent.
            var text = value.magnitude.description
            text.withUTF8 { text in
                var i = 0
                while i < text.count {
                    let c = text[i]
                    if c == UInt8(ascii: ".") {
                        seenPoint = true
                    } else if c == UInt8(ascii: "e") {
                        var negative = false
                        i += 1
                        while i < text.count {
                            if text[i] == UInt8(ascii: "-") {
                                negative = true
                            } else if text[i] != UInt8(ascii: "+") {
                                exponent = exponent * 10 + Int(text[i] - UInt8(ascii: "0"))
                            }
                            i += 1
                        }
                        if negative { exponent = -exponent }
                        break
                    } else {
                        if !(digits.isEmpty && c == UInt8(ascii: "0")) {
                            digits.append(c)
                            if !seenPoint { point += 1 }
                        } else if seenPoint {
                            point -= 1
                        }
                    }
                    i += 1
                }
            }
            point += exponent
            while digits.last == UInt8(ascii: "0") { digits.removeLast() }
            if digits.isEmpty {
                digits = [UInt8(ascii: "0")]
                point = 1
            }
        }
    }

    private static func appendSpecial(_ value: Double, to out: inout [UInt8]) -> Bool {
        if value.isNaN {
            out.append(contentsOf: "NaN".utf8)
            return true
        }
        if value.isInfinite {
            out.append(contentsOf: (value < 0 ? "-Inf" : "+Inf").utf8)
            return true
        }
        return false
    }

    private static func appendInteger(_ value: Double, to out: inout [UInt8]) -> Bool {
        guard value.magnitude < 1e15, value.rounded(.towardZero) == value, !(value == 0 && value.sign == .minus) else {
            return false
        }
        appendInt(Int64(value), to: &out)
        return true
    }

    /// Appends an integer in decimal.
    public static func appendInt(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        if rest < 10 {
            out.append(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest))
            return
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { buffer in
            var at = 20
            while rest > 0 {
                at &-= 1
                let (quotient, remainder) = rest.quotientAndRemainder(dividingBy: 10)
                buffer[at] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: remainder)
                rest = quotient
            }
            out.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[at..<20]))
        }
    }

    /// Go's `'f', -1`: never an exponent; `+Inf`, `-Inf`, `NaN`.
    public static func appendFixed(_ value: Double, to out: inout [UInt8]) {
        if appendSpecial(value, to: &out) || appendInteger(value, to: &out) { return }
        appendFixed(Digits(value), to: &out)
    }

    private static func appendFixed(_ d: Digits, to out: inout [UInt8]) {
        if d.isNegative { out.append(UInt8(ascii: "-")) }
        if d.point <= 0 {
            out.append(UInt8(ascii: "0"))
            if d.digits != [UInt8(ascii: "0")] {
                out.append(UInt8(ascii: "."))
                for _ in 0..<(-d.point) { out.append(UInt8(ascii: "0")) }
                out.append(contentsOf: d.digits)
            }
        } else if d.digits.count <= d.point {
            out.append(contentsOf: d.digits)
            for _ in 0..<(d.point - d.digits.count) { out.append(UInt8(ascii: "0")) }
        } else {
            out.append(contentsOf: d.digits[0..<d.point])
            out.append(UInt8(ascii: "."))
            out.append(contentsOf: d.digits[d.point...])
        }
    }

    /// Go's `'e', -1`: one digit, a point, the rest, an exponent of at least two digits.
    public static func appendExponent(_ value: Double, to out: inout [UInt8]) {
        if appendSpecial(value, to: &out) { return }
        appendExponent(Digits(value), to: &out)
    }

    private static func appendExponent(_ d: Digits, to out: inout [UInt8]) {
        if d.isNegative { out.append(UInt8(ascii: "-")) }
        out.append(d.digits[0])
        if d.digits.count > 1 {
            out.append(UInt8(ascii: "."))
            out.append(contentsOf: d.digits[1...])
        }
        let exponent = d.digits == [UInt8(ascii: "0")] ? 0 : d.point - 1
        out.append(UInt8(ascii: "e"))
        out.append(UInt8(ascii: exponent < 0 ? "-" : "+"))
        if exponent.magnitude < 10 { out.append(UInt8(ascii: "0")) }
        appendInt(Int64(exponent.magnitude), to: &out)
    }

    /// Go's `'g', -1`, `%g` and `%v`: exponent form below 1e-4 and from 1e6 on.
    public static func appendGeneral(_ value: Double, to out: inout [UInt8]) {
        if appendSpecial(value, to: &out) { return }
        if value.magnitude < 1e6, appendInteger(value, to: &out) { return }
        let d = Digits(value)
        let exponent = d.point - 1
        if value != 0, exponent < -4 || exponent >= 6 {
            appendExponent(d, to: &out)
        } else {
            appendFixed(d, to: &out)
        }
    }

    /// The form of sample values in the HTTP API: fixed, but exponent below 1e-6 and from 1e21 on.
    public static func appendAPI(_ value: Double, to out: inout [UInt8]) {
        if appendSpecial(value, to: &out) || appendInteger(value, to: &out) { return }
        let d = Digits(value)
        let size = value.magnitude
        if size != 0, size < 1e-6 || size >= 1e21 {
            appendExponent(d, to: &out)
        } else {
            appendFixed(d, to: &out)
        }
    }

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
