import Testing

@testable import Remote

@Suite("Messages of pushes")
struct PushMessageTests {
    @Test("content types name their message")
    func types() throws {
        for (type, message): (String?, PushMessage) in [
            (nil, .v1), ("", .v1), ("application/x-protobuf", .v1), (" application/x-protobuf ", .v1),
            ("application/x-protobuf;proto=prometheus.WriteRequest", .v1),
            ("application/x-protobuf; proto=io.prometheus.write.v2.Request", .v2),
            ("application/x-protobuf;charset=utf-8;proto=io.prometheus.write.v2.Request", .v2),
        ] { #expect(try PushMessage.parse(type) == message, "\(type ?? "-")") }
        for bad in ["application/json", "application/x-protobuf;proto=foo", "application/x-protobuf;x", "x-protobuf"] {
            #expect(throws: PushMessage.Unknown.self) { try PushMessage.parse(bad) }
        }
    }
}
