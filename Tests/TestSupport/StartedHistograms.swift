/// Native histograms with start timestamps: as a push of remote write 2.0, and as a page in protobuf.
public struct StartedHistograms: Sendable {
    /// Times in ms; a start of 0 is none.
    public typealias Sample = (time: Int64, start: Int64, histogram: RemoteWritePush.Histogram)

    private var symbols = [""]
    private var series = PrometheusBytes()

    public init() {}

    /// Appends a series that has no labels besides its name.
    public mutating func append(_ name: String, _ samples: [Sample]) {
        var references = PrometheusBytes()
        for text in ["__name__", name] {
            references.varint(UInt64(symbols.count))
            symbols.append(text)
        }
        var one = PrometheusBytes()
        one.field(1, references.bytes)
        for sample in samples {
            var histogram = PrometheusBytes()
            histogram.run(RemoteWritePush.bytes(sample.histogram, sample.time))
            if sample.start != 0 { histogram.field(17, UInt64(bitPattern: sample.start)) }
            one.field(3, histogram.bytes)
        }
        series.field(5, one.bytes)
    }

    /// Sends what was appended; the status of the answer.
    public func send(_ probe: HTTPProbe) -> HTTPProbe.Answer? {
        var message = PrometheusBytes()
        for symbol in symbols { message.field(4, Array(symbol.utf8)) }
        message.run(series.bytes)
        return probe.request(
            "POST", "/api/v1/write",
            headers: [
                "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "2.0.0",
            ], body: RemoteWritePush.snappy(message.bytes))
    }

    /// A page of one histogram in Prometheus's protobuf format, which a scrape may get.
    ///
    /// - Parameters:
    ///   - start: ms.
    ///   - buckets: The observations in each bucket of schema 0, from (0.5, 1] on.
    public static func page(_ name: String, start: Int64, sum: Double, buckets: [Int64]) -> [UInt8] {
        var histogram = PrometheusBytes()
        histogram.field(1, UInt64(buckets.reduce(0, +)))
        histogram.field(2, sum)
        histogram.field(5, zigzag: 0)
        histogram.field(6, 0.001)
        histogram.field(7, UInt64(0))
        var span = PrometheusBytes()
        span.field(1, zigzag: 0)
        span.field(2, UInt64(buckets.count))
        histogram.field(12, span.bytes)
        var (deltas, before) = (PrometheusBytes(), Int64(0))
        for bucket in buckets {
            deltas.zigzag(bucket - before)
            before = bucket
        }
        histogram.field(13, deltas.bytes)
        var time = PrometheusBytes()
        time.field(1, UInt64(start / 1000))
        time.field(2, UInt64(start % 1000 * 1_000_000))
        histogram.field(15, time.bytes)
        var (metric, family, page) = (PrometheusBytes(), PrometheusBytes(), PrometheusBytes())
        metric.field(7, histogram.bytes)
        family.field(1, Array(name.utf8))
        family.field(3, UInt64(4))
        family.field(4, metric.bytes)
        page.varint(UInt64(family.bytes.count))
        page.run(family.bytes)
        return page.bytes
    }
}
