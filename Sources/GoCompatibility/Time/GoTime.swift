/// A time that is printed and split into fields as Go's `time.Time`, in UTC or in another zone.
public struct GoTime: CustomStringConvertible, Sendable {
    /// The seconds since the epoch, rounded down.
    public var seconds: Int64
    /// The nanoseconds of the second.
    public var fraction: Int64
    /// The seconds east of UTC at this time.
    public var offset: Int64 = 0
    /// The abbreviation of the zone at this time: `CET`.
    public var zone = "UTC"

    /// The zero value of Go's type: the beginning of the year 1.
    public static let zero = GoTime(seconds: -62_135_596_800)

    public init(seconds: Int64, fraction: Int64 = 0) {
        self.seconds = seconds
        self.fraction = fraction
    }

    /// A time in nanoseconds since the epoch: the years 1677 to 2262.
    public init(nanoseconds: Int64) {
        seconds = CivilTime.floorDivide(nanoseconds, 1_000_000_000)
        fraction = nanoseconds &- seconds &* 1_000_000_000
    }

    /// The nanoseconds since the epoch; nil if they do not fit.
    public var nanoseconds: Int64? {
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, exceeds) = whole.addingReportingOverflow(fraction)
        if !overflow, !exceeds { return sum }
        // The first second is only partly representable.
        return seconds == -9_223_372_037 && fraction >= 145_224_192 ? .min + (fraction - 145_224_192) : nil
    }

    /// The fields of the time in its zone.
    public var civil: CivilTime { CivilTime(secondsSinceEpoch: seconds &+ offset) }

    /// Whether both are the same moment, in any zones.
    public func isSameMoment(as other: GoTime) -> Bool { seconds == other.seconds && fraction == other.fraction }

    public func isBefore(_ other: GoTime) -> Bool {
        seconds == other.seconds ? fraction < other.fraction : seconds < other.seconds
    }

    /// The time a duration later, in the same zone; nil if it is out of range.
    public func adding(_ duration: Int64) -> GoTime? {
        let whole = CivilTime.floorDivide(duration, 1_000_000_000)
        let rest = fraction + (duration &- whole &* 1_000_000_000)
        let (sum, overflow) = seconds.addingReportingOverflow(whole + rest / 1_000_000_000)
        if overflow { return nil }
        var result = self
        (result.seconds, result.fraction) = (sum, rest % 1_000_000_000)
        return result
    }

    /// The nanoseconds since another time; the nearest that fit.
    public func since(_ other: GoTime) -> Int64 {
        let limit: Int64 = isBefore(other) ? .min : .max
        let (difference, overflow) = seconds.subtractingReportingOverflow(other.seconds)
        let (whole, exceeds) = difference.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isOut) = whole.addingReportingOverflow(fraction - other.fraction)
        return overflow || exceeds || isOut ? limit : sum
    }

    /// The offset as in layouts: `+0100` for `-0700`, and `Z` in UTC for layouts that begin with Z.
    func offsetText(_ element: String) -> String {
        if element.hasPrefix("Z"), offset == 0 { return "Z" }
        let size = offset.magnitude
        let separator = element.contains(":") ? ":" : ""
        var text = (offset < 0 ? "-" : "+") + (size / 3600).zeroPadded(2)
        if element.utf8.count > 3 { text += separator + (size / 60 % 60).zeroPadded(2) }
        if element.utf8.count > 6 { text += separator + (size % 60).zeroPadded(2) }
        return text
    }

    /// `2015-01-01 00:00:00.5 +0000 UTC`.
    public var description: String { format("2006-01-02 15:04:05.999999999 -0700 MST") }

    static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

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
        let time = civil
        let hour12 = time.hour % 12 == 0 ? 12 : time.hour % 12
        let month = Self.monthName(Int(time.month))
        let day = Self.weekdayName(Int(time.weekday))
        let fractionDigits = fraction.zeroPadded(9)
        // An element is before those that are its prefixes.
        let elements: [(String, () -> String)] = [
            ("January", { month }), ("Jan", { String(month.prefix(3)) }), ("Monday", { day }),
            ("Mon", { String(day.prefix(3)) }), ("MST", { zone }), ("2006", { time.year.zeroPadded(4) }),
            ("002", { time.dayOfYear.zeroPadded(3) }), ("01", { time.month.zeroPadded(2) }),
            ("02", { time.day.zeroPadded(2) }), ("03", { hour12.zeroPadded(2) }), ("04", { time.minute.zeroPadded(2) }),
            ("05", { time.second.zeroPadded(2) }), ("06", { (time.year % 100).zeroPadded(2) }),
            ("15", { time.hour.zeroPadded(2) }), ("PM", { time.hour >= 12 ? "PM" : "AM" }),
            ("pm", { time.hour >= 12 ? "pm" : "am" }), ("_2006", { "_" + time.year.zeroPadded(4) }),
            ("__2", { Self.blankPadded(time.dayOfYear, 3) }),
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
            for element in Self.offsetElements where rest.hasPrefix(element) {
                out += offsetText(element)
                rest = rest.dropFirst(element.count)
                continue scan
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

    /// An element is before those that are its prefixes.
    static let offsetElements = [
        "-070000", "-07:00:00", "-0700", "-07:00", "-07", "Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07",
    ]

    private static func blankPadded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, width - digits.utf8.count)) + digits
    }
}
