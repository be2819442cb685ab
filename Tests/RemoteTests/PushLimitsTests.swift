import HTTP
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Remote

@Suite("Limits of a push")
struct PushLimitsTests {
    private let store = RecordingStore()
    private let receiver: RemoteWriteReceiver

    init() { receiver = RemoteWriteReceiver(store: store, clock: SystemClock(), metrics: MetricRegistry()) }

    private func push(_ packed: [UInt8], type: String? = nil, encoding: String? = nil) -> (status: Int, text: String) {
        var headers: [(name: String, value: String)] = []
        if let type { headers.append(("Content-Type", type)) }
        if let encoding { headers.append(("Content-Encoding", encoding)) }
        let answer = receiver.handle(
            HTTPRequest(method: "POST", path: "/api/v1/write", headers: headers, body: packed))
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    private static let v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"

    @Test(
        "a content type names a known message or is refused",
        arguments: [
            (nil, 204), ("", 204), ("application/x-protobuf", 204), (" application/x-protobuf ", 204),
            ("application/x-protobuf;proto=prometheus.WriteRequest", 204),
            ("application/x-protobuf; proto=prometheus.WriteRequest", 204),
            ("application/x-protobuf;charset=utf-8", 204), (Self.v2, 204),
            ("application/x-protobuf;proto=foo", 415), ("application/x-protobuf;proto=", 415),
            ("application/x-protobuf;proto=io.prometheus.write.v2.Requests", 415),
            ("application/x-protobuf;proto=io.prometheus.write.v3.Request", 415),
            ("application/x-protobuf;proto", 415), ("application/x-protobuf;", 415), ("application/json", 415),
            ("application/x-protobuffer", 415), ("text/plain;proto=io.prometheus.write.v2.Request", 415),
        ] as [(String?, Int)])
    func contentTypes(type: String?, status: Int) {
        let answer = push(WireWriter.snappy([]), type: type)
        #expect(answer.status == status, "\(answer.text)")
        #expect(store.state.withLock { $0.samples.isEmpty })
    }

    @Test("the texts for unknown messages and encodings are Prometheus's")
    func texts() {
        #expect(
            push([0], type: "application/x-protobuf;proto=foo").text
                == "got application/x-protobuf;proto=foo content type; unknown type for remote write protobuf message "
                + "foo, supported: prometheus.WriteRequest, io.prometheus.write.v2.Request\n")
        #expect(
            push([0], encoding: "gzip").text
                == "gzip encoding (compression) is not accepted by this server; only snappy is acceptable\n")
        #expect(push([0], encoding: "SNAPPY").status == 204)
    }

    @Test("a message that is not accepted is refused by name")
    func acceptedMessages() {
        var features = RemoteFeatures()
        features.messages = [.v2]
        let only = RemoteWriteReceiver(
            store: store, clock: SystemClock(), metrics: MetricRegistry(), features: features)
        let answer = only.handle(HTTPRequest(method: "POST", path: "", body: [0]))
        #expect(answer.status == 415)
        #expect(
            String(decoding: answer.body, as: UTF8.self)
                == "prometheus.WriteRequest protobuf message is not accepted by this server; only accepts "
                + "io.prometheus.write.v2.Request\n")
    }

    @Test("bodies beyond 32 MiB, packed or unpacked, are refused with the limit")
    func sizes() {
        let packed = push([UInt8](repeating: 0, count: 32 << 20 + 1))
        #expect(packed.status == 413 && packed.text == "request body exceeds the 33554432 bytes limit\n")
        for size in [33_554_433, 47_000_000, 1 << 32 - 1] as [UInt64] {
            let answer = push(WireWriter.varint(size) + [0, 0])
            #expect(answer.status == 400)
            #expect(answer.text == "decoded size exceeds the 33554432 bytes limit\n")
        }
        for bytes: [UInt8] in [[], [0xFF], [5, 0, 1], WireWriter.varint(1 << 62) + [1]] {
            let answer = push(bytes)
            #expect(answer.status == 400 && answer.text.hasSuffix("\n"), "\(bytes): \(answer.text)")
        }
    }

    @Test("a length that the bytes cannot stand for is not believed")
    func promisedLength() {
        // The longest copy that three bytes can say, again and again: 64 bytes each.
        let copies = [UInt8](repeating: [0xFE, 1, 0], count: 1000)
        let largest = WireWriter.varint(64_001) + [0, 0] + copies
        #expect((try? SnappyBody.unpack(largest))?.count == 64_001)
        #expect(push(WireWriter.varint(30 << 20) + [0, 0] + copies).status == 400)
    }

    @Test("a push that finds no room in a limited address space gets 503, and a smaller one is taken")
    func limitedAddressSpace() async {
        await #expect(processExitsWith: .success) {
            let tests = PushLimitsTests()
            let body = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "a"))
            // 31 MiB in copies of 64 bytes.
            let copies = [UInt8](repeating: [0xFE, 1, 0], count: 31 << 14)
            let large = WireWriter.varint(1 + (31 << 20)) + [0, 0] + copies
            try #require(AddressSpaceLimit.leave(128 << 20))
            let answer = tests.push(large)
            #expect(answer.status == 503, "\(answer.text)")
            #expect(tests.push(WireWriter.snappy(WireWriter.bytes(1, body))).status == 204)
        }
    }

    @Test("millions of empty series and symbols are few lines, and no more than the memory of a push")
    func floods() {
        let series = push(WireWriter.snappy(.init(repeating: [0x2A, 0x00], count: 1 << 18)), type: Self.v2)
        #expect(series.status == 400)
        let lines = series.text.split(separator: "\n")
        #expect(lines.count == 51 && lines.last == "… and 262094 more errors")
        for flood: [UInt8] in [[0x2A, 0], [0x22, 0]] {
            let answer = push(WireWriter.snappy(.init(repeating: flood, count: 5 << 20)), type: Self.v2)
            #expect(answer.status == 400)
            #expect(answer.text == "the request needs more than 268435456 bytes of memory\n")
        }
        // Empty samples, histograms, metadata.
        for (field, count) in [(2, 7 << 20), (4, 1 << 20)] {
            let body = WireWriter.bytes(1, WireWriter.text(1, "__name__") + WireWriter.text(2, "a"))
            let message = WireWriter.bytes(1, body + .init(repeating: [UInt8(field << 3 | 2), 0], count: count))
            #expect(push(WireWriter.snappy(message)).text.hasPrefix("the request needs more than"))
        }
        #expect(store.state.withLock { $0.samples.isEmpty && $0.histograms.isEmpty })
    }

    @Test("a very long label is cut in an error")
    func longErrors() {
        let long = String(repeating: "x", count: 100_000)
        let symbols = ["", "job", long].flatMap { WireWriter.text(4, $0) }
        let sample = WireWriter.bytes(2, WireWriter.double(1, 1) + WireWriter.number(2, 1))
        let answer = push(
            WireWriter.snappy(symbols + WireWriter.bytes(5, WireWriter.bytes(1, [1, 2]) + sample)), type: Self.v2)
        #expect(answer.status == 400 && answer.text.utf8.count < 2100)
        #expect(answer.text.hasPrefix("invalid metric name or labels, got {job=\"xxx"))
    }
}

extension [UInt8] {
    /// `part`, `count` times.
    fileprivate init(repeating part: [UInt8], count: Int) {
        self = []
        reserveCapacity(part.count * count)
        for _ in 0..<count { self += part }
    }
}
