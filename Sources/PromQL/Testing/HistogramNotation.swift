import GoCompatibility
import Model

/// Native histograms in the notation of test scripts, `{{schema:1 count:3 sum:2.5 buckets:[1 0 2]}}`.
package enum HistogramNotation {
    /// Reads one histogram.
    package static func parse(_ text: String) throws -> FloatHistogram {
        var scanner = NotationScanner(text)
        scanner.skipSpace()
        let histogram = try parse(&scanner)
        scanner.skipSpace()
        guard scanner.isAtEnd else { throw scanner.failure("expected nothing after a histogram") }
        return histogram
    }

    static func parse(_ scanner: inout NotationScanner) throws(SeriesNotation.SyntaxError) -> FloatHistogram {
        guard scanner.take("{{") else { throw scanner.failure("expected \"{{\"") }
        var histogram = FloatHistogram()
        var offset: Int32 = 0
        var negativeOffset: Int32 = 0
        var seen: Set<String> = []
        while true {
            scanner.skipSpace()
            if scanner.take("}}") { break }
            let name = scanner.word()
            guard scanner.take(":") else { throw scanner.failure("expected \":\" behind \(GoQuote.quote(name))") }
            guard seen.insert(name).inserted else { throw scanner.failure("duplicate key \(GoQuote.quote(name))") }
            switch name {
            case "schema": histogram.schema = try integer(&scanner)
            case "sum": histogram.sum = try scanner.number()
            case "count": histogram.count = try scanner.number()
            case "z_bucket": histogram.zeroCount = try scanner.number()
            case "z_bucket_w": histogram.zeroThreshold = try scanner.number()
            case "custom_values": histogram.customBounds = try list(&scanner)
            case "buckets": histogram.positiveBuckets = try list(&scanner)
            case "n_buckets": histogram.negativeBuckets = try list(&scanner)
            case "offset": offset = try integer(&scanner)
            case "n_offset": negativeOffset = try integer(&scanner)
            case "counter_reset_hint": histogram.resetHint = try hint(&scanner)
            default: throw scanner.failure("unknown histogram key \(GoQuote.quote(name))")
            }
        }
        if let length = UInt32(exactly: histogram.positiveBuckets.count), length > 0 {
            histogram.positiveSpans = [.init(offset: offset, length: length)]
        }
        if let length = UInt32(exactly: histogram.negativeBuckets.count), length > 0 {
            histogram.negativeSpans = [.init(offset: negativeOffset, length: length)]
        }
        return histogram
    }

    private static func integer(_ scanner: inout NotationScanner) throws(SeriesNotation.SyntaxError) -> Int32 {
        guard let value = Int32(exactly: try scanner.number()) else { throw scanner.failure("expected an integer") }
        return value
    }

    private static func list(_ scanner: inout NotationScanner) throws(SeriesNotation.SyntaxError) -> [Double] {
        guard scanner.take("[") else { throw scanner.failure("expected \"[\"") }
        var values: [Double] = []
        while true {
            scanner.skipSpace()
            if scanner.take("]") { return values }
            values.append(try scanner.number())
        }
    }

    private static func hint(
        _ scanner: inout NotationScanner
    ) throws(SeriesNotation.SyntaxError) -> FloatHistogram.ResetHint {
        switch scanner.word() {
        case "unknown": return .unknown
        case "reset": return .reset
        case "not_reset": return .notReset
        case "gauge": return .gauge
        case let other: throw scanner.failure("unknown counter reset hint \(GoQuote.quote(other))")
        }
    }
}
