import Glibc
import Platform
import Synchronization
import TestSupport
import Testing

@testable import HTTP

/// Clients that keep the server waiting, one way or another, and those that come after them.
@Suite("Clients that keep the server waiting")
struct WaitingClientsTests {
    /// What a client does to keep a place.
    enum Kind: String, CaseIterable, Sendable {
        case saysNothing, halfHead, promisedBody, halfBody, chunkedBody, unreadAnswer, unwantedBody, rests

        var bytes: [UInt8] {
            let post = "POST /push HTTP/1.1\r\nHost: a\r\n"
            let text =
                switch self {
                case .saysNothing: ""
                case .halfHead: "GET /fast HT"
                case .promisedBody: post + "Content-Length: 1000000\r\n\r\n"
                case .halfBody: post + "Content-Length: 1000000\r\n\r\n" + String(repeating: "a", count: 1000)
                case .chunkedBody: post + "Transfer-Encoding: chunked\r\n\r\n3\r\nab"
                case .unreadAnswer: "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"
                case .unwantedBody: "POST /nosuch HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"
                case .rests: "GET /fast HTTP/1.1\r\nHost: a\r\n\r\n"
                }
            return Array(text.utf8)
        }
    }

    static func router(gate: @escaping @Sendable () -> Bool = { true }) -> Router {
        var routes = Router.Builder()
        // One array for all answers, which no socket takes whole.
        let large = [UInt8](repeating: 1, count: 16 << 20)
        routes.add(["GET"], "/large") { _ in HTTPResponse(body: large) }
        routes.add(["GET"], "/fast") { _ in .text("fast") }
        routes.add(["POST"], "/push", body: .bytes(limit: 1 << 20)) { .text("\($0.body.count)") }
        routes.add(["GET"], "/long", takesLong: true) { request in
            while !gate(), !request.isCancelled() { usleep(1000) }
            return .text("long")
        }
        return Router(routes)
    }

