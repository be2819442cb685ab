import HTTP
import Platform
import Remote
import Telemetry
import TestSupport
import Testing

@Suite("Wire types of pushes")
struct WireTypeTests {
    /// A length-delimited field.
    private static func nested(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2, UInt8(content.count)] + content
    }

    /// A field with each wire type that has content, by its number.
    private static func field(_ number: Int, wireType: Int) -> [UInt8] {
        let key = number << 3 | wireType
        let head = key < 0x80 ? [UInt8(key)] : [UInt8(key & 0x7F) | 0x80, UInt8(key >> 7)]
        let contents: [Int: [UInt8]] = [0: [0], 1: [UInt8](repeating: 0, count: 8), 2: [0], 5: [0, 0, 0, 0]]
        return head + (contents[wireType] ?? [])
    }

    /// Messages around a field, and the wire types that it may have.
    private struct Message: Sendable {
        var wrap: @Sendable ([UInt8]) -> [UInt8]
        var fields: [Int: Set<Int>]
    }

    private static let histogram: [Int: Set<Int>] = [
        1: [0], 2: [1], 3: [1], 4: [0], 5: [1], 6: [0], 7: [1], 8: [2], 9: [0, 2], 10: [1, 2], 11: [2], 12: [0, 2],
        13: [1, 2], 14: [0], 15: [0], 16: [1, 2], 17: [0],
    ]

    private static let first = [
        Message(wrap: { $0 }, fields: [1: [2], 3: [2], 2: [0, 1, 2, 5]]),
        Message(wrap: { nested(1, $0) }, fields: [1: [2], 2: [2], 3: [2], 4: [2], 9: [0, 1, 2, 5]]),
        Message(wrap: { nested(1, nested(1, $0)) }, fields: [1: [2], 2: [2]]),
        Message(wrap: { nested(1, nested(2, $0)) }, fields: [1: [1], 2: [0]]),
        Message(wrap: { nested(1, nested(3, $0)) }, fields: [1: [2], 2: [1], 3: [0]]),
        Message(wrap: { nested(1, nested(4, $0)) }, fields: histogram),
        Message(wrap: { nested(1, nested(4, nested(8, $0))) }, fields: [1: [0], 2: [0]]),
        Message(wrap: { nested(3, $0) }, fields: [1: [0], 2: [2], 4: [2], 5: [2]]),
    ]

    private static let second = [
        Message(wrap: { $0 }, fields: [4: [2], 5: [2], 6: [0, 1, 2, 5]]),
        Message(wrap: { nested(5, $0) }, fields: [1: [0, 2], 2: [2], 3: [2], 4: [2], 5: [2]]),
        Message(wrap: { nested(5, nested(2, $0)) }, fields: [1: [1], 2: [0], 3: [0]]),
        Message(wrap: { nested(5, nested(3, $0)) }, fields: histogram),
        Message(wrap: { nested(5, nested(4, $0)) }, fields: [1: [0, 2], 2: [1], 3: [0]]),
        Message(wrap: { nested(5, nested(5, $0)) }, fields: [1: [0], 3: [0], 4: [0]]),
    ]

    private static func push(_ bytes: [UInt8], _ type: String, to receiver: RemoteWriteReceiver) -> HTTPResponse {
        receiver.handle(
            HTTPRequest(
                method: "POST", path: "/api/v1/write",
                headers: [
                    ("Content-Type", "application/x-protobuf;proto=\(type)"), ("Content-Encoding", "snappy"),
                ], body: WireWriter.snappy(bytes)))
    }

    @Test("a push that is no protobuf is refused with the mistake and its place, in both versions")
    func mistakes() {
        let receiver = RemoteWriteReceiver(store: RecordingStore(), clock: SystemClock(), metrics: MetricRegistry())
        let long = [UInt8](repeating: 0x80, count: 11)
        let histogram: @Sendable ([UInt8]) -> [UInt8] = { Self.nested(1, Self.nested(4, $0)) }
        for (bytes, text) in [
            ([0x80], "unfinished varint at byte 1"),
            (long, "varint of more than 10 bytes at byte 10"),
            ([0x32, 0x02, 0x00], "length beyond the message at byte 2"),
            ([0x39, 0x00], "unfinished fixed64 at byte 1"),
            ([0x3D, 0x00], "unfinished fixed32 at byte 1"),
            ([0x3B], "unknown wire type 3 at byte 1"),
            ([0x3C], "unknown wire type 4 at byte 1"),
            ([0x00, 0x00], "invalid field number at byte 1"),
        ] as [([UInt8], String)] {
            for type in ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"] {
                let answer = Self.push(bytes, type, to: receiver)
                #expect(answer.status == 400)
                #expect(String(decoding: answer.body, as: UTF8.self) == "protobuf: \(text)\n")
            }
        }
        for (bytes, text) in [
            (histogram(Self.nested(12, [0x80])), "unfinished varint at byte 7"),
            (histogram(Self.nested(13, [0, 0, 0])), "unfinished packed numbers at byte 9"),
        ] {
            let answer = Self.push(bytes, "prometheus.WriteRequest", to: receiver)
            #expect(answer.status == 400)
            #expect(String(decoding: answer.body, as: UTF8.self) == "protobuf: \(text)\n")
        }
    }

    @Test("a known field of another wire type makes the whole push bad, in both versions; unknown ones may have any")
    func wireTypes() {
        let receiver = RemoteWriteReceiver(store: RecordingStore(), clock: SystemClock(), metrics: MetricRegistry())
        for (type, messages) in [
            ("prometheus.WriteRequest", Self.first), ("io.prometheus.write.v2.Request", Self.second),
        ] {
            for message in messages {
                for (number, allowed) in message.fields {
                    for wireType in [0, 1, 2, 5] {
                        let bytes = message.wrap(Self.field(number, wireType: wireType))
                        let answer = Self.push(bytes, type, to: receiver)
                        let text = String(decoding: answer.body, as: UTF8.self)
                        #expect(
                            text.contains("wrong wire type \(wireType) of field \(number)")
                                != allowed.contains(wireType),
                            "\(type): \(bytes): \(text)")
                        if !allowed.contains(wireType) { #expect(answer.status == 400) }
                    }
                }
            }
        }
    }
}
