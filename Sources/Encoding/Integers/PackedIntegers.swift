/// Integers as residuals in groups of 16, each group with one width.
///
///     header    order in 2 bits, common shift in 6
///     base      zigzag varint: the minimum (order 0) or the first integer (orders 1 and 2)
///     slope     zigzag varint: the first difference; order 2 with at least two integers only
///     groups    width in bits (one byte, 0…64), then up to 16 residuals of that width, lowest bit first
///
/// Residuals are x − minimum, unsigned (order 0), or zigzag-coded differences (1), or differences of differences (2);
/// before that they lose the zero bits at their low end that all of them have. The order is the one with the fewest
/// bits. The predictors are Gorilla's, the packing is frame-of-reference coding (Zukowski et al., ICDE 2006). All
/// arithmetic wraps, so any integers come back.
public struct PackedIntegers {
    private var order = 0
    private var shift = 0
    private var minimum: Int64 = 0
    /// Bytes that ``write(_:to:)`` will need at most.
    public private(set) var size = 0

    private static let group = 16

    /// Bytes of a group of `count` residuals of `width` bits, without the width.
    @inline(__always)
    private static func bytes(_ count: Int, _ width: Int) -> Int { (count &* width &+ 7) &>> 3 }

    /// Finds the best form for `integers`.
    public init(planning integers: UnsafeBufferPointer<Int64>) {
        guard let x = integers.baseAddress, integers.count > 0 else {
            size = 2
            return
        }
        let count = integers.count
        var minimum = x[0]
        var maximum = x[0]
        for i in 0..<count {
            minimum = min(minimum, x[i])
            maximum = max(maximum, x[i])
        }
        self.minimum = minimum
        // Widths of whole groups are summed; the bits at the low end that no residual uses are taken off afterwards.
        var (sum0, sum1, sum2) = (0, 0, 0)
        var (used0, used1, used2) = (0, 0, 0)
        var (all0, all1, all2): (UInt64, UInt64, UInt64) = (0, 0, 0)
        var start = 0
        // Order 1 has no residual for the first, order 2 none for the first two; treating them as zero costs nothing.
        var previous = x[0]
        var slope = count > 1 ? x[1] &- x[0] : 0
        while start < count {
            let end = min(start &+ group16, count)
            var (w0, w1, w2): (UInt64, UInt64, UInt64) = (0, 0, 0)
            for i in start..<end {
                let value = x[i]
                let r0 = UInt64(bitPattern: value &- minimum)
                let delta = value &- previous
                let second = i < 2 ? 0 : delta &- slope
                if i > 0 { slope = delta }
                previous = value
                w0 |= r0
                w1 |= Zigzag.encode(delta)
                w2 |= Zigzag.encode(second)
                all1 |= UInt64(bitPattern: delta)
                all2 |= UInt64(bitPattern: second)
            }
            all0 |= w0
            let (b0, b1, b2) = (
                64 &- w0.leadingZeroBitCount, 64 &- w1.leadingZeroBitCount, 64 &- w2.leadingZeroBitCount
            )
            sum0 &+= b0
            sum1 &+= b1
            sum2 &+= b2
            used0 &+= b0 > 0 ? 1 : 0
            used1 &+= b1 > 0 ? 1 : 0
            used2 &+= b2 > 0 ? 1 : 0
            start = end
        }
        let (s0, s1, s2) = (
            all0 == 0 ? 0 : all0.trailingZeroBitCount, all1 == 0 ? 0 : all1.trailingZeroBitCount,
            all2 == 0 ? 0 : all2.trailingZeroBitCount
        )
        let (bits0, bits1, bits2) = (sum0 &- used0 &* s0, sum1 &- used1 &* s1, sum2 &- used2 &* s2)
        let groups = (count &+ 15) &>> 4
        if bits2 < bits1, bits2 < bits0 {
            (order, shift, size) = (2, s2, bits2)
        } else if bits1 < bits0 {
            (order, shift, size) = (1, s1, bits1)
        } else {
            (order, shift, size) = (0, s0, bits0)
        }
        size = size &* 2 &+ groups &+ 24
    }

    private var group16: Int { Self.group }

    /// Appends the form to `out`.
    public func write(_ integers: UnsafeBufferPointer<Int64>, to out: inout [UInt8]) {
        out.append(UInt8(truncatingIfNeeded: order | shift &<< 2))
        guard let x = integers.baseAddress, integers.count > 0 else { return out.append(0) }
        out.appendZigzag(order == 0 ? minimum : x[0])
        if order == 2, integers.count > 1 { out.appendZigzag(x[1] &- x[0]) }
        var residuals:
            (
                UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64,
                UInt64, UInt64, UInt64
            ) = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        let count = integers.count
        let (order, minimum) = (order, minimum)
        let drop = Int64(shift)
        withUnsafeMutableBytes(of: &residuals) { raw in
            let r = raw.assumingMemoryBound(to: UInt64.self)
            var at = min(order, count)
            while at < count {
                let size = min(Self.group, count &- at)
                var all: UInt64 = 0
                for i in 0..<size {
                    let j = at &+ i
                    let coded: UInt64
                    switch order {
                    case 0: coded = UInt64(bitPattern: x[j] &- minimum) &>> UInt64(drop)
                    case 1: coded = Zigzag.encode((x[j] &- x[j &- 1]) &>> drop)
                    default: coded = Zigzag.encode((x[j] &- 2 &* x[j &- 1] &+ x[j &- 2]) &>> drop)
                    }
                    r[i] = coded
                    all |= coded
                }
                let width = 64 &- all.leadingZeroBitCount
                out.append(UInt8(truncatingIfNeeded: width))
                if width > 0 { Self.pack(r, size, width, to: &out) }
                at &+= size
            }
        }
    }

