import Encoding
import Model
import Testing

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

/// SplitMix64: the same numbers for the same seed.
struct SeededRandom: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct OpenChunkTests {
    /// A chunk with its memory, as a head keeps it.
    struct Kept {
        var chunk = OpenChunk()
        var last = 0.0
        var bytes: [UInt8] = []

        mutating func append(_ value: Double) -> Bool {
            while true {
                let capacity = bytes.count
                let outcome = bytes.withUnsafeMutableBufferPointer {
                    chunk.append(value, last: &last, bytes: $0.baseAddress, capacity: capacity)
                }
                switch outcome {
                case .appended: return true
                case .full: return false
                case .needsRoom(let wanted): bytes += [UInt8](repeating: 0xAA, count: wanted - bytes.count)
                }
            }
        }

        func values() throws -> [Double] {
            var out = [Double](repeating: 0, count: chunk.count + 1)
            try bytes.withUnsafeBufferPointer { bytes in
                try out.withUnsafeMutableBufferPointer { out in
                    guard let base = out.baseAddress else { return }
                    try self.chunk.decode(bytes.baseAddress, size: bytes.count, last: last, into: base)
                }
            }
            return Array(out.dropLast())
        }
    }

    @Test(arguments: SampleKind.allCases)
    func `gives back every bit pattern, whatever the series does`(kind: SampleKind) throws {
        for seed in UInt64(0)..<200 {
            var random = SeededRandom(seed)
            let values = kind.values(240, &random)
            var kept = Kept()
            let appended = values.map { kept.append($0) }
            #expect(!appended.contains(false), "seed \(seed)")
            #expect(try kept.values().map(\.bitPattern) == values.map(\.bitPattern), "seed \(seed)")
            #expect(kept.chunk.isStale == Staleness.isMarker(values[239]))
            if let real = values.last(where: { !Staleness.isMarker($0) }) {
                #expect(kept.last.bitPattern == real.bitPattern, "seed \(seed)")
            }
        }
    }

    @Test func `a constant series needs no bytes`() {
        var kept = Kept()
        for _ in 0..<240 { _ = kept.append(42.5) }
        #expect(kept.chunk.byteCount == 0)
        #expect(kept.bytes.isEmpty)
        #expect(MemoryLayout<OpenChunk>.size == 16)
    }

    @Test func `a steady counter takes a bit per sample`() {
        var kept = Kept()
        for i in 0..<240 { _ = kept.append(Double(1000 + 15 * i)) }
        #expect(kept.chunk.byteCount <= 40)
    }

    @Test func `a chunk of the next period starts after a stale marker`() throws {
        var kept = Kept()
        for value in [1, 2.5, 3] { _ = kept.append(value) }
        kept.chunk.reset()
        _ = kept.append(Staleness.marker)
        _ = kept.append(4)
        #expect(try kept.values().map(\.bitPattern) == [Staleness.marker, 4].map(\.bitPattern))
    }

    @Test func `damaged bytes give an error or values, never a crash`() {
        var random = SeededRandom(7)
        for kind in SampleKind.allCases {
            for _ in 0..<200 {
                var kept = Kept()
                for value in kind.values(100, &random) { _ = kept.append(value) }
                guard !kept.bytes.isEmpty else { continue }
                for _ in 0..<5 {
                    kept.bytes[Int(random.next() % UInt64(kept.bytes.count))] = UInt8(random.next() & 255)
                }
                _ = try? kept.values()
            }
        }
    }
}
