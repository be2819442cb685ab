import API
import Exposition
import HTTP
import Model
import Platform
import PromQL
import Rules
import Telemetry
import Testing

/// `/federate` and `/metrics` in the formats that a scraper may ask for.
@Suite("Federation and own metrics")
struct FederationTests {
    private static let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
    private let router: Router
    private let metrics = MetricRegistry()

    init() throws {
        let store = ArrayStore()
        let group = store.openGroup("test")
        let clock = SystemClock()
        func add(_ name: String, _ histogram: FloatHistogram?) throws {
            let ref = store.resolve(Labels([("__name__", name), ("a", "b")]), in: group)
            var batch = SampleBatch()
            if let histogram {
                batch.append(ref, histogram, at: clock.now())
            } else {
                batch.append(ref, 1.5, at: clock.now())
            }
            _ = try store.commit(batch, in: group, durability: .written)
        }
        try add("plain_gauge", nil)
        try add(
            "custom",
            FloatHistogram(
                schema: FloatHistogram.customSchema, count: 6, sum: 9,
                positiveSpans: [.init(offset: 0, length: 3)], positiveBuckets: [1, 2, 3], customBounds: [0.5, 1]))
        try add(
            "native",
            FloatHistogram(
                schema: 1, zeroThreshold: 0.001, zeroCount: 1, count: 4, sum: 2,
                positiveSpans: [.init(offset: 1, length: 2)], positiveBuckets: [1, 2]))
        metrics.histogram("sizes_bytes", "Sizes.", bounds: [1, 1e6], ["handler": "/"]).observe(5)
        metrics.summary("times_seconds", "Times.").observe(2)
        router =
            APIContext.test(
                store, control: DaemonStub(externalLabels: Labels([("replica", "x")])), metrics: metrics, clock: clock
            ).router
    }

    private func ask(_ path: String, _ accept: String = "", _ selector: String? = nil) -> HTTPResponse {
        router.handle(
            HTTPRequest(
                method: "GET", path: path, query: selector.map { [(name: "match[]", value: $0)] } ?? [],
                headers: accept.isEmpty ? [] : [(name: "Accept", value: accept)]))
    }

    /// What our own reader finds on a page.
    private static func read(
        _ page: [UInt8]
    ) throws -> (names: Set<String>, histograms: [String: FloatHistogram], values: [String: Double]) {
        var names: Set<String> = []
        var histograms: [String: FloatHistogram] = [:]
        var values: [String: Double] = [:]
        try page.withUnsafeBufferPointer { buffer in
            let choice = HistogramChoice(native: true, classicToo: false)
            var reader = ProtobufReader(buffer, choice: choice)
            while try reader.next() {
                names.insert(reader.name)
                for sample in reader.samples {
                    let series = String(decoding: reader.text[sample.series], as: UTF8.self)
                    if let histogram = sample.histogram {
                        histograms[series] = histogram
                    } else {
                        values[series] = sample.number.value
                    }
                }
            }
        }
        return (names, histograms, values)
    }

    private func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test("histograms with custom bounds are classic ones in text; exponential ones have no place there")
    func classic() {
        let page = text(ask("/federate", "", #"{a="b"}"#))
        #expect(page.contains("# TYPE custom histogram\n"))
        #expect(page.contains(#"custom_bucket{a="b",instance="",replica="x",le="0.5"} 1 "#))
        #expect(page.contains(#"custom_bucket{a="b",instance="",replica="x",le="1"} 3 "#))
        #expect(page.contains(#"custom_bucket{a="b",instance="",replica="x",le="+Inf"} 6 "#))
        #expect(page.contains(#"custom_sum{a="b",instance="",replica="x"} 9 "#))
        #expect(page.contains(#"custom_count{a="b",instance="",replica="x"} 6 "#))
        #expect(page.contains("# TYPE plain_gauge untyped\n"))
        #expect(!page.contains("native"))
    }

    @Test("protobuf holds all, and reads back as what is stored")
    func protobufPage() throws {
        let response = ask("/federate", Self.protobuf + ";q=0.7, text/plain;q=0.3", #"{a="b"}"#)
        let type = response.headers.first { $0.0 == "Content-Type" }?.1
        #expect(type == Self.protobuf + "; escaping=underscores")
        let (_, found, values) = try Self.read(response.body)
        let native = try #require(found.first { $0.key.contains("native") }?.value)
        #expect(native.schema == 1 && native.count == 4 && native.sum == 2 && native.zeroCount == 1)
        #expect(native.positiveBuckets == [1, 2])
        #expect(native.positiveSpans == [.init(offset: 1, length: 2)])
        #expect(values.contains { $0.key.contains("custom_bucket") && $0.key.contains("0.5") && $0.value == 1 })
        #expect(values.contains { $0.key.contains("plain_gauge") && $0.value == 1.5 })
    }

    @Test("a selector that selects everything is taken, a broken one is a mistake without a prefix")
    func selectors() {
        #expect(ask("/federate", "", #"plain_gauge{__name__="plain_gauge"}"#).status == 200)
        let answer = ask("/federate", "", "{")
        #expect(answer.status == 400)
        #expect(text(answer) == "1:2: parse error: unexpected end of input inside braces\n")
    }

    @Test("names that are valid as they are stay so under each escaping", arguments: ["dots", "values", "underscores"])
    func escaping(_ scheme: String) {
        let response = ask("/federate", "text/plain; version=0.0.4; escaping=\(scheme)", "plain_gauge")
        #expect(text(response).contains(#"plain_gauge{a="b""#))
        #expect(response.headers.first { $0.0 == "Content-Type" }?.1.hasSuffix("escaping=\(scheme)") == true)
    }

    @Test("our own page has whole bounds in each format")
    func own() throws {
        #expect(text(ask("/metrics")).contains(#"sizes_bytes_bucket{handler="/",le="1e+06"} 1"#))
        #expect(text(ask("/metrics")).contains(#"times_seconds{quantile="0.5"} 2"#))
        let open = text(ask("/metrics", "application/openmetrics-text; version=1.0.0"))
        #expect(open.contains(#"sizes_bytes_bucket{handler="/",le="1.0"} 0.0"#))
        #expect(open.hasSuffix("# EOF\n"))
        let names = try Self.read(ask("/metrics", Self.protobuf).body).names
        #expect(names.isSuperset(of: ["sizes_bytes", "times_seconds", "promhttp_metric_handler_requests_total"]))
    }

    @Test("answers of our own page that nobody reads are limited together")
    func unread() {
        let value = String(repeating: "x", count: 1 << 20)
        metrics.gauge("large", "A gauge with a long label.", ["label": value]).set(1)
        var held: [HTTPResponse] = []
        while held.count < 100 {
            let response = ask("/metrics")
            guard response.status == 200 else { break }
            held.append(response)
        }
        // 64 MiB: a page may take an eighth more while it is compressed, and is counted in steps of 1 MiB.
        #expect((20...60).contains(held.count))
        #expect(ask("/metrics").status == 503)
        held.removeLast(2)
        #expect(ask("/metrics").status == 200)
        held.removeAll()
        let page = text(ask("/metrics"))
        #expect(page.contains(#"promhttp_metric_handler_requests_total{code="503"} 2"#))
    }
}
