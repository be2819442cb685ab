import Glibc
import Model

/// The common buckets of all histograms in one of Prometheus's chunks.
package struct HistogramLayout {
    var schema: Int32
    var zeroThreshold: Double
    var positive: [FloatHistogram.Span]
    var negative: [FloatHistogram.Span]
    var bounds: [Double]

    init(_ histogram: FloatHistogram) {
        schema = histogram.schema
        zeroThreshold = histogram.zeroThreshold
        positive = Self.fitted(histogram.positiveSpans, histogram.positiveBuckets)
        negative = Self.fitted(histogram.negativeSpans, histogram.negativeBuckets)
        bounds = histogram.customBounds
    }

    init(_ reader: inout BitReader) throws(DecodeError) {
        let exponent = Int(reader.get(8))
        zeroThreshold =
            exponent == 0
            ? 0 : exponent == 255 ? Double(bitPattern: reader.get(64)) : scalbn(0.5, Int32(exponent - 243))
        let schema = reader.varbit()
        guard
            schema == Int64(FloatHistogram.customSchema)
                || FloatHistogram.acceptedSchemas.contains(Int32(clamping: schema))
        else {
            throw DecodeError(expected: "a histogram schema, not \(schema)", offset: reader.position / 8)
        }
        self.schema = Int32(schema)
        positive = try Self.spans(&reader)
        negative = try Self.spans(&reader)
        bounds = []
        guard schema == Int64(FloatHistogram.customSchema) else { return }
        for _ in 0..<(try Self.size(&reader)) {
            let code = reader.unsignedVarbit()
            bounds.append(code == 0 ? Double(bitPattern: reader.get(64)) : Double(code - 1) / 1000)
        }
    }

    private static func size(_ reader: inout BitReader) throws(DecodeError) -> Int {
        let size = reader.unsignedVarbit()
        guard size < 1 << 16, !reader.isOverrun else {
            throw DecodeError(expected: "fewer than \(size) entries", offset: reader.position / 8)
        }
        return Int(size)
    }

    private static func spans(_ reader: inout BitReader) throws(DecodeError) -> [FloatHistogram.Span] {
        var spans: [FloatHistogram.Span] = []
        var total: UInt64 = 0
        for _ in 0..<(try size(&reader)) {
            let (length, offset) = (reader.unsignedVarbit(), reader.varbit())
            // Each length is checked, too, because the sum of larger ones wraps.
            guard length < 1 << 16, total &+ length < 1 << 16, let offset = Int32(exactly: offset) else {
                throw DecodeError(expected: "a span of buckets", offset: reader.position / 8)
            }
            total &+= length
            spans.append(.init(offset: offset, length: UInt32(length)))
        }
        return spans
    }

    func write(to writer: inout ChunkBitWriter) {
        var exponent: Int32 = 0
        let fraction = frexp(zeroThreshold, &exponent)
        if zeroThreshold == 0 {
            writer.put(0, 8)
        } else if fraction == 0.5, exponent >= -242, exponent <= 11 {
            writer.put(UInt64(exponent + 243), 8)
        } else {
            writer.put(255, 8)
            writer.put(zeroThreshold.bitPattern, 64)
        }
        writer.putVarbit(Int64(schema))
        for spans in [positive, negative] {
            writer.putVarbit(unsigned: UInt64(spans.count))
            for span in spans {
                writer.putVarbit(unsigned: UInt64(span.length))
                writer.putVarbit(Int64(span.offset))
            }
        }
        guard schema == FloatHistogram.customSchema else { return }
        writer.putVarbit(unsigned: UInt64(bounds.count))
        for bound in bounds {
            let thousands = (bound * 1000).rounded()
            if thousands >= 0, thousands <= 33_554_430, thousands / 1000 == bound {
                writer.putVarbit(unsigned: UInt64(thousands) + 1)
            } else {
                writer.put(0, 1)
                writer.put(bound.bitPattern, 64)
            }
        }
    }

    var positiveCount: Int { Self.count(positive) }
    var negativeCount: Int { Self.count(negative) }

    // MARK: Buckets

    /// A histogram in this layout, which must have all of its buckets: the missing ones are added as empty buckets.
    package func widen(_ histogram: FloatHistogram) -> FloatHistogram {
        var result = histogram
        if histogram.positiveSpans != positive || histogram.positiveBuckets.count != positiveCount {
            result.positiveBuckets = Self.spread(histogram.positiveSpans, histogram.positiveBuckets, over: positive)
            result.positiveSpans = positive
        }
        if histogram.negativeSpans != negative || histogram.negativeBuckets.count != negativeCount {
            result.negativeBuckets = Self.spread(histogram.negativeSpans, histogram.negativeBuckets, over: negative)
            result.negativeSpans = negative
        }
        return result
    }

    private static func spread(
        _ spans: [FloatHistogram.Span], _ buckets: [Double], over wider: [FloatHistogram.Span]
    ) -> [Double] {
        let indices = self.indices(spans, buckets.count)
        var result: [Double] = []
        var next = 0
        for index in self.indices(wider, .max) {
            if next < indices.count, indices[next] == index {
                result.append(buckets[next])
                next += 1
            } else {
                result.append(0)
            }
        }
        return result
    }

    /// The spans without those of length 0.
    private static func fitted(_ spans: [FloatHistogram.Span], _ buckets: [Double]) -> [FloatHistogram.Span] {
        if count(spans) == buckets.count { return spans }
        return FloatHistogram.spans(of: indices(spans, buckets.count))
    }

    private static func count(_ spans: [FloatHistogram.Span]) -> Int { spans.reduce(0) { $0 &+ Int($1.length) } }

    /// The indices of at most `count` buckets.
    private static func indices(_ spans: [FloatHistogram.Span], _ count: Int) -> [Int] {
        var indices: [Int] = []
        FloatHistogram.forEachIndex(of: spans, count: count) { index, _ in
            indices.append(index)
            return true
        }
        return indices
    }

    /// The layout with the buckets of this one and those of a histogram that follows `last`.
    ///
    /// - Parameter isGauge: Whether counts may decrease, and non-empty buckets may disappear.
    /// - Returns: nil if the histogram must not be in a chunk with `last`.
    func widened(for histogram: FloatHistogram, from last: FloatHistogram, isGauge: Bool) -> HistogramLayout? {
        guard histogram.schema == schema, histogram.zeroThreshold == zeroThreshold,
            !histogram.usesCustomBuckets || histogram.customBounds == bounds,
            let positive = Self.union(
                positive, last.positiveBuckets, histogram.positiveSpans, histogram.positiveBuckets, isGauge),
            let negative = Self.union(
                negative, last.negativeBuckets, histogram.negativeSpans, histogram.negativeBuckets, isGauge)
        else { return nil }
        var result = self
        (result.positive, result.negative) = (positive, negative)
        return result
    }

    /// The spans of all buckets of two consecutive histograms; nil if a count decreased.
    private static func union(
        _ spans: [FloatHistogram.Span], _ counts: [Double], _ nextSpans: [FloatHistogram.Span], _ next: [Double],
        _ isGauge: Bool
    ) -> [FloatHistogram.Span]? {
        let (a, b) = (indices(spans, counts.count), indices(nextSpans, next.count))
        var (i, j) = (0, 0)
        var (grows, lacks) = (false, false)
        var union: [Int] = []
        union.reserveCapacity(max(a.count, b.count))
        while i < a.count || j < b.count {
            if j >= b.count || (i < a.count && a[i] < b[j]) {
                guard isGauge || counts[i] == 0 else { return nil }
                lacks = true
                union.append(a[i])
                i += 1
            } else if i >= a.count || b[j] < a[i] {
                grows = true
                union.append(b[j])
                j += 1
            } else {
                guard isGauge || !(counts[i] > next[j]) else { return nil }
                union.append(a[i])
                i += 1
                j += 1
            }
        }
        if !grows { return spans }
        if !lacks { return fitted(nextSpans, next) }
        return FloatHistogram.spans(of: union)
    }
}
