import Model

/// Reads a native histogram of remote write, integer or float.
enum RemoteHistogram {
    /// Histogram and time, and when it began to count, ms; 0 if it does not say.
    static func read(
        _ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>
    ) throws -> (histogram: FloatHistogram, time: Int64, start: Int64) {
        // Which of its kind the counts are is said by the fields that they stand in.
        var histogram = FloatHistogram(hasFloatCounts: false)
        var (time, start): (Int64, Int64) = (0, 0)
        var (positiveDeltas, negativeDeltas): ([Int64], [Int64]) = ([], [])
        var cursor = ProtobufCursor(bytes, range)
        func zigzag(_ raw: UInt64) -> Int64 { Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1) }
        func doubles(_ content: ProtobufCursor.Content) throws -> [Double] {
            var values: [Double] = []
            try cursor.numbers(
                content, { if case .fixed64(let bits) = $0 { values.append(Double(bitPattern: bits)) } }, packedWidth: 8
            )
            return values
        }
        func deltas(_ content: ProtobufCursor.Content) throws -> [Int64] {
            var values: [Int64] = []
            try cursor.numbers(
                content, { if case .varint(let raw) = $0 { values.append(zigzag(raw)) } }, packedWidth: 0)
            return values
        }
        while let (number, content) = try cursor.next() {
            switch (number, content) {
            case (1, .varint(let count)), (6, .varint(let count)):
                if number == 1 { histogram.count = Double(count) } else { histogram.zeroCount = Double(count) }
            case (2, .fixed64(let bits)):
                histogram.count = Double(bitPattern: bits)
                histogram.hasFloatCounts = true
            case (3, .fixed64(let bits)): histogram.sum = Double(bitPattern: bits)
            case (4, .varint(let raw)): histogram.schema = Int32(truncatingIfNeeded: zigzag(raw))
            case (5, .fixed64(let bits)): histogram.zeroThreshold = Double(bitPattern: bits)
            case (7, .fixed64(let bits)): histogram.zeroCount = Double(bitPattern: bits)
            case (8, .bytes(let part)): histogram.negativeSpans.append(try span(bytes, part))
            case (9, _): negativeDeltas += try deltas(content)
            case (10, _): histogram.negativeBuckets += try doubles(content)
            case (11, .bytes(let part)): histogram.positiveSpans.append(try span(bytes, part))
            case (12, _): positiveDeltas += try deltas(content)
            case (13, _): histogram.positiveBuckets += try doubles(content)
            case (14, .varint(let hint)):
                histogram.resetHint = .init(rawValue: UInt8(truncatingIfNeeded: hint & 3)) ?? .unknown
            case (15, .varint(let raw)): time = Int64(bitPattern: raw)
            case (17, .varint(let raw)): start = Int64(bitPattern: raw)
            case (16, _): histogram.customBounds += try doubles(content)
            default: continue
            }
        }
        if !positiveDeltas.isEmpty { histogram.positiveBuckets = counts(positiveDeltas) }
        if !negativeDeltas.isEmpty { histogram.negativeBuckets = counts(negativeDeltas) }
        if histogram.schema > 8, histogram.schema <= 52 { histogram = histogram.reduced(to: 8) }
        return (histogram, time, start)
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
        var cursor = ProtobufCursor(bytes, range)
        while let (number, content) = try cursor.next() {
            guard case .varint(let raw) = content else { continue }
            if number == 1 {
                span.offset = Int32(truncatingIfNeeded: Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1))
            }
            if number == 2 { span.length = UInt32(truncatingIfNeeded: raw) }
        }
        return span
    }
}
