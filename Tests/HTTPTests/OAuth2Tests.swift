import Config
import Encoding
import Glibc
import HTTP
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@Suite("OAuth 2.0", .serialized)
struct OAuth2Tests {
    /// An answer with a body.
    static func answer(
        _ body: String, _ status: String = "200 OK", type: String = "application/json"
    ) -> RawServer.Reaction {
        .text("HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
    }

    static func token(_ text: String, expires: Int = 3600) -> RawServer.Reaction {
        answer("{\"access_token\":\"\(text)\",\"token_type\":\"bearer\",\"expires_in\":\(expires)}")
    }

    static func config(_ server: RawServer, _ change: (inout OAuth2Config) -> Void = { _ in }) -> HTTPClientConfig {
        var config = HTTPClientConfig()
        var section = OAuth2Config()
        section.clientID = "my id"
        section.clientSecret = "s/ö&"
        section.tokenURL = server.url + "/token"
        change(&section)
        config.oauth2 = section
        return config
    }

    /// Asks for credentials, and waits for the answer.
    static func ask(_ options: RequestOptions, timeout: Int64 = 600_000) async -> String {
        await withCheckedContinuation { continuation in
            options.ask(CredentialsRequest(userAgent: "me/1", timeout: timeout)) { result in
                switch result {
                case .success(let credentials): continuation.resume(returning: credentials.authorization)
                case .failure(let failure): continuation.resume(returning: failure.description)
                }
            }
        }
    }

    @Test("a token is asked for once with the client's credentials, and sent with every request")
    func credentials() async throws {
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/token") ? Self.token("abc") : HTTPClientTests.ok("fine")
            })
        defer { server.stop() }
        let config = Self.config(server) {
            $0.scopes = ["a", "b c"]
            $0.endpointParameters = [.init(name: "x&", value: "y z"), .init(name: "audience", value: "q")]
        }
        let client = HTTPClient(config, userAgent: "me/1")
        for _ in 0..<3 { _ = try await client.send(ClientRequest(url: server.url + "/page", timeout: 600_000)) }
        let asked = server.requests.filter { $0.startLine.contains("/token") }
        #expect(asked.count == 1)
        #expect(asked.first?.startLine == "POST /token HTTP/1.1")
        #expect(asked.first?.headers["content-type"] == "application/x-www-form-urlencoded")
        #expect(asked.first?.headers["user-agent"] == "me/1")
        // "my+id:s%2F%C3%B6%26", as Go's library sends it.
        #expect(asked.first?.headers["authorization"] == "Basic bXkraWQ6cyUyRiVDMyVCNiUyNg==")
        #expect(
            asked.first.map { String(decoding: $0.body, as: UTF8.self) }
                == "audience=q&grant_type=client_credentials&scope=a+b+c&x%26=y+z")
        let pages = server.requests.filter { $0.startLine.contains("/page") }
        #expect(pages.map { $0.headers["authorization"] } == ["Bearer abc", "Bearer abc", "Bearer abc"])
    }

    @Test("a server that takes the credentials as parameters only is asked so from then on")
    func parameters() async throws {
        let server = try #require(
            RawServer { request in
                request.headers["authorization"] == nil ? Self.token("abc", expires: 60) : Self.answer("", "401 No")
            })
        defer { server.stop() }
        let clock = ManualClock()
        let options = RequestOptions(Self.config(server), clock: clock)
        #expect(await Self.ask(options) == "Bearer abc")
        clock.advance(to: 100_000)
        #expect(await Self.ask(options) == "Bearer abc")
        #expect(server.requests.map { $0.headers["authorization"] != nil } == [true, false, false])
        #expect(
            server.requests.last.map { String(decoding: $0.body, as: UTF8.self) }
                == "client_id=my+id&client_secret=s%2F%C3%B6%26&grant_type=client_credentials")
    }

    @Test("however many ask, one request is under way")
    func crowd() async throws {
        let mayAnswer = Atomic(false)
        let server = try #require(
            RawServer { _ in
                while !mayAnswer.load(ordering: .acquiring) { sched_yield() }
                return Self.token("abc")
            })
        defer { server.stop() }
        let options = RequestOptions(Self.config(server))
        let answers = AsyncStream<String>.makeStream()
        for _ in 0..<500 {
            options.ask(CredentialsRequest(userAgent: "", timeout: 600_000)) { result in
                answers.continuation.yield((try? result.get().authorization) ?? "none")
            }
        }
        #expect(options.readyCredentials == nil)
        mayAnswer.store(true, ordering: .releasing)
        var count = 0
        for await answer in answers.stream {
            #expect(answer == "Bearer abc")
            count += 1
            if count == 500 { break }
        }
        #expect(server.requestCount == 1)
        #expect(options.readyCredentials?.authorization == "Bearer abc")
    }

    @Test("a token is kept until ten seconds before it expires, on either clock")
    func expiry() async throws {
        let count = Atomic(0)
        let server = try #require(
            RawServer { _ in Self.token("t\(count.add(1, ordering: .relaxed).newValue)", expires: 60) })
        defer { server.stop() }
        let clock = ManualClock(now: 1_000_000)
        let options = RequestOptions(Self.config(server), clock: clock)
        #expect(await Self.ask(options) == "Bearer t1")
        // Nothing is left of the wait.
        #expect(clock.nextDeadline == nil)
        clock.advance(to: 1_049_999)
        #expect(await Self.ask(options) == "Bearer t1")
        clock.advance(to: 1_050_000)
        #expect(options.readyCredentials == nil)
        #expect(await Self.ask(options) == "Bearer t2")
        // A clock that is set back makes no token last longer.
        clock.set(by: -500_000)
        #expect(await Self.ask(options) == "Bearer t2")
        clock.advance(to: 600_000)
        #expect(await Self.ask(options) == "Bearer t3")
        clock.set(by: 50_000)
        #expect(await Self.ask(options) == "Bearer t4")
    }

    @Test(
        "lifetimes of all kinds are read",
        arguments: [
            ("\"expires_in\":\"60\"", false), ("\"expires_in\":60.5", false), ("\"expires_in\":1e300", true),
            ("\"expires_in\":99999999999999999999", true), ("\"expires_in\":-9223372036854775808", false),
            ("\"expires_in\":-1e300", false), ("\"expires_in\":null", true), ("\"expires_in\":0", true),
            ("\"x\":1", true),
            ("\"expires_in\":10", false),
        ])
    func lifetimes(_ member: String, _ lasts: Bool) async throws {
        let server = try #require(RawServer { _ in Self.answer("{\"access_token\":\"t\",\(member)}") })
        defer { server.stop() }
        let clock = ManualClock()
        let options = RequestOptions(Self.config(server), clock: clock)
        #expect(await Self.ask(options) == "Bearer t")
        clock.advance(to: 50_000)
        #expect((options.readyCredentials != nil) == lasts)
    }

    @Test(
        "what a server says wrong is told in the words of Go's library",
        arguments: [
            (
                "401 Unauthorized", "text/html", "<html>",
                "oauth2: cannot fetch token: 401 Unauthorized\nResponse: <html>"
            ),
            ("401 Unauthorized", "text/plain", "no", "oauth2: cannot fetch token: 401 Unauthorized\nResponse: no"),
            ("401 Unauthorized", "application/json", "{\"error\":\"invalid_client\"}", "oauth2: \"invalid_client\""),
            (
                "200 OK", "application/json; charset=utf-8",
                "{\"error\":\"a\\\"b\",\"error_description\":\"why\",\"error_uri\":\"http://h\"}",
                "oauth2: \"a\\\"b\" \"why\" \"http://h\""
            ),
            (
                "400 Bad Request", "application/x-www-form-urlencoded", "error=invalid_scope&error_description=no+such",
                "oauth2: \"invalid_scope\" \"no such\""
            ),
            ("200 OK", "application/json", "{}", "oauth2: server response missing access_token"),
            ("200 OK", "application/json", "null", "oauth2: server response missing access_token"),
            ("200 OK", "text/plain", "access_token=", "oauth2: server response missing access_token"),
            (
                "200 OK", "text/html", "<html>", "oauth2: cannot parse json: 1:1: unexpected '<', expected a value"
            ),
            (
                "200 OK", "application/json", "[1]",
                "oauth2: cannot parse json: json: cannot unmarshal array into Go value of type internal.tokenJSON"
            ),
            (
                "200 OK", "application/json", "{\"access_token\":5}",
                "oauth2: cannot parse json: json: cannot unmarshal number into Go struct field "
                    + "tokenJSON.access_token of type string"
            ),
            (
                "200 OK", "application/json", "{\"access_token\":\"a\\nb\"}",
                "net/http: invalid header field value for \"Authorization\""
            ),
            (
                "500 Oh", "text/html", String(repeating: "x", count: 5000),
                "oauth2: cannot fetch token: 500 Oh\nResponse: " + String(repeating: "x", count: 1024)
            ),
        ])
    func mistakes(_ status: String, _ type: String, _ body: String, _ message: String) async throws {
        let server = try #require(RawServer { _ in Self.answer(body, status, type: type) })
        defer { server.stop() }
        #expect(await Self.ask(RequestOptions(Self.config(server))) == message)
        // Both styles were tried.
        #expect(server.requestCount == 2)
    }

    @Test(
        "types of tokens are written as Go's library writes them",
        arguments: [("", "Bearer"), ("bearer", "Bearer"), ("MAC", "MAC"), ("BASIC", "Basic"), ("DPoP", "DPoP")])
    func types(_ type: String, _ shown: String) async throws {
        let server = try #require(
            RawServer { _ in
                Self.answer("access_token=t&token_type=\(type)", type: "application/x-www-form-urlencoded")
            })
        defer { server.stop() }
        #expect(await Self.ask(RequestOptions(Self.config(server))) == shown + " t")
    }

    @Test("a request that fails names itself and the token server; no token is asked of nobody")
    func nobody() async throws {
        let server = try #require(RawServer { _ in .hang })
        defer { server.stop() }
        var config = Self.config(server) { $0.tokenURL = "http://u:secret@127.0.0.1:1/t" }
        let error = await #expect(throws: HTTPClientError.self) {
            _ = try await HTTPClient(config).send(ClientRequest(url: server.url, timeout: 600_000))
        }
        #expect(
            error?.description == "Get \"\(server.url)\": Post \"http://u:xxxxx@127.0.0.1:1/t\": "
                + "dial tcp 127.0.0.1:1: connect: connection refused")
        config = Self.config(server) { $0.tokenURL = "nonsense" }
        #expect(
            await Self.ask(RequestOptions(config)) == "Post \"nonsense\": unsupported protocol scheme \"\"")
        config = Self.config(server) {
            $0.scopes = ["a"]
            $0.endpointParameters = [.init(name: "scope", value: "b")]
        }
        #expect(await Self.ask(RequestOptions(config)) == "oauth2: cannot overwrite parameter \"scope\"")
        #expect(server.requestCount == 0)
    }

    @Test("answers of more than 1 MiB are refused, compressed ones too")
    func huge() async throws {
        let page = Array(repeating: UInt8(ascii: " "), count: 1 << 20) + Array("{\"access_token\":\"t\"}".utf8)
        let packed = try Gzip.compress(page)
        let server = try #require(
            RawServer { request in
                let isPacked = request.startLine.contains("packed")
                let body = isPacked ? packed : page
                let coding = isPacked ? "Content-Encoding: gzip\r\n" : ""
                let head = "HTTP/1.1 200 OK\r\n\(coding)Content-Length: \(body.count)\r\n\r\n"
                return .sendAndClose(Array(head.utf8) + body)
            })
        defer { server.stop() }
        let message = "oauth2: cannot fetch token: body size limit exceeded"
        #expect(await Self.ask(RequestOptions(Self.config(server))) == message)
        let options = RequestOptions(Self.config(server) { $0.tokenURL = server.url + "/packed" })
        #expect(await Self.ask(options) == message)
    }

    @Test("who waits for a slow server gives up at its own deadline, or when it is cancelled")
    func slow() async throws {
        let server = try #require(RawServer { _ in .hang })
        defer { server.stop() }
        let clock = ManualClock()
        let options = RequestOptions(Self.config(server), clock: clock)
        async let short = Self.ask(options, timeout: 1000)
        await clock.waitForSleeper(until: 1000)
        async let long = Self.ask(options, timeout: 5000)
        await clock.waitForSleeper(until: 5000)
        clock.advance(to: 1000)
        #expect(await short == "context deadline exceeded")
        #expect(clock.nextDeadline == 5000)
        clock.advance(to: 5000)
        #expect(await long == "context deadline exceeded")

        let client = HTTPClient(Self.config(server))
        let before = server.requestCount
        let sending = Task { try await client.send(ClientRequest(url: server.url, timeout: 600_000)) }
        while server.requestCount == before { await Task.yield() }
        sending.cancel()
        let error = await #expect(throws: HTTPClientError.self) { try await sending.value }
        #expect(error?.kind == .cancelled)
    }

    @Test("the credentials go to no other host, whatever the token server says")
    func redirects() async throws {
        let other = try #require(RawServer { _ in Self.token("stolen") })
        defer { other.stop() }
        let otherURL = other.url
        let server = try #require(
            RawServer { request in
                if request.startLine.contains("/new") { return Self.token("moved") }
                let isOther = request.startLine.contains("/other")
                return .text(
                    "HTTP/1.1 307 Go\r\nLocation: \(isOther ? otherURL : "/new")\r\nContent-Length: 0\r\n\r\n")
            })
        defer { server.stop() }
        let options = RequestOptions(Self.config(server) { $0.tokenURL = server.url + "/other" })
        #expect(
            await Self.ask(options)
                == "Post \"\(server.url)/other\": redirect to another host: \"127.0.0.1:\(other.port)\"")
        #expect(other.requestCount == 0)
        #expect(await Self.ask(RequestOptions(Self.config(server))) == "Bearer moved")
        #expect(server.requests.last?.headers["authorization"] != nil)
    }

    @Test("a token goes to no other host, and stands above a user in the URL")
    func tokens() async throws {
        let other = try #require(RawServer { _ in HTTPClientTests.ok("other") })
        defer { other.stop() }
        let otherURL = other.url
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/token")
                    ? Self.token("abc") : .text("HTTP/1.1 302 Go\r\nLocation: \(otherURL)\r\nContent-Length: 0\r\n\r\n")
            })
        defer { server.stop() }
        let url = "http://u:p@127.0.0.1:\(server.port)/page"
        #expect(
            try await HTTPClient(Self.config(server)).send(ClientRequest(url: url, timeout: 600_000)).body
                == Array("other".utf8))
        #expect(server.requests.last?.headers["authorization"] == "Bearer abc")
        #expect(other.requests.map { $0.headers["authorization"] } == [nil])
    }

    @Test("a secret's file is read again, and a changed secret gets a token of its own")
    func secretFile() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/secret"
        func write(_ text: String) throws { try RealFileSystem().replace(path, with: Array(text.utf8)) }
        let server = try #require(
            RawServer { request in
                let body = String(decoding: request.body, as: UTF8.self)
                if body.contains("client_secret=one") { return Self.token("first") }
                return body.contains("client_secret=two") ? Self.token("second") : Self.answer("", "401 No")
            })
        defer { server.stop() }
        let options = RequestOptions(
            Self.config(server) {
                $0.clientSecret = ""
                $0.clientSecretFile = path
            })
        try write("one\n")
        #expect(await Self.ask(options) == "Bearer first")
        #expect(await Self.ask(options) == "Bearer first")
        #expect(server.requestCount == 2)
        try write(" two")
        #expect(await Self.ask(options) == "Bearer second")
        #expect(server.requestCount == 3)
        unlink(path)
        #expect(
            await Self.ask(options)
                == "unable to read oauth2 client secret: unable to read file \(path): open: no such file or directory")
        let failure = #expect(throws: TransferFailure.self) { try RequestOptions.checkFiles(options.config) }
        #expect(failure?.description.hasPrefix("unable to read client_secret_file") == true)
    }
}
