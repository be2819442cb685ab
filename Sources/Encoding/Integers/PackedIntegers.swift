/// Integers as residuals of a prediction: a symbol of one byte each, and raw bits of the large ones.
///
///     header    order in 2 bits; bit 2: a divisor follows
///     first     zigzag varint: the minimum (order 0) or the first integer (orders 1, 2 and 3)
///     slope     zigzag varint: the first difference (order 2, at least two integers) or the smallest one (order 3)
///     divisor   varint, 2…2^32
///     symbols   one byte for each residual
///
/// Residuals are x − minimum (order 0), zigzag-coded differences (1), zigzag-coded second differences (2) or
/// differences − smallest difference (3), before that divided by the common divisor of all differences. A symbol below
/// 8 is the residual. Another symbol s stands for a residual of 2 + s/4 bits that begins with 1 and the two low bits of
/// s; its other s/4 − 1 bits are stored in a separate sequence, lowest first. So the symbols have the skewed
/// distribution, which an entropy coder compresses, and the bits have none. The order is the one with the fewest bits
/// in sum. All arithmetic wraps, so all integers are preserved.
public struct PackedIntegers {
    private var order = 0
    private var divisor: UInt64 = 1
    private var minimum: Int64 = 0
    private var leastStep: Int64 = 0
    /// The approximate number of bytes that ``write(_:to:bits:)`` needs.
    public private(set) var size = 2

    private static let divisorFlag: UInt8 = 4
    private static let maxDivisor: UInt64 = 1 << 32
    /// The most bytes after the bits that loads of 8 bytes may read.
    public static let padding = 8

    /// Finds the best form for `integers`.
    public init(planning integers: UnsafeBufferPointer<Int64>) {
        guard let x = integers.baseAddress, integers.count > 0 else { return }
        let count = integers.count
        var (minimum, maximum) = (x[0], x[0])
        var (least, all) = (Int64.max, UInt64(0))
        for i in 1..<max(count, 1) {
            let step = x[i] &- x[i &- 1]
            minimum = min(minimum, x[i])
            maximum = max(maximum, x[i])
            least = min(least, step)
            all |= UInt64(bitPattern: step)
        }
        self.minimum = minimum
        leastStep = count > 1 ? least : 0
        if all != 0 {
            divisor = min(1 << UInt64(all.trailingZeroBitCount), Self.maxDivisor)
            // An odd divisor needs differences that do not wrap.
            let (range, overflow) = maximum.subtractingReportingOverflow(minimum)
            if !overflow, range < 1 << 61 { divisor = Self.commonDivisor(integers, divisor) }
        }
        let (order, bits) = Self.order(integers, minimum, leastStep, divisor)
        self.order = order
        if bits == 0 { divisor = 1 }
        size = 16 &+ count / 4 &+ bits / 8
    }

    /// The largest number that divides all differences; `power` is the largest power of two that does.
    private static func commonDivisor(_ x: UnsafeBufferPointer<Int64>, _ power: UInt64) -> UInt64 {
        var common: UInt64 = 0
        for i in 1..<max(x.count, 1) {
            var rest = (x[i] &- x[i &- 1]).magnitude
            guard rest != 0, common == 0 || rest % common != 0 else { continue }
            while rest != 0 { (common, rest) = (rest, common % rest) }
            if common <= power { return power }
        }
        return common > maxDivisor || common == 0 ? power : common
    }

    /// The order whose residuals have the fewest bits, and the number of these bits.
    private static func order(
        _ x: UnsafeBufferPointer<Int64>, _ minimum: Int64, _ leastStep: Int64, _ divisor: UInt64
    ) -> (order: Int, bits: Int) {
        // The sum is of 64 minus the width; only the difference matters.
        let drop = UInt64(63 &- divisor.leadingZeroBitCount)
        var (zeros0, zeros1, zeros2, zeros3) = (0, 0, 0, 0)
        var (last, step) = (x[0], Int64(0))
        for i in 0..<x.count {
            let next = x[i] &- last
            last = x[i]
            zeros0 &+= (UInt64(bitPattern: last &- minimum) &>> drop).leadingZeroBitCount
            zeros1 &+= (Zigzag.encode(next) &>> drop).leadingZeroBitCount
            zeros2 &+= (Zigzag.encode(i < 2 ? 0 : next &- step) &>> drop).leadingZeroBitCount
            zeros3 &+= (UInt64(bitPattern: i < 1 ? 0 : next &- leastStep) &>> drop).leadingZeroBitCount
            step = next
        }
        let best = max(zeros0, zeros1, zeros2, zeros3)
        let order = best == zeros0 ? 0 : best == zeros1 ? 1 : best == zeros2 ? 2 : 3
        return (order, x.count &* 64 &- best)
    }

