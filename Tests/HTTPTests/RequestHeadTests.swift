import TestSupport
import Testing

@testable import HTTP

@Suite("Request heads")
struct RequestHeadTests {
    /// Scans and parses a head as the server does.
    static func parse(_ text: String) throws(RequestRefusal) -> RequestHead? { try parse(Array(text.utf8)) }

    static func parse(_ bytes: [UInt8]) throws(RequestRefusal) -> RequestHead? {
        try bytes.withUnsafeBufferPointer { buffer throws(RequestRefusal) in
            var scanner = HeadScanner()
            guard let end = try scanner.end(in: buffer) else { return nil }
            return try RequestHeadParser.parse(UnsafeBufferPointer(rebasing: buffer[..<end]))
        }
    }

    @Test(
        "what makes two readers see different requests is refused",
        arguments: [
            ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 7\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/1.1\r\nHost: a\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\n X: y\r\nHost: a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nnocolon\r\n\r\n", 400), ("GET /\0x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 400), ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
            ("GET / http/1.1\r\nHost: a\r\n\r\n", 400), ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\n\r\n", 417),
        ])
    func refused(_ text: String, _ status: Int) {
        let refusal = #expect(throws: RequestRefusal.self) { try Self.parse(text) }
        #expect(refusal?.status == status, "\(text.debugDescription): \(refusal?.reason ?? "")")
    }

    @Test(
        "what is right is read",
        arguments: [
            ("GET /a/b?x=1&y=%20+ HTTP/1.1\r\nHost: h:1\r\n\r\n", "/a/b", true),
            ("GET http://h:1/a?x HTTP/1.1\r\nHost: h:1\r\n\r\n", "/a", true),
            ("GET HTTPS://h HTTP/1.1\r\nHost: h\r\n\r\n", "/", true),
            ("GET http://h?x=1 HTTP/1.1\r\nHost: h\r\n\r\n", "/", true),
            ("OPTIONS * HTTP/1.1\r\nHost:\r\n\r\n", "*", true), ("GET / HTTP/1.0\r\n\r\n", "/", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "/", true),
            ("GET / HTTP/1.1\r\nHost: [::1]:9\r\nConnection: x, Close\r\n\r\n", "/", false),
            ("\r\nGET /\u{e9} HTTP/1.1\r\nHost: h\r\nA:\t b c \t\r\n\r\n", "/\u{e9}", true),
        ])
    func read(_ text: String, _ path: String, _ keepsAlive: Bool) throws {
        let head = try #require(try Self.parse(text))
        #expect(head.rawPath == path)
        #expect(head.keepsAlive == keepsAlive)
        #expect(head.header("a") == (text.contains("A:\t") ? "b c" : nil))
    }

    @Test("the framing of a body is what its headers say")
    func framing() throws {
        let start = "POST / HTTP/1.1\r\nHost: a\r\n"
        #expect(try Self.parse(start + "Content-Length: 007\r\n\r\n")?.framing == .length(7))
        #expect(try Self.parse(start + "Content-Length: 0\r\n\r\n")?.framing == RequestHead.Framing.none)
        #expect(try Self.parse(start + "transfer-encoding: CHUNKED\r\n\r\n")?.framing == .chunked)
        #expect(try Self.parse(start + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n")?.awaitsContinue == true)
    }

    /// A head that is cut anywhere gives the same as the whole one; a random one never traps.
    @Test("heads in parts are read like whole ones")
    func parts() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let pieces = [
            "GET ", "POST ", "/", "/a?b=c", " HTTP/1.1", "\r\n", "\n", "Host: a", "Content-Length: 5", ": ", "\r", " ",
            "Transfer-Encoding: chunked", "\0", "x", "%41", "http://h/", "\r\n\r\n",
        ].map { Array($0.utf8) }
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            if random.next() % 2 == 0 { bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n".utf8) }
            for _ in 0..<Int(random.next() % 12) { bytes += pieces[Int(random.next() % UInt64(pieces.count))] }
            let whole = Result { () throws(RequestRefusal) in try Self.end(bytes, step: bytes.count) }
            let single = Result { () throws(RequestRefusal) in try Self.end(bytes, step: 1) }
            #expect(whole == single, "\(bytes)")
            if case .success(let end?) = whole {
                // What passed has no bare end of line.
                let text = Array(bytes[..<end])
                for (at, byte) in text.enumerated() where byte == 0x0A { #expect(at > 0 && text[at - 1] == 0x0D) }
                _ = try? Self.parse(text)
            }
        }
    }

    private static func end(_ bytes: [UInt8], step: Int) throws(RequestRefusal) -> Int? {
        var scanner = HeadScanner()
        var count = 0
        while count < bytes.count {
            count = min(bytes.count, count + max(1, step))
            let end = try bytes.withUnsafeBufferPointer { buffer throws(RequestRefusal) in
                try scanner.end(in: UnsafeBufferPointer(rebasing: buffer[..<count]))
            }
            if let end { return end }
        }
        return nil
    }

    @Test("chunked bodies in parts are read like whole ones, and wrong ones are refused")
    func chunks() {
        let good = "3\r\nabc\r\n0A;ext=1\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT"
        for step in 1...good.utf8.count {
            #expect(Self.unchunk(good, step: step) == .success("abc0123456789"))
        }
        for bad in [
            "\r\n", "g\r\n", "-1\r\n", "3 \r\nabc\r\n", "3\nabc\r\n0\r\n\r\n", "3\r\nabcd\r\n", "1\r\na\n0\r\n\r\n",
            "ffffffffffffffffff\r\n", "0\r\nA: b\n\r\n", "0x3\r\nabc\r\n", "3;a\0\r\nabc",
            "1;" + String(repeating: "x", count: 20_000),
        ] {
            guard case .failure = Self.unchunk(bad, step: bad.utf8.count) else {
                Issue.record("\(bad.debugDescription.prefix(80)) passed")
                continue
            }
        }
    }

    private static func unchunk(_ text: String, step: Int) -> Result<String, RequestRefusal> {
        let bytes = Array(text.utf8)
        var decoder = ChunkedDecoder()
        var out: [UInt8] = []
        var at = 0
        do throws(RequestRefusal) {
            while at < bytes.count, !decoder.isDone {
                let part = Array(bytes[at..<min(bytes.count, at + step)])
                at += try part.withUnsafeBufferPointer { part throws(RequestRefusal) in
                    try decoder.decode(part) { out += $0 }
                }
            }
            return .success(String(decoding: out, as: UTF8.self))
        } catch {
            return .failure(error)
        }
    }

    @Test(
        "paths that get around rules are not served",
        arguments: [
            ("/api%2fv1/query", PathRules.Verdict.refused), ("/-/healthy%00x", .refused), ("/a%5Cb", .refused),
            ("//api/v1/query", .redirect("/api/v1/query")), ("//-//ready//", .redirect("/-/ready/")),
            ("/a/../-/quit", .redirect("/-/quit")), ("/a/./b", .redirect("/a/b")), ("/..", .redirect("/")),
            ("/a/", .plain), ("/", .plain), ("/label/%61/values", .plain), ("*", .refused),
        ])
    func paths(_ path: String, _ verdict: PathRules.Verdict) { #expect(PathRules.judge(path) == verdict) }

    @Test(
        "the coding with the greatest weight is taken",
        arguments: [
            ("gzip", "gzip"), ("gzip;q=0.0", nil), ("gzip;q=0", nil), ("deflate, gzip;q=0.5", "deflate"),
            ("gzip, deflate, br, zstd", "gzip"), ("zstd;q=0.9, gzip;q=0.8", "zstd"), ("br", nil), ("*", "gzip"),
            ("*;q=0", nil), ("identity;q=1, gzip;q=0.5", nil), ("GZIP;Q=1", "gzip"), ("", nil), ("gzip;q=x", nil),
        ] as [(String, String?)])
    func codings(_ accepted: String, _ coding: String?) {
        #expect(ContentCoding.choose(accepted)?.rawValue == coding)
    }

    @Test("multipart forms give their parameters, and no files")
    func multipart() throws {
        let type = try #require(FormType("Multipart/Form-Data; boundary=\"x y\""))
        #expect(type == .multipart(boundary: "xy"))
        let body =
            "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nup{a=\"b\"}\r\nx\r\n--b\r\n"
            + "content-disposition: form-data; name=\"f\"; filename=\"x\"\r\n\r\nfile\r\n--b--\r\n"
        let form = FormType.multipart(boundary: "b").parameters(Array(body.utf8))
        #expect(form.map(\.name) == ["query"])
        #expect(form.first?.value == "up{a=\"b\"}\r\nx")
        #expect(FormType("APPLICATION/X-WWW-FORM-URLENCODED; charset=utf-8") == .urlEncoded)
        #expect(FormType("text/plain") == nil)
        for end in body.utf8.indices {
            _ = FormType.multipart(boundary: "b").parameters(Array(body.utf8[..<end]))
        }
    }
}
