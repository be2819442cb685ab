import GoCompatibility

/// The methods of Go's `time.Time`, `time.Duration`, `time.Month` and `time.Weekday` that templates may call.
enum TimeMethods {
    /// The parameters of a method of a value; nil if it has no such method.
    static func signature(_ method: String, of value: TemplateValue) -> TemplateSignature? {
        switch value {
        case .time: timeMethods[method]
        case .duration: durationMethods.contains(method) ? TemplateSignature([]) : nil
        case .named(_, let type): type != .int64 && method == "String" ? TemplateSignature([]) : nil
        default: nil
        }
    }

    private static let timeMethods: [String: TemplateSignature] = {
        var methods: [String: TemplateSignature] = [
            "Format": TemplateSignature([.string]), "Add": TemplateSignature([.duration]),
            "Sub": TemplateSignature([.time]), "Before": TemplateSignature([.time]),
            "After": TemplateSignature([.time]), "Equal": TemplateSignature([.time]),
        ]
        for name in [
            "String", "UTC", "Local", "Unix", "UnixMilli", "UnixMicro", "UnixNano", "Year", "Month", "Day", "YearDay",
            "Weekday", "Hour", "Minute", "Second", "Nanosecond",
        ] {
            methods[name] = TemplateSignature([])
        }
        return methods
    }()

    private static let durationMethods: Set<String> = [
        "String", "Nanoseconds", "Microseconds", "Milliseconds", "Seconds", "Minutes", "Hours", "Abs",
    ]

    /// Calls a method with arguments that match its ``signature(_:of:)``.
    static func call(_ method: String, of value: TemplateValue, _ arguments: [TemplateValue]) -> TemplateOutcome {
        let result: TemplateValue?
        switch value {
        case .time(let nanoseconds, _): result = call(method, of: GoTime(nanoseconds: nanoseconds), arguments)
        case .duration(let nanoseconds): result = callDuration(method, nanoseconds)
        case .named(let number, let type): result = type.text(number).map { .string($0) }
        default: result = nil
        }
        return result.map { .value($0) } ?? .failed("result out of range")
    }

    private static func call(_ method: String, of time: GoTime, _ arguments: [TemplateValue]) -> TemplateValue? {
        let civil = CivilTime(secondsSinceEpoch: time.seconds)
        switch (method, arguments.first) {
        case ("Format", .string(let layout)?): return .string(time.format(layout))
        case ("String", nil): return .string(time.description)
        case ("UTC", nil), ("Local", nil): return .time(time.nanoseconds)
        case ("Unix", nil): return .named(time.seconds, .int64)
        case ("UnixMilli", nil): return .named(CivilTime.floorDivide(time.nanoseconds, 1_000_000), .int64)
        case ("UnixMicro", nil): return .named(CivilTime.floorDivide(time.nanoseconds, 1000), .int64)
        case ("UnixNano", nil): return .named(time.nanoseconds, .int64)
        case ("Year", nil): return .integer(civil.year)
        case ("Month", nil): return .named(civil.month, .month)
        case ("Day", nil): return .integer(civil.day)
        case ("YearDay", nil): return .integer(civil.dayOfYear)
        case ("Weekday", nil): return .named(Int64(civil.weekday), .weekday)
        case ("Hour", nil): return .integer(civil.hour)
        case ("Minute", nil): return .integer(civil.minute)
        case ("Second", nil): return .integer(civil.second)
        case ("Nanosecond", nil): return .integer(time.fraction)
        case ("Add", .duration(let by)?):
            let (sum, overflow) = time.nanoseconds.addingReportingOverflow(by)
            return overflow ? nil : .time(sum)
        case ("Sub", .time(let other, _)?):
            let (difference, overflow) = time.nanoseconds.subtractingReportingOverflow(other)
            return overflow ? nil : .duration(difference)
        case ("Before", .time(let other, _)?): return .bool(time.nanoseconds < other)
        case ("After", .time(let other, _)?): return .bool(time.nanoseconds > other)
        case ("Equal", .time(let other, _)?): return .bool(time.nanoseconds == other)
        default: return nil
        }
    }

    private static func callDuration(_ method: String, _ nanoseconds: Int64) -> TemplateValue? {
        switch method {
        case "String": .string(GoDuration.text(nanoseconds))
        case "Nanoseconds": .named(nanoseconds, .int64)
        case "Microseconds": .named(nanoseconds / 1000, .int64)
        case "Milliseconds": .named(nanoseconds / 1_000_000, .int64)
        case "Seconds": .float(Double(nanoseconds) / 1e9)
        case "Minutes": .float(Double(nanoseconds) / 6e10)
        case "Hours": .float(Double(nanoseconds) / 3.6e12)
        case "Abs": .duration(nanoseconds == .min ? .max : abs(nanoseconds))
        default: nil
        }
    }
}
