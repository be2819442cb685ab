import HTTP
import Model
import Platform
import Remote
import Synchronization
import Telemetry
import Testing

@Suite("Pushes of malformed native histograms")
struct InvalidHistogramPushTests {
    /// A histogram as a sender writes it, field by field.
    struct Sent: Sendable {
        var schema: Int64 = 1
        /// Integers are differences from bucket to bucket.
        var isFloat = false
        var count = 5.0
        var sum = 1.5
        var zeroCount = 2.0
        var zeroThreshold = 0.001
        var positiveSpans: [(offset: Int64, length: Int64)] = [(0, 2)]
        var negativeSpans: [(offset: Int64, length: Int64)] = []
        var positive: [Double] = [1, 2]
        var negative: [Double] = []
        var bounds: [Double] = []

        static let custom = Sent(schema: -53, count: 3, zeroCount: 0, zeroThreshold: 0, bounds: [1, 2])

        private static func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

        private static func spans(_ field: Int, _ spans: [(offset: Int64, length: Int64)]) -> [UInt8] {
            spans.flatMap {
                WireWriter.bytes(
                    field,
                    WireWriter.varint(8) + WireWriter.varint(zigzag($0.offset)) + WireWriter.number(2, $0.length))
            }
        }

        private func buckets(_ field: Int, _ counts: [Double]) -> [UInt8] {
            if counts.isEmpty { return [] }
            if isFloat {
                return WireWriter.bytes(field + 1, counts.flatMap { WireWriter.double(1, $0).dropFirst() })
            }
            var before = 0.0
            var bytes: [UInt8] = []
            for count in counts {
                bytes += WireWriter.varint(Self.zigzag(Int64(count - before)))
                before = count
            }
            return WireWriter.bytes(field, bytes)
        }

        func message(at time: Int64) -> [UInt8] {
            let counts =
                isFloat
                ? WireWriter.double(2, count) + WireWriter.double(7, zeroCount)
                : WireWriter.number(1, Int64(count)) + WireWriter.number(6, Int64(zeroCount))
            let scale = WireWriter.varint(4 << 3) + WireWriter.varint(Self.zigzag(schema))
            return counts + WireWriter.double(3, sum) + scale + WireWriter.double(5, zeroThreshold)
                + Self.spans(8, negativeSpans) + buckets(9, negative) + Self.spans(11, positiveSpans)
                + buckets(12, positive)
                + (bounds.isEmpty ? [] : WireWriter.bytes(16, bounds.flatMap { WireWriter.double(1, $0).dropFirst() }))
                + WireWriter.number(15, time)
        }
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        /// What the answer holds.
        var text: String
        var sent: Sent

        init(_ name: String, _ text: String, custom: Bool = false, _ change: (inout Sent) -> Void) {
            self.name = name
            self.text = text
            sent = custom ? .custom : Sent()
            change(&sent)
        }

        var testDescription: String { name }
    }

    private static let offset = "histogram has a span whose offset is negative"
    private static let mismatch = "histogram spans specify different number of buckets than provided"
    private static let negative = "histogram has a bucket whose observation count is negative"
    private static let schema = "histogram has an invalid schema"

