import Encoding
import Glibc
import GoCompatibility
import Model

/// The forms of a histogram that are read.
public struct HistogramChoice: Sendable {
    /// Whether native histograms are read.
    public var native: Bool
    /// Whether classic buckets are read even beside a native histogram.
    public var classicToo: Bool
    /// The highest schema of native histograms; those with a higher one are reduced to it.
    public var schemaMax: Int32
    /// The most buckets of a native histogram; 0 for any number.
    public var bucketLimit: Int

    public init(native: Bool, classicToo: Bool, schemaMax: Int32 = 8, bucketLimit: Int = 0) {
        self.native = native
        self.classicToo = classicToo
        self.schemaMax = schemaMax
        self.bucketLimit = bucketLimit
    }
}

/// Reads a scrape body of length-delimited `io.prometheus.client.MetricFamily` messages, one family at a time.
///
/// Every sample gets a text of its series, `{"name","label"="value"}`, so that the template and the label parser are
/// the same for all formats.
public struct ProtobufReader {
    /// One sample of the current family.
    public struct Sample: Sendable {
        /// The text of the series as offsets into ``text``.
        public var series: Range<Int>
        public var number: DecimalNumber
        public var histogram: FloatHistogram?
        /// ms, nil if the message has none.
        public var timestamp: Int64?
        /// The start timestamp of the counter, ms; 0 if the message has none.
        public var start: Int64
        public var exemplars: [(labels: Labels, value: Double, timestamp: Int64?)]
    }

    private let page: UnsafeBufferPointer<UInt8>
    private var stream: ProtobufCursor
    private let choice: HistogramChoice

    /// The texts of all series of the current family.
    public private(set) var text: [UInt8] = []
    /// The samples of the current family.
    public private(set) var samples: [Sample] = []
    public private(set) var name = ""
    public private(set) var metadata = MetricMetadata()
    /// Whether name, type and help of the current family were read and are valid.
    public private(set) var hasName = false
    /// The time of the current metric, ms, nil if the message has none.
    private var timestamp: Int64?
    /// The start timestamp of the current metric, ms; 0 if the message has none.
    private var began: Int64 = 0

    public init(_ page: UnsafeBufferPointer<UInt8>, choice: HistogramChoice) {
        self.page = page
        self.choice = choice
        stream = ProtobufCursor(page, 0..<page.count)
    }

    private func failure(_ message: String) -> ExpositionError {
        ExpositionError(message, line: 0, column: stream.offset)
    }

    private func string(_ range: Range<Int>) throws(ExpositionError) -> String {
        guard let text = String(validating: page[range], as: UTF8.self) else {
            throw failure("proto: invalid UTF-8")
        }
        return text
    }

    /// Moves to the next family with metrics; returns false at the end.
    ///
    /// If it throws, ``samples`` contains those before the error.
    public mutating func next() throws(ExpositionError) -> Bool {
        while true {
            text.removeAll(keepingCapacity: true)
            samples.removeAll(keepingCapacity: true)
            hasName = false
            guard let range = try stream.family() else { return false }
            if try family(range) { return true }
        }
    }

