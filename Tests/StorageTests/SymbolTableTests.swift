import Model
import Testing

@testable import Storage

@Suite struct SymbolTableTests {
    /// A text of 8 bytes whose XXH64 with seed 0 is this hash.
    private static func text(hash wanted: UInt64) -> [UInt8] {
        func inverse(_ odd: UInt64) -> UInt64 {
            // Each step doubles the correct bits.
            (0..<6).reduce(odd) { inverse, _ in inverse &* (2 &- odd &* inverse) }
        }
        func unshifted(_ number: UInt64, _ count: UInt64) -> UInt64 {
            (0..<(64 / count)).reduce(number) { before, _ in number ^ before >> count }
        }
        func rotated(_ number: UInt64, right count: UInt64) -> UInt64 { number >> count | number << (64 - count) }
        let primes: [UInt64] = [
            11_400_714_785_074_694_791, 14_029_467_366_897_019_727, 1_609_587_929_392_839_161,
            9_650_029_242_287_828_579, 2_870_177_450_012_600_261,
        ]
        var hash = unshifted(wanted, 32) &* inverse(primes[2])
        hash = unshifted(hash, 29) &* inverse(primes[1])
        hash = (unshifted(hash, 33) &- primes[3]) &* inverse(primes[0])
        hash = rotated(hash, right: 27) ^ (primes[4] &+ 8)
        hash = rotated(hash &* inverse(primes[0]), right: 31) &* inverse(primes[1])
        return (0..<8).map { UInt8(truncatingIfNeeded: hash >> ($0 * 8)) }
    }

    @Test func `Texts that are chosen by their hash do not share a slot`() throws {
        let table = try SymbolTable()
        let count = 50_000
        for number in 0..<count {
            let text = Self.text(hash: UInt64(number) << 32 | 0x1234_5678)
            #expect(text.withUnsafeBytes { XXHash64.hash($0) } & 0xFFFF_FFFF == 0x1234_5678)
            #expect(try text.withUnsafeBufferPointer { try table.intern($0) } == UInt32(number + 1))
        }
        #expect(table.count == count)
        #expect(table.longestSearch < 500, "\(table.longestSearch) slots")
    }
}
