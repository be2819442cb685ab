import Encoding
import Model
import TestSupport
import Testing

@Suite struct ValueChunkTests {
    /// A frame that holds one chunk, behind some others.
    static func encode(_ values: [Double], xorOnly: Bool = false, before: Int = 0) -> (bytes: [UInt8], bits: [UInt8]) {
        var encoder = ChunkEncoder(xorOnly: xorOnly)
        var chunk = ChunkParts()
        values.withUnsafeBufferPointer { encoder.encode($0, to: &chunk) }
        var frame: (bytes: [UInt8], bits: [UInt8]) = ([], [UInt8](repeating: 0xAA, count: before))
        chunk.append(to: &frame.bytes, bits: &frame.bits)
        frame.bits += [UInt8](repeating: 0x55, count: PackedIntegers.padding)
        return frame
    }

    static func size(_ values: [Double]) -> Int {
        let frame = encode(values)
        return frame.bytes.count + frame.bits.count - PackedIntegers.padding
    }

    static func decode(_ frame: (bytes: [UInt8], bits: [UInt8]), _ count: Int) throws -> [Double] {
        var values = [Double](repeating: 0, count: count)
        try frame.bytes.withUnsafeBytes { raw in
            try frame.bits.withUnsafeBytes { bits in
                var reader = ByteReader(raw)
                try values.withUnsafeMutableBufferPointer { target in
                    guard let base = target.baseAddress else { return }
                    try ValueChunk.read(&reader, bits: bits, count: count, into: base)
                }
                #expect(reader.isAtEnd)
            }
        }
        return values
    }

    @Test(arguments: SampleKind.allCases, [false, true])
    func `gives back every bit pattern`(kind: SampleKind, xorOnly: Bool) throws {
        for seed in UInt64(0)..<150 {
            var random = SeededRandom(seed: seed)
            let count = Int(1 + random.next() % 500)
            let values = kind.values(count, &random)
            let frame = Self.encode(values, xorOnly: xorOnly, before: Int(seed))
            #expect(try Self.decode(frame, count).map(\.bitPattern) == values.map(\.bitPattern), "seed \(seed)")
        }
    }

    @Test func `only markers`() throws {
        let values = [Double](repeating: Staleness.marker, count: 3)
        #expect(try Self.decode(Self.encode(values), 3).map(\.bitPattern) == values.map(\.bitPattern))
    }

    @Test func `sizes stay what they are`() {
        var random = SeededRandom(seed: 1)
        let constant = [Double](repeating: 0.25, count: 480)
        let counter = (0..<480).map { 1000 + Double($0 * 15) }
        let cents = (0..<480).map { _ in Double(random.next() % 1024) / 100 }
        let pages = (0..<480).map { _ in Double(random.next() % 1024) * 4096 }
        #expect(Self.size(constant) == 3)
        // A byte for each sample, all of them zero.
        #expect(Self.size(counter) == 484)
        #expect(Self.encode(counter).bits.count == PackedIntegers.padding)
        // A symbol each, and 7 of 10 bits raw.
        #expect(Self.size(cents) <= 480 + 480 * 7 / 8 + 16)
        #expect(Self.size(pages) <= 480 + 480 * 7 / 8 + 16)
    }

    @Test func `damaged bytes give an error or values, never a crash`() {
        var random = SeededRandom(seed: 3)
        for kind in SampleKind.allCases {
            for _ in 0..<400 {
                let values = kind.values(100, &random)
                var frame = Self.encode(values)
                frame.bytes[Int(random.next() % UInt64(frame.bytes.count))] = UInt8(random.next() & 255)
                if random.next() % 4 == 0 { frame.bytes.removeLast(Int(random.next() % UInt64(frame.bytes.count))) }
                if random.next() % 4 == 0 { frame.bits.removeLast(Int(random.next() % UInt64(frame.bits.count))) }
                _ = try? Self.values(frame, 100)
            }
        }
    }

    /// As `decode`, for chunks that may end anywhere.
    private static func values(_ frame: (bytes: [UInt8], bits: [UInt8]), _ count: Int) throws -> [Double] {
        var values = [Double](repeating: 0, count: count)
        try frame.bytes.withUnsafeBytes { raw in
            try frame.bits.withUnsafeBytes { bits in
                var reader = ByteReader(raw)
                try values.withUnsafeMutableBufferPointer { target in
                    guard let base = target.baseAddress else { return }
                    try ValueChunk.read(&reader, bits: bits, count: count, into: base)
                }
            }
        }
        return values
    }
}

