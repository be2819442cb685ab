import Glibc
import HTTP
import Platform
import Synchronization
import TestSupport
import Testing

@Suite("HTTP server and client")
struct HTTPServerTests {
    static func router() -> Router {
        var routes = Router.Builder()
        routes.add(["GET", "POST"], "/echo") { request in
            .text("\(request.method) \(request.parameters("a")) \(request.body.count)")
        }
        routes.add(["GET"], "/label/:name/values") { .text($0.pathParameters["name"] ?? "") }
        routes.add(["GET"], "/files/*path") { .text($0.pathParameters["path"] ?? "") }
        routes.add(["GET"], "/large") { _ in .text(String(repeating: "x", count: 100_000)) }
        return Router(routes)
    }

    /// The same requests in process and over a socket.
    @Test(
        "routes answer alike in process and over a socket",
        arguments: [
            ("GET", "/echo", "GET [] 0", 200), ("GET", "/label/a.b/values", "a.b", 200),
            ("GET", "/files/x/y.js", "x/y.js", 200),
            ("GET", "/nope", "404 page not found\n", 404), ("DELETE", "/echo", "Method Not Allowed\n", 405),
            ("GET", "/label/a", "404 page not found\n", 404),
        ])
    func routing(_ method: String, _ path: String, _ text: String, _ status: Int) throws {
        let inProcess = Self.router().handle(HTTPRequest(method: method, path: path))
        #expect(String(decoding: inProcess.body, as: UTF8.self) == text)
        #expect(inProcess.status == status)
        try Self.live { probe in
            let answer = try #require(probe.request(method, path))
            #expect(answer.text == text)
            #expect(answer.status == status)
        }
    }

