/// A buffer of bytes under construction, whose memory is reused; callers reserve memory, then write without checks.
struct ByteSink: ~Copyable {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int

    init() {
        capacity = 256
        base = .allocate(capacity: capacity)
    }

    deinit { base.deallocate() }

    mutating func removeAll() { count = 0 }

    /// Removes all bytes after the first `size`.
    mutating func truncate(to size: Int) { count = min(count, size) }

    /// Reserves memory for `extra` more bytes.
    mutating func reserve(_ extra: Int) {
        guard capacity &- count < extra else { return }
        let size = max(capacity &* 2, count &+ extra)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = size
    }

    /// Appends a byte, whose memory must be reserved.
    @inline(__always)
    mutating func put(_ byte: UInt8) {
        assert(count < capacity, "no memory is reserved")
        base[count] = byte
        count &+= 1
    }

    /// Appends an unsigned number of at most 10 bytes, whose memory must be reserved.
    @inline(__always)
    mutating func putVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            put(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        put(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    mutating func putZigzag(_ value: Int64) { putVarint(UInt64(bitPattern: value << 1 ^ value >> 63)) }

    /// Appends the `size` low bytes of a number, lowest first; their memory must be reserved.
    @inline(__always)
    mutating func putLittle(_ value: UInt64, _ size: Int) {
        var rest = value
        for _ in 0..<size {
            put(UInt8(truncatingIfNeeded: rest))
            rest &>>= 8
        }
    }

    /// Appends bytes, and reserves memory for them.
    mutating func append(_ bytes: [UInt8]) {
        reserve(bytes.count)
        bytes.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { (base + count).update(from: start, count: source.count) }
        }
        count &+= bytes.count
    }

    /// Appends bytes, and reserves memory for them.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count)
        if let start = bytes.baseAddress {
            UnsafeMutableRawPointer(base + count).copyMemory(from: start, byteCount: bytes.count)
        }
        count &+= bytes.count
    }

    /// Appends `size` zero bytes, and reserves memory for them; returns their position.
    mutating func appendZeros(_ size: Int) -> Int {
        reserve(size)
        (base + count).update(repeating: 0, count: size)
        count &+= size
        return count &- size
    }

    /// Sets bit `number` of the bytes from `start` on.
    @inline(__always)
    mutating func setBit(_ number: Int, from start: Int) {
        let at = start &+ number >> 3
        assert(number >= 0 && start >= 0 && at < count, "bit \(number) from \(start) of \(count) bytes")
        base[at] |= 1 << UInt8(number & 7)
    }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
}
