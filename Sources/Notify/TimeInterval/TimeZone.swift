import Glibc
import GoCompatibility
import Platform

/// The offset of a place from UTC over time, read from the system's time zone database (RFC 8536).
package struct TimeZone: Sendable {
    package let name: String
    /// The times, in seconds, at which offsets begin; ascending.
    private let transitions: [Int64]
    /// Seconds east of UTC.
    ///
    /// There is one more than transitions; the first applies before them.
    private let offsets: [Int64]
    /// The abbreviation of each of ``offsets``: `CET`.
    private let names: [String]
    /// The rule after the last transition.
    private let rule: TimeZoneRule?

    package static let utc = TimeZone(name: "UTC", transitions: [], offsets: [0], names: ["UTC"], rule: nil)

    /// The reason why a zone cannot be used.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package var description: String
    }

    private init(name: String, transitions: [Int64], offsets: [Int64], names: [String], rule: TimeZoneRule?) {
        self.name = name
        self.transitions = transitions
        self.offsets = offsets
        self.names = names
        self.rule = rule
    }

    /// Reads a zone such as `Europe/Berlin`, `Local` or `UTC`.
    ///
    /// - Parameter folder: The database.
    package init(named name: String, folder: String = "/usr/share/zoneinfo") throws(Failure) {
        if name.isEmpty || name == "UTC" {
            self = .utc
            return
        }
        let isName = name.utf8.allSatisfy { c in
            (c | 0x20 >= UInt8(ascii: "a") && c | 0x20 <= UInt8(ascii: "z"))
                || (c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9")) || "/_+-".utf8.contains(c)
        }
        guard isName, !name.hasPrefix("/") else { throw Failure(description: "unknown time zone \(name)") }
        let path = name == "Local" ? "/etc/localtime" : folder + "/" + name
        guard let bytes = Self.read(path), let zone = Self.decode(bytes, name: name) else {
            throw Failure(description: "unknown time zone \(name)")
        }
        self = zone
    }

    private static func read(_ path: String) -> [UInt8]? {
        // All zones have at most a few kilobytes; a directory cannot be read.
        try? RegularFile.content(path, limit: 1 << 18)
    }

    private static func integer(_ bytes: [UInt8], _ at: Int, _ size: Int) -> Int64? {
        guard at >= 0, at + size <= bytes.count else { return nil }
        var value: UInt64 = 0
        for i in 0..<size { value = value << 8 | UInt64(bytes[at + i]) }
        return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(truncatingIfNeeded: value)
    }

    /// Decodes a TZif file of version 2 or later.
    static func decode(_ bytes: [UInt8], name: String) -> TimeZone? {
        guard bytes.starts(with: "TZif".utf8), bytes.count > 44, bytes[4] >= UInt8(ascii: "2") else { return nil }
        func counts(_ at: Int) -> [Int]? {
            var result: [Int] = []
            for i in 0..<6 {
                guard let count = integer(bytes, at + 20 + 4 * i, 4), count >= 0, count < 100_000 else { return nil }
                result.append(Int(count))
            }
            return result
        }
        // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt; the first block has 32-bit times and is skipped.
        guard let first = counts(0) else { return nil }
        let second = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
        guard second + 44 <= bytes.count, bytes[second...].starts(with: "TZif".utf8), let n = counts(second) else {
            return nil
        }
        let times = second + 44
        let indexes = times + n[3] * 8
        let types = indexes + n[3]
        let footer = types + n[4] * 6 + n[5] + n[2] * 12 + n[1] + n[0]
        guard footer <= bytes.count, n[4] > 0, let initial = integer(bytes, types, 4) else { return nil }
        var transitions: [Int64] = []
        var offsets = [initial]
        let letters = bytes[(types + 6 * n[4])..<(types + 6 * n[4] + n[5])]
        func abbreviation(_ type: Int) -> String {
            String(decoding: letters.dropFirst(Int(bytes[types + 6 * type + 5])).prefix { $0 != 0 }, as: UTF8.self)
        }
        var names = [abbreviation(0)]
        for i in 0..<n[3] {
            guard let time = integer(bytes, times + 8 * i, 8), Int(bytes[indexes + i]) < n[4],
                let offset = integer(bytes, types + 6 * Int(bytes[indexes + i]), 4)
            else { return nil }
            transitions.append(time)
            offsets.append(offset)
            names.append(abbreviation(Int(bytes[indexes + i])))
        }
        let rest = bytes[footer...].dropFirst().prefix { $0 != 0x0A }
        return TimeZone(
            name: name, transitions: transitions, offsets: offsets, names: names,
            rule: TimeZoneRule(String(decoding: rest, as: UTF8.self)))
    }

    /// The seconds east of UTC at a time in seconds since the epoch.
    package func offset(at seconds: Int64) -> Int64 { place(at: seconds).offset }

    /// The seconds east of UTC and the abbreviation at a time in seconds since the epoch.
    package func place(at seconds: Int64) -> (offset: Int64, name: String) {
        if let rule, transitions.last.map({ seconds >= $0 }) ?? true { return rule.place(at: seconds) }
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle] <= seconds { low = middle + 1 } else { high = middle }
        }
        return (offsets[low], names[low])
    }
}

