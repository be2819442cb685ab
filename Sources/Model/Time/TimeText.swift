import Glibc

/// Times as text: Unix seconds or RFC 3339.
public enum TimeText {
    /// Milliseconds since the epoch of float Unix seconds or an RFC 3339 time; nil if it is neither or out of range.
    public static func parse(_ text: String) -> Int64? {
        if let seconds = Double(text) {
            guard seconds.isFinite else { return nil }
            let milliseconds = (seconds * 1000).rounded()
            return milliseconds.magnitude < 0x1p63 ? Int64(milliseconds) : nil
        }
        return parseRFC3339(text)
    }

    private static func parseRFC3339(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ from: Int, _ count: Int) -> Int64? {
            guard from + count <= bytes.count else { return nil }
            var value: Int64 = 0
            for i in from..<(from + count) {
                guard bytes[i] >= 0x30, bytes[i] <= 0x39 else { return nil }
                value = value * 10 + Int64(bytes[i] - 0x30)
            }
            return value
        }
        func mark(_ at: Int, _ character: Character) -> Bool { at < bytes.count && bytes[at] == character.asciiValue }
        guard let year = number(0, 4), mark(4, "-"), let month = number(5, 2), mark(7, "-"), let day = number(8, 2),
            mark(10, "T") || mark(10, "t"), let hour = number(11, 2), mark(13, ":"), let minute = number(14, 2),
            mark(16, ":"), let second = number(17, 2), (1...12).contains(month), (1...31).contains(day), hour < 24,
            minute < 60, second <= 60
        else { return nil }
        var at = 19
        var milliseconds: Int64 = 0
        if mark(at, ".") {
            at += 1
            var unit: Int64 = 100
            let start = at
            while at < bytes.count, bytes[at] >= 0x30, bytes[at] <= 0x39 {
                milliseconds += Int64(bytes[at] - 0x30) * unit
                unit /= 10
                at += 1
            }
            if at == start { return nil }
        }
        var offset: Int64 = 0
        if mark(at, "Z") || mark(at, "z") {
            at += 1
        } else if mark(at, "+") || mark(at, "-") {
            guard let hours = number(at + 1, 2), mark(at + 3, ":"), let minutes = number(at + 4, 2) else { return nil }
            offset = (hours * 60 + minutes) * (mark(at, "-") ? -1 : 1)
            at += 6
        } else {
            return nil
        }
        guard at == bytes.count else { return nil }
        let days = daysSinceEpoch(year, month, day)
        return (((days * 24 + hour) * 60 + minute - offset) * 60 + second) * 1000 + milliseconds
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
