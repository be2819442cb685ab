import Encoding
import Model

/// Writes metrics as length-prefixed `io.prometheus.client.MetricFamily` messages.
public struct ProtobufWriter {
    /// The value of a metric.
    public enum Value {
        case counter(Double)
        case gauge(Double)
        case untyped(Double)
        case summary(count: UInt64, sum: Double, quantiles: [(quantile: Double, value: Double)])
        /// Cumulative buckets.
        case histogram(count: Double, sum: Double, buckets: [(bound: Double, count: Double)])
        /// An exponential histogram.
        case native(FloatHistogram)
    }

    private let escaping: NameEscaping
    private var page: [UInt8] = []
    /// The family under construction, without its length.
    private var family: [UInt8] = []

    public init(escaping: NameEscaping = .allowUTF8) { self.escaping = escaping }

    /// Begins a family; its metrics follow.
    public mutating func family(_ name: String, _ type: MetricType, help: String? = nil) {
        ship()
        Self.text(1, escaping.escape(name), &family)
        if let help { Self.text(2, help, &family) }
        let number: UInt64 =
            switch type {
            case .counter: 0
            case .gauge, .info, .stateSet: 1
            case .summary: 2
            case .unknown: 3
            case .histogram: 4
            case .gaugeHistogram: 5
            }
        Self.integer(3, number, &family)
    }

    /// Writes one metric of the family.
    public mutating func metric(
        _ labels: [(name: String, value: String)], _ value: Value, timestamp: Int64? = nil
    ) {
        var metric: [UInt8] = []
        for label in labels {
            var pair: [UInt8] = []
            Self.text(1, escaping.escape(label.name, isMetric: false), &pair)
            Self.text(2, label.value, &pair)
            Self.message(1, pair, &metric)
        }
        var content: [UInt8] = []
        switch value {
        case .gauge(let value):
            Self.double(1, value, &content)
            Self.message(2, content, &metric)
        case .counter(let value):
            Self.double(1, value, &content)
            Self.message(3, content, &metric)
        case .untyped(let value):
            Self.double(1, value, &content)
            Self.message(5, content, &metric)
        case .summary(let count, let sum, let quantiles):
            Self.integer(1, count, &content)
            Self.double(2, sum, &content)
            for quantile in quantiles {
                var part: [UInt8] = []
                Self.double(1, quantile.quantile, &part)
                Self.double(2, quantile.value, &part)
                Self.message(3, part, &content)
            }
            Self.message(4, content, &metric)
        case .histogram(let count, let sum, let buckets):
            Self.classic(count, sum, buckets, &content)
            Self.message(7, content, &metric)
        case .native(let histogram):
            Self.native(histogram, &content)
            Self.message(7, content, &metric)
        }
        if let timestamp { Self.integer(6, UInt64(bitPattern: timestamp), &metric) }
        Self.message(4, metric, &family)
    }

    /// Ends the output and returns it.
    public mutating func finish() -> [UInt8] {
        ship()
        return page
    }

    private mutating func ship() {
        guard !family.isEmpty else { return }
        page.appendSized(family)
        family.removeAll(keepingCapacity: true)
    }

    private static func classic(
        _ count: Double, _ sum: Double, _ buckets: [(bound: Double, count: Double)], _ out: inout [UInt8]
    ) {
        // Counts that are not integers use the fields for floats.
        func whole(_ value: Double) -> UInt64? { UInt64(exactly: value) }
        let isWhole = whole(count) != nil && buckets.allSatisfy { whole($0.count) != nil }
        if isWhole { integer(1, whole(count) ?? 0, &out) } else { double(4, count, &out) }
        double(2, sum, &out)
        for bucket in buckets {
            var part: [UInt8] = []
            if isWhole { integer(1, whole(bucket.count) ?? 0, &part) } else { double(4, bucket.count, &part) }
            double(2, bucket.bound, &part)
            message(3, part, &out)
        }
    }

    private static func native(_ histogram: FloatHistogram, _ out: inout [UInt8]) {
        double(4, histogram.count, &out)
        double(2, histogram.sum, &out)
        integer(5, Zigzag.encode(Int64(histogram.schema)), &out)
        double(6, histogram.zeroThreshold, &out)
        double(8, histogram.zeroCount, &out)
        spans(9, histogram.negativeSpans, &out)
        counts(11, histogram.negativeBuckets, &out)
        // A reader recognizes a native histogram by its spans or its zero bucket; one that has neither gets an empty
        // span.
        let isBare =
            histogram.positiveSpans.isEmpty && histogram.negativeSpans.isEmpty && histogram.zeroThreshold == 0
            && histogram.zeroCount == 0
        spans(12, isBare ? [.init(offset: 0, length: 0)] : histogram.positiveSpans, &out)
        counts(14, histogram.positiveBuckets, &out)
    }

    private static func spans(_ field: Int, _ spans: [FloatHistogram.Span], _ out: inout [UInt8]) {
        for span in spans {
            var part: [UInt8] = []
            integer(1, Zigzag.encode(Int64(span.offset)), &part)
            integer(2, UInt64(span.length), &part)
            message(field, part, &out)
        }
    }

    private static func counts(_ field: Int, _ counts: [Double], _ out: inout [UInt8]) {
        guard !counts.isEmpty else { return }
        var packed: [UInt8] = []
        for count in counts { packed.appendLittle(count.bitPattern) }
        message(field, packed, &out)
    }

    // MARK: Wire format

    private static func tag(_ field: Int, _ type: Int, _ out: inout [UInt8]) { out.appendVarint(field << 3 | type) }

    private static func integer(_ field: Int, _ value: UInt64, _ out: inout [UInt8]) {
        tag(field, 0, &out)
        out.appendVarint(value)
    }

    private static func double(_ field: Int, _ value: Double, _ out: inout [UInt8]) {
        tag(field, 1, &out)
        out.appendLittle(value.bitPattern)
    }

    private static func message(_ field: Int, _ content: [UInt8], _ out: inout [UInt8]) {
        tag(field, 2, &out)
        out.appendSized(content)
    }

    private static func text(_ field: Int, _ text: String, _ out: inout [UInt8]) {
        message(field, Array(text.utf8), &out)
    }
}
