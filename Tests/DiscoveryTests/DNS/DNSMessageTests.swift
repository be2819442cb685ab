import Config
import TestSupport
import Testing

@testable import Discovery

@Suite("DNS messages")
struct DNSMessageTests {
    private static func question(
        _ type: DNSDiscoveryConfig.RecordType = .a, _ name: String = "a.example."
    ) throws -> DNSMessage.Question {
        try #require(DNSMessage.Question(id: 0x0102, name: name, type: type))
    }

    /// A message with the question for `a.example.`, followed by `rest`.
    private static func message(
        _ type: UInt8, flags: [UInt8] = [0x81, 0x80], answers: UInt8 = 1, _ rest: [UInt8]
    ) -> [UInt8] {
        [1, 2] + flags + [0, 1, 0, answers, 0, 0, 0, 0] + DNSStub.name("a.example") + [0, type, 0, 1] + rest
    }

    private static func record(_ type: UInt8, group: UInt8 = 1, _ data: [UInt8]) -> [UInt8] {
        [0xC0, 12, 0, type, 0, group, 0, 0, 0, 30, UInt8(data.count >> 8), UInt8(data.count & 0xFF)] + data
    }

    @Test("a question has the name and the type, and a datagram the size of the answer")
    func questions() throws {
        let question = try Self.question(.srv, "_http._tcp.a.example")
        let head: [UInt8] = [1, 2, 1, 0, 0, 1, 0, 0, 0, 0]
        let rest = DNSStub.name("_http._tcp.a.example") + [0, 33, 0, 1]
        #expect(question.bytes(isDatagram: false) == head + [0, 0] + rest)
        #expect(question.bytes(isDatagram: true) == head + [0, 1] + rest + [0, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test(
        "names have labels of at most 63 bytes, and 255 bytes in all",
        arguments: [
            ("a", true), ("a.", true), (".", true), ("", false), ("..", false), ("a..b", false), (".a", false),
            (#"a\.b.c"#, true), (#"a\046b"#, true), (#"a\256"#, false), (#"a\"#, false), (#"a\04"#, false),
            (String(repeating: "x", count: 63), true), (String(repeating: "x", count: 64), false),
            (String(repeating: "x.", count: 127), true), (String(repeating: "x.", count: 128), false),
        ])
    func names(_ name: String, _ isName: Bool) {
        #expect((DNSMessage.Question(id: 1, name: name, type: .a) != nil) == isName)
    }

    @Test("each type of record is read, with names that point to others")
    func records() throws {
        func read(_ type: DNSDiscoveryConfig.RecordType, _ records: [UInt8], _ count: UInt8 = 1) throws
            -> [DNSMessage.Record]
        {
            try DNSMessage.answer(
                Self.message(UInt8(type.number), answers: count, records), to: try Self.question(type)
            ).records
        }
        #expect(
            try read(.a, Self.record(1, [10, 0, 0, 2]) + Self.record(1, [10, 0, 0, 1]), 2)
                == [.address("10.0.0.2"), .address("10.0.0.1")])
        #expect(
            try read(.aaaa, Self.record(28, [0x20, 1] + Array(repeating: 0, count: 13) + [7])) == [.address("2001::7")])
        #expect(
            try read(.srv, Self.record(33, [0, 0, 0, 0, 0x23, 0x82, 2, 0x62, 0x31, 0xC0, 14]))
                == [.service(target: "b1.example.", port: 9090)])
        #expect(try read(.mx, Self.record(15, [0, 10] + DNSStub.name("m.example"))) == [.mailServer("m.example.")])
        #expect(
            try read(.ns, Self.record(2, [4, 0x2E, 0x5C, 0xFF, 0x20, 0])) == [.nameServer(#"\.\\\255\ ."#)])
        // Aliases and records of another class or type are passed over.
        let others = Self.record(5, DNSStub.name("c.example")) + Self.record(1, group: 3, [1]) + Self.record(16, [1])
        #expect(try read(.a, others + Self.record(1, [10, 0, 0, 1]), 4) == [.address("10.0.0.1")])
    }

    @Test("what does not answer the question is passed over")
    func foreign() throws {
        let question = try Self.question()
        let good = Self.message(1, Self.record(1, [10, 0, 0, 1]))
        #expect(try DNSMessage.answer(good, to: question).records.count == 1)
        func changed(_ at: Int, _ byte: UInt8) -> [UInt8] {
            var bytes = good
            bytes[at] = byte
            return bytes
        }
        // The id, a question instead of an answer, another operation, no question, another name, type and class.
        let foreign = [
            changed(0, 9), changed(2, 0x01), changed(2, 0x91), changed(5, 0), changed(13, 0x62), changed(24, 2),
            changed(26, 3), [], Array(good.prefix(12)),
        ]
        for bytes in foreign {
            #expect(throws: DNSMessage.Fault.foreign, "\(bytes)") { try DNSMessage.answer(bytes, to: question) }
        }
        // The case of letters does not count.
        #expect(try DNSMessage.answer(changed(13, 0x41), to: question).records.count == 1)
    }

    @Test("malformed answers are refused")
    func malformed() throws {
        let bodies: [(DNSDiscoveryConfig.RecordType, [UInt8])] = [
            (.a, []), (.a, Self.record(1, [10, 0, 0])), (.a, [0xC0]), (.a, Self.record(1, [10, 0, 0, 1]).dropLast()),
            // A pointer to itself, one forwards, a loop of two, and an unknown kind of label.
            (.ns, Self.record(2, [0xC0, 39])), (.ns, Self.record(2, [0xC0, 200])),
            (.ns, Self.record(2, [1, 0x61, 0xC0, 39])), (.ns, Self.record(2, [0x41, 0])),
            // More and fewer bytes than the name has.
            (.ns, Self.record(2, [1, 0x61, 0, 0])), (.srv, Self.record(33, [0, 0, 0, 0, 0])),
        ]
        for (type, body) in bodies {
            let bytes = Self.message(UInt8(type.number), body)
            #expect(throws: DNSMessage.Fault.malformed, "\(type) \(body)") {
                try DNSMessage.answer(bytes, to: try Self.question(type))
            }
        }
    }

    @Test("a truncated answer may end anywhere, and a refusal may have no question")
    func states() throws {
        let question = try Self.question()
        let truncated = try DNSMessage.answer(Self.message(1, flags: [0x83, 0x80], [0xC0]), to: question)
        #expect(truncated.isTruncated && truncated.records.isEmpty)
        let refused = try DNSMessage.answer([1, 2, 0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0], to: question)
        #expect(refused.status == 5)
        #expect(throws: DNSMessage.Fault.foreign) {
            try DNSMessage.answer([1, 2, 0x81, 0x83, 0, 0, 0, 0, 0, 0, 0, 0], to: question)
        }
    }

    @Test("random changes of an answer are read or refused")
    func mutations() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let records = Self.record(33, [0, 0, 0, 0, 0x23, 0x82, 2, 0x62, 0x31, 0xC0, 14])
        let good = Self.message(33, answers: 2, records + records)
        let question = try Self.question(.srv)
        var read = 0
        for _ in 0..<20_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0...20, using: &random)) }
            if (try? DNSMessage.answer(bytes, to: question)) != nil { read += 1 }
        }
        #expect(read > 100)
    }

    @Test("resolv.conf gives servers, the search list and the number of dots")
    func resolverFile() {
        let config = ResolverConfig(
            "# comment\n; other\nnameserver 10.0.0.1\nnameserver\t::1 \ndomain x.example\nsearch a.example b.example.\n"
                + "nameserver\noptions timeout:1 ndots:2\nsortlist 1\n")
        #expect(config.servers == ["10.0.0.1", "::1"])
        #expect(config.names("h") == ["h.a.example.", "h.b.example.", "h."])
        #expect(config.names("h.i") == ["h.i.a.example.", "h.i.b.example.", "h.i."])
        #expect(config.names("h.i.j") == ["h.i.j.", "h.i.j.a.example.", "h.i.j.b.example."])
        #expect(config.names("h.") == ["h."])
        #expect(config.names(#"h\."#) == [#"h\..a.example."#, #"h\..b.example."#, #"h\.."#])
        #expect(ResolverConfig("domain x.example\n").names("h") == ["h.x.example.", "h."])
        #expect(ResolverConfig("search a\nsearch\n").search.isEmpty)
        #expect(ResolverConfig("options ndots:99\noptions ndots:x\n").dots == 15)
        let many = ResolverConfig(String(repeating: "nameserver 10.0.0.1\n", count: 100))
        #expect(many.servers.count == 8)
    }
}
