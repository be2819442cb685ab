import Glibc
import GoCompatibility
import TestSupport
import Testing

@Suite("Civil times")
struct CivilTimeTests {
    @Test("every day of 2,000 years around the epoch equals gmtime's, and its number comes back")
    func days() {
        for day in stride(from: Int64(-365_243), to: 365_243, by: 1) {
            var seconds = time_t(day * 86_400 + 86_399)
            var parts = tm()
            gmtime_r(&seconds, &parts)
            let time = CivilTime(secondsSinceEpoch: Int64(seconds))
            let isRight =
                time.year == Int64(parts.tm_year) + 1900 && time.month == Int64(parts.tm_mon) + 1
                && time.day == Int64(parts.tm_mday) && time.weekday == Int(parts.tm_wday)
                && time.dayOfYear == Int64(parts.tm_yday) + 1 && time.hour == 23 && time.minute == 59
                && time.second == 59
            guard isRight, CivilTime.daysSinceEpoch(time.year, time.month, time.day) == day else {
                Issue.record("day \(day) became \(time)")
                return
            }
        }
    }

    @Test("random times of all magnitudes equal gmtime's")
    func random() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20_000 {
            // gmtime's years end at 2^31.
            let value =
                Int64.random(in: (-1 << 55)...(1 << 55), using: &random) >> Int64.random(in: 0..<55, using: &random)
            var seconds = time_t(value)
            var parts = tm()
            gmtime_r(&seconds, &parts)
            let time = CivilTime(secondsSinceEpoch: value)
            #expect(time.year == Int64(parts.tm_year) + 1900 && time.day == Int64(parts.tm_mday), "\(value)")
            #expect(time.second == Int64(parts.tm_sec) && time.weekday == Int(parts.tm_wday), "\(value)")
        }
    }

    @Test("the ends of the range do not trap", arguments: [Int64.min, .max])
    func ends(seconds: Int64) {
        let time = CivilTime(secondsSinceEpoch: seconds)
        #expect((1...12).contains(time.month) && (1...31).contains(time.day) && (1...366).contains(time.dayOfYear))
        #expect(!GoTime(nanoseconds: seconds).description.isEmpty && !RFC3339.text(seconds).isEmpty)
    }
}

@Suite("RFC 3339")
struct RFC3339Tests {
    @Test("a printed time is read back", arguments: [RFC3339.Fraction.trimmed, .milliseconds])
    func roundTrip(fraction: RFC3339.Fraction) {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20_000 {
            // The years 0000 to 9999 have four digits.
            let time = Int64.random(in: -62_167_219_200_000...253_402_300_799_999, using: &random)
            #expect(RFC3339.parse(RFC3339.text(time, fraction: fraction)) == time)
        }
    }

    @Test(
        "what Go's time.Parse refuses is no time",
        arguments: [
            "", "2023", "2023-02-29T00:00:00Z", "2023-01-01T00:00:60Z", "2023-01-01t00:00:00Z", "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00", "2023-01-01T00:00:00+25:00", "2023-13-01T00:00:00Z", "2023-01-01T00:00:00Zx",
            "2023-01-01 00:00:00Z", "023-01-01T00:00:00Z", "2023-01-01T00:00:00.Z",
        ])
    func refused(text: String) {
        #expect(RFC3339.parse(text) == nil)
    }

    @Test("an hour of one digit, a comma and any digits of a fraction are taken")
    func lenient() {
        #expect(RFC3339.parse("2023-01-01T1:00:00,5Z") == 1_672_534_800_500)
        #expect(RFC3339.parse("2023-01-01T01:00:00.123456789012345+01:00") == 1_672_531_200_123)
    }
}

@Suite("Go's times and durations")
struct GoTimeTests {
    @Test(
        "layouts print their parts",
        arguments: [
            ("2006-01-02 15:04:05.999999999 -0700 MST", "2009-02-03 04:05:06.07 +0000 UTC"),
            ("Mon Jan _2 3:4:5 PM 06", "Tue Feb  3 4:5:6 AM 09"),
            ("Monday, 02 January 2006", "Tuesday, 03 February 2009"),
            ("002 pm Z07:00", "034 am Z"), ("05.000", "06.070"), ("20060102T150405Z-", "20090203T040506Z-"),
        ])
    func layouts(layout: String, text: String) {
        #expect(GoTime(nanoseconds: 1_233_633_906_070_000_000).format(layout) == text)
    }

