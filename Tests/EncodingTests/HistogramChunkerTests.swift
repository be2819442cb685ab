import Model
import TestSupport
import Testing

@testable import Encoding

@Suite struct HistogramChunkerTests {
    /// A histogram of schema 0 with the counts of `buckets`.
    private func histogram(_ buckets: [Int: Double], isFloat: Bool = false, sum: Double = 1) -> FloatHistogram {
        let indices = buckets.keys.sorted()
        let counts = indices.map { buckets[$0] ?? 0 }
        return FloatHistogram(
            count: counts.reduce(0, +), sum: sum, positiveSpans: FloatHistogram.spans(of: indices),
            positiveBuckets: counts, hasFloatCounts: isFloat)
    }

    private func chunks(_ samples: [(Int64, FloatHistogram)]) -> [HistogramChunker.Chunk] {
        var chunker = HistogramChunker()
        for (time, histogram) in samples { chunker.append(histogram, at: time) }
        chunker.cut()
        return chunker.chunks
    }

    private func read(_ chunk: HistogramChunker.Chunk) throws -> SampleColumns {
        var columns = SampleColumns()
        try chunk.bytes.withUnsafeBytes {
            try PrometheusChunk.read(
                chunk.isFloat ? PrometheusChunk.floatHistogram : PrometheusChunk.histogram, $0, into: &columns)
        }
        return columns
    }

    @Test func `buckets that come later are there and empty before`() throws {
        let found = chunks([
            (0, histogram([1: 2])), (1000, histogram([1: 3, 4: 1])), (2000, histogram([0: 1, 1: 3, 4: 1])),
        ])
        #expect(found.count == 1)
        let columns = try read(try #require(found.first))
        #expect(columns.histograms.map(\.histogram.positiveBuckets) == [[0, 2, 0], [0, 3, 1], [1, 3, 1]])
        #expect(found[0].layout.widen(histogram([1: 2])).positiveBuckets == [0, 2, 0])
    }

    @Test func `a bucket may go missing while it is empty`() {
        let empty = FloatHistogram(
            count: 1, sum: 1, positiveSpans: [.init(offset: 0, length: 2)], positiveBuckets: [1, 0],
            hasFloatCounts: false)
        #expect(chunks([(0, empty), (1, histogram([0: 1, 5: 1])), (2, histogram([0: 2, 5: 1]))]).map(\.count) == [3])
        #expect(chunks([(0, histogram([0: 1, 1: 1])), (1, histogram([0: 4]))]).map(\.count) == [1, 1])
    }

    @Test func `what begins a chunk of its own`() {
        let first = histogram([0: 1, 1: 1])
        func isOwn(_ change: (inout FloatHistogram) -> Void) -> Bool {
            var next = first
            change(&next)
            return chunks([(0, first), (1, next)]).count == 2
        }
        #expect(!isOwn { $0.sum = 0 })
        #expect(isOwn { $0.resetHint = .reset })
        #expect(isOwn { $0.resetHint = .gauge })
        #expect(isOwn { $0.hasFloatCounts = true })
        #expect(isOwn { $0.positiveBuckets[0] = 1.5 })
        #expect(isOwn { $0.count = 1 })
        #expect(isOwn { $0.positiveBuckets[1] = 0 })
        #expect(isOwn { $0.schema = 1 })
        #expect(isOwn { $0.zeroThreshold = 0.25 })
        let marker = FloatHistogram(sum: Staleness.marker)
        #expect(chunks([(0, first), (1, marker), (2, marker), (3, first)]).map(\.count) == [3, 1])
        #expect(chunks([(7_199_999, first), (7_200_000, first)]).count == 2)
    }

    @Test func `counts of a gauge may fall`() {
        var (high, low) = (histogram([0: 4, 1: 1]), histogram([0: 1, 7: 1]))
        high.resetHint = .gauge
        low.resetHint = .gauge
        #expect(chunks([(0, high), (1, low), (2, high)]).map(\.count) == [3])
    }

    @Test func `chunks share the time that is left in their range evenly`() {
        var samples: [(Int64, FloatHistogram)] = []
        for i in 0..<480 {
            let counts = (0..<20).map { ($0, Double(i * i * ($0 + 1) % 1009 + i * 2000)) }
            samples.append((Int64(i) * 15_000, histogram(Dictionary(uniqueKeysWithValues: counts), sum: Double(i) / 7)))
        }
        let found = chunks(samples)
        #expect(found.map(\.count).reduce(0, +) == 480)
        #expect(found.count > 5)
        for chunk in found {
            #expect(chunk.count >= 10)
            #expect(chunk.bytes.count < 3000)
        }
    }

    @Test(arguments: 0..<60) func `chunks hold what was appended`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed) &+ 99)
        let isGauge = seed % 4 == 0
        let isFloat = seed % 3 == 0
        let isCustom = seed % 5 == 0
        // Small and large steps: their first difference is written in the code of signed numbers.
        let step: Int64 = [700, 3000, 15_000, 200_000][seed % 4]
        var counts: [Int: Double] = [:]
        var time = Int64.random(in: -9_000_000...9_000_000, using: &random)
        var samples: [(Int64, FloatHistogram)] = []
        for i in 0..<Int.random(in: 1...300, using: &random) {
            time += step + Int64.random(in: 0...99, using: &random)
            if isGauge || Int.random(in: 0..<50, using: &random) == 0 { counts = [:] }
            for _ in 0..<3 {
                let weight = isFloat ? 0.25 : 1
                counts[Int.random(in: isCustom ? 0...4 : -9...9, using: &random), default: 0] += weight
            }
            var next = histogram(counts, isFloat: isFloat, sum: Double.random(in: 0...9, using: &random))
            if isGauge { next.resetHint = .gauge }
            if isCustom {
                next.schema = FloatHistogram.customSchema
                next.customBounds = [0.005, 0.25, 3.14159, 1e9]
            } else {
                next.schema = Int32(seed % 8) - 2
                next.zeroThreshold = [0, 0.001, 0x1p-128, 1][seed % 4]
                next.negativeSpans = next.positiveSpans
                next.negativeBuckets = next.positiveBuckets
                next.zeroCount = isGauge ? 1 : Double(i)
            }
            samples.append(
                (time, Int.random(in: 0..<20, using: &random) == 0 ? FloatHistogram(sum: Staleness.marker) : next))
        }
        var at = 0
        for chunk in chunks(samples) {
            let columns = try read(chunk)
            #expect(columns.count == chunk.count)
            var next = 0
            for i in 0..<columns.count {
                let (time, wanted) = samples[at]
                #expect(columns.timestamps[i] == time)
                at += 1
                if Staleness.isMarker(wanted.sum) {
                    #expect(Staleness.isMarker(columns.values[i]))
                    continue
                }
                let found = columns.histograms[next].histogram
                next += 1
                #expect(found.compacted() == wanted)
                #expect(found == chunk.layout.widen(wanted))
                #expect(found.hasFloatCounts == isFloat && (found.resetHint == .gauge) == isGauge)
            }
        }
        #expect(at == samples.count)
    }
}
