import Glibc

/// Moments as Go's `time.RFC3339Nano` in UTC.
package enum RFC3339 {
    /// Go's zero time.
    package static let zero = "0001-01-01T00:00:00Z"

    /// `2006-01-02T15:04:05.000Z`, always with three digits of fraction.
    package static func milliseconds(_ milliseconds: Int64) -> String {
        let text = text(milliseconds &- (milliseconds % 1000 + 1000) % 1000)
        let digits = String((milliseconds % 1000 + 1000) % 1000)
        return text.dropLast() + "." + String(repeating: "0", count: 3 - digits.count) + digits + "Z"
    }

    /// `2006-01-02T15:04:05.123Z`; trailing zeros of the fraction are left out.
    package static func text(_ milliseconds: Int64) -> String {
        let (quotient, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        var seconds = time_t(rest < 0 ? quotient - 1 : quotient)
        let fraction = Int(rest < 0 ? rest + 1000 : rest)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func pad(_ value: some BinaryInteger, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        var text =
            "\(pad(Int(parts.tm_year) + 1900, 4))-\(pad(parts.tm_mon + 1, 2))-\(pad(parts.tm_mday, 2))"
            + "T\(pad(parts.tm_hour, 2)):\(pad(parts.tm_min, 2)):\(pad(parts.tm_sec, 2))"
        if fraction != 0 {
            var digits = Substring(pad(fraction, 3))
            while digits.last == "0" { digits = digits.dropLast() }
            text += "." + digits
        }
        return text + "Z"
    }
}
