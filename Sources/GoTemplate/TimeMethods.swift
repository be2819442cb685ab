import GoCompatibility

/// The methods of Go's `time.Time` and `time.Duration` that templates may call.
enum TimeMethods {
    /// Calls a method of `time.Time`; nil if it is not one that templates may use.
    static func call(_ method: String, of time: GoTime, _ arguments: [TemplateValue]) -> TemplateValue? {
        let civil = CivilTime(secondsSinceEpoch: time.seconds)
        switch (method, arguments.first) {
        case ("Format", .string(let layout)?): return .string(time.format(layout))
        case ("String", nil): return .string(time.description)
        case ("UTC", nil), ("Local", nil): return .time(time.nanoseconds)
        case ("Unix", nil): return .integer(time.seconds)
        case ("UnixMilli", nil): return .integer(CivilTime.floorDivide(time.nanoseconds, 1_000_000))
        case ("UnixMicro", nil): return .integer(CivilTime.floorDivide(time.nanoseconds, 1000))
        case ("UnixNano", nil): return .integer(time.nanoseconds)
        case ("Year", nil): return .integer(civil.year)
        case ("Month", nil): return .string(time.monthName)
        case ("Day", nil): return .integer(civil.day)
        case ("YearDay", nil): return .integer(civil.dayOfYear)
        case ("Weekday", nil): return .string(time.weekdayName)
        case ("Hour", nil): return .integer(civil.hour)
        case ("Minute", nil): return .integer(civil.minute)
        case ("Second", nil): return .integer(civil.second)
        case ("Nanosecond", nil): return .integer(time.fraction)
        case ("Add", .duration(let by)?):
            let (sum, overflow) = time.nanoseconds.addingReportingOverflow(by)
            return overflow ? nil : .time(sum)
        case ("Sub", .time(let other)?):
            let (difference, overflow) = time.nanoseconds.subtractingReportingOverflow(other)
            return overflow ? nil : .duration(difference)
        case ("Before", .time(let other)?): return .bool(time.nanoseconds < other)
        case ("After", .time(let other)?): return .bool(time.nanoseconds > other)
        case ("Equal", .time(let other)?): return .bool(time.nanoseconds == other)
        default: return nil
        }
    }

    /// Calls a method of `time.Duration`; nil if it is not one that templates may use.
    static func callDuration(_ method: String, _ nanoseconds: Int64) -> TemplateValue? {
        switch method {
        case "String": .string(GoDuration.text(nanoseconds))
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
