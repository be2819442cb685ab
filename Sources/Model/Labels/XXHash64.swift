/// XXH64, the 64-bit xxHash (specification at xxhash.com), seed 0 unless given.
public enum XXHash64 {
    private static let p1: UInt64 = 11_400_714_785_074_694_791
    private static let p2: UInt64 = 14_029_467_366_897_019_727
    private static let p3: UInt64 = 1_609_587_929_392_839_161
    private static let p4: UInt64 = 9_650_029_242_287_828_579
    private static let p5: UInt64 = 2_870_177_450_012_600_261

    @inline(__always)
    private static func rotate(_ x: UInt64, _ by: UInt64) -> UInt64 { x << by | x >> (64 &- by) }

    @inline(__always)
    private static func round(_ lane: UInt64, _ input: UInt64) -> UInt64 { rotate(lane &+ input &* p2, 31) &* p1 }

    @inline(__always)
    private static func merge(_ hash: UInt64, _ lane: UInt64) -> UInt64 { (hash ^ round(0, lane)) &* p1 &+ p4 }

    /// The hash of `bytes`.
    public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        var at = 0
        let count = bytes.count
        var hash: UInt64
        if count >= 32 {
            var (a, b, c, d) = (seed &+ p1 &+ p2, seed &+ p2, seed, seed &- p1)
            while count &- at >= 32 {
                a = round(a, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian)
                b = round(b, bytes.loadUnaligned(fromByteOffset: at &+ 8, as: UInt64.self).littleEndian)
                c = round(c, bytes.loadUnaligned(fromByteOffset: at &+ 16, as: UInt64.self).littleEndian)
                d = round(d, bytes.loadUnaligned(fromByteOffset: at &+ 24, as: UInt64.self).littleEndian)
                at &+= 32
            }
            hash = rotate(a, 1) &+ rotate(b, 7) &+ rotate(c, 12) &+ rotate(d, 18)
            hash = merge(merge(merge(merge(hash, a), b), c), d)
        } else {
            hash = seed &+ p5
        }
        hash = hash &+ UInt64(count)
        while count &- at >= 8 {
            hash =
                rotate(hash ^ round(0, bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self).littleEndian), 27)
                &* p1 &+ p4
            at &+= 8
        }
        if count &- at >= 4 {
            let word = UInt64(bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self).littleEndian)
            hash = rotate(hash ^ (word &* p1), 23) &* p2 &+ p3
            at &+= 4
        }
        while at < count {
            hash = rotate(hash ^ (UInt64(bytes[at]) &* p5), 11) &* p1
            at &+= 1
        }
        hash = (hash ^ hash >> 33) &* p2
        hash = (hash ^ hash >> 29) &* p3
        return hash ^ hash >> 32
    }
}
