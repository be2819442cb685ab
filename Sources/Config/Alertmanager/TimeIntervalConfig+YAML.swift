import GoCompatibility
import Model

extension TimeIntervalConfig {
    init(_ node: YAMLNode, _ problems: ConfigProblems) throws(ConfigError) {
        let reader = try MappingReader(node, "config.TimeInterval", problems)
        place = node.place
        name = try reader.string("name", "")
        // A null is an interval without a name, which no route can use.
        if name.isEmpty, !node.isNull { throw node.place.error("missing name in time interval") }
        intervals = []
        for node in try reader.list("time_intervals") {
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
        for node in try reader.list("times") {
            // No time at all.
            if node.isNull {
                times.append(0..<0)
                continue
            }
            let range = try reader.child(node, "timeinterval.TimeRange")
            let (first, last) = (try range.string("start_time", ""), try range.string("end_time", ""))
            if first.isEmpty || last.isEmpty {
                throw range.place.error("both start and end times must be provided")
            }
            let (start, end) = (try Self.minutes(first, range.place), try Self.minutes(last, range.place))
            range.finish()
            guard start < end else { throw node.place.error("start time cannot be equal or greater than end time") }
            times.append(start..<end)
        }
        for (range, place) in try Self.ranges(reader, "weekdays", Self.weekday) {
            guard range.begin <= range.end else { throw place.error("start day cannot be before end day") }
            weekdays.append(range.begin...range.end)
        }
        let days = reader.node("days_of_month")?.elements ?? []
        for ((range, place), node) in zip(try Self.ranges(reader, "days_of_month", Self.number), days) {
            daysOfMonth.append(node.isNull ? range : try Self.checkedDays(range, place))
        }
        for (range, place) in try Self.ranges(reader, "months", Self.month) {
            guard range.begin <= range.end else {
                let (end, begin) = (Self.monthName(range.end), Self.monthName(range.begin))
                throw place.error("end month \(end) is before start month \(begin)")
            }
            months.append(range.begin...range.end)
        }
        for (range, place) in try Self.ranges(reader, "years", Self.number) {
            guard range.begin <= range.end else {
                throw place.error("end year \(range.end) is before start year \(range.begin)")
            }
            years.append(range.begin...range.end)
        }
        reader.finish()
    }

    private static func minutes(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> Int {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let isDigits = parts.allSatisfy { part in
            part.utf8.count == 2 && part.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        }
        guard parts.count == 2, isDigits, let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60,
            hour < 24 || (hour == 24 && minute == 0)
        else { throw place.error("couldn't parse timestamp \(text), invalid format") }
        return hour * 60 + minute
    }

    private static func weekday(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> Int {
        guard let day = weekdayNames.firstIndex(of: text) else { throw place.error("\(text) is not a valid weekday") }
        return day
    }

    private static func month(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> Int {
        if let index = monthNames.firstIndex(of: text) { return index + 1 }
        guard let month = Int(text) else { throw place.error("\(text) is not a valid month") }
        return month
    }

    /// The name of a month; empty if the month does not exist.
    private static func monthName(_ month: Int) -> String {
        (1...12).contains(month) ? monthNames[month - 1] : ""
    }

    private static func number(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> Int {
        guard let number = Int(text) else {
            throw place.error("strconv.Atoi: parsing \(GoQuote.quote(text)): invalid syntax")
        }
        return number
    }

    private typealias Bounds = (begin: Int, end: Int)

    /// Ranges such as `a:b` or single members, with the place of the key.
    private static func ranges(
        _ reader: MappingReader, _ key: String, _ member: (String, ConfigPlace) throws(ConfigError) -> Int
    ) throws(ConfigError) -> [(Bounds, ConfigPlace)] {
        let place = reader.place(of: key)
        var result: [(Bounds, ConfigPlace)] = []
        let elements = reader.node(key)?.elements ?? []
        for (text, element) in zip(try reader.strings(key) ?? [], elements) {
            // As Alertmanager has it, which does not read it: Sunday, or no day, month or year.
            if element.isNull {
                result.append(((0, 0), place))
                continue
            }
            let lower = GoCase.lower(text)
            let parts = lower.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 2, let first = parts.first, let last = parts.last else {
                throw place.error("couldn't parse range \(lower), invalid format")
            }
            result.append(((try member(first, place), try member(last, place)), place))
        }
        return result
    }

    private static func checkedDays(_ range: Bounds, _ place: ConfigPlace) throws(ConfigError) -> Bounds {
        for day in [range.begin, range.end] where day == 0 || day < -31 || day > 31 {
            throw place.error("\(day) is not a valid day of the month: out of range")
        }
        if range.begin < 0, range.end > 0 { throw place.error("end day must be negative if start day is negative") }
        // Values with different signs are compared for the shortest month.
        let (begin, end) = (
            range.begin < 0 ? 28 + range.begin : range.begin, range.end < 0 ? 28 + range.end : range.end
        )
        if begin > end { throw place.error("end day \(range.end) is always before start day \(range.begin)") }
        return range
    }
}
