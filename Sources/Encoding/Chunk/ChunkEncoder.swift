import Model

/// Encodes chunks, each with the codec that needs the fewest bytes; reuses its memory for all chunks.
public struct ChunkEncoder: ~Copyable {
    private var mantissas: [Int64] = []
    private var reals: [Double] = []
    private let isXOROnly: Bool

    /// Makes an encoder.
    ///
    /// - Parameter xorOnly: Whether Gorilla's XOR code is used for everything (`--storage.block-codec=xor`).
    public init(xorOnly: Bool = false) { isXOROnly = xorOnly }

    /// Writes `values` in the format of ``ValueChunk`` to an empty chunk.
    public mutating func encode(_ values: UnsafeBufferPointer<Double>, to out: inout ChunkParts) {
        var markers = 0
        for value in values where Staleness.isMarker(value) { markers &+= 1 }
        if markers == 0 { return encodePayload(values, flags: 0, prefix: [], to: &out) }
        var runs: [UInt8] = []
        var number = 0
        var at = 0
        reals.removeAll(keepingCapacity: true)
        while at < values.count {
            let start = at
            while at < values.count, !Staleness.isMarker(values[at]) {
                reals.append(values[at])
                at &+= 1
            }
            let gap = at &- start
            let first = at
            while at < values.count, Staleness.isMarker(values[at]) { at &+= 1 }
            guard at > first else { break }
            runs.appendVarint(gap)
            runs.appendVarint(at &- first)
            number &+= 1
        }
        var prefix: [UInt8] = []
        prefix.appendVarint(number)
        prefix += runs
        let kept = reals
        kept.withUnsafeBufferPointer { encodePayload($0, flags: ValueChunk.staleFlag, prefix: prefix, to: &out) }
    }

    private mutating func encodePayload(
        _ values: UnsafeBufferPointer<Double>, flags: UInt8, prefix: [UInt8], to out: inout ChunkParts
    ) {
        guard let first = values.first else {
            out.bytes.append(ValueChunk.constant | flags)
            out.bytes += prefix
            if flags == 0 { out.bytes += [0, 0] }
            return
        }
        var isConstant = true
        for value in values where value.bitPattern != first.bitPattern {
            isConstant = false
            break
        }
        if isXOROnly { return encodeXOR(values, flags, prefix, to: &out) }
        if isConstant {
            out.bytes.append(ValueChunk.constant | flags)
            out.bytes += prefix
            if let scale = ExactDecimal.scale(of: first), let mantissa = ExactDecimal.mantissa(first, scale: scale) {
                out.bytes.append(UInt8(truncatingIfNeeded: scale))
                out.bytes.appendZigzag(mantissa)
            } else {
                out.bytes.append(ValueChunk.rawScale)
                out.bytes.appendLittle(first.bitPattern)
            }
            return
        }
        let scale = scaleAll(values)
        if scale == nil { for i in values.indices { mantissas[i] = Int64(bitPattern: values[i].bitPattern) } }
        mantissas.withUnsafeBufferPointer { integers in
            let plan = PackedIntegers(planning: integers)
            if plan.size > values.count &* 5 {
                encodeXOR(values, flags, prefix, to: &out)
                if out.count <= plan.size { return }
                out.removeAll()
            }
            out.bytes.append(ValueChunk.packed | flags)
            out.bytes += prefix
            out.bytes.append(scale.map { UInt8(truncatingIfNeeded: $0) } ?? ValueChunk.rawScale)
            plan.write(integers, to: &out.bytes, bits: &out.bits)
        }
    }

    private func encodeXOR(
        _ values: UnsafeBufferPointer<Double>, _ flags: UInt8, _ prefix: [UInt8], to out: inout ChunkParts
    ) {
        out.bytes.append(ValueChunk.xor | flags)
        out.bytes += prefix
        GorillaXOR.write(values, to: &out.bits)
    }

    /// Finds the smallest scale at which all values are exact, and fills `mantissas`; nil if there is none.
    private mutating func scaleAll(_ values: UnsafeBufferPointer<Double>) -> Int? {
        if mantissas.count < values.count {
            mantissas.reserveCapacity(values.count)
            while mantissas.count < values.count { mantissas.append(0) }
        } else {
            mantissas.removeLast(mantissas.count &- values.count)
        }
        // The largest scale of a few values usually suffices for all, so that usually one pass suffices.
        var scale = 0
        for i in [0, values.count / 3, values.count &- 1] {
            guard let own = ExactDecimal.scale(of: values[i], atLeast: scale) ?? ExactDecimal.scale(of: values[i])
            else { return nil }
            scale = max(scale, own)
        }
        while true {
            let power = ExactDecimal.power(scale)
            var failed = -1
            mantissas.withUnsafeMutableBufferPointer { integers in
                for i in 0..<values.count {
                    guard let mantissa = ExactDecimal.mantissa(values[i], power: power) else {
                        failed = i
                        break
                    }
                    integers[i] = mantissa
                }
            }
            if failed < 0 { return scale }
            guard let larger = ExactDecimal.scale(of: values[failed], atLeast: scale &+ 1) else { return nil }
            scale = larger
        }
    }
}
