import Testing

@testable import Remote

@Suite("Remote-write messages")
struct RemoteWriteMessageTests {
    @Test("content types name their message, and only accepted ones are taken")
    func types() throws {
        let both = Set(RemoteWriteMessage.allCases)
        for (type, message): (String?, RemoteWriteMessage) in [
            (nil, .v1), ("", .v1), ("application/x-protobuf", .v1), ("Application/X-Protobuf", .v1),
            ("application/x-protobuf;proto=prometheus.WriteRequest", .v1),
            ("application/x-protobuf; proto=io.prometheus.write.v2.Request", .v2),
            ("application/x-protobuf;charset=utf-8;proto=io.prometheus.write.v2.Request", .v2),
        ] {
            #expect(try RemoteWriteMessage.of(contentType: type, accepted: both) == message)
            let other: Set<RemoteWriteMessage> = message == .v1 ? [.v2] : [.v1]
            let refusal = #expect(throws: RemoteWriteMessage.Refusal.self) {
                try RemoteWriteMessage.of(contentType: type, accepted: other)
            }
            #expect(refusal?.description.contains("protobuf message is not accepted by this server") == true)
        }
        for bad in ["application/json", "application/x-protobuf;proto=foo", "application/x-protobuf;x", "x-protobuf"] {
            #expect(throws: RemoteWriteMessage.Refusal.self) {
                try RemoteWriteMessage.of(contentType: bad, accepted: both)
            }
        }
    }
}
