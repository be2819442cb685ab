import Encoding
import Model

/// The encoding of native histograms in open chunks, the spill file and the log.
///
///     hint, and 4 for float counts · schema (zigzag) · zero threshold (8) · sum (8) · zero count · count ·
///     spans and buckets, positive then negative · custom bounds
///
/// A count is a varint 2·n if it is an integer from 0 to below 2^53, otherwise a 1 and 8 bytes.
enum HistogramBytes {
    private static let floatFlag: UInt8 = 4

    static func append(_ histogram: FloatHistogram, to bytes: inout [UInt8]) {
        bytes.append(histogram.resetHint.rawValue | (histogram.hasFloatCounts ? floatFlag : 0))
        bytes.appendZigzag(Int64(histogram.schema))
        bytes.appendLittle(histogram.zeroThreshold.bitPattern)
        bytes.appendLittle(histogram.sum.bitPattern)
        appendCount(histogram.zeroCount, to: &bytes)
        appendCount(histogram.count, to: &bytes)
        for (spans, buckets) in [
            (histogram.positiveSpans, histogram.positiveBuckets), (histogram.negativeSpans, histogram.negativeBuckets),
        ] {
            bytes.appendVarint(spans.count)
            for span in spans {
                bytes.appendZigzag(Int64(span.offset))
                bytes.appendVarint(UInt64(span.length))
            }
            bytes.appendVarint(buckets.count)
            for bucket in buckets { appendCount(bucket, to: &bytes) }
        }
        bytes.appendVarint(histogram.customBounds.count)
        for bound in histogram.customBounds { bytes.appendLittle(bound.bitPattern) }
    }

    private static func appendCount(_ value: Double, to bytes: inout [UInt8]) {
        if value >= 0, value < 9_007_199_254_740_992, let whole = UInt64(exactly: value), value.sign == .plus {
            bytes.appendVarint(whole << 1)
        } else {
            bytes.append(1)
            bytes.appendLittle(value.bitPattern)
        }
    }

    /// Reads the next histogram; nil if its parts contradict each other.
    ///
    /// Such a histogram is counted and left out.
    static func read(_ reader: inout ByteReader) throws(DecodeError) -> FloatHistogram? {
        let histogram = try readAny(&reader)
        return StoredHistograms.isSound(histogram) ? histogram : nil
    }

    private static func readAny(_ reader: inout ByteReader) throws(DecodeError) -> FloatHistogram {
        var histogram = FloatHistogram()
        let flags = try reader.byte()
        histogram.resetHint = FloatHistogram.ResetHint(rawValue: flags & ~floatFlag) ?? .unknown
        histogram.hasFloatCounts = flags & floatFlag != 0
        histogram.schema = Int32(clamping: try reader.zigzag())
        histogram.zeroThreshold = Double(bitPattern: try reader.u64())
        histogram.sum = Double(bitPattern: try reader.u64())
        histogram.zeroCount = try readCount(&reader)
        histogram.count = try readCount(&reader)
        (histogram.positiveSpans, histogram.positiveBuckets) = try readBuckets(&reader)
        (histogram.negativeSpans, histogram.negativeBuckets) = try readBuckets(&reader)
        for _ in 0..<(try reader.count(reader.remaining / 8)) {
            histogram.customBounds.append(Double(bitPattern: try reader.u64()))
        }
        return histogram
    }

    private static func readBuckets(_ reader: inout ByteReader) throws(DecodeError) -> (
        [FloatHistogram.Span], [Double]
    ) {
        var (spans, buckets): ([FloatHistogram.Span], [Double]) = ([], [])
        for _ in 0..<(try reader.count(reader.remaining)) {
            let offset = Int32(clamping: try reader.zigzag())
            spans.append(.init(offset: offset, length: UInt32(clamping: try reader.varint())))
        }
        for _ in 0..<(try reader.count(reader.remaining)) { buckets.append(try readCount(&reader)) }
        return (spans, buckets)
    }

    private static func readCount(_ reader: inout ByteReader) throws(DecodeError) -> Double {
        let value = try reader.varint()
        if value & 1 == 0 { return Double(value >> 1) }
        return Double(bitPattern: try reader.u64())
    }

    /// Whether two histograms are the same sample: every field is equal; NaNs are compared by their bits.
    static func equal(_ a: FloatHistogram, _ b: FloatHistogram) -> Bool {
        var (x, y): ([UInt8], [UInt8]) = ([], [])
        append(a, to: &x)
        append(b, to: &y)
        return x == y
    }
}
