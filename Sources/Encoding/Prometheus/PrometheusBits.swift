/// Appends bits to bytes, highest first.
struct ChunkBitWriter {
    private(set) var bytes: [UInt8]
    /// The number of free bits in the last byte.
    private var free = 0

    init(_ bytes: [UInt8] = []) { self.bytes = bytes }

    /// Appends the low `count` bits (0…64) of `value`.
    mutating func put(_ value: UInt64, _ count: Int) {
        var left = count
        while left > 0 {
            if free == 0 {
                bytes.append(0)
                free = 8
            }
            let taken = min(free, left)
            let part =
                UInt8(truncatingIfNeeded: value >> UInt64(left - taken))
                & UInt8(truncatingIfNeeded: 0xFF >> (8 - taken))
            bytes[bytes.count - 1] |= part << UInt8(free - taken)
            free -= taken
            left -= taken
        }
    }

    /// Appends a varint in whole bytes of the stream, as Go's `binary.PutUvarint`.
    mutating func putVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            put(rest & 0x7F | 0x80, 8)
            rest >>= 7
        }
        put(rest, 8)
    }

    /// The widths of Prometheus's `varbit` code; the prefix of each consists of ones and a final zero.
    static let widths = [3, 6, 9, 12, 18, 25, 56, 64]

    private mutating func putClass(_ at: Int) {
        // The last class needs no final zero.
        let ones = at + 1
        if at == Self.widths.count - 1 { put(0xFF, 8) } else { put((1 << UInt64(ones) - 1) << 1, ones + 1) }
    }

    /// Appends a signed number in Prometheus's `varbit` code (`tsdb/chunkenc/varbit.go` of its sources describes it).
    mutating func putVarbit(_ value: Int64) {
        if value == 0 { return put(0, 1) }
        for (at, width) in Self.widths.enumerated() {
            let fits = width == 64 || value >= -(1 << Int64(width - 1)) + 1 && value <= 1 << Int64(width - 1)
            if fits {
                putClass(at)
                put(UInt64(bitPattern: value), width)
                return
            }
        }
    }

    /// Appends an unsigned number in the same code.
    mutating func putVarbit(unsigned value: UInt64) {
        if value == 0 { return put(0, 1) }
        for (at, width) in Self.widths.enumerated() where width == 64 || value < 1 << UInt64(width) {
            putClass(at)
            put(value, width)
            return
        }
    }
}

/// The XOR code of one sequence of floats.
struct XORRow {
    private var bits: UInt64 = 0
    private var leading = 0xFF
    private var trailing = 0

    var value: Double { Double(bitPattern: bits) }

    mutating func begin(_ value: Double, _ writer: inout ChunkBitWriter) {
        bits = value.bitPattern
        writer.put(bits, 64)
    }

    mutating func put(_ value: Double, _ writer: inout ChunkBitWriter) {
        let delta = value.bitPattern ^ bits
        bits = value.bitPattern
        if delta == 0 { return writer.put(0, 1) }
        let lead = min(31, delta.leadingZeroBitCount)
        let trail = delta.trailingZeroBitCount
        if leading != 0xFF, lead >= leading, trail >= trailing {
            writer.put(0b10, 2)
            writer.put(delta >> UInt64(trailing), 64 - leading - trailing)
            return
        }
        (leading, trailing) = (lead, trail)
        let width = 64 - lead - trail
        writer.put(0b11, 2)
        writer.put(UInt64(lead), 5)
        // A width of 64 does not fit and is written as 0, which does not occur otherwise.
        writer.put(UInt64(width & 63), 6)
        writer.put(delta >> UInt64(trail), width)
    }

    mutating func begin(_ reader: inout BitReader) -> Double {
        bits = reader.get(64)
        return value
    }

    mutating func next(_ reader: inout BitReader) -> Double {
        guard reader.get(1) == 1 else { return value }
        if reader.get(1) == 1 {
            leading = Int(reader.get(5))
            var width = Int(reader.get(6))
            if width == 0 { width = 64 }
            trailing = max(0, 64 - leading - width)
        }
        guard leading != 0xFF else { return value }
        bits ^= reader.get(64 - leading - trailing) << UInt64(trailing)
        return value
    }
}

extension BitReader {
    /// A varint in whole bytes of the stream.
    mutating func varint() -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = get(8)
            value |= (byte & 0x7F) << shift
            if byte < 0x80 { break }
        }
        return value
    }

    private mutating func varbitWidth() -> Int {
        var ones = 0
        while ones < 8, get(1) == 1 { ones += 1 }
        return ones == 0 ? 0 : ChunkBitWriter.widths[ones - 1]
    }

    /// A signed number in Prometheus's `varbit` code.
    mutating func varbit() -> Int64 {
        let width = varbitWidth()
        if width == 0 { return 0 }
        return signed(get(width), width)
    }

    /// An unsigned number in Prometheus's `varbit` code.
    mutating func unsignedVarbit() -> UInt64 { get(varbitWidth()) }

    /// A number of `width` bits whose range is −2^(width−1)+1 … 2^(width−1).
    func signed(_ bits: UInt64, _ width: Int) -> Int64 {
        if width == 64 { return Int64(bitPattern: bits) }
        let value = Int64(bits)
        return value > 1 << Int64(width - 1) ? value - 1 << Int64(width) : value
    }
}
