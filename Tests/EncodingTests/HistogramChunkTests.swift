import Encoding
import Model
import TestSupport
import Testing

@Suite struct HistogramChunkTests {
    private static func spans(_ random: inout SeededRandom) -> [FloatHistogram.Span] {
        (0..<Int(random.next() % 4)).map { _ in
            .init(offset: Int32(truncatingIfNeeded: random.next() % 9) - 4, length: UInt32(random.next() % 6))
        }
    }

    private static func number(_ random: inout SeededRandom) -> Double {
        switch random.next() % 8 {
        case 0: Double(bitPattern: random.next())
        case 1: -0.0
        case 2: 9_007_199_254_740_992
        case 3: Double(random.next() % 1000) / 8
        default: Double(random.next() % 100_000)
        }
    }

    private static func histograms(_ seed: UInt64) -> [FloatHistogram] {
        var random = SeededRandom(seed: seed)
        var layout = FloatHistogram()
        return (0..<Int(1 + random.next() % 40)).map { i in
            if i == 0 || random.next() % 6 == 0 {
                layout = FloatHistogram(
                    schema: random.next() % 5 == 0 ? -53 : Int32(random.next() % 8), zeroThreshold: 1e-128,
                    positiveSpans: spans(&random), negativeSpans: spans(&random))
                if layout.schema == -53 { layout.customBounds = [0.1, 2.5, 10] }
            }
            var one = layout
            one.resetHint = FloatHistogram.ResetHint(rawValue: UInt8(random.next() % 4)) ?? .unknown
            one.zeroCount = number(&random)
            one.count = number(&random)
            one.sum = number(&random)
            let sizes = [one.positiveSpans, one.negativeSpans].map { $0.reduce(0) { $0 + Int($1.length) } }
            one.positiveBuckets = (0..<sizes[0]).map { _ in number(&random) }
            one.negativeBuckets = (0..<sizes[1]).map { _ in number(&random) }
            return one
        }
    }

    private static func words(_ histogram: FloatHistogram) -> [UInt64] {
        let numbers =
            [histogram.zeroThreshold, histogram.zeroCount, histogram.count, histogram.sum] + histogram.positiveBuckets
            + histogram.negativeBuckets + histogram.customBounds
        let spans = (histogram.positiveSpans + histogram.negativeSpans).flatMap {
            [UInt64(UInt32(bitPattern: $0.offset)), UInt64($0.length)]
        }
        return numbers.map(\.bitPattern) + spans
            + [UInt64(UInt32(bitPattern: histogram.schema)), UInt64(histogram.resetHint.rawValue)]
    }

    @Test func `gives back every histogram bit by bit`() throws {
        for seed in UInt64(0)..<500 {
            let histograms = Self.histograms(seed)
            var bytes: [UInt8] = []
            HistogramChunk.write(histograms, to: &bytes)
            try bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                let back = try HistogramChunk.read(&reader, count: histograms.count)
                #expect(back.map(Self.words) == histograms.map(Self.words), "seed \(seed)")
                #expect(reader.isAtEnd)
            }
        }
    }

    @Test func `a steady integer histogram takes little more than a byte per number`() {
        var histograms: [FloatHistogram] = []
        for i in 0..<100 {
            var one = FloatHistogram(schema: 3, zeroThreshold: 1e-128, zeroCount: Double(i))
            one.count = Double(10 * i)
            one.sum = Double(33 * i)
            one.positiveSpans = [.init(offset: 0, length: 6)]
            for bucket in 1...6 { one.positiveBuckets.append(Double(i * bucket)) }
            histograms.append(one)
        }
        var bytes: [UInt8] = []
        HistogramChunk.write(histograms, to: &bytes)
        #expect(bytes.count <= 100 * 10 + 60)
    }

    @Test func `damaged bytes give an error or histograms, never a crash`() {
        var random = SeededRandom(seed: 2)
        for seed in UInt64(0)..<2000 {
            let histograms = Self.histograms(seed % 100)
            var bytes: [UInt8] = []
            HistogramChunk.write(histograms, to: &bytes)
            bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 255)
            if random.next() % 3 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                _ = try? HistogramChunk.read(&reader, count: histograms.count)
            }
        }
    }
}
