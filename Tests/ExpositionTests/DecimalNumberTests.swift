import Exposition
import Glibc
import Model
import TestSupport
import Testing

@Suite("Decimal number")
struct DecimalNumberTests {
    static func parse(_ text: String) -> DecimalNumber? {
        Array(text.utf8).withUnsafeBufferPointer { DecimalNumber.parse($0) }
    }

    @Test(
        "short decimals keep their digits",
        arguments: [
            ("0", 0, 0), ("1", 1, 0), ("-12.50", -125, 1), ("2.478268416e+09", 2_478_268_416, 0), ("1e-3", 1, 3),
            ("0.1", 1, 1), ("007", 7, 0), ("+3.0", 3, 0), ("1.5e3", 1500, 0), (".5", 5, 1), ("5.", 5, 0),
            ("9007199254740992", 9_007_199_254_740_992, 0), ("0.0000000000000000000001", 1, 22),
        ] as [(String, Int64, Int8)])
    func decimals(_ text: String, _ mantissa: Int64, _ scale: Int8) throws {
        let number = try #require(Self.parse(text))
        #expect(number.value == strtod(text, nil))
        #expect((number.mantissa, number.scale) == (mantissa, scale))
    }

    @Test(
        "other numbers are only doubles",
        arguments: [
            "-0", "0.013300656000000001", "1e300", "1e-300", "9223372036854775808", "18446744073709551615",
            "12345678901234567890123", "4.9e-324", "1e-400", "0.1234567890123456789012345", "1e23",
        ])
    func others(_ text: String) throws {
        let number = try #require(Self.parse(text))
        #expect(number.value.bitPattern == strtod(text, nil).bitPattern)
        #expect(number.scale == SampleBatch.notDecimal)
    }

    @Test("special values")
    func special() {
        #expect(Self.parse("NaN")?.value.bitPattern == 0x7FF8_0000_0000_0001)
        #expect(Self.parse("nan")?.value.isNaN == true)
        #expect(Self.parse("+Inf")?.value == .infinity)
        #expect(Self.parse("-inf")?.value == -.infinity)
        #expect(Self.parse("Infinity")?.value == .infinity)
    }

    @Test(
        "what is no number is refused",
        arguments: [
            "", "-", ".", "e5", "1e", "1e+", "1_2", "0x1", "0x1p3", "+nan", "1 ", "in", "1e400", "--1", "1.1.1", "a",
        ])
    func refused(_ text: String) { #expect(Self.parse(text) == nil) }

    @Test("random numbers are read as the C library reads them", arguments: [UInt64(1), 2, 3])
    func random(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<20_000 {
            var text: String
            switch random.next() % 4 {
            case 0:
                let value = Double(bitPattern: random.next())
                text = value.isFinite ? "\(value)" : "0"
            case 1: text = "\(Int64(bitPattern: random.next()) >> Int64(random.next() % 63))"
            case 2:
                let digits = String(random.next())
                let point = Int(random.next() % UInt64(digits.count))
                text = digits.prefix(point) + "." + digits.dropFirst(point)
            default:
                text = "\(random.next() >> (random.next() % 60))e\(Int64(random.next() % 60) - 30)"
            }
            if text.hasPrefix(".") { text = "0" + text }
            let number = try #require(Self.parse(text), "seed \(seed): \(text)")
            #expect(number.value.bitPattern == strtod(text, nil).bitPattern, "seed \(seed): \(text)")
            if number.scale != SampleBatch.notDecimal {
                #expect(
                    Double(number.mantissa) / pow(10, Double(number.scale)) == number.value, "seed \(seed): \(text)")
            }
        }
    }
}
