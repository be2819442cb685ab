import Model

/// Writes one of Prometheus's chunks of native histograms, all with its layout, one after the other.
struct HistogramChunkWriter {
    private let isFloat: Bool
    private var writer: ChunkBitWriter
    private(set) var count = 0
    private var (time, delta): (Int64, Int64) = (0, 0)
    private var sum = XORRow()
    /// The state of integers, the value and its last difference: count, zero count, then the buckets.
    private var integers: [(value: Int64, delta: Int64)] = []
    /// The state of floats, the XOR code of each.
    private var floats: [XORRow] = []

    init(_ layout: HistogramLayout, isFloat: Bool, flag: UInt8) {
        self.isFloat = isFloat
        // The number of samples is written at the end.
        writer = ChunkBitWriter([0, 0, flag])
        layout.write(to: &writer)
        let width = 2 + layout.positiveCount + layout.negativeCount
        if isFloat {
            floats = [XORRow](repeating: XORRow(), count: width)
        } else {
            integers = [(value: Int64, delta: Int64)](repeating: (0, 0), count: width)
        }
    }

    /// The number of bytes so far.
    var size: Int { writer.bytes.count }

    /// The chunk; of at most 65,535 samples.
    var bytes: [UInt8] {
        var bytes = writer.bytes
        bytes[0] = UInt8(truncatingIfNeeded: count >> 8)
        bytes[1] = UInt8(truncatingIfNeeded: count)
        return bytes
    }

    /// Appends a histogram, whose buckets must be those of the layout; of a stale marker only the sum is written.
    mutating func append(_ histogram: FloatHistogram, at time: Int64) {
        putTime(time)
        let isStale = Staleness.isMarker(histogram.sum)
        put(0, isStale ? 0 : histogram.count, isRepeated: isStale)
        put(1, isStale ? 0 : histogram.zeroCount, isRepeated: isStale)
        if count == 0 { sum.begin(histogram.sum, &writer) } else { sum.put(histogram.sum, &writer) }
        if !isStale {
            var at = 2
            for buckets in [histogram.positiveBuckets, histogram.negativeBuckets] {
                var before = 0.0
                for value in buckets where at < max(floats.count, integers.count) {
                    // Integers are written as differences between neighbours.
                    put(at, isFloat ? value : value - before)
                    before = value
                    at += 1
                }
            }
        }
        count += 1
    }

    private mutating func putTime(_ next: Int64) {
        if count == 0 {
            writer.putVarbit(next)
        } else {
            let change = next &- time
            writer.putVarbit(change &- delta)
            delta = change
        }
        time = next
    }

    /// - Parameter isRepeated: Whether an integer is assumed to continue the previous slope.
    private mutating func put(_ at: Int, _ value: Double, isRepeated: Bool = false) {
        if isFloat {
            if count == 0 { floats[at].begin(value, &writer) } else { floats[at].put(value, &writer) }
            return
        }
        let whole = Int64(value)
        let change = whole &- integers[at].value
        if count == 0 {
            if at < 2 { writer.putVarbit(unsigned: UInt64(bitPattern: whole)) } else { writer.putVarbit(whole) }
        } else {
            writer.putVarbit(isRepeated ? 0 : change &- integers[at].delta)
        }
        integers[at] = (whole, count == 0 ? 0 : change)
    }
}
