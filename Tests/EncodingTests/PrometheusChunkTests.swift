import Model
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
        var random = SeededRandom(UInt64(seed))
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
        var random = SeededRandom(7)
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            for encoding in UInt8(0)...4 {
                var columns = SampleColumns()
                _ = try? bytes.withUnsafeBytes { try PrometheusChunk.read(encoding, $0, into: &columns) }
                #expect(columns.count <= bytes.count * 4 + 1)
            }
        }
    }
}
