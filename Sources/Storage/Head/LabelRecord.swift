/// A reader of the pairs of a record of a ``LabelIndex``.
struct PairReader {
    private let records: FixedBuffer<UInt8>
    private var at: Int
    private var left: Int

    /// The number of pairs that are left.
    var count: Int { left }

    @inline(__always)
    init(_ records: FixedBuffer<UInt8>, _ record: Int) {
        assert(record > 0, "record 0 is none")
        self.records = records
        left = Int(records[record])
        at = record &+ 1
        guard left == 255 else { return }
        left = 0
        for i in 0..<4 { left |= Int(records[at &+ i]) << (8 &* i) }
        at &+= 4
    }

    @inline(__always)
    mutating func next() -> UInt32? {
        guard left > 0 else { return nil }
        left &-= 1
        var (value, shift): (UInt32, UInt32) = (0, 0)
        while true {
            let byte = records[at]
            at &+= 1
            value |= UInt32(byte & 0x7F) << shift
            shift &+= 7
            if byte & 0x80 == 0 { return value }
        }
    }
}
