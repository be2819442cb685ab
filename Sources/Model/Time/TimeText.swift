import Glibc

/// Times as text: Unix seconds or RFC 3339.
public enum TimeText {
    /// Milliseconds since the epoch of float Unix seconds or an RFC 3339 time; nil if it is neither or out of range.
    public static func parse(_ text: String) -> Int64? {
        guard let number = GoFloat.parse(text) else { return parseRFC3339(text) }
        guard number.magnitude < 9.2e15 else { return nil }
        // As Prometheus: the fraction is rounded apart from the whole seconds, and goes through nanoseconds.
        let whole = number.rounded(.towardZero)
        let fraction = ((number - whole) * 1000).rounded() / 1000
        let nanoseconds = Int64(fraction * 1e9)
        let milliseconds = nanoseconds >= 0 ? nanoseconds / 1_000_000 : (nanoseconds - 999_999) / 1_000_000
        return Int64(whole) * 1000 + milliseconds
    }

    /// An RFC 3339 time as Go's `time.Parse` takes it: an hour of one digit, a comma before the fraction, no leap
    /// seconds, no lower-case letters.
    private static func parseRFC3339(_ text: String) -> Int64? {
        var reader = DigitReader(bytes: Array(text.utf8))
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2), reader.take("-"),
            let day = reader.number(2), reader.take("T"), let hour = reader.number(2, least: 1), reader.take(":"),
            let minute = reader.number(2), reader.take(":"), let second = reader.number(2),
            (1...12).contains(month), day >= 1, day <= daysIn(month, year), hour < 24, minute < 60, second < 60
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
        let days = daysSinceEpoch(year, month, day)
        return (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + milliseconds
    }

    private static func daysIn(_ month: Int64, _ year: Int64) -> Int64 {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
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

        /// A number of `count` digits, or of fewer, but not of fewer than `least`.
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

    /// Days from 1970-01-01 of a date in the Gregorian calendar, by the month-shift method.
    public static func daysSinceEpoch(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Year, month and day of a number of days since 1970-01-01; the inverse of ``daysSinceEpoch(_:_:_:)``.
    public static func date(daysSinceEpoch days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthIndex + 2) / 5 + 1
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    /// RFC 3339 in UTC.
    ///
    /// - Parameters:
    ///   - milliseconds: Since the epoch.
    ///   - trimsFraction: Go's RFC3339Nano, which leaves zeros at the end away; else always three digits.
    public static func rfc3339(_ milliseconds: Int64, trimsFraction: Bool = true) -> String {
        let day = milliseconds / 86_400_000 - (milliseconds % 86_400_000 < 0 ? 1 : 0)
        let rest = milliseconds &- day &* 86_400_000
        let date = date(daysSinceEpoch: day)
        func pad(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let seconds = rest / 1000
        var fraction = pad(rest % 1000, 3)
        if trimsFraction { while fraction.last == "0" { fraction.removeLast() } }
        let time = "\(pad(seconds / 3600, 2)):\(pad(seconds / 60 % 60, 2)):\(pad(seconds % 60, 2))"
        return
            "\(pad(date.year, 4))-\(pad(date.month, 2))-\(pad(date.day, 2))T\(time)\(fraction.isEmpty ? "" : "." + fraction)Z"
    }
}
