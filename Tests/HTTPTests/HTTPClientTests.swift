import Config
import Encoding
import Glibc
import HTTP
import Model
import Platform
import TestSupport
import Testing

@Suite("HTTP client", .serialized)
struct HTTPClientTests {
    static func ok(_ body: String, _ headers: String = "") -> RawServer.Reaction {
        .text("HTTP/1.1 200 OK\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    static func reason(_ url: String, timeout: Int64 = 5000) async -> String {
        do throws(HTTPClientError) {
            _ = try await HTTPClient().send(ClientRequest(url: url, timeout: timeout))
            return ""
        } catch {
            return error.reason
        }
    }

    @Test("many requests, a tenth of which fail, leave no thread, map, descriptor or memory behind")
    func endurance() async {
        await #expect(processExitsWith: .success) { try await Self.requests() }
    }

    static func requests() async throws {
        let total = getenv("MARTLET_LONG_REQUESTS").flatMap { Int(String(cString: $0)) } ?? 10_000
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/bad")
                    ? .closing("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx") : Self.ok("fine")
            })
        defer { server.stop() }
        let client = HTTPClient(maxRequests: 8)
        func send(_ count: Int) async -> (good: Int, bad: Int) {
            await withTaskGroup(of: (Int, Int).self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        var (good, bad) = (0, 0)
                        for i in stride(from: worker, to: count, by: 8) {
                            do {
                                let path = i % 10 == 0 ? "/bad" : "/good"
                                let answer = try await client.send(ClientRequest(url: server.url + path))
                                good += answer.body == Array("fine".utf8) ? 1 : 0
                            } catch {
                                bad += 1
                            }
                        }
                        return (good, bad)
                    }
                }
                var sum = (good: 0, bad: 0)
                for await (good, bad) in group { sum = (sum.good + good, sum.bad + bad) }
                return sum
            }
        }
        _ = await send(1000)
        let before = ProcessUse()
        let result = await send(total)
        #expect(result.good == total - (total + 9) / 10)
        #expect(result.bad == (total + 9) / 10)
        while server.openConnections > 8 { await Task.yield() }
        #expect(ProcessUse().growth(since: before) == [])
        // Connections are used again; only those of failed requests are new.
        #expect(server.connectionCount < total / 4 + 1000)
    }

    @Test("a cancelled request ends at once, and its connection with it")
    func cancellation() async throws {
        let server = try #require(RawServer { _ in .hang })
        defer { server.stop() }
        let client = HTTPClient(maxRequests: 1)
        let first = Task { try await client.send(ClientRequest(url: server.url, timeout: 600_000)) }
        // The second waits for the only place.
        while server.requestCount == 0 { await Task.yield() }
        let second = Task { try await client.send(ClientRequest(url: server.url, timeout: 600_000)) }
        second.cancel()
        await #expect(throws: HTTPClientError.self) { try await second.value }
        first.cancel()
        let error = await #expect(throws: HTTPClientError.self) { try await first.value }
        #expect(error?.kind == .cancelled)
        while server.openConnections > 0 { await Task.yield() }
    }

    @Test(
        "what a server does wrong is said in the words of Go's client",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab", "unexpected EOF"),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "unexpected EOF"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nab\r\n0\r\n\r\n",
                "chunked line ends with bare LF"
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\n0\r\n\r\n", "malformed chunked encoding"),
            ("", "EOF"),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                "net/http: HTTP/1.x transport connection broken: http: message cannot contain multiple "
                    + "Content-Length headers; got [\"1\" \"2\"]"
            ),
            ("HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", "stopped after 10 redirects"),
            (
                "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
                "unsupported protocol scheme \"file\""
            ),
            (
                "HTTP/1.1 200 OK\r\nX: \(String(repeating: "x", count: 200_000))\r\nContent-Length: 0\r\n\r\n",
                "net/http: server response headers exceeded 102400 bytes; aborted"
            ),
        ])
    func mistakes(_ answer: String, _ reason: String) async throws {
        let server = try #require(RawServer { _ in .closing(answer) })
        defer { server.stop() }
        #expect(await Self.reason(server.url) == reason)
    }

    @Test(
        "a body that nobody wants is not kept, and an endless one not read on",
        arguments: [
            "Content-Length: 1000000000000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n",
        ])
    func unwanted(_ header: String) async throws {
        let isChunked = header.contains("chunked")
        let part = String(repeating: "x", count: 1 << 20)
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/short")
                    ? Self.ok("fine")
                    : .text("HTTP/1.1 202 OK\r\n\(header)\r\n" + (isChunked ? "7fffffff\r\n" : "") + part)
            })
        defer { server.stop() }
        let budget = ByteBudget(limit: 0)
        let client = HTTPClient(budget: budget)
        for path in ["/short", "/short", "/endless", "/endless"] {
            // The server sends nothing more and closes nothing: who waits for the end waits for the timeout.
            var request = ClientRequest(method: "POST", url: server.url + path, body: [1], timeout: 600_000)
            request.answer = .unwanted
            let answer = try await client.send(request)
            #expect(answer.status == (path == "/short" ? 200 : 202))
            #expect(answer.body.isEmpty)
        }
        #expect(budget.inUse == 0)
        #expect(server.connectionCount == 2)
        while server.openConnections > 0 { await Task.yield() }
    }

    @Test("a body that nobody wants does not hide a redirect")
    func unwantedRedirect() async throws {
        let part = String(repeating: "x", count: 1 << 20)
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/there")
                    ? Self.ok("fine")
                    : .text("HTTP/1.1 307 Gone\r\nLocation: /there\r\nContent-Length: 99999999\r\n\r\n" + part)
            })
        defer { server.stop() }
        var request = ClientRequest(method: "POST", url: server.url, body: [1], timeout: 600_000)
        request.answer = .unwanted
        #expect(try await HTTPClient().send(request).status == 200)
    }

    @Test("answers have a limit of their own and a budget together, packed or not; what they take is given back")
    func answerBudget() async throws {
        let page = [UInt8](repeating: 0x20, count: 3 << 20)
        let packed = try Gzip.compress(page)
        let server = try #require(
            RawServer { request in
                let isPacked = request.startLine.contains("/packed")
                let body = isPacked ? packed : page
                let head = isPacked ? "Content-Encoding: gzip\r\n" : ""
                return .send(Array("HTTP/1.1 200 OK\r\n\(head)Content-Length: \(body.count)\r\n\r\n".utf8) + body)
            })
        defer { server.stop() }
        for path in ["/plain", "/packed"] {
            for (limit, bytes, kind) in [
                (1 << 20, 16 << 20, .bodySize), (8 << 20, 2 << 20, .memory), (8 << 20, 16 << 20, nil),
            ] as [(Int, Int, TransferFailure.Kind?)] {
                let budget = ByteBudget(limit: bytes)
                var request = ClientRequest(url: server.url + path, timeout: 600_000)
                request.answer = .whole(limit: limit)
                do throws(HTTPClientError) {
                    let answer = try await HTTPClient(budget: budget).send(request)
                    #expect(kind == nil)
                    #expect(answer.body.count == page.count)
                } catch {
                    #expect(error.kind == kind, "\(error)")
                }
                // The loop lets go of the transfer a moment later.
                while budget.inUse > 0 { await Task.yield() }
            }
        }
    }

    @Test("chunked bodies arrive whole, however they are cut, and the connection goes on")
    func chunked() async throws {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/empty")
                    ? .text(head + "0\r\n\r\n")
                    : .text(head + "5;x=y\r\nhello\r\n0a\r\n, my world\r\n0\r\nTrailer: 1\r\n\r\n")
            })
        defer { server.stop() }
        let client = HTTPClient()
        for _ in 0..<3 {
            #expect(try await client.send(ClientRequest(url: server.url)).body == Array("hello, my world".utf8))
            #expect(try await client.send(ClientRequest(url: server.url + "/empty")).body == [])
        }
        #expect(server.connectionCount == 1)
    }

    @Test("nobody there, and nobody who answers")
    func nobody() async throws {
        #expect(await Self.reason("http://127.0.0.1:1/") == "dial tcp 127.0.0.1:1: connect: connection refused")
        #expect(await Self.reason("gopher://h/") == "unsupported protocol scheme \"gopher\"")
        #expect(await Self.reason("nonsense") == "invalid URL")
        let server = try #require(RawServer { _ in .hang })
        defer { server.stop() }
        #expect(await Self.reason(server.url, timeout: 50) == "context deadline exceeded")
    }

    @Test("of two content types the first counts, and status 300 is not followed")
    func head() async throws {
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/300")
                    ? .text("HTTP/1.1 300 Many\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
                    : Self.ok("", "Content-Type: a/b\r\nContent-Type: c/d\r\n")
            })
        defer { server.stop() }
        #expect(try await HTTPClient().send(ClientRequest(url: server.url)).contentType == "a/b")
        #expect(try await HTTPClient().send(ClientRequest(url: server.url + "/300")).status == 300)
    }

    static func config(_ yaml: String) throws -> HTTPClientConfig {
        let text = "scrape_configs:\n- job_name: j\n" + yaml.split(separator: "\n").map { "  \($0)\n" }.joined()
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        return try #require(config.scrapeConfigs.first).client
    }

    static let secrets = "http_headers: {X-Secret: {values: [v], secrets: [s3cret]}}\n"

    @Test(
        "no credential follows a redirect to another host",
        arguments: [
            "basic_auth: {username: u, password: p}", "authorization: {credentials: c}", "bearer_token: c", "",
        ], [301, 302, 303, 307, 308])
    func foreignRedirect(_ auth: String, _ status: Int) async throws {
        let other = try #require(RawServer { _ in Self.ok("other") })
        defer { other.stop() }
        for target in ["http://localhost:\(other.port)/x", other.url + "/x"] {
            let server = try #require(
                RawServer { request in
                    request.startLine.contains("/near")
                        ? .text("HTTP/1.1 \(status) R\r\nLocation: \(target)\r\nContent-Length: 0\r\n\r\n")
                        : .text("HTTP/1.1 \(status) R\r\nLocation: near?a=b\r\nContent-Length: 0\r\n\r\n")
                })
            defer { server.stop() }
            let client = HTTPClient(try Self.config(Self.secrets + auth))
            let answer = try await client.send(ClientRequest(url: server.url + "/dir/far"))
            #expect(answer.body == Array("other".utf8))
            // Within the host they go along.
            #expect(server.requests.map(\.startLine) == ["GET /dir/far HTTP/1.1", "GET /dir/near?a=b HTTP/1.1"])
            for request in server.requests {
                #expect(request.headers["x-secret"] != nil)
                #expect((request.headers["authorization"] != nil) == !auth.isEmpty)
            }
            let last = try #require(other.requests.last)
            #expect(last.headers["x-secret"] == nil && last.headers["authorization"] == nil)
            #expect(last.headers["host"] == target.split(separator: "/").dropFirst().first.map(String.init))
        }
    }

    @Test("a secret header of a request does not follow a redirect to another host either")
    func foreignHeaders() async throws {
        let other = try #require(RawServer { _ in Self.ok("other") })
        defer { other.stop() }
        let server = try #require(
            RawServer { _ in
                .text("HTTP/1.1 307 R\r\nLocation: http://localhost:\(other.port)/x\r\nContent-Length: 0\r\n\r\n")
            })
        defer { server.stop() }
        let secrets = ["Authorization", "x-auth-token", "X-Amz-Security-Token"]
        let headers = (secrets + ["X-Other"]).map { (name: $0, value: "v") }
        _ = try await HTTPClient().send(ClientRequest(method: "POST", url: server.url, headers: headers, body: [1]))
        let (first, last) = (try #require(server.requests.first), try #require(other.requests.first))
        for name in secrets {
            #expect(first.headers[name.lowercased()] == "v")
            #expect(last.headers[name.lowercased()] == nil)
        }
        #expect(last.headers["x-other"] == "v")
    }

    @Test("a POST keeps its body at 307 and 308, and is not repeated without it", arguments: [301, 302, 303, 307, 308])
    func post(_ status: Int) async throws {
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/end")
                    ? Self.ok("") : .text("HTTP/1.1 \(status) R\r\nLocation: /end\r\nContent-Length: 0\r\n\r\n")
            })
        defer { server.stop() }
        let answer = try await HTTPClient().send(
            ClientRequest(method: "POST", url: server.url + "/start", body: Array("content".utf8)))
        if status >= 307 {
            #expect(answer.status == 200)
            #expect(server.requests.map(\.body) == [Array("content".utf8), Array("content".utf8)])
            #expect(server.requests.last?.startLine == "POST /end HTTP/1.1")
        } else {
            #expect(answer.status == status)
            #expect(server.requests.count == 1)
        }
    }

    @Test("redirects can be switched off")
    func noRedirects() async throws {
        let server = try #require(
            RawServer { _ in .text("HTTP/1.1 302 R\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") })
        defer { server.stop() }
        let client = HTTPClient(try Self.config("follow_redirects: false"))
        #expect(try await client.send(ClientRequest(url: server.url)).status == 302)
    }

    @Test("an answer that claims HTTP/2 on plain TCP disturbs no other request to that address")
    func strayVersion() async throws {
        let server = try #require(
            RawServer { request in
                if request.startLine.contains("/odd") { return .text("HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi") }
                return request.startLine.contains("/hang") ? .hang : Self.ok("fine")
            })
        defer { server.stop() }
        let client = HTTPClient(maxRequests: 64)
        _ = try? await client.send(ClientRequest(url: server.url + "/odd", timeout: 1000))
        let hanging = (0..<4).map { _ in
            Task { try await client.send(ClientRequest(url: server.url + "/hang", timeout: 60_000)) }
        }
        for _ in 0..<20 {
            _ = try? await client.send(ClientRequest(url: server.url + "/odd", timeout: 1000))
            let answer = try await client.send(ClientRequest(url: server.url + "/good", timeout: 20_000))
            #expect(answer.body == Array("fine".utf8))
        }
        for task in hanging { task.cancel() }
    }

    @Test("passwords in URLs are not shown")
    func shown() async throws {
        #expect(ConfigURL.shown("http://u:pw@h:1/x?y") == "http://u:xxxxx@h:1/x?y")
        #expect(ConfigURL.shown("http://u@h/x") == "http://u@h/x")
        let error = await #expect(throws: HTTPClientError.self) {
            try await HTTPClient().send(ClientRequest(url: "http://u:pw@127.0.0.1:1/token"))
        }
        #expect(error?.description.contains("pw") == false)
        #expect(error?.redacted == "Get \"<redacted>\": dial tcp 127.0.0.1:1: connect: connection refused")
    }
}

