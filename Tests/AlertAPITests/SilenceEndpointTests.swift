import JSON
import Model
import TestSupport
import Testing

@testable import AlertAPI

@Suite("Alertmanager's API: silences")
struct SilenceEndpointTests {
    private static func body(
        _ matcher: String = #"{"name": "a", "value": "1", "isRegex": false}"#, start: Int = 0, end: Int = 600,
        more: String = ""
    ) -> String {
        """
        {"matchers": [\(matcher)], "startsAt": "\(AlertAPIFixture.time(start))", "endsAt": "\(AlertAPIFixture.time(end))",
         "createdBy": "me", "comment": "c"\(more)}
        """
    }

    private static func add(_ fixture: AlertAPIFixture, _ body: String) throws -> String {
        try #require(fixture.post("/silences", body).json?["silenceID"]?.string)
    }

    @Test("a silence is answered with all members")
    func members() throws {
        let fixture = try AlertAPIFixture()
        let id = try Self.add(
            fixture,
            Self.body(
                #"{"name": "a b", "value": "x|y", "isRegex": true, "isEqual": false}"#, start: -60,
                more: #", "annotations": {"z": "", "k": "v"}"#))
        let expected = """
            {"id":"\(id)","status":{"state":"active"},"updatedAt":"\(AlertAPIFixture.time(0))",\
            "annotations":{"k":"v","z":""},"comment":"c","createdBy":"me","endsAt":"\(AlertAPIFixture.time(600))",\
            "matchers":[{"isEqual":false,"isRegex":true,"name":"a b","value":"x|y"}],\
            "startsAt":"\(AlertAPIFixture.time(0))"}
            """
        #expect(fixture.get("/silence/\(id)").text == expected + "\n")
        #expect(fixture.get("/silences").text == "[" + expected + "]\n")
    }

    @Test("filters compare texts, and states are switches")
    func selection() throws {
        let fixture = try AlertAPIFixture()
        let active = try Self.add(fixture, Self.body(end: 700))
        let pending = try Self.add(fixture, Self.body(#"{"name": "a", "value": "1", "isRegex": true}"#, start: 60))
        let expired = try Self.add(fixture, Self.body())
        #expect(fixture.request("DELETE", "/silence/\(expired)").status == 200)
        func ids(_ query: (String, String)...) -> [String] {
            (fixture.get("/silences", query).json?.array ?? []).compactMap { $0["id"]?.string }
        }
        #expect(ids() == [active, pending, expired])
        #expect(ids(("expired", "false")) == [active, pending])
        #expect(ids(("active", "false"), ("pending", "0")) == [expired])
        #expect(ids(("filter", "a=1")) == [active, expired])
        #expect(ids(("filter", "a=~1")) == [pending])
        #expect(ids(("filter", "a=1"), ("filter", "b=1")) == [])
        #expect(fixture.get("/silences", [("filter", "a")]).text == "\"bad matcher format: a\"\n")
    }

    @Test("a change keeps the id or makes a new silence")
    func change() throws {
        let fixture = try AlertAPIFixture()
        let id = try Self.add(fixture, Self.body())
        fixture.clock.advance(to: AlertAPIFixture.start + 10_000)
        #expect(try Self.add(fixture, Self.body(end: 900, more: ", \"id\": \"\(id)\"")) == id)
        let other = try Self.add(
            fixture, Self.body(#"{"name": "b", "value": "1", "isRegex": false}"#, more: ", \"id\": \"\(id)\""))
        #expect(other != id)
        #expect(fixture.get("/silence/\(id)").json?["status"]?["state"]?.string == "expired")
        #expect(fixture.get("/silence/\(other)").json?["startsAt"]?.string == AlertAPIFixture.time(10))
    }

    @Test("the end of a silence: active, pending, expired, unknown, no UUID")
    func end() throws {
        let fixture = try AlertAPIFixture()
        for start in [0, 60] {
            let id = try Self.add(fixture, Self.body(start: start))
            for _ in 0..<2 {
                let answer = fixture.request("DELETE", "/silence/\(id)")
                #expect(answer.status == 200 && answer.text.isEmpty)
                #expect(fixture.get("/silence/\(id)").json?["status"]?["state"]?.string == "expired")
            }
        }
        let unknown = "/silence/00000000-0000-4000-8000-000000000000"
        for method in ["GET", "DELETE"] {
            let answer = fixture.request(method, unknown)
            #expect(answer.status == 404 && answer.text.isEmpty)
            let wrong = fixture.request(method, "/silence/nope")
            #expect(wrong.status == 422)
            #expect(wrong.text == #"{"code":601,"message":"silenceID in path must be of type uuid: \"nope\""}"#)
        }
        #expect(
            fixture.request("POST", unknown).text
                == #"{"code":405,"message":"method POST is not allowed, but [DELETE,GET] are"}"#)
    }

    @Test(
        "what is wrong with a silence is answered as Alertmanager does",
        arguments: [
            ("[]", 400, #"{"code":400,"message":"parsing silence body from \"\" failed, because 1:1: "#),
            ("{}", 422, #"{"code":602,"message":"comment in body is required"}"#),
            (#"{"comment": ""}"#, 422, #"{"code":602,"message":"createdBy in body is required"}"#),
            (#"{"comment": "", "createdBy": ""}"#, 422, #"{"code":602,"message":"endsAt in body is required"}"#),
            (
                body(""), 422, #"{"code":612,"message":"matchers in body should have at least 1 items"}"#
            ),
            (
                body(#"{"name": "a", "value": "b"}"#), 422,
                #"{"code":602,"message":"matchers.0.isRegex in body is required"}"#
            ),
            (body(start: 600), 400, #""Failed to create silence: start time must be before end time""#),
            (body(start: -20, end: -10), 400, #""Failed to create silence: end time can't be in the past""#),
            (
                body(#"{"name": "a", "value": "", "isRegex": false}"#), 400,
                #""invalid silence: matcher set 0: at least one matcher must not match the empty string""#
            ),
            (
                body(#"{"name": "", "value": "x", "isRegex": false}"#), 400,
                #""invalid silence: invalid label matcher 0 in set 0: invalid label name \"\"""#
            ),
            (
                body(#"{"name": "a", "value": "(", "isRegex": true}"#), 400,
                #""invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"(\": error parsing"#
            ),
            (body(more: #", "id": "x""#), 404, #""silence not found""#),
        ])
    func wrong(_ body: String, _ status: Int, _ text: String) throws {
        let fixture = try AlertAPIFixture()
        let answer = fixture.request("POST", "/silences", body: body)
        #expect(answer.status == status && answer.text.hasPrefix(text), "\(answer.text)")
        #expect(fixture.get("/silences").text == "[]\n")
    }

    @Test("random bodies are answered, never accepted as something else")
    func random() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let fixture = try AlertAPIFixture()
        let valid = Array(Self.body(more: #", "annotations": {"k": "v"}"#).utf8)
        for _ in 0..<2000 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[at] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: at)
                default: bytes.insert(UInt8.random(in: 0x20...0x7E, using: &random), at: at)
                }
            }
            let answer = fixture.request("POST", "/silences", body: String(decoding: bytes, as: UTF8.self))
            #expect([200, 400, 404, 422].contains(answer.status), "\(answer.status) \(answer.text)")
            #expect(answer.json != nil)
        }
    }
}