    /// Reads a family; returns false if it has no metrics; then it is ignored.
    private mutating func family(_ range: Range<Int>) throws(ExpositionError) -> Bool {
        name = ""
        metadata = MetricMetadata()
        var type: UInt64 = 0
        var hasMetrics = false
        var (nameRange, helpRange, unitRange) = (0..<0, 0..<0, 0..<0)
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1: nameRange = value.range
            case 2: helpRange = value.range
            case 3: type = value.integer
            case 4: hasMetrics = true
            case 5: unitRange = value.range
            default: break
            }
        }
        guard hasMetrics else { return false }
        name = try string(nameRange)
        metadata.help = try string(helpRange)
        metadata.unit = try string(unitRange)
        if name.isEmpty { throw failure("invalid metric name: \(name)") }
        let types: [MetricType] = [.counter, .gauge, .summary, .unknown, .histogram, .gaugeHistogram]
        guard type < types.count else {
            throw failure("unknown metric type for metric \(GoQuote.quote(name)): \(type)")
        }
        metadata.type = types[Int(type)]
        hasName = true
        fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            if number == 4 { try metric(value.range) }
        }
        return true
    }

    private mutating func metric(_ range: Range<Int>) throws(ExpositionError) {
        var labels: [(String, String)] = []
        var body: Range<Int>?
        let valueField =
            switch metadata.type {
            case .gauge: 2
            case .counter: 3
            case .summary: 4
            case .histogram, .gaugeHistogram: 7
            default: 5
            }
        timestamp = nil
        began = 0
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1:
                let label = try pair(value.range)
                if label.0.isEmpty { throw failure("invalid label name: \(label.0)") }
                labels.append(label)
            case valueField: body = value.range
            case 6:
                let ms = Int64(bitPattern: value.integer)
                timestamp = ms == 0 ? nil : ms
            default: break
            }
        }
        // As in Prometheus, a metric without a value of its family's type counts as zero.
        let value = body ?? range.lowerBound..<range.lowerBound
        switch metadata.type {
        case .summary: try summary(value, labels)
        case .histogram, .gaugeHistogram: try histogram(value, labels)
        default: try single(value, labels)
        }
    }

    private func pair(_ range: Range<Int>) throws(ExpositionError) -> (String, String) {
        var result = ("", "")
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            if number == 1 { result.0 = try string(value.range) }
            if number == 2 { result.1 = try string(value.range) }
        }
        return result
    }

    // MARK: Samples

    private mutating func emit(
        _ suffix: String, _ labels: [(String, String)], _ value: Double, histogram: FloatHistogram? = nil,
        exemplars: [(labels: Labels, value: Double, timestamp: Int64?)] = []
    ) {
        let start = text.count
        // Only the label parser reads the text: quotes everywhere spare a look at every name.
        var series = SeriesTextWriter(quotesAll: true)
        series.metric(name + suffix, to: &text)
        for (name, value) in labels { series.label(name, value, to: &text) }
        series.end(to: &text)
        samples.append(
            Sample(
                series: start..<text.count, number: Self.decimal(value), histogram: histogram, timestamp: timestamp,
                start: began, exemplars: exemplars))
    }

    /// The value with its decimal, if that has at most six places.
    private static func decimal(_ value: Double) -> DecimalNumber {
        if value.isNaN { return DecimalNumber(value: DecimalNumber.normalNaN) }
        if value == 0, value.sign == .minus { return DecimalNumber(value: value) }
        var power = 1.0
        for scale in 0...6 {
            let scaled = (value * power).rounded()
            guard scaled.magnitude <= 0x1p53 else { break }
            if scaled / power == value {
                return DecimalNumber(value: value, mantissa: Int64(scaled), scale: Int8(scale))
            }
            power *= 10
        }
        return DecimalNumber(value: value)
    }

    private mutating func single(_ range: Range<Int>, _ labels: [(String, String)]) throws(ExpositionError) {
        var result = 0.0
        var exemplars: [(labels: Labels, value: Double, timestamp: Int64?)] = []
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            if number == 1 { result = value.double }
            if number == 2, metadata.type == .counter { exemplars.append(try exemplar(value.range)) }
            if number == 3, metadata.type == .counter { began = try milliseconds(value.range) }
        }
        emit("", labels, result, exemplars: exemplars)
    }

    private mutating func summary(_ range: Range<Int>, _ labels: [(String, String)]) throws(ExpositionError) {
        var (count, sum) = (0.0, 0.0)
        var quantiles: [(Double, Double)] = []
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1: count = Double(value.integer)
            case 2: sum = value.double
            case 3:
                var quantile = (0.0, 0.0)
                var inner = ProtobufCursor(page, value.range)
                while let (number, value) = try inner.field() {
                    if number == 1 { quantile.0 = value.double }
                    if number == 2 { quantile.1 = value.double }
                }
                quantiles.append(quantile)
            case 4: began = try milliseconds(value.range)
            default: break
            }
        }
        emit("_count", labels, count)
        emit("_sum", labels, sum)
        for (quantile, value) in quantiles {
            emit("", labels + [("quantile", LabelFloat.text(quantile))], value)
        }
    }

    private func exemplar(
        _ range: Range<Int>
    ) throws(ExpositionError) -> (labels: Labels, value: Double, timestamp: Int64?) {
        var labels: [(String, String)] = []
        var result = 0.0
        var time: Int64?
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1: labels.append(try pair(value.range))
            case 2: result = value.double
            case 3: time = try milliseconds(value.range)
            default: break
            }
        }
        return (Labels(labels), result, time)
    }

    /// A timestamp, ms since the epoch.
    private func milliseconds(_ range: Range<Int>) throws(ExpositionError) -> Int64 {
        var (seconds, nanoseconds): (Int64, Int64) = (0, 0)
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            if number == 1 { seconds = Int64(bitPattern: value.integer) }
            if number == 2 { nanoseconds = Int64(bitPattern: value.integer) }
        }
        return seconds &* 1000 &+ nanoseconds / 1_000_000
    }

    // MARK: Histograms

    /// The fields of a histogram message.
    private struct Histogram {
        var count = 0.0
        var floatCount = 0.0
        var sum = 0.0
        var schema: Int32 = 0
        var zeroThreshold = 0.0
        var zeroCount = 0.0
        var floatZeroCount = 0.0
        var negativeSpans: [FloatHistogram.Span] = []
        var negativeDeltas: [Int64] = []
        var negativeCounts: [Double] = []
        var positiveSpans: [FloatHistogram.Span] = []
        var positiveDeltas: [Int64] = []
        var positiveCounts: [Double] = []
        var buckets: [(bound: Double, count: Double, exemplars: [(labels: Labels, value: Double, timestamp: Int64?)])] =
            []
        var exemplars: [(labels: Labels, value: Double, timestamp: Int64?)] = []

        var isNative: Bool {
            !positiveSpans.isEmpty || !negativeSpans.isEmpty || zeroThreshold > 0 || zeroCount > 0 || floatZeroCount > 0
        }
        var isFloat: Bool { floatCount > 0 || floatZeroCount > 0 }
    }

    private mutating func histogram(_ range: Range<Int>, _ labels: [(String, String)]) throws(ExpositionError) {
        var h = Histogram()
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1: h.count = Double(value.integer)
            case 2: h.sum = value.double
            case 3: h.buckets.append(try bucket(value.range))
            case 4: h.floatCount = value.double
            case 5: h.schema = Int32(truncatingIfNeeded: value.zigzag)
            case 6: h.zeroThreshold = value.double
            case 7: h.zeroCount = Double(value.integer)
            case 8: h.floatZeroCount = value.double
            case 9: h.negativeSpans.append(try span(value.range))
            case 10: try fields.deltas(value, &h.negativeDeltas)
            case 11: try fields.counts(value, &h.negativeCounts)
            case 12: h.positiveSpans.append(try span(value.range))
            case 13: try fields.deltas(value, &h.positiveDeltas)
            case 14: try fields.counts(value, &h.positiveCounts)
            case 15: began = try milliseconds(value.range)
            case 16: h.exemplars.append(try exemplar(value.range))
            default: break
            }
        }
        let takesNative = h.isNative && choice.native
        if takesNative {
            let native = try native(h)
            let exemplars = (h.exemplars.isEmpty ? h.buckets.flatMap(\.exemplars) : h.exemplars)
                .filter { $0.timestamp != nil }
            emit("", labels, 0, histogram: native, exemplars: exemplars)
        }
        if !takesNative || (choice.classicToo && !h.buckets.isEmpty) { classic(h, labels) }
    }

    private mutating func classic(_ h: Histogram, _ labels: [(String, String)]) {
        let count = h.floatCount > 0 ? h.floatCount : h.count
        emit("_count", labels, count)
        emit("_sum", labels, h.sum)
        var hasInfinity = false
        for bucket in h.buckets {
            hasInfinity = hasInfinity || bucket.bound == .infinity
            emit(
                "_bucket", labels + [("le", LabelFloat.text(bucket.bound))], bucket.count, exemplars: bucket.exemplars)
        }
        if !hasInfinity { emit("_bucket", labels + [("le", "+Inf")], count) }
    }

    private func bucket(
        _ range: Range<Int>
    ) throws(ExpositionError) -> (
        bound: Double, count: Double, exemplars: [(labels: Labels, value: Double, timestamp: Int64?)]
    ) {
        var (bound, count, floatCount) = (0.0, 0.0, 0.0)
        var exemplars: [(labels: Labels, value: Double, timestamp: Int64?)] = []
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            switch number {
            case 1: count = Double(value.integer)
            case 2: bound = value.double
            case 3: exemplars.append(try exemplar(value.range))
            case 4: floatCount = value.double
            default: break
            }
        }
        return (bound, floatCount > 0 ? floatCount : count, exemplars)
    }

    private func span(_ range: Range<Int>) throws(ExpositionError) -> FloatHistogram.Span {
        var span = FloatHistogram.Span(offset: 0, length: 0)
        var fields = ProtobufCursor(page, range)
        while let (number, value) = try fields.field() {
            if number == 1 { span.offset = Int32(truncatingIfNeeded: value.zigzag) }
            if number == 2 { span.length = UInt32(truncatingIfNeeded: value.integer) }
        }
        return span
    }

    private func native(_ h: Histogram) throws(ExpositionError) -> FloatHistogram {
        func buckets(
            _ side: String, _ spans: [FloatHistogram.Span], _ deltas: [Int64], _ counts: [Double]
        ) throws(ExpositionError) -> [Double] {
            let needed = spans.reduce(0) { $0 &+ Int($1.length) }
            let found = h.isFloat ? counts.count : deltas.count
            guard needed == found else {
                throw failure(
                    "histogram \(GoQuote.quote(name)): \(side) side: spans require \(needed) buckets, have \(found)")
            }
            if h.isFloat { return counts }
            var count: Int64 = 0
            return deltas.map { delta in
                count &+= delta
                return Double(count)
            }
        }
        var native = FloatHistogram(
            resetHint: metadata.type == .gaugeHistogram ? .gauge : .unknown, schema: h.schema,
            zeroThreshold: h.zeroThreshold, zeroCount: h.isFloat ? h.floatZeroCount : h.zeroCount,
            count: h.isFloat ? h.floatCount : h.count, sum: h.sum.isNaN ? DecimalNumber.normalNaN : h.sum,
            positiveSpans: h.positiveSpans, negativeSpans: h.negativeSpans,
            positiveBuckets: try buckets("positive", h.positiveSpans, h.positiveDeltas, h.positiveCounts),
            negativeBuckets: try buckets("negative", h.negativeSpans, h.negativeDeltas, h.negativeCounts),
            hasFloatCounts: h.isFloat)
        do throws(FloatHistogram.ValidationError) {
            native = try native.accepted()
        } catch {
            throw failure("histogram \(GoQuote.quote(name)): \(error)")
        }
        native = native.reduced(to: max(-4, choice.schemaMax)).compacted()
        if choice.bucketLimit > 0 {
            while native.positiveBuckets.count + native.negativeBuckets.count > choice.bucketLimit {
                guard native.schema > -4 else { throw failure("histogram bucket limit exceeded") }
                native = native.reduced(to: native.schema - 1)
            }
        }
        return native
    }
}
