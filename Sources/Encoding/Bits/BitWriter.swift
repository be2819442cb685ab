/// Writes bits, highest first, into memory of the caller.
///
/// The caller provides enough space; bits that do not fit are dropped and never written outside.
public struct BitWriter {
    @usableFromInline let bytes: UnsafeMutablePointer<UInt8>
    @usableFromInline let capacity: Int
    /// The number of bits that were written.
    public private(set) var position: Int

    public init(_ bytes: UnsafeMutablePointer<UInt8>, capacity: Int, at position: Int = 0) {
        self.bytes = bytes
        self.capacity = capacity
        self.position = position
    }

    /// The number of bytes that were written, with a partial last one.
    public var byteCount: Int { (position &+ 7) &>> 3 }

    /// Appends the low `count` bits (0…64) of `value`.
    public mutating func put(_ value: UInt64, _ count: Int) {
        if count > 56 {
            put56(value &>> 32, count &- 32)
            put56(value & 0xFFFF_FFFF, 32)
        } else {
            put56(value, count)
        }
    }

    @inline(__always)
    private mutating func put56(_ value: UInt64, _ count: Int) {
        let at = position &>> 3
        let used = position & 7
        let size = (used &+ count &+ 7) &>> 3
        guard count > 0, at &+ size <= capacity else { return }
        let kept = used == 0 ? 0 : UInt64(bytes[at]) & ~(0xFF &>> UInt64(used))
        let masked = value & (~0 &>> UInt64(64 &- count))
        var word = kept &<< 56 | masked &<< UInt64(64 &- used &- count)
        if at &+ 8 <= capacity {
            UnsafeMutableRawPointer(bytes + at).storeBytes(of: word.bigEndian, as: UInt64.self)
        } else {
            for i in 0..<size {
                bytes[at &+ i] = UInt8(truncatingIfNeeded: word &>> 56)
                word &<<= 8
            }
        }
        position &+= count
    }
}