    @Test(
        "times are read by a layout and printed in their zone",
        arguments: [
            ("2006-01-02", "2026-03-04", "2026-03-04 00:00:00 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2026-03-04T05:06:07.25Z", "2026-03-04 05:06:07.25 +0000 UTC"),
            ("2006-01-02T15:04:05Z07:00", "2026-03-04T05:06:07-01:30", "2026-03-04 05:06:07 -0130 -0130"),
            ("Mon Jan _2 3:04:05 pm 2006", "Wed Mar  4 1:06:07 pm 2026", "2026-03-04 13:06:07 +0000 UTC"),
            ("January 2 06 12", "march 4 26 12", nil),
            ("Jan 2 06, 15h", "mar 4 70, 23h", "1970-03-04 23:00:00 +0000 UTC"),
            ("2006 002", "2024 366", "2024-12-31 00:00:00 +0000 UTC"), ("2006 002", "2023 366", nil),
            ("-0700 2006", "+0100 2026", "2026-01-01 00:00:00 +0100 +0100"),
            ("2006-01-02 MST", "2026-03-04 UTC", "2026-03-04 00:00:00 +0000 UTC"),
            ("05.000", "07.123", "0000-01-01 00:00:07.123 +0000 UTC"), ("05.000", "07.12", nil),
            ("05.999", "07", "0000-01-01 00:00:07 +0000 UTC"),
            ("2006-01-02", "2026-02-29", nil), ("2006-01-02", "2026-13-01", nil), ("2006-01-02", "2026-01-01x", nil),
            ("2006", "", nil), ("15:04", "24:00", nil), ("x2006", "y2026", nil),
            ("", "", "0000-01-01 00:00:00 +0000 UTC"),
        ] as [(String, String, String?)])
    func read(layout: String, text: String, result: String?) {
        #expect(GoTime.parse(text, layout: layout)?.description == result)
    }

    @Test("any text with any layout is read without a trap")
    func anyLayout() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let parts = [
            "2006", "06", "01", "1", "Jan", "January", "02", "2", "_2", "__2", "002", "15", "3", "PM", "04", "5",
            ".000",
            ".9", "-07", "-07:00:00", "Z0700", "MST", "_2006", " ", "99", "é", "+24:59:59", "Z", "Dec", "",
        ]
        func any() -> String {
            (0..<Int.random(in: 0...6, using: &random)).map { _ in parts.randomElement(using: &random) ?? "" }.joined()
        }
        for _ in 0..<2000 {
            let (text, layout) = (any(), any())
            if let time = GoTime.parse(text, layout: layout) { #expect(!time.format(layout).contains("\0")) }
        }
    }

    @Test("sums and differences of times, and those that do not fit")
    func arithmetic() {
        let time = GoTime(nanoseconds: 1_500_000_000)
        #expect(time.adding(-1_500_000_001)?.nanoseconds == -1)
        #expect(time.adding(.min)?.adding(.max)?.nanoseconds == 1_499_999_999)
        #expect(GoTime(seconds: .max).adding(1_000_000_000) == nil)
        #expect(time.since(GoTime(nanoseconds: 2_000_000_000)) == -500_000_000)
        #expect(time.since(.zero) == .max && GoTime.zero.since(time) == .min)
        #expect(GoTime(nanoseconds: .min).since(GoTime(nanoseconds: .min)) == 0)
        #expect(GoTime(seconds: .min).since(GoTime(seconds: .max)) == .min)
        for value in [Int64.min, -1, 0, .max] { #expect(GoTime(nanoseconds: value).nanoseconds == value) }
        #expect(GoTime.zero.nanoseconds == nil && GoTime.zero.description == "0001-01-01 00:00:00 +0000 UTC")
    }

    @Test(
        "durations print as Go's",
        arguments: [
            (0, "0s"), (1, "1ns"), (1500, "1.5µs"), (-2_000_000, "-2ms"), (1_500_000_000, "1.5s"),
            (60_000_000_000, "1m0s"), (3_661_500_000_000, "1h1m1.5s"), (Int64.min, "-2562047h47m16.854775808s"),
        ])
    func durations(nanoseconds: Int64, text: String) {
        #expect(GoDuration.text(nanoseconds) == text)
    }

    @Test(
        "durations are read as Go reads them",
        arguments: [
            ("0", 0), ("-0", 0), ("1.5s", 1_500_000_000), ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("+5s", 5_000_000_000),
            ("-2ms", -2_000_000), (".5s", 500_000_000), ("1.s", 1_000_000_000), ("1µs1μs", 2000), ("1.9ns", 1),
            ("1m1m", 120_000_000_000), ("9223372036854775807ns", .max), ("-9223372036854775808ns", .min),
            ("9223372036854775808ns", nil), ("9223372036s1s", nil), ("99999999999999999999s", nil), ("", nil),
            ("-", nil),
            ("s", nil), (".s", nil), ("1", nil), ("1d", nil), ("1.5.5s", nil), ("1s ", nil), ("--1s", nil), ("1x", nil),
        ] as [(String, Int64?)])
    func parse(_ text: String, _ nanoseconds: Int64?) { #expect(GoDuration.parse(text) == nanoseconds) }
}
