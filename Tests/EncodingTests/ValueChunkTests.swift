import Encoding
import Model
import Testing

@Suite struct ValueChunkTests {
    static func encode(_ values: [Double], xorOnly: Bool = false) -> [UInt8] {
        var encoder = ChunkEncoder(xorOnly: xorOnly)
        var out: [UInt8] = []
        values.withUnsafeBufferPointer { encoder.encode($0, to: &out) }
        return out
    }

    static func decode(_ bytes: [UInt8], _ count: Int) throws -> [Double] {
        var values = [Double](repeating: 0, count: count)
        try bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            try values.withUnsafeMutableBufferPointer { target in
                guard let base = target.baseAddress else { return }
                try ValueChunk.read(&reader, count: count, into: base)
            }
            #expect(reader.isAtEnd)
        }
        return values
    }

    @Test(arguments: SampleKind.allCases, [false, true])
    func `gives back every bit pattern`(kind: SampleKind, xorOnly: Bool) throws {
        for seed in UInt64(0)..<150 {
            var random = SeededRandom(seed)
            let count = Int(1 + random.next() % 500)
            let values = kind.values(count, &random)
            let bytes = Self.encode(values, xorOnly: xorOnly)
            #expect(try Self.decode(bytes, count).map(\.bitPattern) == values.map(\.bitPattern), "seed \(seed)")
        }
    }

    @Test func `only markers`() throws {
        let values = [Double](repeating: Staleness.marker, count: 3)
        #expect(try Self.decode(Self.encode(values), 3).map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test func `sizes stay what they are`() {
        var random = SeededRandom(1)
        let constant = [Double](repeating: 0.25, count: 480)
        let counter = (0..<480).map { 1000 + Double($0 * 15) }
        let cents = (0..<480).map { _ in Double(random.next() % 1024) / 100 }
        let pages = (0..<480).map { _ in Double(random.next() % 1024) * 4096 }
        #expect(Self.encode(constant).count == 3)
        #expect(Self.encode(counter).count == 36)
        #expect(Self.encode(cents).count <= 480 * 10 / 8 + 40)
        #expect(Self.encode(pages).count <= 480 * 10 / 8 + 40)
    }

    @Test func `damaged bytes give an error or values, never a crash`() {
        var random = SeededRandom(3)
        for kind in SampleKind.allCases {
            for _ in 0..<400 {
                let values = kind.values(100, &random)
                var bytes = Self.encode(values)
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 255)
                if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
                var target = [Double](repeating: 0, count: 100)
                bytes.withUnsafeBytes { raw in
                    target.withUnsafeMutableBufferPointer { target in
                        var reader = ByteReader(raw)
                        guard let base = target.baseAddress else { return }
                        try? ValueChunk.read(&reader, count: 100, into: base)
                    }
                }
            }
        }
    }
}

@Suite struct PackedIntegersTests {
    @Test func `gives back any integers`() throws {
        for seed in UInt64(0)..<600 {
            var random = SeededRandom(seed)
            let width = random.next() % 65
            let count = Int(random.next() % 70)
            var level: Int64 = Int64(truncatingIfNeeded: random.next())
            let integers = (0..<count).map { _ -> Int64 in
                let step = width == 0 ? 0 : Int64(truncatingIfNeeded: random.next() >> (64 - width))
                if seed % 3 == 0 { return step << Int64(seed % 13) }
                level &+= step &- Int64(seed % 5)
                return level
            }
            var out: [UInt8] = []
            integers.withUnsafeBufferPointer { PackedIntegers(planning: $0).write($0, to: &out) }
            var back = [Int64](repeating: 0, count: count + 1)
            try out.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                try back.withUnsafeMutableBufferPointer { target in
                    guard let base = target.baseAddress else { return }
                    try PackedIntegers.read(&reader, count: count, into: base)
                }
                #expect(reader.isAtEnd)
            }
            #expect(Array(back.dropLast()) == integers, "seed \(seed)")
        }
    }
}

@Suite struct CompressionTests {
    let text = Array(String(repeating: "node_cpu_seconds_total ", count: 5000).utf8)

    @Test func `zstd, snappy and gzip give back what went in`() throws {
        var frame: [UInt8] = []
        try text.withUnsafeBytes { try ZstdCompressor().compress($0, level: 1, to: &frame) }
        #expect(try frame.withUnsafeBytes { try ZstdDecompressor().decompress($0, limit: 1 << 20) } == text)
        #expect(try SnappyBlock.decompress(SnappyBlock.compress(text), limit: 1 << 20) == text)
        let zipped = try Gzip.compress(text)
        #expect(try Gzip.decompress(zipped, limit: 1 << 20) == text)
        #expect(try Gzip.decompress(zipped + zipped, limit: 1 << 20) == text + text)
        #expect(try SnappyBlock.decompress(SnappyBlock.compress([]), limit: 10) == [])
    }

    @Test func `limits and damage are errors`() throws {
        #expect(throws: CompressionError.self) { try SnappyBlock.decompress(SnappyBlock.compress(text), limit: 100) }
        #expect(throws: CompressionError.self) { try Gzip.decompress(Gzip.compress(text), limit: 100) }
        let cut = try Array(Gzip.compress(text).dropLast(3))
        #expect(throws: CompressionError.self) { try Gzip.decompress(cut, limit: 1 << 20) }
        #expect(throws: CompressionError.self) { try Gzip.decompress([1, 2, 3], limit: 100) }
        #expect(throws: CompressionError.self) { try SnappyBlock.decompress([255, 255], limit: 100) }
    }
}