    static func live(
        _ options: HTTPServer.Options, _ router: Router = router(), clock: any Clock = SystemClock(),
        _ body: (HTTPServer, UInt16) throws -> Void
    ) throws {
        let server = HTTPServer(router: router, options: options, clock: clock)
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        defer { server.stop() }
        try body(server, try #require(server.ports.first))
    }

    private static func isServed(_ port: UInt16) -> Bool {
        let probe = HTTPProbe(port: port)
        return probe.get("/fast")?.text == "fast"
            && probe.request("POST", "/push", body: [UInt8](repeating: 65, count: 100_000))?.text == "100000"
    }

    @Test("a client that is waited for holds no thread", arguments: Kind.allCases)
    func threads(_ kind: Kind) throws {
        var options = HTTPServer.Options()
        options.maxThreads = 4
        try Self.live(options) { server, port in
            let clients = try (0..<60).map { _ in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(kind.bytes)
                return client
            }
            for _ in 0..<5 { #expect(Self.isServed(port)) }
            if kind == .halfBody {
                // Bytes that come one by one take a thread for a moment only.
                for _ in 0..<3 {
                    for client in clients { client.send([0x61]) }
                    #expect(Self.isServed(port))
                }
            }
            #expect(server.threads.count <= 4)
            for client in clients { client.close() }
        }
    }

    @Test("clients that are waited for give their places to newcomers", arguments: Kind.allCases)
    func places(_ kind: Kind) throws {
        var options = HTTPServer.Options()
        options.maxConnections = 16
        // Only for bodies and answers that keep memory from others; places do not depend on it.
        options.shortTimeoutSeconds = 300
        try Self.live(options) { _, port in
            let clients = try (0..<60).map { _ in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(kind.bytes)
                return client
            }
            for _ in 0..<3 { #expect(Self.isServed(port)) }
            for client in clients { client.close() }
        }
    }

    @Test("handlers that take long leave threads to others, and all of them get their turn")
    func long() throws {
        let gate = Mutex(false)
        var options = HTTPServer.Options()
        options.maxThreads = 4
        try Self.live(options, Self.router { gate.withLock { $0 } }) { _, port in
            let clients = try (0..<12).map { _ in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Array("GET /long HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                return client
            }
            for _ in 0..<5 { #expect(Self.isServed(port)) }
            gate.withLock { $0 = true }
            for client in clients {
                #expect(String(decoding: client.receive(), as: UTF8.self).hasSuffix("long"))
                client.close()
            }
        }
    }

    @Test("requests that come all at once take turns with those of others")
    func turns() throws {
        let count = Mutex(0)
        var routes = Router.Builder()
        routes.add(["GET"], "/step") { _ in
            usleep(1000)
            count.withLock { $0 += 1 }
            return .text("")
        }
        routes.add(["GET"], "/fast") { _ in .text("fast") }
        var options = HTTPServer.Options()
        options.maxThreads = 2
        try Self.live(options, Router(routes)) { _, port in
            let step = Array("GET /step HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let clients = try (0..<2).map { _ in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(Array(repeatElement(step, count: 400).joined()))
                return client
            }
            while count.withLock({ $0 }) < 2 { usleep(1000) }
            #expect(HTTPProbe(port: port).get("/fast")?.text == "fast")
            // Neither of the two can be done, as each has a thread and half of the steps.
            #expect(count.withLock { $0 } < 400)
            for client in clients { client.close() }
        }
    }

    @Test("a body that pauses is put together, and a reader that pauses gets all of its answer")
    func pauses() throws {
        try Self.live(.init()) { _, port in
            let writer = try #require(LoopbackSocket.connect(port: port))
            writer.send(Array("POST /push HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\n".utf8))
            let reader = try #require(LoopbackSocket.connect(port: port))
            reader.send(Array("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8))
            for _ in 0..<3 {
                // Longer than a thread stays.
                usleep(50_000)
                writer.send([UInt8](repeating: 65, count: 10))
            }
            #expect(String(decoding: writer.receive(), as: UTF8.self).hasSuffix("\r\n\r\n30"))
            // The connection goes on.
            writer.send(Kind.rests.bytes)
            #expect(String(decoding: writer.receive(), as: UTF8.self).hasSuffix("fast"))
            var count = 0
            while case let bytes = reader.receive(most: 1 << 20), !bytes.isEmpty { count += bytes.count }
            #expect(count > 16 << 20)
            writer.close()
            reader.close()
        }
    }

    @Test("a body that does not come in its time gets 408, and an unwanted one gets its answer")
    func late() throws {
        var options = HTTPServer.Options()
        options.timeoutSeconds = 1
        try Self.live(options) { _, port in
            for (kind, status) in [(Kind.halfBody, "408"), (.unwantedBody, "404")] {
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(kind.bytes)
                let answer = String(decoding: client.receive(), as: UTF8.self)
                #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
                #expect(answer.contains("Connection: close"))
                client.close()
            }
        }
    }

    @Test("bodies that stand still give their memory up when a body was refused because of them")
    func silentBodies() throws {
        let clock = ManualClock()
        var routes = Router.Builder()
        routes.add(["POST"], "/push", body: .bytes(limit: 8 << 20)) { .text("\($0.body.count)") }
        var options = HTTPServer.Options()
        options.bodies = ByteBudget(limit: 8 << 20, takesFromLargest: true, reservesForSmall: true)
        try Self.live(options, Router(routes), clock: clock) { _, port in
            let head = Array("POST /push HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n".utf8)
            let silent = try (0..<3).map { _ in
                let client = try #require(LoopbackSocket.connect(port: port))
                client.send(head + [UInt8](repeating: 65, count: 260 << 10))
                return client
            }
            while options.bodies.inUse < 3 * 976 << 10 { usleep(1000) }
            // They hold less than half, and are smaller than this one.
            #expect(!options.bodies.isShort(now: clock.monotonic()))
            let push = [UInt8](repeating: 65, count: 6 << 20)
            #expect(HTTPProbe(port: port).request("POST", "/push", body: push)?.status != 200)
            clock.advance(to: 11_000)
            for client in silent {
                #expect(String(decoding: client.receive(), as: UTF8.self).hasPrefix("HTTP/1.1 408 "))
                client.close()
            }
            #expect(HTTPProbe(port: port).request("POST", "/push", body: push)?.text == "\(6 << 20)")
        }
    }

    @Test("the end of the server waits for no client, and for no handler that listens", arguments: Kind.allCases)
    func end(_ kind: Kind) throws {
        let server = HTTPServer(router: Self.router { false }, options: .init(), clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        let port = try #require(server.ports.first)
        let clients = try [kind.bytes, Array("GET /long HTTP/1.1\r\nHost: a\r\n\r\n".utf8)].map { bytes in
            let client = try #require(LoopbackSocket.connect(port: port))
            client.send(bytes)
            return client
        }
        #expect(Self.isServed(port))
        // The clients would be waited for for five minutes, and the handler for ever.
        server.beginStop()
        #expect(server.awaitStop(milliseconds: 60_000))
        for client in clients { client.close() }
    }

    @Test("a handler that does not listen is left behind")
    func deaf() throws {
        let gate = DispatchGate()
        var routes = Router.Builder()
        routes.add(["GET"], "/deaf") { _ in
            gate.wait()
            return .text("")
        }
        let server = HTTPServer(router: Router(routes), options: .init(), clock: SystemClock())
        try server.start([try #require(ListenAddress("127.0.0.1:0"))])
        let port = try #require(server.ports.first)
        let client = try #require(LoopbackSocket.connect(port: port))
        client.send(Array("GET /deaf HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        gate.awaitEntry()
        server.beginStop()
        #expect(!server.awaitStop(milliseconds: 10))
        gate.open()
        #expect(server.awaitStop(milliseconds: 60_000))
        client.close()
    }
}

/// Holds a handler until it is told to go on.
private final class DispatchGate: Sendable {
    private let entered = TimedSemaphore(value: 0)
    private let opened = TimedSemaphore(value: 0)

    func wait() {
        entered.signal()
        opened.wait()
    }

    func awaitEntry() { entered.wait() }
    func open() { opened.signal() }
}
