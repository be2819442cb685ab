import Glibc
import Model

/// A moment, printed and taken apart like Go's `time.Time` in UTC.
struct GoTime: CustomStringConvertible {
    var nanoseconds: Int64

    private var seconds: Int64 { Self.floorDivide(nanoseconds, 1_000_000_000) }
    private var fraction: Int64 { nanoseconds &- seconds &* 1_000_000_000 }

    static func floorDivide(_ a: Int64, _ b: Int64) -> Int64 {
        let (quotient, rest) = a.quotientAndRemainder(dividingBy: b)
        return rest < 0 ? quotient - 1 : quotient
    }

    private var parts: tm {
        var parts = tm()
        var time = time_t(seconds)
        gmtime_r(&time, &parts)
        return parts
    }

    static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// `2015-01-01 00:00:00.5 +0000 UTC`.
    var description: String { format("2006-01-02 15:04:05.999999999 -0700 MST") }

    private static let months = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
        "December",
    ]
    private static let days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]

    /// Go's `Time.Format` with a layout made of parts of `Mon Jan 2 15:04:05.000 MST 2006`.
    func format(_ layout: String) -> String {
        let parts = parts
        let hour12 = Int(parts.tm_hour) % 12 == 0 ? 12 : Int(parts.tm_hour) % 12
        let month = Self.months[Int(parts.tm_mon) % 12]
        let day = Self.days[Int(parts.tm_wday) % 7]
        let fractionDigits = Self.padded(Int(fraction), 9)
        // Longest first where one is the beginning of another.
        let elements: [(String, () -> String)] = [
            ("January", { month }), ("Jan", { String(month.prefix(3)) }), ("Monday", { day }),
            ("Mon", { String(day.prefix(3)) }), ("MST", { "UTC" }),
            ("2006", { Self.padded(Int(parts.tm_year) + 1900, 4) }),
            ("002", { Self.padded(Int(parts.tm_yday) + 1, 3) }), ("01", { Self.padded(Int(parts.tm_mon) + 1, 2) }),
            ("02", { Self.padded(Int(parts.tm_mday), 2) }), ("03", { Self.padded(hour12, 2) }),
            ("04", { Self.padded(Int(parts.tm_min), 2) }), ("05", { Self.padded(Int(parts.tm_sec), 2) }),
            ("06", { Self.padded((Int(parts.tm_year) + 1900) % 100, 2) }),
            ("15", { Self.padded(Int(parts.tm_hour), 2) }), ("PM", { parts.tm_hour >= 12 ? "PM" : "AM" }),
            ("pm", { parts.tm_hour >= 12 ? "pm" : "am" }), ("-07:00", { "+00:00" }), ("-0700", { "+0000" }),
            ("-07", { "+00" }), ("Z07:00", { "Z" }), ("Z0700", { "Z" }),
            ("_2", { parts.tm_mday < 10 ? " \(parts.tm_mday)" : "\(parts.tm_mday)" }),
            ("1", { String(Int(parts.tm_mon) + 1) }), ("2", { String(parts.tm_mday) }), ("3", { String(hour12) }),
            ("4", { String(parts.tm_min) }), ("5", { String(parts.tm_sec) }),
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
                out += text()
                rest = rest.dropFirst(element.count)
                continue scan
            }
            out.append(first)
            rest = rest.dropFirst()
        }
        return out
    }

    /// Calls a method of `time.Time`; nil if it is not one that templates may use.
    func call(_ method: String, _ arguments: [TemplateValue]) -> TemplateValue? {
        let parts = parts
        switch (method, arguments.first) {
        case ("Format", .string(let layout)?): return .string(format(layout))
        case ("String", nil): return .string(description)
        case ("UTC", nil), ("Local", nil): return .time(nanoseconds)
        case ("Unix", nil): return .integer(seconds)
        case ("UnixMilli", nil): return .integer(Self.floorDivide(nanoseconds, 1_000_000))
        case ("UnixMicro", nil): return .integer(Self.floorDivide(nanoseconds, 1000))
        case ("UnixNano", nil): return .integer(nanoseconds)
        case ("Year", nil): return .integer(Int64(parts.tm_year) + 1900)
        case ("Month", nil): return .string(Self.months[Int(parts.tm_mon) % 12])
        case ("Day", nil): return .integer(Int64(parts.tm_mday))
        case ("YearDay", nil): return .integer(Int64(parts.tm_yday) + 1)
        case ("Weekday", nil): return .string(Self.days[Int(parts.tm_wday) % 7])
        case ("Hour", nil): return .integer(Int64(parts.tm_hour))
        case ("Minute", nil): return .integer(Int64(parts.tm_min))
        case ("Second", nil): return .integer(Int64(parts.tm_sec))
        case ("Nanosecond", nil): return .integer(fraction)
        case ("Add", .duration(let by)?):
            let (sum, overflow) = nanoseconds.addingReportingOverflow(by)
            return overflow ? nil : .time(sum)
        case ("Sub", .time(let other)?):
            let (difference, overflow) = nanoseconds.subtractingReportingOverflow(other)
            return overflow ? nil : .duration(difference)
        case ("Before", .time(let other)?): return .bool(nanoseconds < other)
        case ("After", .time(let other)?): return .bool(nanoseconds > other)
        case ("Equal", .time(let other)?): return .bool(nanoseconds == other)
        default: return nil
        }
    }

    // MARK: Durations

    /// `time.Duration.String`: `1h2m3.5s`, `1.5ms`, `0s`.
    static func duration(_ nanoseconds: Int64) -> String {
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

    /// Calls a method of `time.Duration`; nil if it is not one that templates may use.
    static func callDuration(_ method: String, _ nanoseconds: Int64) -> TemplateValue? {
        switch method {
        case "String": .string(duration(nanoseconds))
        case "Nanoseconds": .integer(nanoseconds)
        case "Microseconds": .integer(nanoseconds / 1000)
        case "Milliseconds": .integer(nanoseconds / 1_000_000)
        case "Seconds": .float(Double(nanoseconds) / 1e9)
        case "Minutes": .float(Double(nanoseconds) / 6e10)
        case "Hours": .float(Double(nanoseconds) / 3.6e12)
        case "Abs": .duration(nanoseconds == .min ? .max : abs(nanoseconds))
        default: nil
        }
    }
}
