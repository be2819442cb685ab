import HTTP
import Model
import Platform
import Remote
import Synchronization
import Telemetry
import TestSupport
import Testing

/// Pushes of series that do not fit into the storage.
@Suite("Pushes to a full storage")
struct FullStorePushTests {
    private let store = RecordingStore()
    private let receiver: RemoteWriteReceiver

    init() {
        receiver = RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry())
        store.state.withLock { $0.mostSeries = 2 }
    }

    private func push(_ message: [UInt8], isV2: Bool) -> HTTPResponse {
        let type = isV2 ? "application/x-protobuf;proto=io.prometheus.write.v2.Request" : "application/x-protobuf"
        return receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write", headers: [(name: "Content-Type", value: type)],
                body: WireWriter.snappy(message)))
    }

    /// A request with one sample for each metric.
    private static func message(_ names: [String], isV2: Bool) -> [UInt8] {
        guard isV2 else { return names.flatMap { WireWriter.series([("__name__", $0)], [(1, 1000)]) } }
        let sample = WireWriter.bytes(2, WireWriter.double(1, 1) + WireWriter.number(2, 1000))
        return (["", "__name__"] + names).flatMap { WireWriter.text(4, $0) }
            + names.indices.flatMap { number in
                WireWriter.bytes(5, WireWriter.bytes(1, [1, UInt8(number + 2)]) + sample)
            }
    }

    @Test("what fits is stored, and the answer is a 503 that names the limit", arguments: [false, true])
    func full(isV2: Bool) {
        let names = ["a", "b", "c", "d"]
        let answer = push(Self.message(names, isV2: isV2), isV2: isV2)
        #expect(answer.status == 503)
        #expect(answer.headers.contains { $0.name == "Retry-After" && $0.value == "5" })
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == "limit reached: 2 series; 2 series of the request are not stored\n")
        if isV2 { #expect(answer.headers.contains { $0.name.hasSuffix("Samples-Written") && $0.value == "2" }) }
        store.state.withLock { #expect($0.samples.map(\.0.metricName) == ["a", "b"]) }
        // A retry that fits is taken as a whole.
        store.state.withLock { $0.mostSeries = 4 }
        #expect(push(Self.message(names, isV2: isV2), isV2: isV2).status == 204)
        store.state.withLock { #expect(Set($0.samples.map(\.0.metricName)) == Set(names)) }
    }

    @Test("series with invalid labels beside those that do not fit do not hide that a retry is useful")
    func mixed() {
        let message =
            Self.message(["a", "b", "c"], isV2: false) + WireWriter.series([("job", "no name")], [(1, 1000)])
        #expect(push(message, isV2: false).status == 503)
        #expect(push(Self.message(["a", "b"], isV2: false), isV2: false).status == 204)
    }

    @Test("a series that was removed and does not fit any more is a 503", arguments: [false, true])
    func removed(isV2: Bool) {
        #expect(push(Self.message(["a", "b"], isV2: isV2), isV2: isV2).status == 204)
        store.state.withLock { $0.rejectsNext = .unknownSeries }
        let answer = push(Self.message(["a", "b"], isV2: isV2), isV2: isV2)
        #expect(answer.status == 503 && answer.headers.contains { $0.name == "Retry-After" })
    }
}
