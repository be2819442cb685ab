import Model
import TestSupport
import Testing

@testable import Encoding

@Suite struct PrometheusChunkTests {
    private func times(_ count: Int, _ random: inout SeededRandom) -> [Int64] {
        var time = Int64.random(in: -1_000_000...1_700_000_000_000, using: &random)
        let jitter: Int64 = [0, 3, 9000, 70_000, 600_000, 1 << 40].randomElement(using: &random) ?? 0
        return (0..<count).map { _ in
            time += 15_000 + Int64.random(in: 0...jitter, using: &random)
            return time
        }
    }

    @Test(arguments: 0..<50) func `floats are read as they were written`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let count = Int.random(in: 1...200, using: &random)
        let times = times(count, &random)
        let values = (0..<count).map { i -> Double in
            switch seed % 4 {
            case 0: Double(bitPattern: random.next())
            case 1: Double(i * 3)
            case 2: Double(Int.random(in: 0...3, using: &random))
            default: Double.random(in: 0...1, using: &random)
            }
        }
        let bytes = times.withUnsafeBufferPointer { t in
            values.withUnsafeBufferPointer { PrometheusChunk.floats(t, $0) }
        }
        var columns = SampleColumns()
        try bytes.withUnsafeBytes { try PrometheusChunk.read(PrometheusChunk.xor, $0, into: &columns) }
        #expect((0..<columns.count).map { columns.timestamps[$0] } == times)
        #expect((0..<columns.count).map { columns.values[$0].bitPattern } == values.map(\.bitPattern))
    }

    @Test func `spans whose lengths wrap are refused`() {
        var writer = ChunkBitWriter([0, 1, 0, 0])
        writer.putVarbit(0)
        writer.putVarbit(unsigned: 2)
        for length in [10, UInt64.max - 5] {
            writer.putVarbit(unsigned: length)
            writer.putVarbit(0)
        }
        let bytes = writer.bytes + [UInt8](repeating: 0, count: 16)
        var columns = SampleColumns()
        #expect(throws: DecodeError.self) {
            try bytes.withUnsafeBytes { try PrometheusChunk.read(PrometheusChunk.histogram, $0, into: &columns) }
        }
    }

    @Test func `bytes that are no chunk give an error or samples, never more`() {
        var random = SeededRandom(seed: 7)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            for encoding in UInt8(0)...8 {
                var columns = SampleColumns()
                _ = try? bytes.withUnsafeBytes { try PrometheusChunk.read(encoding, $0, into: &columns) }
                #expect(columns.count <= bytes.count * 8)
            }
        }
    }

    private static func bytes(_ hex: String) -> [UInt8] {
        var rest = Substring(hex)
        var bytes: [UInt8] = []
        while let byte = UInt8(rest.prefix(2), radix: 16) {
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return bytes
    }

    /// As the real encoder of Prometheus wrote them.
    @Test(arguments: [
        (
            1,
            "000880a0abfef9623ff000000000000098753097ffe000f605dffd2000f07fff6b33333333333786b6c2c049999999999999e00000"
                + "0000a42ccf11f9c0e6b645a1cad0"
        ),
        (
            4,
            "00080080a0abfef9623ff000000000000098755097fff000f302f7fe9800781fffdacccccccccccde1adb0fe0000000005216678bf"
                + "dc6153d44b683080"
        ),
    ])
    func `floats are read in both codes of Prometheus`(encoding: UInt8, hex: String) throws {
        var columns = SampleColumns()
        let start: Int64 = 1_700_000_000_000
        try Self.bytes(hex).withUnsafeBytes { try PrometheusChunk.read(encoding, $0, into: &columns) }
        let times: [Int64] = [0, 15000, 30000, 45003, 60000, 75000, 200_000, 86_400_000]
        let values = [1, 1, 2, 3.5, 3.5, -0.1, Staleness.marker, 12345.678].map(\.bitPattern)
        #expect((0..<columns.count).map { columns.timestamps[$0] - start } == times)
        #expect((0..<columns.count).map { columns.values[$0].bitPattern } == values)
        #expect(columns.starts.isEmpty)
    }

    @Test func `start timestamps in chunks of Prometheus are read`() throws {
        let start: Int64 = 1_700_000_000_000
        var columns = SampleColumns()
        let floats = "00068380a0abfef9623ff0000000000000904e98755097ffe7fefbd8f0ab0bf83a98ffc1d4c0"
        try Self.bytes(floats).withUnsafeBytes { try PrometheusChunk.read(4, $0, into: &columns) }
        #expect(
            (0..<columns.count).map { columns.starts.start(at: columns.timestamps[$0]) - start } == [
                -5000, -5000, -5000, 40000, 40000, 40000,
            ])
        #expect(
            (0..<columns.count).map { columns.values[$0].bitPattern }
                == [1, 1, 2, 0.5, 1.5, Staleness.marker].map(\.bitPattern))
        // The chunk behind it has none.
        let plain =
            "000880a0abfef9623ff000000000000098753097ffe000f605dffd2000f07fff6b33333333333786b6c2c049999999999999"
            + "e000000000a42ccf11f9c0e6b645a1cad0"
        try Self.bytes(plain).withUnsafeBytes { try PrometheusChunk.read(1, $0, into: &columns) }
        #expect(columns.starts.newest == 0)
    }

    @Test(arguments: [
        (
            2,
            "000300ff3f50624dd2f1a9fc8ca4946317f0000c5e7f2b4005648064cccccccccccd18dcf83a98a47487e22236693fffffffffffe0"
        ),
        (
            5,
            "000380ff3f50624dd2f1a9fc8ca4946317f0000c5e7f2b4005648064cccccccccccd18dcd00ff83a98a47487e22236693fffffffff"
                + "ffe0"
        ),
    ])
    func `histograms are read with start timestamps and without`(encoding: UInt8, hex: String) throws {
        let start: Int64 = 1_700_000_000_000
        var columns = SampleColumns()
        try Self.bytes(hex).withUnsafeBytes { try PrometheusChunk.read(encoding, $0, into: &columns) }
        #expect(columns.histograms.count == 3)
        for (n, histogram) in columns.histograms {
            #expect(columns.timestamps[n] == start + Int64(n) * 15000)
            #expect(histogram.count == Double(5 + 4 * n) && histogram.zeroCount == Double(2 + n))
            #expect(histogram.sum == 18.4 * Double(n + 1))
            let first = Double(n + 1)
            #expect(histogram.positiveBuckets == [first, first + 1, first, first])
            #expect(histogram.negativeBuckets == [Double(n)])
            #expect(columns.starts.start(at: columns.timestamps[n]) == (encoding == 5 ? start - 1000 : 0))
        }
    }
}