    static func live(_ options: HTTPServer.Options = .init(), _ body: (HTTPProbe) throws -> Void) throws {
        let server = HTTPServer(router: router(), options: options, clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        defer { server.stop() }
        try body(HTTPProbe(port: try #require(server.ports.first)))
    }

    @Test("times of any length are taken, the longest that can be counted at most", arguments: [9_223_372_036, .max])
    func times(_ seconds: Int) throws {
        var options = HTTPServer.Options()
        options.timeoutSeconds = seconds
        options.shortTimeoutSeconds = seconds
        options.sendTimeoutSeconds = seconds
        options.isMemoryShort = { true }
        try Self.live(options) { probe in
            let answer = probe.request("POST", "/echo", body: Array(repeating: 0x61, count: 100_000))
            #expect(answer?.text == "POST [] 100000")
        }
    }

    @Test("parameters come from the body first, then from the URL, decoded")
    func parameters() throws {
        try Self.live { probe in
            let answer = probe.post("/echo?a=x%20y&a=%2B", form: [("a", "1 2&3")])
            #expect(answer?.text == #"POST ["1 2&3", "x y", "+"] 11"#)
        }
    }

    @Test("a handler sees that its client has gone, also behind bytes that nobody has read")
    func goneClient() throws {
        let seen = Mutex<Bool?>(nil)
        var routes = Router.Builder()
        routes.add(["GET"], "/slow") { request in
            for _ in 0..<500 {
                if request.isPeerGone() { break }
                usleep(10_000)
            }
            seen.withLock { $0 = request.isPeerGone() }
            return .text("")
        }
        let server = HTTPServer(router: Router(routes), options: .init(), clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        let port = try #require(server.ports.first)
        let socket = try #require(LoopbackSocket.connect(port: port))
        let text = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
        socket.send(Array((text + text).utf8))
        usleep(100_000)
        #expect(seen.withLock { $0 } == nil)
        socket.close()
        let began = ContinuousClock.now
        server.stop()
        #expect(seen.withLock { $0 } == true)
        #expect(ContinuousClock.now - began < .seconds(3))
    }

    @Test("a large body arrives whole, and what it keeps goes when it has been sent")
    func largeBody() throws {
        final class Witness: Sendable {}
        weak var witness: Witness?
        let holder = Mutex<Witness?>(Witness())
        witness = holder.withLock { $0 }
        var routes = Router.Builder()
        let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        routes.add(["GET"], "/body") { _ in
            var response = HTTPResponse(body: body)
            response.keeps = holder.withLock { held in
                defer { held = nil }
                return held
            }
            return response
        }
        let server = HTTPServer(router: Router(routes), options: .init(), clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        let answer = HTTPProbe(port: try #require(server.ports.first)).get("/body")
        #expect(answer?.body == body)
        #expect(answer?.headers["content-length"] == "1000000")
        server.stop()
        #expect(witness == nil)
    }

    @Test("large answers are compressed for who accepts it, and only then")
    func compression() throws {
        try Self.live { probe in
            #expect(probe.get("/large")?.body.count == 100_000)
            let small = probe.get("/large", headers: ["Accept-Encoding": "deflate;q=0.1, gzip;q=0.5"])
            #expect(small?.headers["content-encoding"] == "gzip")
            #expect((small?.body.count ?? 0) < 2000)
            #expect(probe.get("/large", headers: ["Accept-Encoding": "gzip;q=0"])?.body.count == 100_000)
        }
    }

    @Test("a body over the route's limit is refused, and the server goes on")
    func bodyLimit() throws {
        var routes = Router.Builder()
        routes.add(["POST"], "/small", body: .bytes(limit: 1000)) { .text("\($0.body.count)") }
        let server = HTTPServer(router: Router(routes), options: .init(), clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        defer { server.stop() }
        let probe = HTTPProbe(port: try #require(server.ports.first))
        let refused = probe.request("POST", "/small", body: [UInt8](repeating: 65, count: 5000))
        #expect(refused?.status == 413)
        #expect(refused?.text == "request body exceeds the 1000 bytes limit\n")
        #expect(probe.request("POST", "/small", body: [UInt8](repeating: 65, count: 500))?.text == "500")
    }

    @Test("routes lie below the prefix")
    func prefix() throws {
        var options = HTTPServer.Options()
        options.routePrefix = "/m"
        try Self.live(options) { probe in
            #expect(probe.get("/m/echo")?.status == 200)
            #expect(probe.get("/echo")?.status == 404)
            #expect(probe.get("/")?.headers["location"] == "/m/")
        }
    }

    @Test("nonsense on the socket harms nobody")
    func nonsense() throws {
        try Self.live { probe in
            for text in [
                "\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}",
                "POST /echo HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
            ] {
                let socket = try #require(LoopbackSocket.connect(port: probe.port, timeoutSeconds: 1))
                socket.send(Array(text.utf8))
                socket.close()
            }
            #expect(probe.get("/echo")?.status == 200)
        }
    }

    @Test("an address that is taken is refused with the reason")
    func taken() throws {
        try Self.live { probe in
            let second = HTTPServer(router: Self.router(), options: .init(), clock: SystemClock())
            let error = #expect(throws: HTTPServerError.self) {
                try second.start([try #require(ListenAddress("127.0.0.1:\(probe.port)"))])
            }
            #expect(error?.description.contains("Address already in use") == true)
        }
    }

    @Test("the client sends, reads, and says why it cannot")
    func client() async throws {
        let stub = try #require(
            HTTPStub { request in
                HTTPStub.Response(
                    status: request.path == "/bad" ? 503 : 200, contentType: "text/x",
                    text: "\(request.method) \(request.headers["a"] ?? "") \(request.body.count)")
            })
        defer { stub.stop() }
        let client = HTTPClient()
        let url = "http://127.0.0.1:\(stub.port)"
        let answer = try await client.send(
            ClientRequest(method: "POST", url: url + "/x", headers: [("A", "b")], body: [1, 2, 3]))
        #expect(answer.status == 200)
        #expect(String(decoding: answer.body, as: UTF8.self) == "POST b 3")
        #expect(answer.contentType == "text/x")
        #expect(try await client.send(ClientRequest(url: url + "/bad")).status == 503)
        let error = await #expect(throws: HTTPClientError.self) {
            try await client.send(ClientRequest(url: "http://127.0.0.1:1/"))
        }
        #expect(error?.reason.contains("connect") == true)
    }

    @Test("listen addresses", arguments: [("0.0.0.0:9090", "0.0.0.0:9090"), (":80", ":80"), ("[::1]:1", "[::1]:1")])
    func addresses(_ text: String, _ printed: String) {
        #expect(ListenAddress(text)?.description == printed)
        #expect(ListenAddress("nonsense") == nil)
        #expect(ListenAddress("a:99999") == nil)
    }
}