    static let cases: [Case] =
        [Int64(Int32.min), -1000, -54, -52, -10, -5, 53, 127, Int64(Int32.max)].map { number in
            Case("schema \(number)", Self.schema) { $0.schema = number }
        } + [
            Case("count above the buckets", "5 observations found in buckets, but the Count field is 30") {
                $0.count = 30
            },
            Case("count below the buckets", "5 observations found in buckets, but the Count field is 3") {
                $0.count = 3
            },
            Case("count below the buckets beside a NaN", "histogram's observation count should be at least") {
                ($0.sum, $0.count) = (.nan, 3)
            },
            Case("negative bucket", negative) { $0.positive = [1, -4] },
            Case("negative bucket of the negative side", negative) {
                ($0.negativeSpans, $0.negative) = ([(0, 1)], [-1])
            },
            Case("too few buckets", mismatch) { $0.positiveSpans = [(0, 5)] },
            Case("too many buckets", mismatch) { $0.positive = [1, 2, 0] },
            Case("buckets without spans", mismatch) { $0.positiveSpans = [] },
            Case("spans without buckets", mismatch) { $0.negativeSpans = [(0, 1)] },
            Case("offset back", offset) { $0.positiveSpans = [(5, 1), (-3, 1)] },
            Case("offset far back", offset) { $0.positiveSpans = [(0, 1), (Int64(Int32.min), 1)] },
            Case("a span of four thousand million", mismatch) { $0.positiveSpans = [(0, 4_000_000_000)] },
            Case("spans whose lengths overflow", mismatch) {
                $0.positiveSpans = [(0, Int64(UInt32.max)), (0, Int64(UInt32.max)), (0, 2)]
            },
            Case("custom bounds of another schema", "histogram with exponential schema must not have custom bounds") {
                $0.bounds = [1]
            },
            Case("float: negative bucket", negative) { ($0.isFloat, $0.positive) = (true, [1, -1]) },
            Case("float: negative count", "histogram's observation count is negative") {
                ($0.isFloat, $0.count) = (true, -1)
            },
            Case("float: negative zero bucket", negative) { ($0.isFloat, $0.zeroCount) = (true, -1) },
            Case("float: too few buckets", mismatch) { ($0.isFloat, $0.positiveSpans) = (true, [(0, 3)]) },
            Case("float: schema", Self.schema) { ($0.isFloat, $0.schema) = (true, -7) },
            Case("custom: no bounds", "histogram custom bounds are too few", custom: true) { $0.bounds = [] },
            Case("custom: too few bounds", "histogram custom bounds are too few", custom: true) {
                ($0.positiveSpans, $0.positive, $0.count) = ([(1, 3)], [1, 1, 1], 3)
            },
            Case("custom: unsorted", "histogram custom bounds must be in strictly increasing order", custom: true) {
                $0.bounds = [2, 1]
            },
            Case("custom: twice", "histogram custom bounds must be in strictly increasing order", custom: true) {
                $0.bounds = [1, 1]
            },
            Case("custom: +Inf", "histogram custom bounds must be finite", custom: true) {
                $0.bounds = [1, .infinity]
            },
            Case("custom: NaN", "histogram custom bounds must not be NaN", custom: true) { $0.bounds = [.nan, 1] },
            Case("custom: zero bucket", "custom buckets: must have zero count of 0", custom: true) {
                ($0.zeroCount, $0.count) = (1, 4)
            },
            Case("custom: zero threshold", "custom buckets: must have zero threshold of 0", custom: true) {
                $0.zeroThreshold = 1
            },
            Case("custom: negative side", "custom buckets: must not have negative", custom: true) {
                ($0.negativeSpans, $0.negative, $0.count) = ([(0, 1)], [1], 4)
            },
            Case("custom: offset", offset, custom: true) { $0.positiveSpans = [(-1, 2)] },
            Case("custom float: negative", negative, custom: true) { ($0.isFloat, $0.positive) = (true, [-1, 1]) },
        ]

    private let store = RecordingStore()
    private let receiver: RemoteWriteReceiver

