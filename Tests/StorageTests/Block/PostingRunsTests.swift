import TestSupport
import Testing

@testable import Storage

@Suite struct PostingRunsTests {
    private static func set(_ seed: UInt64) -> (PostingRuns, Set<UInt32>) {
        var random = SeededRandom(seed: seed)
        let density = 1 + random.next() % 9
        var (runs, plain) = (PostingRuns(), Set<UInt32>())
        for rank in UInt32(0)..<300 where random.next() % 10 < density {
            runs.append(rank..<(rank + 1))
            plain.insert(rank)
        }
        return (runs, plain)
    }

    private static func plain(_ runs: PostingRuns) -> Set<UInt32> { Set(runs.runs.flatMap { Array($0) }) }

    @Test func `sets behave as sets do and come back from the disk`() throws {
        for seed in UInt64(0)..<300 {
            let ((a, x), (b, y)) = (Self.set(seed * 2), Self.set(seed * 2 + 1))
            #expect(Self.plain(a.intersection(b)) == x.intersection(y), "seed \(seed)")
            #expect(Self.plain(a.subtracting(b)) == x.subtracting(y), "seed \(seed)")
            #expect(Self.plain(PostingRuns.union([a, b, PostingRuns()])) == x.union(y), "seed \(seed)")
            #expect(a.intersects(b) == !x.isDisjoint(with: y))
            #expect(a.count == x.count)
            for rank in UInt32(0)..<301 { #expect(a.contains(rank) == x.contains(rank)) }
            let bytes = a.encoded()
            #expect(try bytes.withUnsafeBytes { try PostingRuns(reading: $0, limit: 300) } == a)
            if let last = a.runs.last {
                #expect(throws: (any Error).self) {
                    try bytes.withUnsafeBytes { try PostingRuns(reading: $0, limit: last.upperBound - 1) }
                }
            }
        }
    }
}
