/// Durations in Go's format; the unit is the nanosecond.
public enum GoDuration {
    /// `time.Duration.String`: `1h2m3.5s`, `1.5ms`, `0s`.
    public static func text(_ nanoseconds: Int64) -> String {
        if nanoseconds == 0 { return "0s" }
        let size = nanoseconds.magnitude
        let sign = nanoseconds < 0 ? "-" : ""
        func decimal(_ value: UInt64, per unit: UInt64) -> String {
            let rest = value % unit
            guard rest != 0 else { return String(value / unit) }
            var digits = String(rest + unit).dropFirst()
            while digits.last == "0" { digits = digits.dropLast() }
            return "\(value / unit).\(digits)"
        }
        if size < 1000 { return "\(sign)\(size)ns" }
        if size < 1_000_000 { return sign + decimal(size, per: 1000) + "µs" }
        if size < 1_000_000_000 { return sign + decimal(size, per: 1_000_000) + "ms" }
        let minutes = size / 60_000_000_000
        let seconds = decimal(size % 60_000_000_000, per: 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        return minutes < 60
            ? "\(sign)\(minutes)m\(seconds)" : "\(sign)\(minutes / 60)h\(minutes % 60)m\(seconds)"
    }

    private static let units: [(name: String, size: UInt64)] = [
        ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    /// `time.ParseDuration`: numbers with units such as `1h30m`, `1.5s`, `-2ms`, and `0`; nil if it is invalid.
    public static func parse(_ text: String) -> Int64? {
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        if rest.elementsEqual("0".utf8) { return 0 }
        if rest.isEmpty { return nil }
        var total: UInt64 = 0
        while !rest.isEmpty {
            guard let part = part(&rest) else { return nil }
            let (sum, isOver) = total.addingReportingOverflow(part)
            if isOver || sum > 1 << 63 { return nil }
            total = sum
        }
        if isNegative { return total == 1 << 63 ? .min : -Int64(total) }
        return Int64(exactly: total)
    }

    /// One number with its unit, in nanoseconds.
    private static func part(_ rest: inout Substring.UTF8View) -> UInt64? {
        func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
        let whole = rest.prefix(while: isDigit)
        rest = rest[whole.endIndex...]
        var fraction = rest.prefix(0)
        if rest.first == UInt8(ascii: ".") {
            rest = rest.dropFirst()
            fraction = rest.prefix(while: isDigit)
            rest = rest[fraction.endIndex...]
        }
        if whole.isEmpty, fraction.isEmpty { return nil }
        let name = rest.prefix { !isDigit($0) && $0 != UInt8(ascii: ".") }
        rest = rest[name.endIndex...]
        guard let unit = units.first(where: { $0.name.utf8.elementsEqual(name) })?.size,
            let number = whole.isEmpty ? 0 : UInt64(Substring(whole))
        else { return nil }
        let (product, isOver) = number.multipliedReportingOverflow(by: unit)
        if isOver || product > 1 << 63 { return nil }
        // 18 digits are precise to less than a nanosecond in every unit; further digits are not used.
        var (nanoseconds, scale) = (0.0, Double(unit))
        for digit in fraction.prefix(18) {
            scale /= 10
            nanoseconds += Double(digit - UInt8(ascii: "0")) * scale
        }
        return product + UInt64(nanoseconds)
    }
}