    init() { receiver = RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry()) }

    /// A message with the histogram between a good one of the same series and a float of another.
    private static func message(_ sent: Sent, version: Int) -> [UInt8] {
        let histograms = [Sent().message(at: 1000), sent.message(at: 2000)]
        let sample = WireWriter.double(1, 7) + WireWriter.number(2, 1000)
        if version == 1 {
            let name = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "h"))
            let other = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "good"))
            return WireWriter.bytes(1, name + histograms.flatMap { WireWriter.bytes(4, $0) })
                + WireWriter.bytes(1, other + WireWriter.bytes(2, sample))
        }
        return ["", "__name__", "h", "good"].flatMap { WireWriter.text(4, $0) }
            + WireWriter.bytes(5, WireWriter.bytes(1, [1, 2]) + histograms.flatMap { WireWriter.bytes(3, $0) })
            + WireWriter.bytes(5, WireWriter.bytes(1, [1, 3]) + WireWriter.bytes(2, sample))
    }

    private func push(_ message: [UInt8], version: Int) -> HTTPResponse {
        let type = "application/x-protobuf" + (version == 2 ? ";proto=io.prometheus.write.v2.Request" : "")
        return receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write", headers: [(name: "Content-Type", value: type)],
                body: WireWriter.snappy(message)))
    }

    @Test("are refused with Prometheus's text, and what stands beside them is stored", arguments: cases, [1, 2])
    func refused(_ one: Case, version: Int) {
        let answer = push(Self.message(one.sent, version: version), version: version)
        let text = String(decoding: answer.body, as: UTF8.self)
        #expect(answer.status == 400)
        #expect(text.contains(one.text), "\(text)")
        if version == 2 {
            #expect(text.hasSuffix("for series {__name__=\"h\"}\n"))
            let written = answer.headers.filter { $0.name.hasSuffix("-Written") }.map(\.value)
            #expect(written == ["1", "1", "0"])
        }
        store.state.withLock { state in
            #expect(state.samples.map(\.2) == [7])
            #expect(state.histograms.map(\.1.count) == [5])
        }
    }

    @Test("what Prometheus takes is stored", arguments: [1, 2])
    func taken(version: Int) {
        var all: [Sent] = [Sent(), .custom, Sent(isFloat: true, count: 30)]
        for schema: Int64 in [-4, 0, 8, 9, 20, 52] { all.append(Sent(schema: schema)) }
        all.append(Sent(count: 9, sum: .nan))
        all.append(Sent(positiveSpans: [(Int64(Int32.max), 1), (Int64(Int32.max), 1)]))
        all.append(Sent(positiveSpans: [(Int64(Int32.min), 1), (0, 1)]))
        all.append(Sent(zeroThreshold: -1))
        for (number, sent) in all.enumerated() {
            let answer = push(Self.message(sent, version: version), version: version)
            #expect(answer.status == 204, "\(number): \(String(decoding: answer.body, as: UTF8.self))")
        }
        store.state.withLock { #expect($0.histograms.count == 2 * all.count) }
    }

    @Test("names that differ in their Unicode form only are two labels and two series", arguments: [1, 2])
    func unicodeForms(version: Int) {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        let sample = WireWriter.double(1, 1) + WireWriter.number(2, 1000)
        let labels = [("__name__", composed), (composed, "1"), (decomposed, "2")]
        let other = [("__name__", decomposed), (composed, "1"), (decomposed, "2")]
        var message: [UInt8] = []
        if version == 1 {
            message = WireWriter.series(labels, [(1, 1000)]) + WireWriter.series(other, [(2, 1000)])
        } else {
            let symbols = ["", "__name__", composed, decomposed, "1", "2", "help"]
            message = symbols.flatMap { WireWriter.text(4, $0) }
            for (name, type) in [(2, 1), (3, 2)] as [(UInt8, Int64)] {
                message += WireWriter.bytes(
                    5,
                    WireWriter.bytes(1, [1, name, 2, 4, 3, 5]) + WireWriter.bytes(2, sample)
                        + WireWriter.bytes(5, WireWriter.number(1, type)))
            }
        }
        let answer = push(message, version: version)
        #expect(answer.status == 204, "\(String(decoding: answer.body, as: UTF8.self))")
        store.state.withLock { state in
            #expect(Set(state.samples.map(\.0)) == [Labels(labels), Labels(other)])
            #expect(state.samples.allSatisfy { $0.0.count == 3 })
        }
    }

    @Test("ten thousand malformed pushes leave nothing behind")
    func repeats() {
        let messages = [1, 2].map { Self.message(Self.cases[0].sent, version: $0) }
        for round in 0..<5000 {
            for version in [1, 2] {
                #expect(push(messages[version - 1], version: version).status == 400)
            }
            if round % 500 == 0 {
                store.state.withLock { state in
                    state.samples = []
                    state.histograms = []
                }
            }
        }
        store.state.withLock { #expect($0.resolved <= 4) }
    }
}
