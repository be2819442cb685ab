import Encoding
import Model

/// A native histogram of remote write, integer or float, as it was read.
struct RemoteHistogram {
    /// The histogram for the storage; if it is refused, the histogram that was sent.
    private(set) var histogram = FloatHistogram(hasFloatCounts: false)
    /// ms.
    private(set) var time: Int64 = 0
    /// The start timestamp, ms; 0 if there is none.
    private(set) var start: Int64 = 0
    /// The reason why it cannot be stored.
    private(set) var problem: FloatHistogram.ValidationError?

    /// The fields that exist in two forms; `hasFloatCounts` of ``histogram`` selects the counts.
    private struct Counts {
        var count: UInt64 = 0
        var zero: UInt64 = 0
        var zeroIsFloat = false
        var positiveDeltas: [Int64] = []
        var negativeDeltas: [Int64] = []

        /// The observations in all buckets; the sum wraps as in Prometheus.
        var found: UInt64 {
            var total = zero
            for deltas in [positiveDeltas, negativeDeltas] {
                var bucket: Int64 = 0
                for delta in deltas {
                    bucket &+= delta
                    total &+= UInt64(bitPattern: bucket)
                }
            }
            return total
        }
    }

    init(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) throws {
        var counts = Counts()
        try readFields(bytes, range, &counts)
        if histogram.hasFloatCounts {
            if !counts.zeroIsFloat { histogram.zeroCount = 0 }
        } else {
            histogram.count = Double(counts.count)
            histogram.zeroCount = counts.zeroIsFloat ? 0 : Double(counts.zero)
            histogram.positiveBuckets = Self.counts(counts.positiveDeltas)
            histogram.negativeBuckets = Self.counts(counts.negativeDeltas)
        }
        do throws(FloatHistogram.ValidationError) {
            let stored = try histogram.accepted()
            if !histogram.hasFloatCounts {
                // These counts are exact; the histogram's own counts may be rounded.
                if counts.zeroIsFloat { counts.zero = 0 }
                let found = counts.found
                if histogram.sum.isNaN ? found > counts.count : found != counts.count {
                    throw FloatHistogram.totalMismatch(
                        found: "\(found)", count: "\(counts.count)", sum: histogram.sum)
                }
            }
            histogram = stored
        } catch {
            problem = error
        }
    }

    private mutating func readFields(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ counts: inout Counts
    ) throws {
        var cursor = ProtobufCursor(bytes, range, .histogram)
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .varint(let count)):
                counts.count = count
                histogram.hasFloatCounts = false
            case (2, .fixed64(let bits)):
                histogram.count = Double(bitPattern: bits)
                histogram.hasFloatCounts = true
            case (3, .fixed64(let bits)): histogram.sum = Double(bitPattern: bits)
            case (4, .varint): histogram.schema = Int32(truncatingIfNeeded: content.zigzag)
            case (5, .fixed64(let bits)): histogram.zeroThreshold = Double(bitPattern: bits)
            case (6, .varint(let count)):
                counts.zero = count
                counts.zeroIsFloat = false
            case (7, .fixed64(let bits)):
                histogram.zeroCount = Double(bitPattern: bits)
                counts.zeroIsFloat = true
            case (8, .bytes(let part)): histogram.negativeSpans.append(try Self.span(bytes, part))
            case (9, _): try cursor.varints(content) { counts.negativeDeltas.append(Zigzag.decode($0)) }
            case (10, _): try cursor.doubles(content, to: &histogram.negativeBuckets)
            case (11, .bytes(let part)): histogram.positiveSpans.append(try Self.span(bytes, part))
            case (12, _): try cursor.varints(content) { counts.positiveDeltas.append(Zigzag.decode($0)) }
            case (13, _): try cursor.doubles(content, to: &histogram.positiveBuckets)
            case (14, .varint(let hint)):
                histogram.resetHint = .init(rawValue: UInt8(truncatingIfNeeded: hint & 3)) ?? .unknown
            case (15, .varint(let raw)): time = Int64(bitPattern: raw)
            case (17, .varint(let raw)): start = Int64(bitPattern: raw)
            case (16, _): try cursor.doubles(content, to: &histogram.customBounds)
            default: continue
            }
        }
    }

    private static func counts(_ deltas: [Int64]) -> [Double] {
        var total: Int64 = 0
        return deltas.map { delta in
            total &+= delta
            return Double(total)
        }
    }

    private static func span(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) throws -> FloatHistogram.Span {
        var span = FloatHistogram.Span(offset: 0, length: 0)
        var cursor = ProtobufCursor(bytes, range, .span)
        while let (number, content) = try cursor.next() {
            guard case .varint(let raw) = content else { continue }
            if number == 1 {
                span.offset = Int32(truncatingIfNeeded: content.zigzag)
            }
            if number == 2 { span.length = UInt32(truncatingIfNeeded: raw) }
        }
        return span
    }
}
