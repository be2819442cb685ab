import Model
import Testing

@testable import Storage

@Suite struct SymbolTableTests {
    /// The primes of XXH64.
    private static let primes: [UInt64] = [
        11_400_714_785_074_694_791, 14_029_467_366_897_019_727, 1_609_587_929_392_839_161, 9_650_029_242_287_828_579,
        2_870_177_450_012_600_261,
    ]

    /// The 8 bytes that give a text this XXH64 with seed 0.
    ///
    /// - Parameter prefix: The bytes before them, a multiple of 8 and less than 24.
    private static func text(hash wanted: UInt64, after prefix: [UInt8] = []) -> [UInt8] {
        func inverse(_ odd: UInt64) -> UInt64 {
            // Each step doubles the correct bits.
            (0..<6).reduce(odd) { inverse, _ in inverse &* (2 &- odd &* inverse) }
        }
        func unshifted(_ number: UInt64, _ count: UInt64) -> UInt64 {
            (0..<(64 / count)).reduce(number) { before, _ in number ^ before >> count }
        }
        func rotated(_ number: UInt64, right count: UInt64) -> UInt64 { number >> count | number << (64 - count) }
        var hash = unshifted(wanted, 32) &* inverse(primes[2])
        hash = unshifted(hash, 29) &* inverse(primes[1])
        hash = (unshifted(hash, 33) &- primes[3]) &* inverse(primes[0])
        var start = primes[4] &+ UInt64(prefix.count + 8)
        for at in stride(from: 0, to: prefix.count, by: 8) {
            let part = (0..<8).reduce(UInt64(0)) { $0 | UInt64(prefix[at + $1]) << UInt64($1 * 8) }
            start ^= rotated(part &* primes[1], right: 33) &* primes[0]
            start = rotated(start, right: 37) &* primes[0] &+ primes[3]
        }
        hash = rotated(hash, right: 27) ^ start
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

    @Test func `Series that are chosen by their hash are found, and removed`() throws {
        let index = try LabelIndex()
        // The packed form of two labels, up to the value of the second one.
        let prefix = [8] + Array("__name__".utf8) + [1, 0x6E, 3] + Array("xyz".utf8) + [8]
        let count: UInt32 = 20_000
        let all = (0..<count).map { Labels(packed: prefix + Self.text(hash: 0x1234 << 32 | UInt64($0), after: prefix)) }
        var records: [UInt32] = []
        func find(_ labels: Labels) -> UInt32? {
            labels.bytes.withUnsafeBufferPointer { index.find($0, hash: labels.stableHash) { records[Int($0)] } }
        }
        for (id, labels) in all.enumerated() {
            #expect(labels.stableHash >> 32 == 0x1234)
            #expect(find(labels) == nil)
            records.append(
                try labels.bytes.withUnsafeBufferPointer {
                    try index.insert(UInt32(id), $0, hash: labels.stableHash)
                })
        }
        #expect(index.seriesInTable == Int(count))
        for (id, labels) in all.enumerated() { #expect(find(labels) == UInt32(id)) }
        for id in stride(from: 0, to: count, by: 2) { index.remove(id, record: records[Int(id)]) }
        for (id, labels) in all.enumerated() { #expect(find(labels) == (id % 2 == 0 ? nil : UInt32(id))) }
        #expect(index.seriesInTable == Int(count / 2))
        for id in stride(from: 0, to: count, by: 2) {
            let labels = all[Int(id)]
            records[Int(id)] = try labels.bytes.withUnsafeBufferPointer {
                try index.insert(id, $0, hash: labels.stableHash)
            }
        }
        for (id, labels) in all.enumerated() { #expect(find(labels) == UInt32(id)) }
    }
}
