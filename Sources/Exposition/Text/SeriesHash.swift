/// A fast 64-bit hash of the text of a series, only meaningful within this process.
///
/// Two words of 64 bits are folded by one 128-bit multiplication, after the construction of wyhash (Wang Yi). The seed
/// is random for each process, so that nobody outside can prepare two series that collide.
public enum SeriesHash {
    /// A random number, drawn once per process.
    public static let processSeed = UInt64.random(in: .min ... .max)

    @inline(__always) @inlinable
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    @inline(__always) @inlinable
    static func load(_ at: UnsafeRawPointer) -> UInt64 { at.loadUnaligned(as: UInt64.self) }

    /// The hash of `count` bytes at `base`; never 0.
    @inlinable
    public static func hash(_ base: UnsafePointer<UInt8>, _ count: Int, seed: UInt64) -> UInt64 {
        let (s0, s1): (UInt64, UInt64) = (0xA076_1D64_78BD_642F, 0xE703_7ED1_A0B4_28DB)
        let raw = UnsafeRawPointer(base)
        var state = seed ^ s0
        var at = 0
        while count &- at > 16 {
            state = fold(load(raw + at) ^ s1, load(raw + (at &+ 8)) ^ state)
            at &+= 16
        }
        var (a, b): (UInt64, UInt64) = (0, 0)
        if count >= 16 {
            a = load(raw + (count &- 16))
            b = load(raw + (count &- 8))
        } else if count >= 8 {
            a = load(raw)
            b = load(raw + (count &- 8))
        } else if count >= 4 {
            a = UInt64(raw.loadUnaligned(as: UInt32.self))
            b = UInt64((raw + (count &- 4)).loadUnaligned(as: UInt32.self))
        } else if count > 0 {
            a = UInt64(base[0]) << 16 | UInt64(base[count >> 1]) << 8 | UInt64(base[count &- 1])
        }
        let result = fold(s1 ^ UInt64(truncatingIfNeeded: count), fold(a ^ s1, b ^ state))
        return result == 0 ? 1 : result
    }
}
