/// Integers as differences to their minimum, all of the same width, after the number of rounds of differences that
/// makes the width minimal.
///
///     order     2 bits, the rounds of differences (0…2); 6 bits, the power of two that divides all steps
///     width     bits of each residual, 0…56
///     first     zigzag varint: the first integer
///     slope     zigzag varint, with order 2: the first step
///     least     zigzag varint: the minimum of the last round
///     residuals count − order of them, lowest bit first
///
/// The format allows random access: residual i begins at bit i × width (frame of reference, Goldstein et al., ICDE
/// 1998). All arithmetic wraps, so all integers are preserved.
public enum FrameOfReference {
    /// The widest residual, which an unaligned load of 8 bytes contains at any bit offset.
    private static let maxWidth = 56
    /// The bytes after the end that a reader may load.
    public static let padding = 8

    private struct Plan {
        var order = 0
        var shift: UInt64 = 0
        var width = 0
        var least: Int64 = 0
        var slope: Int64 = 0
    }

    /// Writes `integers` to the beginning of `target`.
    ///
    /// - Returns: The number of bytes, or nil if `target` is too small for them or the width would be too large.
    public static func write(
        _ integers: UnsafeBufferPointer<Int64>, to target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard let x = integers.baseAddress, !integers.isEmpty, let plan = plan(x, integers.count) else { return nil }
        let residuals = max(0, integers.count &- plan.order)
        var head: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &head) { head in
            var size = 2
            head[0] = UInt8(truncatingIfNeeded: plan.order) | UInt8(truncatingIfNeeded: plan.shift << 2)
            head[1] = UInt8(truncatingIfNeeded: plan.width)
            for (i, field) in [x[0], plan.slope, plan.least].enumerated() where i != 1 || plan.order == 2 {
                var rest = Zigzag.encode(field)
                while rest >= 0x80 {
                    head[size] = UInt8(truncatingIfNeeded: rest) | 0x80
                    size &+= 1
                    rest &>>= 7
                }
                head[size] = UInt8(truncatingIfNeeded: rest)
                size &+= 1
            }
            let bytes = (residuals &* plan.width &+ 7) >> 3
            guard size &+ bytes <= target.count, let base = target.baseAddress else { return nil }
            base.copyMemory(from: UnsafeRawPointer(head.baseAddress ?? UnsafeMutableRawPointer(base)), byteCount: size)
            writeResiduals(x, integers.count, plan, to: base + size)
            return size &+ bytes
        }
    }

    /// Calls `body` with the values of the last round.
    @inline(__always)
    private static func forEach(_ x: UnsafePointer<Int64>, _ count: Int, _ plan: Plan, _ body: (Int64) -> Void) {
        switch plan.order {
        case 0: for i in 0..<count { body((x[i] &- x[0]) &>> Int64(plan.shift)) }
        case 1:
            for i in 1..<max(count, 1) { body((x[i] &- x[i &- 1]) &>> Int64(plan.shift)) }
        default:
            var last = plan.slope
            for i in 2..<max(count, 2) {
                let step = (x[i] &- x[i &- 1]) &>> Int64(plan.shift)
                body(step &- last)
                last = step
            }
        }
    }

    private static func plan(_ x: UnsafePointer<Int64>, _ count: Int) -> Plan? {
        var all: UInt64 = 0
        for i in 1..<max(count, 1) { all |= UInt64(bitPattern: x[i] &- x[i &- 1]) }
        guard all != 0 else { return Plan() }
        let shift = UInt64(all.trailingZeroBitCount)
        let slope = (x[1] &- x[0]) &>> Int64(shift)
        var best: (plan: Plan, size: Int)?
        for order in 0...min(2, count &- 1) {
            var plan = Plan(order: order, shift: shift, slope: slope)
            var (least, most) = (Int64.max, Int64.min)
            forEach(x, count, plan) { value in
                least = min(least, value)
                most = max(most, value)
            }
            if least > most { (least, most) = (0, 0) }
            let (range, overflow) = most.subtractingReportingOverflow(least)
            let width = 64 &- UInt64(bitPattern: range).leadingZeroBitCount
            guard !overflow, width <= maxWidth else { continue }
            (plan.width, plan.least) = (width, least)
            let size = width &* (count &- order) &+ 16 &* order
            if best.map({ size < $0.size }) ?? true { best = (plan, size) }
        }
        return best?.plan
    }

    private static func writeResiduals(
        _ x: UnsafePointer<Int64>, _ count: Int, _ plan: Plan, to target: UnsafeMutableRawPointer
    ) {
        var at = target
        var held: UInt64 = 0
        var used = 0
        let width = plan.width
        guard width > 0 else { return }
        forEach(x, count, plan) { value in
            let residual = UInt64(bitPattern: value &- plan.least)
            held |= residual &<< UInt64(used)
            used &+= width
            guard used >= 64 else { return }
            at.storeBytes(of: held.littleEndian, as: UInt64.self)
            at += 8
            used &-= 64
            held = used > 0 ? residual &>> UInt64(width &- used) : 0
        }
        while used > 0 {
            at.storeBytes(of: UInt8(truncatingIfNeeded: held), as: UInt8.self)
            at += 1
            held &>>= 8
            used &-= 8
        }
    }

    /// Reads `count` integers; ``padding`` bytes after `bytes` must be readable.
    public static func read(
        _ bytes: UnsafeRawBufferPointer, count: Int, into x: UnsafeMutablePointer<Int64>
    ) throws(DecodeError) {
        guard count > 0 else { return }
        var reader = ByteReader(bytes)
        let form = try reader.byte()
        let width = Int(try reader.byte())
        let (order, shift) = (Int(form & 3), UInt64(form >> 2))
        guard order <= 2, order < max(count, 2), width <= maxWidth else {
            throw DecodeError(expected: "an order and a width", offset: 0)
        }
        let first = try reader.zigzag()
        let slope = order == 2 ? try reader.zigzag() : 0
        let least = try reader.zigzag()
        let residuals = max(0, count &- order)
        let packed = try reader.run((residuals &* width &+ 7) >> 3)
        let target = x + min(order, count)
        if let base = packed.baseAddress, width > 0 {
            let mask: UInt64 = 1 &<< UInt64(width) &- 1
            var bit = 0
            for i in 0..<residuals {
                let word = UInt64(littleEndian: (base + bit >> 3).loadUnaligned(as: UInt64.self))
                target[i] = least &+ Int64(bitPattern: word &>> UInt64(bit & 7) & mask)
                bit &+= width
            }
        } else {
            for i in 0..<residuals { target[i] = least }
        }
        switch order {
        case 0: for i in 0..<count { x[i] = first &+ x[i] &<< Int64(shift) }
        case 1:
            x[0] = first
            for i in 1..<max(count, 1) { x[i] = x[i &- 1] &+ x[i] &<< Int64(shift) }
        default:
            x[0] = first
            var step = slope
            if count > 1 { x[1] = first &+ step &<< Int64(shift) }
            for i in 2..<max(count, 2) {
                step = step &+ x[i]
                x[i] = x[i &- 1] &+ step &<< Int64(shift)
            }
        }
    }
}
