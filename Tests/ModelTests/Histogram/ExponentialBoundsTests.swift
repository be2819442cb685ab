import Model
import Testing

@Suite("Bounds of exponential buckets")
struct ExponentialBoundsTests {
    @Test("schema 8 has Prometheus's bits")
    func tableBits() {
        // FNV-1a over the 256 fractions as little-endian doubles, computed with exact decimal arithmetic.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for index in 0..<256 {
            let bits = (ExponentialBounds.upper(index, schema: 8) / 2).bitPattern
            for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
                hash = (hash ^ ((bits >> shift) & 0xFF)) &* 0x100_0000_01b3
            }
        }
        #expect(hash == 0x6e49_0708_4012_aac2)
    }

    @Test(
        "bucket 3 of each schema",
        arguments: [
            (-4 as Int32, 4.294967296e+09, 2.81474976710656e+14), (-3, 65536, 1.6777216e+07), (-2, 256, 4096),
            (-1, 16, 64), (0, 4, 8), (1, 2, 2.82842712474619), (2, 1.414213562373095, 1.6817928305074288),
            (3, 1.189207115002721, 1.2968395546510096), (4, 1.0905077326652577, 1.1387886347566916),
            (5, 1.0442737824274138, 1.0671404006768235), (6, 1.0218971486541166, 1.0330248790212284),
            (7, 1.0108892860517005, 1.0163783149109529), (8, 1.0054299011128027, 1.0081558981184175),
        ])
    func bucketThree(schema: Int32, lower: Double, upper: Double) {
        #expect(ExponentialBounds.upper(2, schema: schema) == lower)
        #expect(ExponentialBounds.upper(3, schema: schema) == upper)
    }

    @Test("the last bucket before infinity ends at the largest double")
    func lastBucket() {
        #expect(ExponentialBounds.upper(1024, schema: 0) == .greatestFiniteMagnitude)
        #expect(ExponentialBounds.upper(1025, schema: 0) == .infinity)
        #expect(ExponentialBounds.upper(64, schema: -4) == .greatestFiniteMagnitude)
        #expect(ExponentialBounds.upper(.max, schema: 8) == .infinity)
        #expect(ExponentialBounds.upper(.min, schema: -4) == 0)
    }
}