@Suite struct PackedIntegersTests {
    @Test func `gives back any integers`() throws {
        for seed in UInt64(0)..<600 {
            var random = SeededRandom(seed: seed)
            let width = random.next() % 65
            let count = Int(random.next() % 70)
            var level: Int64 = Int64(truncatingIfNeeded: random.next())
            let integers = (0..<count).map { _ -> Int64 in
                let step = width == 0 ? 0 : Int64(truncatingIfNeeded: random.next() >> (64 - width))
                if seed % 3 == 0 { return step << Int64(seed % 13) }
                level &+= step &- Int64(seed % 5)
                return level
            }
            #expect(try Self.roundTrip(integers).back == integers, "seed \(seed)")
        }
    }

    @Test func `gives back what has a common divisor`() throws {
        for seed in UInt64(0)..<300 {
            var random = SeededRandom(seed: seed)
            let divisor = Int64([3, 10, 1000, 4096, 12_288, 1 << 40, 7 << 33][Int(seed % 7)])
            let offset = Int64(random.next() % 1000)
            let integers = (0..<100).map { _ in Int64(random.next() % 5000) * divisor + offset }
            let (back, size) = try Self.roundTrip(integers)
            #expect(back == integers, "seed \(seed)")
            // 13 bits each, of which 10 are raw; what is larger than a divisor may be stays.
            if divisor <= 12_288 { #expect(size <= 100 + 130 + 24, "seed \(seed)") }
        }
    }

    @Test func `extremes wrap`() throws {
        for integers: [Int64] in [
            [], [.min], [.max, .min], [.min, .max, .min], [0, .min, 0, .max], [.min, .min, 0, 1, .max, .max],
            [.max, .max - 3, .min, .min + 3], Array(repeating: .min, count: 20),
        ] { #expect(try Self.roundTrip(integers).back == integers) }
    }

    private static func roundTrip(_ integers: [Int64]) throws -> (back: [Int64], size: Int) {
        var (out, bits): ([UInt8], [UInt8]) = ([], [])
        integers.withUnsafeBufferPointer { PackedIntegers(planning: $0).write($0, to: &out, bits: &bits) }
        let size = out.count + bits.count
        bits += [UInt8](repeating: 0xFF, count: PackedIntegers.padding)
        var back = [Int64](repeating: 0, count: integers.count + 1)
        try out.withUnsafeBytes { raw in
            try bits.withUnsafeBytes { bits in
                var reader = ByteReader(raw)
                try back.withUnsafeMutableBufferPointer { target in
                    guard let base = target.baseAddress else { return }
                    try PackedIntegers.read(&reader, bits: bits, count: integers.count, into: base)
                }
                #expect(reader.isAtEnd)
            }
        }
        return (Array(back.dropLast()), size)
    }
}

@Suite struct CompressionTests {
    let text = Array(String(repeating: "node_cpu_seconds_total ", count: 5000).utf8)

    @Test func `zstd, snappy and gzip give back what went in`() throws {
        var frame: [UInt8] = []
        try text.withUnsafeBytes { try ZstdCompressor().compress($0, level: 1, to: &frame) }
        #expect(try frame.withUnsafeBytes { try ZstdDecompressor().decompress($0, limit: 1 << 20) } == text)
        #expect(try SnappyBlock.decompress(SnappyBlock.compress(text), limit: 1 << 20) == text)
        var cut: [UInt8] = []
        try text.withUnsafeBytes { try ZstdCompressor().compress($0, level: 1, cuts: [10, 5000, 5001], to: &cut) }
        #expect(try cut.withUnsafeBytes { try ZstdDecompressor().decompress($0, limit: 1 << 20) } == text)
        let zipped = try Gzip.compress(text)
        #expect(try Gzip.decompress(zipped, limit: 1 << 20) == text)
        #expect(try Gzip.decompress(zipped + zipped, limit: 1 << 20) == text + text)
        #expect(try SnappyBlock.decompress(SnappyBlock.compress([]), limit: 10) == [])
    }

    @Test func `new statistics begin where the distribution changes`() {
        var random = SeededRandom(seed: 5)
        let small = (0..<4000).map { _ in UInt8(random.next() % 4) }
        let large = (0..<4000).map { _ in UInt8(100 + random.next() % 16) }
        var cuts = StatisticsCuts()
        let ends = Array(stride(from: 1000, through: 8000, by: 1000))
        #expect((small + large).withUnsafeBytes { cuts.find($0, ends: ends) } == [4000])
        #expect((small + small).withUnsafeBytes { cuts.find($0, ends: ends) } == [])
        #expect([].withUnsafeBytes { cuts.find($0, ends: []) } == [])
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
