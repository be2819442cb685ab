import Model

extension TimeIntervalConfig {
    init(_ node: YAMLNode, _ problems: ConfigProblems) throws(ConfigError) {
        let reader = try MappingReader(node, "config.TimeInterval", problems)
        name = try reader.string("name", "")
        if name.isEmpty { throw node.place.error("missing name in time interval") }
        intervals = []
        for node in try reader.list("time_intervals", empty: "empty or null time interval") {
            intervals.append(try Interval(try reader.child(node, "timeinterval.TimeInterval")))
        }
        reader.finish()
    }
}

extension TimeIntervalConfig.Interval {
    private static let weekdayNames = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
    private static let monthNames = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]

    init(_ reader: MappingReader) throws(ConfigError) {
        locationPlace = reader.node("location")?.place ?? reader.place
        location = try reader.string("location", "")
        for node in try reader.list("times", empty: "empty or null time range") {
            let range = try reader.child(node, "timeinterval.TimeRange")
            let start = try Self.minutes(try range.string("start_time", ""), range.place)
            let end = try Self.minutes(try range.string("end_time", ""), range.place)
            range.finish()
            guard start < end else { throw node.place.error("start time cannot be equal or greater than end time") }
            times.append(start..<end)
        }
        weekdays = try Self.ranges(reader, "weekdays", 0...6) { text in
            Self.weekdayNames.firstIndex(of: text.lowercased()) ?? Int(text)
        }
        months = try Self.ranges(reader, "months", 1...12) { text in
            Self.monthNames.firstIndex(of: text.lowercased()).map { $0 + 1 } ?? Int(text)
        }
        years = try Self.ranges(reader, "years", 0...9999) { Int($0) }
        for text in try reader.strings("days_of_month") ?? [] {
            daysOfMonth.append(try Self.dayRange(text, reader.place(of: "days_of_month")))
        }
        reader.finish()
    }

    private static func minutes(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> Int {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), hour >= 0, minute >= 0, minute < 60, hour < 24 || (hour == 24 && minute == 0)
        else { throw place.error("couldn't parse timestamp \(text), invalid format") }
        return hour * 60 + minute
    }

    private static func ranges(
        _ reader: MappingReader, _ key: String, _ bounds: ClosedRange<Int>, _ read: (String) -> Int?
    ) throws(ConfigError) -> [ClosedRange<Int>] {
        var result: [ClosedRange<Int>] = []
        for text in try reader.strings(key) ?? [] {
            let place = reader.place(of: key)
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 2, let first = read(parts[0]), let last = read(parts.count == 2 ? parts[1] : parts[0])
            else { throw place.error("\(text) is not a valid range in \(key)") }
            guard bounds.contains(first), bounds.contains(last) else {
                throw place.error("\(text) is out of range in \(key)")
            }
            guard first <= last else { throw place.error("start of \(key) cannot be after its end: \(text)") }
            result.append(first...last)
        }
        return result
    }

    private static func dayRange(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> (begin: Int, end: Int) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, let begin = Int(parts[0]), let end = Int(parts.count == 2 ? parts[1] : parts[0]) else {
            throw place.error("\(text) is not a valid range of days of a month")
        }
        for day in [begin, end] where day == 0 || day < -31 || day > 31 {
            throw place.error("\(day) is not a valid day of the month: out of range")
        }
        if begin < 0, end > 0 { throw place.error("end day must be negative if start day is negative") }
        // Signs that differ can only be compared in a certain month: the shortest still has 28 days.
        let lastPositive = end < 0 ? end + (begin > 0 ? 32 : 0) : end
        if begin > lastPositive { throw place.error("end day \(end) is always before start day \(begin)") }
        return (begin, end)
    }
}
