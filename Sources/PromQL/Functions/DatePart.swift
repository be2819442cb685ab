import GoCompatibility

/// The parts of the date and time of a value in Unix seconds, in UTC; NaN for values that are not times.
enum DatePart {
    static let minute = of { Double($0.minute) }
    static let hour = of { Double($0.hour) }
    static let dayOfWeek = of { Double($0.weekday) }
    static let dayOfMonth = of { Double($0.day) }
    static let dayOfYear = of { Double($0.dayOfYear) }
    static let daysInMonth = of { Double(CivilTime.days(inMonth: $0.month, of: $0.year)) }
    static let month = of { Double($0.month) }
    static let year = of { Double($0.year) }

    private static func of(_ part: @escaping @Sendable (CivilTime) -> Double) -> @Sendable (Double) -> Double {
        { value in
            guard value.isFinite, value.magnitude < 1e15 else { return .nan }
            return part(CivilTime(secondsSinceEpoch: Int64(value)))
        }
    }
}
