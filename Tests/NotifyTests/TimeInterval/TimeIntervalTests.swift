import Config
import Model
import Notify
import TestSupport
import Testing

@Suite("Time interval")
struct TimeIntervalTests {
    /// 2024-02-29T12:30:00Z, a Thursday.
    static let leapDay: Int64 = 1_709_209_800_000

    @Test("every condition must hold")
    func conditions() {
        #expect(TimeInterval().contains(Self.leapDay))
        #expect(TimeInterval(times: [750..<751]).contains(Self.leapDay))
        #expect(!TimeInterval(times: [0..<750, 751..<1440]).contains(Self.leapDay))
        #expect(TimeInterval(weekdays: [4...4]).contains(Self.leapDay))
        #expect(!TimeInterval(weekdays: [0...3, 5...6]).contains(Self.leapDay))
        #expect(TimeInterval(months: [2...2], years: [2024...2024]).contains(Self.leapDay))
        #expect(!TimeInterval(months: [2...2], years: [2023...2023]).contains(Self.leapDay))
    }

    @Test("months and years that there are not never match")
    func noSuchMonth() {
        for month in [13, 0, -1] { #expect(!TimeInterval(months: [month...month]).contains(Self.leapDay)) }
        for year in [-1, 99999] { #expect(!TimeInterval(years: [year...year]).contains(Self.leapDay)) }
    }

    @Test("a time zone that is not known is told where it stands")
    func unknownZone() throws {
        let text =
            "route: {receiver: a}\nreceivers: [{name: a}]\n"
            + "time_intervals:\n- name: n\n  time_intervals:\n  - location: Europe/Berln\n"
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let error = #expect(throws: ConfigError.self) {
            try NotifierSettings(config) { _ in RecordingTransport(ManualClock()) }
        }
        #expect(error?.description == "am.yml:6:15: unknown time zone Europe/Berln")
    }

    @Test("receivers and intervals whose names differ in their bytes only are two")
    func exactNames() throws {
        let (a, b) = ("\u{E9}", "e\u{301}")
        let text = """
            route: {receiver: \(a), routes: [{receiver: \(b)}]}
            receivers: [{name: \(a)}, {name: \(b), webhook_configs: [{url: 'http://h'}]}]
            time_intervals: [{name: \(a), time_intervals: [{years: ['1980']}]}, {name: \(b), time_intervals: [{}]}]
            """
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let pipeline = try NotifierSettings(config) { _ in RecordingTransport(ManualClock()) }.pipeline
        #expect(pipeline.receivers[ExactText(a)]?.count == 0)
        #expect(pipeline.receivers[ExactText(b)]?.count == 1)
        #expect(pipeline.mutingIntervals(of: Route(receiver: a, muteTimeIntervals: [a]), at: Self.leapDay) == nil)
        #expect(pipeline.mutingIntervals(of: Route(receiver: a, muteTimeIntervals: [b]), at: Self.leapDay) == [b])
    }

    @Test("days of the month count from the end too")
    func daysOfMonth() {
        func contains(_ begin: Int, _ end: Int) -> Bool {
            TimeInterval(daysOfMonth: [(begin, end)]).contains(Self.leapDay)
        }
        #expect(contains(29, 29))
        #expect(contains(-1, -1))
        #expect(contains(-3, -1))
        #expect(contains(28, 31))
        #expect(contains(1, -1))
        #expect(!contains(1, -2))
        #expect(!contains(30, 31))
        #expect(!contains(-31, -30))
    }

    @Test("the wall clock is that of the zone")
    func zones() throws {
        // 12:30 UTC is 13:30 in Berlin.
        let interval = TimeInterval(times: [810..<811], zone: try TimeZone(named: "Europe/Berlin"))
        #expect(interval.contains(Self.leapDay))
        #expect(!TimeInterval(times: [810..<811]).contains(Self.leapDay))
    }
}

@Suite("Time zone")
struct TimeZoneTests {
    @Test("summer and winter time, in the database's range and behind it")
    func berlin() throws {
        let berlin = try TimeZone(named: "Europe/Berlin")
        // 2024-03-31T01:00Z and 2024-10-27T01:00Z are the changes.
        #expect(berlin.offset(at: 1_711_846_799) == 3600)
        #expect(berlin.offset(at: 1_711_846_800) == 7200)
        #expect(berlin.offset(at: 1_729_990_799) == 7200)
        #expect(berlin.offset(at: 1_729_990_800) == 3600)
        // 2050-07-01 and 2050-12-01: by the rule at the end of the file.
        #expect(berlin.offset(at: 2_540_246_400) == 7200)
        #expect(berlin.offset(at: 2_553_465_600) == 3600)
        #expect(try TimeZone(named: "Australia/Sydney").offset(at: 2_540_246_400) == 36_000)
        #expect(try TimeZone(named: "Australia/Sydney").offset(at: 2_553_465_600) == 39_600)
        #expect(try TimeZone(named: "Asia/Kolkata").offset(at: 1_700_000_000) == 19_800)
    }

    @Test("an unknown zone is an error that names it")
    func unknown() {
        for name in ["Mars/Olympus", "../etc/passwd", "/etc/passwd", "Europe"] {
            #expect(throws: TimeZone.Failure.self) { try TimeZone(named: name) }
        }
    }
}
