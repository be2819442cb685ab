/// A time that is printed and split into fields as Go's `time.Time` in UTC.
public struct GoTime: CustomStringConvertible, Sendable {
    /// The nanoseconds since the epoch: the years 1677 to 2262.
    public var nanoseconds: Int64

    public init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    /// The seconds since the epoch, rounded down.
    public var seconds: Int64 { CivilTime.floorDivide(nanoseconds, 1_000_000_000) }

    /// The nanoseconds of the second.
    public var fraction: Int64 { nanoseconds &- seconds &* 1_000_000_000 }

    /// `2015-01-01 00:00:00.5 +0000 UTC`.
    public var description: String { format("2006-01-02 15:04:05.999999999 -0700 MST") }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// The name of month 1 to 12: `January`.
    public static func monthName(_ month: Int) -> String {
        months.indices.contains(month - 1) ? months[month - 1] : "%!Month(\(month))"
    }

    /// The name of day 0 to 6 of the week: `Sunday`.
    public static func weekdayName(_ day: Int) -> String {
        days.indices.contains(day) ? days[day] : "%!Weekday(\(day))"
    }

    /// Go's `Time.Format` with a layout that consists of parts of `Mon Jan 2 15:04:05.000 MST 2006`.
    public func format(_ layout: String) -> String {
        let time = CivilTime(secondsSinceEpoch: seconds)
        let hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12
        let month = Self.monthName(Int(time.month))
        let day = Self.weekdayName(Int(time.weekday))
        let fractionDigits = fraction.zeroPadded(9)
        // An element is before those that are its prefixes.
        let elements: [(String, () -> String)] = [
            ("January", { month }), ("Jan", { String(month.prefix(3)) }), ("Monday", { day }),
            ("Mon", { String(day.prefix(3)) }), ("MST", { "UTC" }), ("2006", { time.year.zeroPadded(4) }),
            ("002", { time.dayOfYear.zeroPadded(3) }), ("01", { time.month.zeroPadded(2) }),
            ("02", { time.day.zeroPadded(2) }), ("03", { hour12.zeroPadded(2) }), ("04", { time.minute.zeroPadded(2) }),
            ("05", { time.second.zeroPadded(2) }), ("06", { (time.year % 100).zeroPadded(2) }),
            ("15", { time.hour.zeroPadded(2) }), ("PM", { time.hour >= 12 ? "PM" : "AM" }),
            ("pm", { time.hour >= 12 ? "pm" : "am" }), ("-070000", { "+000000" }), ("-07:00:00", { "+00:00:00" }),
            ("-0700", { "+0000" }), ("-07:00", { "+00:00" }), ("-07", { "+00" }), ("Z070000", { "Z" }),
            ("Z07:00:00", { "Z" }), ("Z0700", { "Z" }), ("Z07:00", { "Z" }), ("Z07", { "Z" }),
            ("_2006", { "_" + time.year.zeroPadded(4) }), ("__2", { Self.blankPadded(time.dayOfYear, 3) }),
            ("_2", { Self.blankPadded(time.day, 2) }), ("1", { String(time.month) }),
            ("2", { String(time.day) }), ("3", { String(hour12) }), ("4", { String(time.minute) }),
            ("5", { String(time.second) }),
        ]
        var out = ""
        var rest = Substring(layout)
        scan: while let first = rest.first {
            if first == "." || first == ",", let kind = rest.dropFirst().first, kind == "0" || kind == "9" {
                let run = rest.dropFirst().prefix { $0 == kind }.count
                let follows = rest.dropFirst(1 + run).first
                if follows?.isNumber != true {
                    var digits = fractionDigits.prefix(min(run, 9))
                    if kind == "9" { while digits.last == "0" { digits = digits.dropLast() } }
                    if !digits.isEmpty { out += String(first) + digits }
                    rest = rest.dropFirst(1 + run)
                    continue
                }
            }
            for (element, text) in elements where rest.hasPrefix(element) {
                // Abbreviations at the start of longer words are not replaced: `Month` and `Janet` stay.
                if element == "Jan" || element == "Mon", let next = rest.dropFirst(3).utf8.first,
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(next)
                {
                    continue
                }
                out += text()
                rest = rest.dropFirst(element.count)
                continue scan
            }
            out.append(first)
            rest = rest.dropFirst()
        }
        return out
    }

    private static func blankPadded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
    }
}