    /// Appends the form to `out`, and its raw bits, filled up to whole bytes, to `bits`.
    public func write(_ integers: UnsafeBufferPointer<Int64>, to out: inout [UInt8], bits: inout [UInt8]) {
        let count = integers.count
        out.append(UInt8(truncatingIfNeeded: order) | (divisor > 1 ? Self.divisorFlag : 0))
        guard let x = integers.baseAddress, count > 0 else { return out.append(0) }
        out.appendZigzag(order == 0 ? minimum : x[0])
        if order == 2, count > 1 { out.appendZigzag(x[1] &- x[0]) }
        if order == 3 { out.appendZigzag(leastStep) }
        if divisor > 1 { out.appendVarint(divisor) }
        let skipped = min(order == 3 ? 1 : order, count)
        let start = out.count
        out.append(contentsOf: repeatElement(0, count: count &- skipped))
        withUnsafeTemporaryAllocation(byteCount: count &* 8 &+ 16, alignment: 8) { memory in
            out.withUnsafeMutableBufferPointer { target in
                guard let symbols = target.baseAddress, let bitMemory = memory.baseAddress else { return }
                var sink = SymbolSink(symbols: symbols + start, bits: bitMemory)
                switch order {
                case 0: for i in 0..<count { sink.put(divided(UInt64(bitPattern: x[i] &- minimum))) }
                case 1: put(x, skipped..<count, &sink) { Zigzag.encode(divided(x[$0] &- x[$0 &- 1])) }
                case 2:
                    put(x, skipped..<count, &sink) {
                        Zigzag.encode(divided(x[$0] &- 2 &* x[$0 &- 1] &+ x[$0 &- 2]))
                    }
                default:
                    put(x, skipped..<count, &sink) { divided(UInt64(bitPattern: x[$0] &- x[$0 &- 1] &- leastStep)) }
                }
                bits.append(contentsOf: UnsafeRawBufferPointer(start: bitMemory, count: sink.finish()))
            }
        }
    }

    @inline(__always)
    private func put(
        _ x: UnsafePointer<Int64>, _ range: Range<Int>, _ sink: inout SymbolSink, _ residual: (Int) -> UInt64
    ) {
        for i in range { sink.put(residual(i)) }
    }

    @inline(__always)
    private func divided(_ value: Int64) -> Int64 {
        divisor & (divisor &- 1) == 0
            ? value &>> Int64(divisor.trailingZeroBitCount) : value / Int64(bitPattern: divisor)
    }

    @inline(__always)
    private func divided(_ value: UInt64) -> UInt64 {
        divisor & (divisor &- 1) == 0 ? value &>> UInt64(divisor.trailingZeroBitCount) : value / divisor
    }

    /// Reads `count` integers, and moves `reader` after them.
    ///
    /// - Parameter bits: The raw bits and at least ``padding`` bytes after them.
    public static func read(
        _ reader: inout ByteReader, bits: UnsafeRawBufferPointer, count: Int,
        into integers: UnsafeMutablePointer<Int64>
    ) throws(DecodeError) {
        let start = reader.offset
        let header = try reader.byte()
        guard header & 3 == header & ~divisorFlag else {
            throw DecodeError(expected: "an order of 0…3", offset: start)
        }
        let order = Int(header & 3)
        let first = try reader.zigzag()
        guard count > 0 else { return }
        let second = order == 3 || order == 2 && count > 1 ? try reader.zigzag() : 0
        let divisor = header & divisorFlag != 0 ? Int64(bitPattern: try reader.varint()) : 1
        if order > 0 { integers[0] = first }
        if order == 2, count > 1 { integers[1] = first &+ second }
        let skipped = min(order == 3 ? 1 : order, count)
        let symbols = try reader.run(count &- skipped)
        guard let from = symbols.baseAddress else { return }
        let source = SymbolSource(symbols: from.assumingMemoryBound(to: UInt8.self), count: symbols.count)
        let needed = source.bitCount
        let out = integers + skipped
        guard needed > 0 else {
            return restore(symbols.count, order, first, second, divisor, out) { source.small($0) }
        }
        guard let raw = bits.baseAddress, (needed &+ 7) &>> 3 &+ padding <= bits.count else {
            throw DecodeError(expected: "\(needed) raw bits", offset: start)
        }
        var position = 0
        restore(symbols.count, order, first, second, divisor, out) { source.next($0, raw, &position) }
    }

    /// Adds residuals up to integers.
    @inline(__always)
    private static func restore(
        _ count: Int, _ order: Int, _ first: Int64, _ second: Int64, _ divisor: Int64,
        _ out: UnsafeMutablePointer<Int64>, _ residual: (Int) -> UInt64
    ) {
        switch order {
        case 0: for i in 0..<count { out[i] = first &+ Int64(bitPattern: residual(i)) &* divisor }
        case 1:
            var value = first
            for i in 0..<count {
                value &+= Zigzag.decode(residual(i)) &* divisor
                out[i] = value
            }
        case 2:
            var (value, step) = (first &+ second, second)
            for i in 0..<count {
                step &+= Zigzag.decode(residual(i)) &* divisor
                value &+= step
                out[i] = value
            }
        default:
            var value = first
            for i in 0..<count {
                value &+= Int64(bitPattern: residual(i)) &* divisor &+ second
                out[i] = value
            }
        }
    }
}
