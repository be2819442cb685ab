/// Writes residuals as symbols and raw bits, see ``PackedIntegers``; the caller provides the space.
struct SymbolSink {
    private var symbols: UnsafeMutablePointer<UInt8>
    private let bits: UnsafeMutableRawPointer
    private var word: UInt64 = 0
    private var filled = 0
    private var size = 0

    init(symbols: UnsafeMutablePointer<UInt8>, bits: UnsafeMutableRawPointer) {
        self.symbols = symbols
        self.bits = bits
    }

    @inline(__always)
    mutating func put(_ residual: UInt64) {
        let width = 64 &- residual.leadingZeroBitCount
        guard width > 3 else {
            symbols.pointee = UInt8(truncatingIfNeeded: residual)
            symbols += 1
            return
        }
        let raw = width &- 3
        symbols.pointee = UInt8(truncatingIfNeeded: 4 &* (width &- 3) &+ Int(residual &>> UInt64(raw)))
        symbols += 1
        let value = residual & ~(~0 &<< UInt64(raw))
        word |= value &<< UInt64(filled)
        filled &+= raw
        guard filled >= 64 else { return }
        bits.storeBytes(of: word.littleEndian, toByteOffset: size, as: UInt64.self)
        size &+= 8
        filled &-= 64
        word = value &>> UInt64(raw &- filled)
    }

    /// Stores the remaining bits and returns the number of bytes.
    mutating func finish() -> Int {
        bits.storeBytes(of: word.littleEndian, toByteOffset: size, as: UInt64.self)
        return size &+ (filled &+ 7) &>> 3
    }
}

/// Reads residuals back from symbols and raw bits.
struct SymbolSource {
    let symbols: UnsafePointer<UInt8>
    let count: Int

    /// The number of raw bits of the symbols.
    var bitCount: Int {
        var sum = 0
        for i in 0..<count { sum &+= Int(max(symbols[i] &>> 2, 1) &- 1) }
        return sum
    }

    /// Residual `index`, if no symbol has raw bits.
    @inline(__always)
    func small(_ index: Int) -> UInt64 { UInt64(symbols[index]) }

    /// Residual `index`, whose raw bits begin at `position`.
    @inline(__always)
    func next(_ index: Int, _ bits: UnsafeRawPointer, _ position: inout Int) -> UInt64 {
        let symbol = UInt64(symbols[index])
        let raw = max(symbol &>> 2, 1) &- 1
        let lead = symbol < 4 ? symbol : 4 | symbol & 3
        let at = bits + position &>> 3
        let used = UInt64(position & 7)
        var value = UInt64(littleEndian: at.loadUnaligned(as: UInt64.self)) &>> used
        if raw > 57, used > 0 {
            value |= UInt64(at.load(fromByteOffset: 8, as: UInt8.self)) &<< (64 &- used)
        }
        position &+= Int(raw)
        return lead &<< raw | value & ~(~0 &<< raw)
    }
}
