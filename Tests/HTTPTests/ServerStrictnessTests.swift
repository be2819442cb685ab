import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Raw bytes on a socket: what the server takes, refuses, and how much of it it holds.
@Suite("HTTP server, raw")
struct ServerStrictnessTests {
    static func router(_ calls: CallCount = CallCount()) -> Router {
        var routes = Router.Builder()
        routes.add(["GET", "POST"], "/api/v1/query") { request in
            calls.add()
            return .text("query=\(request.parameter("query")?.count ?? -1)")
        }
        routes.add(["GET"], "/-/ready") { _ in .text("ready") }
        routes.add(["POST", "PUT"], "/-/quit") { _ in
            calls.add()
            return .text("bye")
        }
        routes.add(["POST"], "/write", body: .write) { .text("\($0.body.count)") }
        return Router(routes)
    }

    final class CallCount: Sendable {
        private let count = Atomic<Int>(0)
        func add() { count.add(1, ordering: .relaxed) }
        var value: Int { count.load(ordering: .relaxed) }
    }

    static func live(
        _ options: HTTPServer.Options = .init(), _ router: Router = router(), _ body: (UInt16) throws -> Void
    ) throws {
        let server = HTTPServer(router: router, options: options, clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        defer { server.stop() }
        try body(try #require(server.ports.first))
    }

    /// All that comes back for some bytes, up to the connection's end or `timeout`.
    static func talk(_ port: UInt16, _ bytes: [UInt8], timeout: Int = 60, until: String? = nil) -> String {
        guard let socket = LoopbackSocket.connect(port: port, timeoutSeconds: timeout) else { return "no connection" }
        defer { socket.close() }
        socket.send(bytes)
        var answer = ""
        while true {
            let part = socket.receive()
            if part.isEmpty { return answer }
            answer += String(decoding: part, as: UTF8.self)
            if let until, answer.hasSuffix(until) { return answer }
        }
    }

    static func talk(_ port: UInt16, _ text: String, until: String? = nil) -> String {
        talk(port, Array(text.utf8), until: until)
    }

    static func status(_ answer: String) -> Int { Int(answer.dropFirst(9).prefix(3)) ?? 0 }

    @Test("a smuggled request is never run, and the connection closes")
    func smuggling() throws {
        let calls = CallCount()
        try Self.live(.init(), Self.router(calls)) { port in
            let inner = "POST /-/quit HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
            let start = "POST /-/ready HTTP/1.1\r\nHost: a\r\n"
            for framing in [
                "Content-Length: 0\r\nContent-Length: \(inner.utf8.count)\r\n",
                "Content-Length: \(inner.utf8.count)\r\nTransfer-Encoding: chunked\r\n",
                "Transfer-Encoding : chunked\r\n",
                "Transfer-Encoding: chunked, identity\r\n", "Content-Length: 1\n\r\n", "X: y\r\n Content-Length: 0\r\n",
            ] {
                let answer = Self.talk(port, start + framing + "\r\n" + inner)
                #expect([400, 501].contains(Self.status(answer)), "\(framing): \(answer)")
                #expect(answer.components(of: "HTTP/1.1 ") == 1)
                #expect(answer.contains("Connection: close"))
            }
            #expect(calls.value == 0)
        }
    }

    @Test(
        "paths are matched as they were sent",
        arguments: [
            ("/api%2fv1%2fquery", 404), ("/api/v1/query%00", 404), ("/%2d/ready", 404), ("//-//ready//", 307),
            ("//api/v1/query", 307), ("/-/ready/", 301), ("/api/v1", 307), ("/-/ready", 200),
            ("http://elsewhere:9/-/ready", 200), ("/-/ready?x=%00", 200), ("/api/v1/./query", 307),
        ])
    func paths(_ path: String, _ status: Int) throws {
        try Self.live { port in
            let answer = Self.talk(port, "GET \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(Self.status(answer) == status, "\(answer)")
        }
    }

    @Test("URLs and headers up to 1 MiB work, and larger ones are answered with 431")
    func largeHeads() throws {
        try Self.live { port in
            let long = String(repeating: "x", count: 1_000_000)
            let url = "GET /api/v1/query?query=\(long) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            #expect(Self.talk(port, url).hasSuffix("query=1000000"))
            let header = "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: \(long)\r\n\r\n"
            #expect(Self.talk(port, header).hasSuffix("ready"))
            let larger = "GET /-/ready HTTP/1.1\r\nHost: a\r\nX: \(long)\(long)\r\n\r\n"
            #expect(Self.status(Self.talk(port, larger)) == 431)
        }
    }

    @Test("large heads share their memory: the largest gives way to a smaller one, and one that fits nowhere gets 431")
    func headPool() throws {
        var options = HTTPServer.Options()
        options.heads = ByteBudget(limit: 300 << 10, takesFromLargest: true)
        try Self.live(options) { port in
            let start = "GET /-/ready HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 200 << 10)
            let first = try #require(LoopbackSocket.connect(port: port))
            first.send(Array(start.utf8))
            while options.heads.inUse < 256 << 10 { usleep(1000) }
            let answer = Self.talk(port, start + "\r\nConnection: close\r\n\r\n")
            #expect(answer.hasSuffix("ready"))
            #expect(String(decoding: first.receive(), as: UTF8.self).hasPrefix("HTTP/1.1 431 "))
            first.close()
            let large = start + String(repeating: "x", count: 200 << 10) + "\r\n\r\n"
            #expect(Self.status(Self.talk(port, large)) == 431)
            while options.heads.inUse > 0 { usleep(1000) }
        }
    }

    @Test("a head that is refused has no memory any more when the client gets the answer")
    func refusedHead() throws {
        var options = HTTPServer.Options()
        options.heads = ByteBudget(limit: 4 << 20, takesFromLargest: true)
        try Self.live(options) { port in
            for text in [
                "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: Connection.maxHead),
                "GET / HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 500_000) + "\r\n \u{1}:\r\n\r\n",
            ] {
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Array(text.utf8))
                let answer = String(decoding: client.receive(), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 4"))
                #expect(options.heads.inUse == 0)
                client.close()
            }
        }
    }

    @Test("refusals do not wait for the body")
    func early() throws {
        try Self.live { port in
            for (target, status) in [
                ("POST /nosuch", 404), ("DELETE /-/ready", 405), ("POST /api/v1/query", 413), ("POST /write", 413),
            ] {
                let text =
                    "\(target) HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 134217728\r\n"
                    + "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
                let answer = Self.talk(port, text)
                #expect(Self.status(answer) == status)
                #expect(!answer.contains("100 Continue"))
            }
        }
    }

    @Test("a body is asked for with 100, and chunks are put together")
    func bodies() throws {
        try Self.live { port in
            let head = "POST /write HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\n"
            let answer = Self.talk(port, head + "Content-Length: 3\r\n\r\nabc")
            #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n3"))
            let chunked = "POST /write HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            let next = "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            let both = Self.talk(port, chunked + "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n" + next)
            #expect(both.contains("\r\n\r\n7HTTP/1.1 200 OK"))
            #expect(both.hasSuffix("ready"))
            #expect(Self.status(Self.talk(port, chunked + "zz\r\n")) == 400)
        }
    }

    @Test(
        "bodies in flight share a pool: the largest gives way to smaller ones with 503, and it is whole again afterwards"
    )
    func bodyPool() throws {
        var options = HTTPServer.Options()
        options.bodies = ByteBudget(limit: 4 << 20, takesFromLargest: true, reservesForSmall: true)
        try Self.live(options) { port in
            func head(_ length: Int) -> [UInt8] {
                Array("POST /write HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: \(length)\r\n\r\n".utf8)
            }
            func status(_ size: Int) -> Int {
                Self.status(Self.talk(port, head(size) + [UInt8](repeating: 66, count: size)))
            }
            for round in 0..<2 {
                // One that will never end takes all that is not kept for small ones …
                let greedy = try #require(LoopbackSocket.connect(port: port))
                greedy.send(head(3_600_000) + [UInt8](repeating: 65, count: 3_500_000))
                while options.bodies.inUse < 3 << 20 { usleep(1000) }
                for size in [1, 7, 60_000] { #expect(status(size) == 200, "round \(round), \(size) bytes") }
                // … and gives way to a larger one when it has stood still for a while.
                while status(1_000_000) != 200 { usleep(100_000) }
                #expect(Self.status(String(decoding: greedy.receive(), as: UTF8.self)) == 503)
                greedy.close()
                while options.bodies.inUse > 0 { usleep(1000) }
            }
        }
    }

    @Test("bodies that are promised and do not come take no memory, and those that find none left get 503")
    func promises() async {
        await #expect(processExitsWith: .success) { try ServerStrictnessTests.promiseMuch() }
    }

    static func promiseMuch() throws {
        // With less than the forty bodies were to take, but for the stacks of their handlers.
        try #require(AddressSpaceLimit.leave(512 << 20))
        var options = HTTPServer.Options()
        options.stackSize = 256 << 10
        #expect(options.bodies.limit < 48 << 20)
        try Self.live(options) { port in
            for framing in ["Content-Length: 33554432", "Transfer-Encoding: chunked"] {
                let head = "POST /write HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n"
                let part = (framing.hasPrefix("C") ? "" : "1f00000\r\n") + String(repeating: "a", count: 2 << 20)
                let sockets = try (0..<40).map { _ in try #require(LoopbackSocket.connect(port: port)) }
                for socket in sockets { socket.send(Array(head.utf8)) }
                #expect(HTTPProbe(port: port).get("/-/ready")?.text == "ready")
                #expect(options.bodies.inUse == 0)
                for socket in sockets { socket.send(Array(part.utf8)) }
                // Together they are more than the pool has: some are refused, the others wait for more.
                var entries = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
                #expect(poll(&entries, nfds_t(entries.count), -1) > 0)
                for (socket, entry) in zip(sockets, entries) where entry.revents & Int16(POLLIN) != 0 {
                    #expect(Self.status(String(decoding: socket.receive(), as: UTF8.self)) == 503)
                }
                for socket in sockets { socket.close() }
                while options.bodies.inUse > 0 { usleep(1000) }
            }
            #expect(HTTPProbe(port: port).get("/-/ready")?.text == "ready")
        }
    }

    @Test("a connection that has served keeps its place before those that never said anything")
    func servedFirst() throws {
        var options = HTTPServer.Options()
        options.maxConnections = 8
        try Self.live(options) { port in
            let request = Array("GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let client = try #require(LoopbackSocket.connect(port: port))
            client.send(request)
            #expect(String(decoding: client.receive(), as: UTF8.self).hasSuffix("ready"))
            let silent = try (0..<24).map { _ in try #require(LoopbackSocket.connect(port: port)) }
            // The first ones lose their places to the others.
            for socket in silent.prefix(14) { #expect(socket.receive() == []) }
            client.send(request)
            #expect(String(decoding: client.receive(), as: UTF8.self).hasSuffix("ready"))
            // Who comes later is served before its turn would be over by the time of slow clients.
            let answer = Self.talk(port, "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasSuffix("ready"))
            for socket in silent { socket.close() }
            client.close()
        }
    }

    @Test("connections at rest give way to newcomers, but for the last used quarter")
    func restingQuarter() throws {
        var options = HTTPServer.Options()
        options.maxConnections = 8
        try Self.live(options) { port in
            let request = Array("GET /-/ready HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let resting = try (0..<8).map { _ in
                let socket = try #require(LoopbackSocket.connect(port: port))
                socket.send(request)
                #expect(String(decoding: socket.receive(), as: UTF8.self).hasSuffix("ready"))
                return socket
            }
            let answer = Self.talk(port, "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasSuffix("ready"))
            // Some have given way, which of them depends on when their handlers have given them back.
            var served = 0
            for socket in resting {
                socket.send(request)
                let answer = String(decoding: socket.receive(), as: UTF8.self)
                #expect(answer.isEmpty || answer.hasSuffix("ready"))
                if !answer.isEmpty { served += 1 }
            }
            #expect((2..<8).contains(served))
            for socket in resting { socket.close() }
        }
    }

    @Test("a body that stands still is given up while memory is short, and its memory is free again")
    func stillBody() throws {
        var options = HTTPServer.Options()
        options.bodies = ByteBudget(limit: 4 << 20, takesFromLargest: true)
        options.shortTimeoutSeconds = 1
        try Self.live(options) { port in
            let head = Array("POST /write HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n".utf8)
            let answer = Self.talk(port, head + [UInt8](repeating: 65, count: 3 << 20), timeout: 30)
            #expect(Self.status(answer) == 408)
            while options.bodies.inUse > 0 { usleep(1000) }
        }
    }

    @Test("further connections wait for a place, and none is reset")
    func queue() throws {
        var options = HTTPServer.Options()
        options.maxConnections = 4
        options.shortTimeoutSeconds = 1
        try Self.live(options) { port in
            // Half a head on each place.
            let slow = (0..<4).compactMap { _ in LoopbackSocket.connect(port: port) }
            for socket in slow { socket.send(Array("GET /-/ready HT".utf8)) }
            usleep(200_000)
            for _ in 0..<8 {
                let answer = Self.talk(port, "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(answer.hasSuffix("ready"))
            }
            for socket in slow { socket.close() }
        }
    }

    @Test("a slow handler stops nobody, also with all its fellows at rest")
    func slowHandler() throws {
        let gate = Mutex(false)
        var routes = Router.Builder()
        routes.add(["GET"], "/slow") { _ in
            while !gate.withLock({ $0 }) { usleep(1000) }
            return .text("slow")
        }
        routes.add(["GET"], "/fast") { _ in .text("fast") }
        try Self.live(.init(), Router(routes)) { port in
            let slow = (0..<20).compactMap { _ in LoopbackSocket.connect(port: port) }
            for socket in slow { socket.send(Array("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n".utf8)) }
            for _ in 0..<20 { #expect(HTTPProbe(port: port).get("/fast")?.text == "fast") }
            gate.withLock { $0 = true }
            for socket in slow {
                #expect(String(decoding: socket.receive(), as: UTF8.self).hasSuffix("slow"))
                socket.close()
            }
        }
    }

    @Test("who does not read an answer loses it when memory is short")
    func slowReader() throws {
        final class Held: Sendable {
            let count: CallCount
            init(_ count: CallCount) { self.count = count }
            deinit { count.add() }
        }
        let released = CallCount()
        var routes = Router.Builder()
        routes.add(["GET"], "/large") { _ in
            var response = HTTPResponse(body: [UInt8](repeating: 1, count: 30 << 20))
            response.keeps = Held(released)
            return response
        }
        var options = HTTPServer.Options()
        options.sendTimeoutSeconds = 1
        options.isMemoryShort = { true }
        try Self.live(options, Router(routes)) { port in
            let socket = try #require(LoopbackSocket.connect(port: port))
            socket.send(Array("GET /large HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            let expiry = ContinuousClock.now + .seconds(30)
            while released.value == 0, ContinuousClock.now < expiry { usleep(10_000) }
            #expect(released.value == 1)
            socket.close()
            // Who reads gets all of it.
            #expect(HTTPProbe(port: port).get("/large")?.body.count == 30 << 20)
        }
    }

    @Test("a browser's request from another site changes nothing; scripts may")
    func foreign() throws {
        let calls = CallCount()
        try Self.live(.init(), Self.router(calls)) { port in
            let probe = HTTPProbe(port: port)
            for headers in [
                ["Sec-Fetch-Site": "cross-site"], ["Origin": "https://evil.example"], ["Origin": "null"],
            ] {
                #expect(probe.request("POST", "/-/quit", headers: headers)?.status == 403)
                #expect(probe.request("POST", "/api/v1/query", headers: headers)?.status == 200)
            }
            #expect(calls.value == 3)
            for headers in [
                [:], ["Sec-Fetch-Site": "same-origin"], ["Sec-Fetch-Site": "none"],
                ["Origin": "http://127.0.0.1:\(port)"],
            ] {
                #expect(probe.request("POST", "/-/quit", headers: headers)?.status == 200)
            }
        }
    }

    @Test("CORS headers, methods and Allow are Prometheus's")
    func cors() throws {
        var options = HTTPServer.Options()
        options.origins = CrossOrigin(try AnchoredRegex("https://(a|b)\\.example"))
        try Self.live(options) { port in
            let probe = HTTPProbe(port: port)
            let none = probe.get("/api/v1/query")
            #expect(none?.headers["access-control-allow-methods"] == nil)
            #expect(none?.headers["vary"] != nil)
            let good = probe.get("/api/v1/query", headers: ["Origin": "https://a.example"])
            #expect(good?.headers["access-control-allow-origin"] == "https://a.example")
            #expect(good?.headers["access-control-allow-methods"] == "GET, POST, OPTIONS")
            let other = probe.get("/api/v1/query", headers: ["Origin": "https://a.example.org"])
            #expect(other?.headers["access-control-allow-origin"] == nil)
            #expect(probe.request("OPTIONS", "/api/v1/nosuch")?.status == 204)
            #expect(probe.request("OPTIONS", "/-/ready")?.headers["allow"] == "GET, HEAD, OPTIONS")
            let wrong = probe.request("DELETE", "/-/quit")
            #expect(wrong?.status == 405)
            #expect(wrong?.headers["allow"] == "OPTIONS, POST, PUT")
            #expect(probe.request("HEAD", "/api/v1/query")?.status == 405)
            #expect(probe.request("HEAD", "/-/ready")?.body == [])
        }
    }

    @Test("10,000 requests leave no descriptor or thread behind")
    func manyRequests() async {
        await #expect(processExitsWith: .success) {
            for keepsAlive in [true, false] { try Self.requests(keepsAlive: keepsAlive) }
        }
    }

    static func requests(keepsAlive: Bool) throws {
        try live { port in
            let close = keepsAlive ? "" : "Connection: close\r\n"
            let text = Array("GET /-/ready HTTP/1.1\r\nHost: a\r\n\(close)\r\n".utf8)
            func ask(_ count: Int) throws {
                var socket = try #require(LoopbackSocket.connect(port: port))
                for _ in 0..<count {
                    socket.send(text)
                    #expect(!socket.receive().isEmpty)
                    if !keepsAlive {
                        socket.close()
                        socket = try #require(LoopbackSocket.connect(port: port))
                    }
                }
                socket.close()
            }
            try ask(500)
            let before = ProcessUse()
            try ask(10_000)
            #expect(ProcessUse().growth(since: before) == [])
        }
    }
}

extension String {
    /// How often `part` is in it.
    func components(of part: String) -> Int { ranges(of: part).count }
}