    private static func pack(
        _ residuals: UnsafeMutableBufferPointer<UInt64>, _ count: Int, _ width: Int, to out: inout [UInt8]
    ) {
        var word: UInt64 = 0
        var filled = 0
        for i in 0..<count {
            let value = residuals[i]
            word |= value &<< UInt64(filled)
            filled &+= width
            if filled >= 64 {
                out.appendLittle(word)
                filled &-= 64
                let taken = width &- filled
                word = taken >= 64 ? 0 : value &>> UInt64(taken)
            }
        }
        while filled > 0 {
            out.append(UInt8(truncatingIfNeeded: word))
            word &>>= 8
            filled &-= 8
        }
    }

    /// Reads `count` integers and leaves `reader` behind them.
    public static func read(
        _ reader: inout ByteReader, count: Int, into integers: UnsafeMutablePointer<Int64>
    ) throws(DecodeError) {
        let header = try reader.byte()
        let order = Int(header & 3)
        let shift = Int64(header &>> 2)
        guard order < 3 else { throw DecodeError(expected: "an order of 0…2", offset: reader.offset) }
        let base = try reader.zigzag()
        guard count > 0 else { return }
        var value = base
        var slope: Int64 = 0
        var at = 0
        if order > 0 {
            integers[0] = base
            at = 1
        }
        if order == 2, count > 1 {
            slope = try reader.zigzag()
            value = base &+ slope
            integers[1] = value
            at = 2
        }
        guard let bytes = reader.bytes.baseAddress else { return }
        let end = reader.bytes.count
        var offset = reader.offset
        while at < count {
            let size = min(group, count &- at)
            guard offset < end else { throw DecodeError(expected: "a group of integers", offset: offset) }
            let width = Int(bytes.load(fromByteOffset: offset, as: UInt8.self))
            offset &+= 1
            let length = Self.bytes(size, width)
            guard width <= 64, length <= end &- offset else {
                throw DecodeError(expected: "a group of integers", offset: offset)
            }
            let out = integers + at
            at &+= size
            if width == 0 {
                switch order {
                case 0: for i in 0..<size { out[i] = base }
                case 1: for i in 0..<size { out[i] = value }
                default:
                    for i in 0..<size {
                        value &+= slope
                        out[i] = value
                    }
                }
            } else if length &+ 8 <= end &- offset {
                if width <= 57 {
                    if size == group {
                        unpack(bytes + offset, group, width, order, shift, base, &value, &slope, out)
                    } else {
                        unpack(bytes + offset, size, width, order, shift, base, &value, &slope, out)
                    }
                } else {
                    unpackWide(bytes + offset, size, width, order, shift, base, &value, &slope, out)
                }
            } else {
                // Loads of 8 bytes would read behind the end.
                withUnsafeTemporaryAllocation(byteCount: 144, alignment: 8) { copy in
                    guard let target = copy.baseAddress else { return }
                    target.initializeMemory(as: UInt8.self, repeating: 0, count: 144)
                    target.copyMemory(from: bytes + offset, byteCount: min(length, 128))
                    unpackWide(UnsafeRawPointer(target), size, width, order, shift, base, &value, &slope, out)
                }
            }
            offset &+= length
        }
        reader = ByteReader(reader.bytes, at: offset)
    }

    /// Restores `count` integers from residuals of at most 57 bits; reads up to 8 bytes behind them.
    @inline(__always)
    private static func unpack(
        _ bytes: UnsafeRawPointer, _ count: Int, _ width: Int, _ order: Int, _ shift: Int64, _ base: Int64,
        _ value: inout Int64, _ slope: inout Int64, _ out: UnsafeMutablePointer<Int64>
    ) {
        let mask: UInt64 = ~0 &>> UInt64(64 &- width)
        var bit = 0
        var (x, d) = (value, slope)
        switch order {
        case 0:
            for i in 0..<count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
                bit &+= width
                out[i] = base &+ Int64(bitPattern: word &>> UInt64((bit &- width) & 7) & mask) &<< shift
            }
        case 1:
            for i in 0..<count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
                x &+= Zigzag.decode(word &>> UInt64(bit & 7) & mask) &<< shift
                bit &+= width
                out[i] = x
            }
        default:
            for i in 0..<count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
                d &+= Zigzag.decode(word &>> UInt64(bit & 7) & mask) &<< shift
                x &+= d
                bit &+= width
                out[i] = x
            }
        }
        (value, slope) = (x, d)
    }

    /// As `unpack`, for any width; reads up to 9 bytes behind the residuals, as long as there are some of that width.
    @inline(never)
    private static func unpackWide(
        _ bytes: UnsafeRawPointer, _ count: Int, _ width: Int, _ order: Int, _ shift: Int64, _ base: Int64,
        _ value: inout Int64, _ slope: inout Int64, _ out: UnsafeMutablePointer<Int64>
    ) {
        let mask: UInt64 = ~0 &>> UInt64(64 &- width)
        var bit = 0
        for i in 0..<count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
            let off = UInt64(bit & 7)
            var residual = word &>> off
            if width > 57, off > 0 {
                let next = UInt64(bytes.load(fromByteOffset: (bit &>> 3) &+ 8, as: UInt8.self))
                residual |= next &<< (64 &- off)
            }
            residual &= mask
            bit &+= width
            switch order {
            case 0: out[i] = base &+ Int64(bitPattern: residual) &<< shift
            case 1:
                value &+= Zigzag.decode(residual) &<< shift
                out[i] = value
            default:
                slope &+= Zigzag.decode(residual) &<< shift
                value &+= slope
                out[i] = value
            }
        }
    }
}
