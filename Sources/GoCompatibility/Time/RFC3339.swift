/// Times as RFC 3339 texts, in the format of Go's `time` package.
public enum RFC3339 {
    /// Go's zero time.
    public static let zero = "0001-01-01T00:00:00Z"

    /// The digits of the fraction of a second.
    public enum Fraction: Sendable {
        /// Up to three digits without trailing zeros, as in Go's `RFC3339Nano`.
        case trimmed
        /// Always three digits.
        case milliseconds
    }

    /// The time in UTC.
    ///
    /// - Parameter milliseconds: Milliseconds since the epoch.
    public static func text(_ milliseconds: Int64, fraction: Fraction = .trimmed) -> String {
        let seconds = CivilTime.floorDivide(milliseconds, 1000)
        let time = CivilTime(secondsSinceEpoch: seconds)
        var digits = (milliseconds &- seconds &* 1000).zeroPadded(3)
        if fraction == .trimmed { while digits.last == "0" { digits.removeLast() } }
        return "\(time.year.zeroPadded(4))-\(time.month.zeroPadded(2))-\(time.day.zeroPadded(2))T"
            + "\(time.hour.zeroPadded(2)):\(time.minute.zeroPadded(2)):\(time.second.zeroPadded(2))"
            + (digits.isEmpty ? "" : "." + digits) + "Z"
    }

    /// The milliseconds since the epoch of a text; nil if it is not a time.
    ///
    /// As in Go's `time.Parse`, an hour with one digit and a comma before the fraction are accepted; leap seconds and
    /// lower-case letters are not.
    public static func parse(_ text: String) -> Int64? {
        var reader = DigitReader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), reader.take("T"), let hour = reader.number(2, least: 1), reader.take(":"),
            let minute = reader.number(2), reader.take(":"), let second = reader.number(2),
            (1...12).contains(month), day >= 1, day <= CivilTime.days(inMonth: month, of: year), hour < 24, minute < 60,
            second < 60
        else { return nil }
        let milliseconds = reader.fraction()
        var offset: Int64 = 0
        if !reader.take("Z") {
            let isNegative = reader.take("-")
            guard isNegative || reader.take("+"), let hours = reader.number(2), reader.take(":"),
                let minutes = reader.number(2), hours <= 24, minutes <= 60
            else { return nil }
            offset = (hours * 60 + minutes) * (isNegative ? -1 : 1)
        }
        guard reader.isAtEnd else { return nil }
        let days = CivilTime.daysSinceEpoch(year, month, day)
        return (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + milliseconds
    }

    /// Reads the parts of a time, from left to right.
    private struct DigitReader {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at == bytes.count }

        private func isDigit(_ at: Int) -> Bool { at < bytes.count && bytes[at] >= 0x30 && bytes[at] <= 0x39 }

        mutating func take(_ character: Character) -> Bool {
            guard at < bytes.count, bytes[at] == character.asciiValue else { return false }
            at += 1
            return true
        }

        /// A number of at most `count` and at least `least` digits.
        mutating func number(_ count: Int, least: Int? = nil) -> Int64? {
            var (value, digits): (Int64, Int) = (0, 0)
            while digits < count, isDigit(at) {
                value = value * 10 + Int64(bytes[at] - 0x30)
                (digits, at) = (digits + 1, at + 1)
            }
            return digits >= least ?? count ? value : nil
        }

        /// The milliseconds of a fraction, 0 if there is none.
        mutating func fraction() -> Int64 {
            guard at < bytes.count, bytes[at] == 0x2E || bytes[at] == 0x2C, isDigit(at + 1) else { return 0 }
            at += 1
            var (value, unit): (Int64, Int64) = (0, 100)
            while isDigit(at) {
                value += Int64(bytes[at] - 0x30) * unit
                unit /= 10
                at += 1
            }
            return value
        }
    }
}