@Suite("URLs of a client")
struct URLPartsTests {
    @Test(
        "a location is resolved against the URL that named it",
        arguments: [
            ("http://h/a/b?q", "c", "http://h/a/c"), ("http://h/a/b", "../c?d", "http://h/c?d"),
            ("http://h/a/b", "/c", "http://h/c"), ("http://h/a/b", "//g/c", "http://g/c"),
            ("http://h/a/b", "?x", "http://h/a/b?x"), ("http://h", "c", "http://h/c"),
            ("http://h:1/a", "https://g/", "https://g/"), ("http://[::1]:9/a/./b", "./c/../d#f", "http://[::1]:9/a/d"),
        ])
    func resolving(_ base: String, _ location: String, _ result: String) throws {
        // The base's own dots are its server's business.
        let parts = try #require(URLParts(base.replacing("/./", with: "/")))
        #expect(parts.resolving(location) == result)
    }

    @Test(
        "credentials go to the same host and those below it",
        arguments: [
            ("http://a.b/", "http://a.b/x", true), ("http://a.b/", "http://c.a.b/", true),
            ("http://a.b/", "http://xa.b/", false), ("http://a.b/", "http://a.b:81/", false),
            ("http://a.b/", "https://a.b/", true), ("https://a.b/", "http://a.b/", false),
            ("http://A.b:80/", "http://a.B/", true), ("http://1.2.3.4/", "http://9.1.2.3.4/", false),
        ])
    func trust(_ from: String, _ to: String, _ trusts: Bool) throws {
        #expect(try #require(URLParts(from)).trusts(try #require(URLParts(to))) == trusts)
    }
}
