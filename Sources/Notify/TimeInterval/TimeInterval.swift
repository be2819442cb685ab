import Glibc

/// A set of moments that repeats: times of day, weekdays, days of the month, months, years.
///
/// An empty list accepts all.
package struct TimeInterval: Sendable {
    package var times: [Range<Int>] = []
    /// 0 is Sunday.
    package var weekdays: [ClosedRange<Int>] = []
    /// 1 … 31, or −1 (the last) … −31; `begin` may be behind `end` when they have different signs.
    package var daysOfMonth: [(begin: Int, end: Int)] = []
    package var months: [ClosedRange<Int>] = []
    package var years: [ClosedRange<Int>] = []
    package var zone: TimeZone

    /// - Parameters:
    ///   - times: Minutes since midnight, the end exclusive; 1440 is the end of the day.
    ///   - zone: Where the wall clock hangs.
    package init(
        times: [Range<Int>] = [], weekdays: [ClosedRange<Int>] = [], daysOfMonth: [(begin: Int, end: Int)] = [],
        months: [ClosedRange<Int>] = [], years: [ClosedRange<Int>] = [], zone: TimeZone = .utc
    ) {
        self.times = times
        self.weekdays = weekdays
        self.daysOfMonth = daysOfMonth
        self.months = months
        self.years = years
        self.zone = zone
    }

    /// Whether the moment `milliseconds` lies in the interval.
    package func contains(_ milliseconds: Int64) -> Bool {
        let (quotient, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let seconds = rest < 0 ? quotient - 1 : quotient
        var local = time_t(seconds &+ zone.offset(at: seconds))
        var parts = tm()
        gmtime_r(&local, &parts)
        let (year, month, day) = (Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday))
        let minute = Int(parts.tm_hour) * 60 + Int(parts.tm_min)
        guard times.isEmpty || times.contains(where: { $0.contains(minute) }) else { return false }
        guard weekdays.isEmpty || weekdays.contains(where: { $0.contains(Int(parts.tm_wday)) }) else { return false }
        guard months.isEmpty || months.contains(where: { $0.contains(month) }) else { return false }
        guard years.isEmpty || years.contains(where: { $0.contains(year) }) else { return false }
        if daysOfMonth.isEmpty { return true }
        let last = Self.days(in: month, of: year)
        return daysOfMonth.contains { range in
            var begin = range.begin < 0 ? last + range.begin + 1 : range.begin
            var end = range.end < 0 ? last + range.end + 1 : range.end
            // A range that lies behind the end of this month.
            if begin > last || end < 1 || begin > end { return false }
            begin = max(begin, 1)
            end = min(end, last)
            return day >= begin && day <= end
        }
    }

    private static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}
