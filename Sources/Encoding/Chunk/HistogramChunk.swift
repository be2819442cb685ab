import Model

/// The native histograms of a sealed chunk; their number is stored elsewhere.
///
///     chunk     codec (``ValueChunk/histograms``), then for each histogram:
///     flags     reset hint in 2 bits; bit 2: a layout follows; bit 3: the counts are floats
///     layout    zigzag schema, 8 bytes of zero threshold, positive and negative spans (number, then zigzag offset and
///               length of each), number of custom bounds and 8 bytes of each
///     numbers   zero count, count, sum, positive and negative buckets
///
/// A number is either an integer (varint of twice the zigzag second difference to the histograms before) or any double
/// (varint 1, then 8 bytes XORed with the number before). A layout resets the previous numbers to zero.
public enum HistogramChunk {
    private static let layoutFlag: UInt8 = 4
    private static let floatFlag: UInt8 = 8
    /// The most buckets of one histogram; more mean damage.
    private static let maxBuckets = 1 << 20

    /// Appends `histograms` to `out`.
    public static func write(_ histograms: [FloatHistogram], to out: inout [UInt8]) {
        out.append(ValueChunk.histograms)
        var predictor = NumberPredictor()
        var before: FloatHistogram?
        for histogram in histograms {
            let histogram = fitted(histogram)
            var hasLayout = true
            if let before { hasLayout = !isSameLayout(before, histogram) }
            out.append(
                histogram.resetHint.rawValue | (hasLayout ? layoutFlag : 0) | (histogram.hasFloatCounts ? floatFlag : 0)
            )
            if hasLayout {
                writeLayout(histogram, to: &out)
                predictor.reset()
            }
            predictor.begin()
            predictor.write(histogram.zeroCount, to: &out)
            predictor.write(histogram.count, to: &out)
            predictor.write(histogram.sum, to: &out)
            for bucket in histogram.positiveBuckets { predictor.write(bucket, to: &out) }
            for bucket in histogram.negativeBuckets { predictor.write(bucket, to: &out) }
            before = histogram
        }
    }

    /// The histogram with spans for the existing buckets only: spans may have any length.
    private static func fitted(_ histogram: FloatHistogram) -> FloatHistogram {
        guard
            bucketCount(histogram.positiveSpans) != histogram.positiveBuckets.count
                || bucketCount(histogram.negativeSpans) != histogram.negativeBuckets.count
        else { return histogram }
        return histogram.fitted()
    }

    private static func bucketCount(_ spans: [FloatHistogram.Span]) -> Int {
        spans.reduce(0) { $0 &+ Int($1.length) }
    }

    private static func isSameLayout(_ a: FloatHistogram, _ b: FloatHistogram) -> Bool {
        a.schema == b.schema && a.zeroThreshold.bitPattern == b.zeroThreshold.bitPattern
            && a.positiveSpans == b.positiveSpans && a.negativeSpans == b.negativeSpans
            && a.customBounds.elementsEqual(b.customBounds) { $0.bitPattern == $1.bitPattern }
    }

    private static func writeLayout(_ histogram: FloatHistogram, to out: inout [UInt8]) {
        out.appendZigzag(Int64(histogram.schema))
        out.appendLittle(histogram.zeroThreshold.bitPattern)
        for spans in [histogram.positiveSpans, histogram.negativeSpans] {
            out.appendVarint(spans.count)
            for span in spans {
                out.appendZigzag(Int64(span.offset))
                out.appendVarint(UInt64(span.length))
            }
        }
        out.appendVarint(histogram.customBounds.count)
        for bound in histogram.customBounds { out.appendLittle(bound.bitPattern) }
    }

