import Glibc
import GoCompatibility

/// A repeating set of times: times of day, weekdays, days of the month, months, years.
///
/// An empty list matches all.
package struct TimeInterval: Sendable {
    package var times: [Range<Int>] = []
    /// 0 is Sunday.
    package var weekdays: [ClosedRange<Int>] = []
    /// 1 … 31, or −1 (the last) … −31; `begin` may be after `end` if they have different signs.
    package var daysOfMonth: [(begin: Int, end: Int)] = []
    package var months: [ClosedRange<Int>] = []
    package var years: [ClosedRange<Int>] = []
    package var zone: TimeZone

    /// - Parameters:
    ///   - times: Minutes since midnight, the end exclusive; 1440 is the end of the day.
    ///   - zone: The time zone of the times.
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

    /// Whether the time `milliseconds` is in the interval.
    package func contains(_ milliseconds: Int64) -> Bool {
        let seconds = CivilTime.floorDivide(milliseconds, 1000)
        let time = CivilTime(secondsSinceEpoch: seconds &+ zone.offset(at: seconds))
        let minute = Int(time.hour * 60 + time.minute)
        let (year, month, day) = (Int(time.year), Int(time.month), Int(time.day))
        guard times.isEmpty || times.contains(where: { $0.contains(minute) }) else { return false }
        guard weekdays.isEmpty || weekdays.contains(where: { $0.contains(time.weekday) }) else { return false }
        guard months.isEmpty || months.contains(where: { $0.contains(month) }) else { return false }
        guard years.isEmpty || years.contains(where: { $0.contains(year) }) else { return false }
        if daysOfMonth.isEmpty { return true }
        let last = Int(CivilTime.days(inMonth: time.month, of: time.year))
        return daysOfMonth.contains { range in
            var begin = range.begin < 0 ? last + range.begin + 1 : range.begin
            var end = range.end < 0 ? last + range.end + 1 : range.end
            // The range is after the end of this month.
            if begin > last || end < 1 || begin > end { return false }
            begin = max(begin, 1)
            end = min(end, last)
            return day >= begin && day <= end
        }
    }
}