/// The rule for the future at the end of a zone's file, in POSIX format: `CET-1CEST,M3.5.0,M10.5.0/3`.
struct TimeZoneRule: Sendable {
    /// Week 1 … 5 (the last) of a month, a weekday, and seconds since midnight.
    private struct Change: Sendable {
        var month: Int
        var week: Int
        var weekday: Int
        var time: Int64
    }
    private let standard: Int64
    private let daylight: Int64
    private let standardName: String
    private let daylightName: String
    private let begin: Change?
    private let end: Change?

    /// Reads the rule; nil if it is empty or has a form that the database does not use.
    init?(_ text: String) {
        var rest = Substring(text)
        /// `[+-]hh[:mm[:ss]]` in seconds.
        func time() -> Int64? {
            var sign: Int64 = 1
            if rest.first == "-" || rest.first == "+" { sign = rest.removeFirst() == "-" ? -1 : 1 }
            var total: Int64 = 0
            var unit: Int64 = 3600
            while unit > 0 {
                let digits = rest.prefix { $0.isNumber }
                guard let value = Int64(digits), value <= 167 else { return nil }
                total += value * unit
                rest = rest.dropFirst(digits.count)
                guard rest.first == ":" else { break }
                rest = rest.dropFirst()
                unit /= 60
            }
            return sign * total
        }
        func change() -> Change? {
            guard rest.hasPrefix(",M") else { return nil }
            rest = rest.dropFirst(2)
            let parts = rest.prefix { $0 != "," && $0 != "/" }
            rest = rest.dropFirst(parts.count)
            let numbers = parts.split(separator: ".").compactMap { Int($0) }
            guard numbers.count == 3, (1...12).contains(numbers[0]), (1...5).contains(numbers[1]),
                (0...6).contains(numbers[2])
            else { return nil }
            var at: Int64 = 7200
            if rest.first == "/" {
                rest = rest.dropFirst()
                guard let seconds = time() else { return nil }
                at = seconds
            }
            return Change(month: numbers[0], week: numbers[1], weekday: numbers[2], time: at)
        }
        guard let name = Self.name(&rest), let west = time() else { return nil }
        standard = -west
        standardName = name
        if rest.isEmpty {
            daylight = standard
            daylightName = name
            begin = nil
            end = nil
            return
        }
        guard let summer = Self.name(&rest) else { return nil }
        daylightName = summer
        if rest.first == "," {
            daylight = standard + 3600
        } else {
            guard let west = time() else { return nil }
            daylight = -west
        }
        guard let first = change(), let second = change() else { return nil }
        begin = first
        end = second
    }

    /// Reads the abbreviation of a zone.
    private static func name(_ rest: inout Substring) -> String? {
        if rest.first == "<" {
            guard let close = rest.firstIndex(of: ">") else { return nil }
            let name = rest[..<close].dropFirst()
            rest = rest[rest.index(after: close)...]
            return String(name)
        }
        let letters = rest.prefix { $0.isLetter }
        rest = rest.dropFirst(letters.count)
        return letters.count >= 3 ? String(letters) : nil
    }

    /// The time of a change in a year, in local seconds since the epoch.
    private static func moment(_ change: Change, _ year: Int64) -> Int64 {
        let first = CivilTime.daysSinceEpoch(year, Int64(change.month), 1)
        let weekday = ((first + 4) % 7 + 7) % 7
        var day = first + (Int64(change.weekday) - weekday + 7) % 7 + Int64(change.week - 1) * 7
        let next =
            change.month == 12
            ? CivilTime.daysSinceEpoch(year + 1, 1, 1) : CivilTime.daysSinceEpoch(year, Int64(change.month) + 1, 1)
        while day >= next { day -= 7 }
        return day * 86_400 + change.time
    }

    func place(at seconds: Int64) -> (offset: Int64, name: String) {
        guard let begin, let end else { return (standard, standardName) }
        let year = CivilTime(secondsSinceEpoch: seconds &+ standard).year
        let from = Self.moment(begin, year) - standard
        let to = Self.moment(end, year) - daylight
        let isDaylight = from < to ? seconds >= from && seconds < to : seconds >= from || seconds < to
        return isDaylight ? (daylight, daylightName) : (standard, standardName)
    }
}