    /// Reads `count` histograms, and moves `reader` after them.
    public static func read(_ reader: inout ByteReader, count: Int) throws(DecodeError) -> [FloatHistogram] {
        guard try reader.byte() & ~StartSteps.flag == ValueChunk.histograms else {
            throw DecodeError(expected: "a chunk of histograms", offset: reader.offset)
        }
        var result: [FloatHistogram] = []
        var predictor = NumberPredictor()
        var layout = FloatHistogram()
        for i in 0..<max(count, 0) {
            let flags = try reader.byte()
            guard flags < 16, i > 0 || flags & layoutFlag != 0,
                let hint = FloatHistogram.ResetHint(rawValue: flags & 3)
            else { throw DecodeError(expected: "flags of a histogram", offset: reader.offset) }
            if flags & layoutFlag != 0 {
                layout = try readLayout(&reader)
                predictor.reset()
            }
            predictor.begin()
            var histogram = layout
            histogram.resetHint = hint
            histogram.hasFloatCounts = flags & floatFlag != 0
            histogram.zeroCount = try predictor.read(&reader)
            histogram.count = try predictor.read(&reader)
            histogram.sum = try predictor.read(&reader)
            for j in histogram.positiveBuckets.indices { histogram.positiveBuckets[j] = try predictor.read(&reader) }
            for j in histogram.negativeBuckets.indices { histogram.negativeBuckets[j] = try predictor.read(&reader) }
            result.append(histogram)
        }
        return result
    }

    private static func readLayout(_ reader: inout ByteReader) throws(DecodeError) -> FloatHistogram {
        var histogram = FloatHistogram()
        histogram.schema = Int32(truncatingIfNeeded: try reader.zigzag())
        histogram.zeroThreshold = Double(bitPattern: try reader.u64())
        var buckets = 0
        func spans(_ reader: inout ByteReader) throws(DecodeError) -> [FloatHistogram.Span] {
            var spans: [FloatHistogram.Span] = []
            for _ in 0..<(try reader.count(reader.remaining)) {
                let offset = Int32(truncatingIfNeeded: try reader.zigzag())
                let length = try reader.count(maxBuckets)
                buckets &+= length
                guard buckets <= maxBuckets else {
                    throw DecodeError(expected: "at most \(maxBuckets) buckets", offset: reader.offset)
                }
                spans.append(FloatHistogram.Span(offset: offset, length: UInt32(length)))
            }
            return spans
        }
        histogram.positiveSpans = try spans(&reader)
        let positive = buckets
        histogram.negativeSpans = try spans(&reader)
        // Each number needs at least one byte.
        guard buckets <= reader.remaining else {
            throw DecodeError(expected: "\(buckets) buckets", offset: reader.offset)
        }
        histogram.positiveBuckets = [Double](repeating: 0, count: positive)
        histogram.negativeBuckets = [Double](repeating: 0, count: buckets - positive)
        for _ in 0..<(try reader.count(reader.remaining / 8)) {
            histogram.customBounds.append(Double(bitPattern: try reader.u64()))
        }
        return histogram
    }
}

/// Writes and reads numbers relative to those at the same position of the previous histogram.
private struct NumberPredictor {
    private var last: [Double] = []
    private var slope: [Int64] = []
    private var at = 0

    mutating func reset() {
        last.removeAll(keepingCapacity: true)
        slope.removeAll(keepingCapacity: true)
    }

    mutating func begin() { at = 0 }

    private mutating func open() {
        if at == last.count {
            last.append(0)
            slope.append(0)
        }
    }

    /// The integer that equals `value` exactly and is below 2^53.
    private func integer(_ value: Double) -> Int64? { ExactDecimal.mantissa(value, power: 1) }

    mutating func write(_ value: Double, to out: inout [UInt8]) {
        open()
        if let next = integer(value), let previous = integer(last[at]) {
            let delta = next &- previous
            // Second differences of such integers stay below 2^56.
            out.appendVarint(Zigzag.encode(delta &- slope[at]) &<< 1)
            slope[at] = delta
        } else {
            out.append(1)
            out.appendLittle(value.bitPattern ^ last[at].bitPattern)
            slope[at] = 0
        }
        last[at] = value
        at += 1
    }

    mutating func read(_ reader: inout ByteReader) throws(DecodeError) -> Double {
        open()
        let code = try reader.varint()
        let value: Double
        if code & 1 == 0 {
            guard let previous = integer(last[at]) else {
                throw DecodeError(expected: "a number after an integer", offset: reader.offset)
            }
            slope[at] &+= Zigzag.decode(code >> 1)
            value = Double(previous &+ slope[at])
        } else {
            guard code == 1 else { throw DecodeError(expected: "a number", offset: reader.offset) }
            value = Double(bitPattern: try reader.u64() ^ last[at].bitPattern)
            slope[at] = 0
        }
        last[at] = value
        at += 1
        return value
    }
}
