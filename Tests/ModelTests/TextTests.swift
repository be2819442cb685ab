import GoCompatibility
import Model
import TestSupport
import Testing

@Suite("Texts of numbers, durations and sizes")
struct TextTests {
    @Test(
        "numbers in Go's forms",
        arguments: [
            (0, "0", "0e+00", "0", "0"), (-0.0, "-0", "-0e+00", "-0", "-0"), (1, "1", "1e+00", "1", "1"),
            (0.1, "0.1", "1e-01", "0.1", "0.1"), (1e21, "1000000000000000000000", "1e+21", "1e+21", "1e+21"),
            (1e20, "100000000000000000000", "1e+20", "1e+20", "100000000000000000000"),
            (1.5e-7, "0.00000015", "1.5e-07", "1.5e-07", "1.5e-07"), (0.00001, "0.00001", "1e-05", "1e-05", "0.00001"),
            (16_777_216, "16777216", "1.6777216e+07", "1.6777216e+07", "16777216"),
            (123456.789, "123456.789", "1.23456789e+05", "123456.789", "123456.789"),
            (.infinity, "+Inf", "+Inf", "+Inf", "+Inf"), (-.infinity, "-Inf", "-Inf", "-Inf", "-Inf"),
            (.nan, "NaN", "NaN", "NaN", "NaN"), (.leastNonzeroMagnitude, nil, "5e-324", "5e-324", "5e-324"),
            (
                1.7976931348623157e308, nil, "1.7976931348623157e+308", "1.7976931348623157e+308",
                "1.7976931348623157e+308"
            ),
        ] as [(Double, String?, String, String, String)])
    func forms(_ value: Double, _ fixed: String?, _ exponent: String, _ general: String, _ api: String) {
        if let fixed { #expect(FloatText.fixed(value) == fixed) }
        #expect(FloatText.exponent(value) == exponent)
        #expect(FloatText.general(value) == general)
        #expect(FloatText.api(value) == api)
    }

    /// The digits and the exponent that Swift's own description of a number has, which is the shortest, too.
    private func described(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = value.magnitude.description.split(separator: "e")
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let halves = parts[0].split(separator: ".")
        var digits = String(halves.joined().drop { $0 == "0" })
        if halves.count > 1 { exponent -= halves[1].count }
        while digits.last == "0" {
            digits.removeLast()
            exponent += 1
        }
        return (digits, exponent)
    }

    private func expectShortest(_ value: Double) {
        let (digits, exponent) = described(value)
        let text = FloatText.exponent(value.magnitude)
        let mantissa = text.prefix { $0 != "e" }.filter { $0 != "." }
        #expect(mantissa == digits, "\(value)")
        #expect(Int(text.drop { $0 != "e" }.dropFirst()) == exponent + digits.count - 1, "\(value)")
    }

    @Test("digits are the shortest and nearest, for all powers of two, their neighbours, and random numbers")
    func shortestDigits() {
        for exponent in 0..<2047 {
            for fraction: UInt64 in [0, 1, 1 << 51, 1 << 52 - 1] {
                let value = Double(bitPattern: UInt64(exponent) << 52 | fraction)
                if value != 0 { expectShortest(value) }
            }
        }
        var state: UInt64 = 1
        for i in 0..<100_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let bits = state ^ state >> 31
            let value =
                switch i % 4 {
                case 0: Double(bitPattern: bits & ~(1 << 63))
                case 1: Double(bits >> 44) / 1000
                case 2: Double(bits >> 20) / 1e9
                default: Double(bits >> 11) * 0x1p-53
                }
            if value.isFinite, value != 0 { expectShortest(value) }
        }
    }

    @Test("every form reads back to the same number")
    func roundTrip() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<20_000 {
            let value = Double(bitPattern: UInt64.random(in: 0...UInt64.max, using: &random))
            guard value.isFinite else { continue }
            #expect(Double(FloatText.fixed(value)) == value)
            #expect(Double(FloatText.exponent(value)) == value)
            #expect(Double(FloatText.general(value)) == value)
            #expect(Double(FloatText.api(value)) == value)
        }
    }

    @Test(
        "durations",
        arguments: [
            ("0", 0, "0s"), ("1h30m", 5_400_000, "1h30m"), ("90m", 5_400_000, "1h30m"), ("7d", 604_800_000, "1w"),
            ("10d", 864_000_000, "10d"), ("1m30s500ms", 90_500, "1m30s500ms"), ("1y", 31_536_000_000, "1y"),
            ("0s", 0, "0s"),
        ] as [(String, Int64, String)])
    func durations(_ text: String, _ milliseconds: Int64, _ printed: String) throws {
        #expect(try DurationText.parse(text) == milliseconds)
        #expect(DurationText.format(milliseconds) == printed)
    }

    @Test(
        "texts that are no durations are refused in Prometheus's words",
        arguments: [
            ("", "empty duration string"), ("1", #"not a valid duration string: "1""#),
            ("1x", #"unknown unit "x" in duration "1x""#),
            ("1m1h", #"not a valid duration string: "1m1h""#), ("1m1m", #"not a valid duration string: "1m1m""#),
            ("999999999999y", "duration out of range"), ("300y", "duration out of range"), ("-1m", #"unknown unit"#),
        ])
    func badDurations(_ text: String, _ message: String) {
        let error = #expect(throws: DurationText.ParseError.self) { try DurationText.parse(text) }
        #expect(text == "-1m" || error?.description == message)
    }

    @Test(
        "sizes are powers of 1024",
        arguments: [("512MB", 536_870_912), ("1.5KiB", 1536), ("0", 0), ("2GB", 2_147_483_648)])
    func sizes(_ text: String, _ bytes: Int64) {
        #expect(ByteSize.parse(text) == bytes)
    }

    @Test("texts that are no sizes", arguments: ["", "5", "MB", "-1MB", "1XB", "nanMB", "9999EB", "infKB"])
    func badSizes(_ text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test("strings are quoted as in Go")
    func quoting() {
        #expect(GoQuote.quote("a\"\\\n\u{1}é\u{200B}\u{E000}\u{7F}") == #""a\"\\\n\x01é\u200b\ue000\x7f""#)
    }

    @Test("texts are exactly the same if their bytes are, whatever their length and storage")
    func exactTexts() {
        let texts = ["", "a", "é", "e\u{301}", "K", "\u{212A}", "fifteen bytes..", "sixteen bytes ..", "\0", "\0\0"]
            .flatMap { [$0, $0 + "x", String(repeating: "long ", count: 20) + $0] }
        for a in texts {
            for b in texts {
                let isSame = Array(a.utf8) == Array(b.utf8)
                // Not the same storage.
                let copy = String(decoding: Array(b.utf8), as: UTF8.self)
                #expect(a.isExactly(b) == isSame && a.isExactly(copy) == isSame)
                #expect((ExactText(a) == ExactText(b)) == isSame)
                // A part of a text shares its storage.
                #expect(a.isExactly(String(("x" + b).utf8.dropFirst()) ?? "") == isSame)
            }
        }
    }
}
