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
            "IsZero", "String", "UTC", "Local", "Unix", "UnixMilli", "UnixMicro", "UnixNano", "Year", "Month", "Day",
            "YearDay",
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
        case .time(let time, _): result = call(method, of: time, arguments)
        case .duration(let nanoseconds): result = callDuration(method, nanoseconds)
        case .named(let number, let type): result = type.text(number).map { .string($0) }
        default: result = nil
        }
        return result.map { .value($0) } ?? .failed("result out of range")
    }

    private static func call(_ method: String, of time: GoTime, _ arguments: [TemplateValue]) -> TemplateValue? {
        let civil = time.civil
        switch (method, arguments.first) {
        case ("Format", .string(let layout)?): return .string(time.format(layout))
        case ("String", nil): return .string(time.description)
        case ("UTC", nil), ("Local", nil):
            return .time(GoTime(seconds: time.seconds, fraction: time.fraction))
        case ("Unix", nil): return .named(time.seconds, .int64)
        case ("UnixMilli", nil): return Self.unix(time, perSecond: 1000)
        case ("UnixMicro", nil): return Self.unix(time, perSecond: 1_000_000)
        case ("UnixNano", nil): return time.nanoseconds.map { .named($0, .int64) }
        case ("IsZero", nil): return .bool(time.isSameMoment(as: .zero))
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
            return time.adding(by).map { .time($0) }
        case ("Sub", .time(let other, _)?):
            return .duration(time.since(other))
        case ("Before", .time(let other, _)?): return .bool(time.isBefore(other))
        case ("After", .time(let other, _)?): return .bool(other.isBefore(time))
        case ("Equal", .time(let other, _)?): return .bool(time.isSameMoment(as: other))
        default: return nil
        }
    }

    private static func unix(_ time: GoTime, perSecond: Int64) -> TemplateValue? {
        let (whole, overflow) = time.seconds.multipliedReportingOverflow(by: perSecond)
        let (sum, exceeds) = whole.addingReportingOverflow(time.fraction / (1_000_000_000 / perSecond))
        return overflow || exceeds ? nil : .named(sum, .int64)
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
