import JSON
import Platform
import Testing
import TestSupport

@testable import HTTP

@Suite("Signatures of AWS")
struct AWSSignatureTests {
    @Test("HMAC with SHA-256 has the results of RFC 4231, also for a key longer than a block")
    func hmac() {
        #expect(
            Digest.hex(AWSSignature.hmac(Array("Jefe".utf8), Array("what do ya want for nothing?".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            Digest.hex(
                AWSSignature.hmac(
                    [UInt8](repeating: 0xAA, count: 131),
                    Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8)))
                == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    }

    @Test("a request with path and query has the published signature")
    func published() throws {
        let keys = AWSSignature.Keys(accessKey: "AKIDEXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
        let signature = AWSSignature(keys, region: "us-east-1", service: "iam")
        let request = AWSSignature.Request(
            method: "GET", url: "https://iam.amazonaws.com/?Version=2010-05-08&Action=ListUsers",
            headers: [("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")], body: [])
        let headers = try #require(signature.headers(for: request, time: 1_440_938_160_000))
        #expect(headers.map(\.name) == ["X-Amz-Date", "Authorization"])
        #expect(headers.first?.value == "20150830T123600Z")
        #expect(
            headers.last?.value
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        )
    }

    @Test("the token of a session is sent and signed")
    func session() throws {
        let keys = AWSSignature.Keys(accessKey: "A", secretKey: "B", sessionToken: "T")
        let request = AWSSignature.Request(url: "http://h:1/a b%2F", headers: [], body: [])
        let headers = try #require(AWSSignature(keys, region: "r", service: "s").headers(for: request, time: 0))
        #expect(headers.map(\.name) == ["X-Amz-Date", "X-Amz-Security-Token", "Authorization"])
        #expect(headers.last?.value.contains("SignedHeaders=host;x-amz-date;x-amz-security-token,") == true)
    }

    @Test("a text that is no URL is not signed")
    func url() {
        let keys = AWSSignature.Keys(accessKey: "A", secretKey: "B")
        let request = AWSSignature.Request(url: "nonsense", headers: [], body: [])
        #expect(AWSSignature(keys, region: "r", service: "s").headers(for: request, time: 0) == nil)
    }

    @Test(
        "the recorded requests of Alertmanager have these signatures",
        .enabled(if: SharedFolder.has("conformance/alerting"), "needs ../shared/conformance/alerting"))
    func recorded() throws {
        let path = SharedFolder.path("conformance/alerting/receiver-requests.json")
        let bytes = try RealFileSystem().read(path)
        let requests = try #require(try JSONValue.parse(bytes)["requests"]?.array)
        var seen = 0
        for request in requests where request["path"]?.string == "/sns" {
            let headers = try #require(request["headers"])
            let body = Array(try #require(request["body"]?.string).utf8)
            let signed = ["Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Content-Type"].map {
                (name: $0, value: headers[$0]?.string ?? "")
            }
            let date = try #require(headers["X-Amz-Date"]?.string)
            let seconds = try #require(Int64(date.dropFirst(13).prefix(2)))
            // 2026-11-29T09:52:00Z
            let time = (1_795_945_920 + seconds) * 1000
            let sent = AWSSignature.Request(
                url: "http://127.0.0.1:21270/sns", headers: signed + [("Content-Length", "\(body.count)")], body: body)
            let keys = AWSSignature.Keys(accessKey: "A", secretKey: "B")
            let made = AWSSignature(keys, region: "us-east-1", service: "sns").headers(for: sent, time: time)
            #expect(made?.first?.value == date)
            #expect(made?.last?.value == headers["Authorization"]?.string)
            seen += 1
        }
        #expect(seen == 3)
    }
}
