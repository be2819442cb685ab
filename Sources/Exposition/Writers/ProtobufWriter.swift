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

    /// The bytes of the output so far.
    public var byteCount: Int { page.count + family.count }

    public init(escaping: NameEscaping = .allowUTF8) { self.escaping = escaping }

    /// Begins a family; its metrics follow.
    public mutating func family(_ name: String, _ type: MetricType, help: String? = nil) {
        ship()
        family.appendField(1, bytes: escaping.escape(name).utf8)
        if let help { family.appendField(2, bytes: help.utf8) }
        let number: UInt64 =
            switch type {
            case .counter: 0
            case .gauge, .info, .stateSet: 1
            case .summary: 2
            case .unknown: 3
            case .histogram: 4
            case .gaugeHistogram: 5
            }
        family.appendField(3, varint: number)
    }

    /// Writes one metric of the family.
    public mutating func metric(
        _ labels: [(name: String, value: String)], _ value: Value, timestamp: Int64? = nil
    ) {
        var metric: [UInt8] = []
        for label in labels {
            var pair: [UInt8] = []
            pair.appendField(1, bytes: escaping.escape(label.name, isMetric: false).utf8)
            pair.appendField(2, bytes: label.value.utf8)
            metric.appendField(1, bytes: pair)
        }
        var content: [UInt8] = []
        switch value {
        case .gauge(let value):
            content.appendField(1, double: value)
            metric.appendField(2, bytes: content)
        case .counter(let value):
            content.appendField(1, double: value)
            metric.appendField(3, bytes: content)
        case .untyped(let value):
            content.appendField(1, double: value)
            metric.appendField(5, bytes: content)
        case .summary(let count, let sum, let quantiles):
            content.appendField(1, varint: count)
            content.appendField(2, double: sum)
            for quantile in quantiles {
                var part: [UInt8] = []
                part.appendField(1, double: quantile.quantile)
                part.appendField(2, double: quantile.value)
                content.appendField(3, bytes: part)
            }
            metric.appendField(4, bytes: content)
        case .histogram(let count, let sum, let buckets):
            Self.classic(count, sum, buckets, &content)
            metric.appendField(7, bytes: content)
        case .native(let histogram):
            Self.native(histogram, &content)
            metric.appendField(7, bytes: content)
        }
        if let timestamp { metric.appendField(6, varint: UInt64(bitPattern: timestamp)) }
        family.appendField(4, bytes: metric)
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
        if isWhole { out.appendField(1, varint: whole(count) ?? 0) } else { out.appendField(4, double: count) }
        out.appendField(2, double: sum)
        for bucket in buckets {
            var part: [UInt8] = []
            if isWhole {
                part.appendField(1, varint: whole(bucket.count) ?? 0)
            } else {
                part.appendField(4, double: bucket.count)
            }
            part.appendField(2, double: bucket.bound)
            out.appendField(3, bytes: part)
        }
    }

    private static func native(_ histogram: FloatHistogram, _ out: inout [UInt8]) {
        out.appendField(4, double: histogram.count)
        out.appendField(2, double: histogram.sum)
        out.appendField(5, zigzag: Int64(histogram.schema))
        out.appendField(6, double: histogram.zeroThreshold)
        out.appendField(8, double: histogram.zeroCount)
        spans(9, histogram.negativeSpans, &out)
        out.appendField(11, doubles: histogram.negativeBuckets)
        // A reader knows a native histogram by its spans or its zero bucket: one that has neither gets an empty span.
        let isBare =
            histogram.positiveSpans.isEmpty && histogram.negativeSpans.isEmpty && histogram.zeroThreshold == 0
            && histogram.zeroCount == 0
        spans(12, isBare ? [.init(offset: 0, length: 0)] : histogram.positiveSpans, &out)
        out.appendField(14, doubles: histogram.positiveBuckets)
    }

    private static func spans(_ field: Int, _ spans: [FloatHistogram.Span], _ out: inout [UInt8]) {
        for span in spans {
            var part: [UInt8] = []
            part.appendField(1, zigzag: Int64(span.offset))
            part.appendField(2, varint: UInt64(span.length))
            out.appendField(field, bytes: part)
        }
    }
}
