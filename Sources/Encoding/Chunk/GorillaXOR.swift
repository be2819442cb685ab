/// Doubles as Gorilla's XOR stream: 8 bytes of the first value, then ``XORCode``, filled up to whole bytes.
enum GorillaXOR {
    static func write(_ values: UnsafeBufferPointer<Double>, to out: inout [UInt8]) {
        guard let first = values.first else { return }
        // At most 13 bits of code and 64 of value, and space for whole words.
        let size = values.count &* 10 &+ 24
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size) { memory in
            guard let base = memory.baseAddress else { return }
            var writer = BitWriter(base, capacity: size)
            var code = XORCode()
            var previous = first.bitPattern
            writer.put(previous, 64)
            for i in 1..<max(values.count, 1) {
                let next = values[i].bitPattern
                code.put(next ^ previous, into: &writer)
                previous = next
            }
            out.append(contentsOf: UnsafeBufferPointer(start: base, count: writer.byteCount))
        }
    }

    static func read(
        _ bytes: UnsafeRawBufferPointer, count: Int, into values: UnsafeMutablePointer<Double>
    ) throws(DecodeError) {
        guard count > 0 else { return }
        guard let base = bytes.baseAddress else { throw DecodeError(expected: "8 bytes", offset: 0) }
        var bits = BitReader(base.assumingMemoryBound(to: UInt8.self), size: bytes.count)
        var code = XORCode()
        var value = bits.get(64)
        values[0] = Double(bitPattern: value)
        for i in 1..<max(count, 1) {
            // Sealed chunks do not contain the stale code; in damaged bytes it counts as no change.
            value ^= code.get(from: &bits) ?? 0
            values[i] = Double(bitPattern: value)
        }
        guard !bits.isOverrun else { throw DecodeError(expected: "\(count) values", offset: 0) }
    }
}
