import Model
import TestSupport

/// Values of many kinds from one seed.
enum SampleKind: CaseIterable {
    case constant, counter, gauge, decimals, growingDecimals, noise, bits, mixed

    func values(_ count: Int, _ random: inout SeededRandom) -> [Double] {
        var level = Double(Int64(truncatingIfNeeded: random.next() % 1_000_000))
        return (0..<count).map { i in
            if random.next() % 40 == 0 { return Staleness.marker }
            switch self {
            case .constant: return level
            case .counter:
                level += Double(random.next() % 1000)
                return level
            case .gauge: return Double(Int64(random.next() % 2000) - 1000) * 4096
            case .decimals: return Double(random.next() % 100_000) / 1000
            case .growingDecimals: return Double(random.next() % 100_000) / [1, 10, 100, 1e6, 1e9][i * 5 / count]
            case .noise: return Double(random.next() >> 11) / Double(UInt64(1) << 53) / 3
            case .bits: return Double(bitPattern: random.next())
            case .mixed:
                let special: [Double] = [
                    0, -0.0, .infinity, -.infinity, .nan, 1, 0.1, -1e300, .leastNonzeroMagnitude, 9_007_199_254_740_994,
                    -9_007_199_254_740_992, 1e18, 0.000_000_000_1,
                ]
                return special[Int(random.next() % UInt64(special.count))]
            }
        }
    }
}
