/// Reads bits, highest first; after the end it reads zeros and records the overrun.
public struct BitReader {
    @usableFromInline let bytes: UnsafePointer<UInt8>
    @usableFromInline let size: Int
    /// The number of bits that were read.
    public var position: Int

    @inlinable
    public init(_ bytes: UnsafePointer<UInt8>, size: Int, at position: Int = 0) {
        self.bytes = bytes
        self.size = size
        self.position = position
    }

    /// Whether more bits were read than exist.
    @inlinable
    public var isOverrun: Bool { position > size &* 8 }

    /// The number of bits that were not read yet.
    @inlinable
    public var left: Int { max(0, size &* 8 &- position) }

    /// The next bits, the first one highest; at least 57 of them are valid.
    @inlinable @inline(__always)
    public func peek() -> UInt64 {
        let at = position &>> 3
        if at &+ 8 <= size {
            let word = UnsafeRawPointer(bytes + at).loadUnaligned(as: UInt64.self)
            return UInt64(bigEndian: word) &<< UInt64(position & 7)
        }
        return peekAtEnd(at)
    }

    @usableFromInline @inline(never)
    func peekAtEnd(_ at: Int) -> UInt64 {
        var word: UInt64 = 0
        for i in 0..<8 {
            let next = at &+ i
            word = word &<< 8 | (next < size ? UInt64(bytes[next]) : 0)
        }
        return word &<< UInt64(position & 7)
    }

    /// The next `count` bits, 0…64.
    @inlinable @inline(__always)
    public mutating func get(_ count: Int) -> UInt64 {
        if count > 56 {
            let high = get56(count &- 32)
            return high &<< 32 | get56(32)
        }
        return get56(count)
    }

    @inlinable @inline(__always)
    mutating func get56(_ count: Int) -> UInt64 {
        guard count > 0 else { return 0 }
        let value = peek() &>> UInt64(64 &- count)
        position &+= count
        return value
    }
}
