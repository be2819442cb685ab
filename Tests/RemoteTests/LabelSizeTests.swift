import HTTP
import Model
import Platform
import Remote
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Small requests whose series would be large, and series of which no sample can be stored.
@Suite("Series of pushes that are not made")
struct LabelSizeTests {
    private let store = RecordingStore()
    private let receiver: RemoteWriteReceiver

    init() { receiver = RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry()) }

    private func push(_ message: [UInt8], isV2: Bool) -> (status: Int, text: String) {
        let type = isV2 ? "application/x-protobuf;proto=io.prometheus.write.v2.Request" : "application/x-protobuf"
        let answer = receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write", headers: [(name: "Content-Type", value: type)],
                body: WireWriter.snappy(message)))
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private static func sample(_ time: Int64) -> [UInt8] {
        WireWriter.bytes(2, WireWriter.double(1, 1) + WireWriter.number(2, time))
    }

    /// The fields of a 2.0 request for symbols: the name of a metric, a long text, and short names of labels.
    private static let symbols: [UInt8] =
        (["", "__name__", "m", String(repeating: "A", count: 1_000_000)] + (0..<60).map { "n\($0)" })
        .flatMap { WireWriter.text(4, $0) }

    /// A series whose labels refer to the long text so many times.
    private static func series(_ number: Int, references: Int, more: [UInt8] = []) -> [UInt8] {
        var labels: [UInt8] = [1, 2]
        for reference in 0..<references { labels += [UInt8(reference + 4), 3] }
        labels += [63, UInt8(number % 60 + 4)]
        return WireWriter.bytes(5, WireWriter.bytes(1, labels) + sample(1000) + more)
    }

    @Test("a request of short references to a long text is refused before labels are made of it")
    func amplified() {
        // 49 MB of labels in each series are more than a storage accepts.
        let start = ContinuousClock.now
        var request = Self.symbols
        for number in 0..<5000 { request += Self.series(number, references: 52) }
        let long = push(request, isV2: true)
        #expect(long.status == 400 && long.text.contains("labels of 52000"), "\(long.text.prefix(300))")
        #expect(long.text.utf8.count < 20_000)
        // 40 MB in each are accepted, but all together are more than a request may use.
        request = Self.symbols
        for number in 0..<5000 { request += Self.series(number, references: 40) }
        let many = push(request, isV2: true)
        #expect(many.status == 400 && many.text.contains("the request needs more than"), "\(many.text.prefix(300))")
        #expect(store.state.withLock { $0.resolved } == 0)
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(push(Self.symbols + Self.series(1, references: 2), isV2: true).status == 204)
        #expect(store.state.withLock { $0.samples.count } == 1)
    }

    @Test("a request whose metadata refers to a long text ends at its budget, and its series keep their samples")
    func metadata() {
        var request = Self.symbols + (0..<1000).flatMap { WireWriter.text(4, "metric\($0)") }
        for number in 0..<1000 {
            let labels = [1] + WireWriter.varint(UInt64(64 + number))
            let about = WireWriter.bytes(5, WireWriter.number(1, 1) + WireWriter.number(3, 3))
            request += WireWriter.bytes(5, WireWriter.bytes(1, labels) + Self.sample(1000) + about)
        }
        let answer = push(request, isV2: true)
        #expect(answer.status == 400 && answer.text.contains("the request needs more than"), "\(answer.text)")
        store.state.withLock { state in
            #expect(state.metadata.count < 300)
            #expect(state.resolved > 0 && Set(state.samples.map(\.0)).count >= state.resolved - 1)
        }
    }

    @Test("a series of which no sample can be stored is not made", arguments: [false, true])
    func refused(isV2: Bool) {
        let late = SystemClock().now() + 3_600_000
        let message =
            isV2
            ? Self.symbols + WireWriter.bytes(5, WireWriter.bytes(1, [1, 2]) + Self.sample(late))
                + WireWriter.bytes(5, WireWriter.bytes(1, [1, 5]) + Self.sample(late) + Self.sample(1000))
            : WireWriter.series([("__name__", "m")], [(1, late)])
                + WireWriter.series([("__name__", "n1")], [(1, late), (1, 1000)])
        let answer = push(message, isV2: isV2)
        #expect(answer.status == 400 && answer.text.contains("too far in the future"))
        store.state.withLock { state in
            #expect(state.resolved == 1)
            #expect(state.samples.map(\.0.metricName) == ["n1"])
        }
    }

    @Test("exemplars of 1.0 before the first sample of their series arrive")
    func exemplars() {
        let label = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "m"))
        let exemplar = WireWriter.bytes(
            3,
            WireWriter.bytes(1, WireWriter.text(1, "trace") + WireWriter.text(2, "1")) + WireWriter.double(2, 7)
                + WireWriter.number(3, 9))
        #expect(push(WireWriter.bytes(1, label + exemplar + Self.sample(1000)), isV2: false).status == 204)
        #expect(push(WireWriter.bytes(1, label + Self.sample(2000) + exemplar), isV2: false).status == 204)
        // The sample and the exemplar of a new series in different parts of one request.
        let other = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "n"))
        let parts = WireWriter.bytes(1, other + Self.sample(3000)) + WireWriter.bytes(1, other + exemplar)
        #expect(push(parts, isV2: false).status == 204)
        store.state.withLock { state in
            #expect(state.samples.count == 3)
            #expect(state.exemplars == 3)
        }
    }
}
