import Config
import Glibc
import Notify
import Platform
import TestSupport
import Testing

@Suite("HTTP transport")
struct HTTPTransportTests {
    static func client(_ httpConfig: String) throws -> HTTPClientConfig {
        let text = """
            route: {receiver: r}
            receivers:
              - name: r
                webhook_configs:
                  - url: http://h
                    http_config: \(httpConfig)
            """
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        return config.receivers.first?.webhooks.first?.client ?? HTTPClientConfig()
    }

    @Test("posts the body with the configured credentials and gives the status")
    func posts() async throws {
        let stub = try #require(HTTPStub { _ in .init(status: 503) })
        defer { stub.stop() }
        let transport = try HTTPTransport(Self.client("{basic_auth: {username: me, password: secret}}"))
        let answer = try await transport.send(
            ReceiverRequest(
                url: "http://127.0.0.1:\(stub.port)/hook",
                headers: [("Content-Type", "application/json"), ("User-Agent", "Alertmanager/1")],
                body: Array("{}".utf8), timeout: 600_000))
        #expect(answer.status == 503)
        let request = try #require(stub.requests.first)
        #expect(request.method == "POST" && request.path == "/hook" && request.body == Array("{}".utf8))
        #expect(request.headers["content-type"] == "application/json")
        #expect(request.headers["user-agent"] == "Alertmanager/1")
        #expect(request.headers["authorization"] == "Basic bWU6c2VjcmV0")
    }

    @Test(
        "of an answer its type and its beginning are read",
        arguments: [(0, 0), (1000, 1000), (ReceiverAnswer.bodyLimit - 1, ReceiverAnswer.bodyLimit - 1), (1 << 20, nil)])
    func answers(_ size: Int, _ read: Int?) async throws {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let stub = try #require(
            HTTPStub { _ in .init(status: 400, headers: ["Content-Type": "a/b"], body: body) })
        defer { stub.stop() }
        let answer = try await HTTPTransport(HTTPClientConfig()).send(
            ReceiverRequest(method: "PUT", url: "http://127.0.0.1:\(stub.port)/", timeout: 600_000))
        #expect(stub.requests.map(\.method) == ["PUT"])
        #expect(answer.status == 400 && answer.contentType == "a/b")
        #expect(answer.body.count < ReceiverAnswer.bodyLimit)
        #expect(answer.body == Array(body.prefix(answer.body.count)))
        #expect(read == nil ? answer.body.count >= 1000 : answer.body.count == read)
    }

    @Test("a long answer that is not wanted is not read")
    func unwanted() async throws {
        let stub = try #require(HTTPStub { _ in .init(body: [UInt8](repeating: 1, count: 1000)) })
        defer { stub.stop() }
        let answer = try await HTTPTransport(HTTPClientConfig()).send(
            ReceiverRequest(
                url: "http://127.0.0.1:\(stub.port)/", timeout: 600_000, readsAnswer: false))
        #expect(answer.status == 200 && answer.body.isEmpty)
    }

    @Test("a secret's file is read for every request")
    func secretFile() async throws {
        let stub = try #require(HTTPStub { _ in .init() })
        defer { stub.stop() }
        let folder = try TemporaryFolder()
        let path = folder.path + "/token"
        try RealFileSystem().replace(path, with: Array("one\n".utf8))
        let transport = try HTTPTransport(Self.client("{authorization: {credentials_file: \(path)}}"))
        let request = ReceiverRequest(
            url: "http://127.0.0.1:\(stub.port)/", headers: [], body: [], timeout: 600_000)
        _ = try await transport.send(request)
        try RealFileSystem().replace(path, with: Array(" two".utf8))
        _ = try await transport.send(request)
        #expect(stub.requests.map { $0.headers["authorization"] } == ["Bearer one", "Bearer two"])
    }

    @Test(
        "a file that is missing refuses the receiver",
        arguments: [
            "{tls_config: {ca_file: /nonexistent}}", "{tls_config: {cert_file: /nonexistent, key_file: /nonexistent}}",
            "{authorization: {credentials_file: /nonexistent}}",
            "{basic_auth: {username: u, password_file: /nonexistent}}",
            "{http_headers: {X: {files: [/nonexistent]}}}",
            "{oauth2: {client_id: a, token_url: 'http://h', client_secret_file: /nonexistent}}",
            "{oauth2: {client_id: a, token_url: 'http://h', tls_config: {ca_file: /nonexistent}}}",
        ])
    func missingFiles(_ config: String) throws {
        let error = #expect(throws: HTTPTransport.Failure.self) { try HTTPTransport(Self.client(config)) }
        #expect(error?.description.hasSuffix("/nonexistent: no such file or directory") == true)
    }

    @Test("a token goes with the notification")
    func token() async throws {
        let server = try #require(
            HTTPStub { _ in .init(contentType: "application/json", text: "{\"access_token\":\"abc\"}") })
        defer { server.stop() }
        let stub = try #require(HTTPStub { _ in .init() })
        defer { stub.stop() }
        let transport = try HTTPTransport(
            Self.client("{oauth2: {client_id: a, token_url: 'http://127.0.0.1:\(server.port)/t'}}"))
        let answer = try await transport.send(
            ReceiverRequest(
                url: "http://127.0.0.1:\(stub.port)/", headers: [("User-Agent", "Alertmanager/1")],
                body: Array("{}".utf8), timeout: 600_000))
        #expect(answer.status == 200)
        #expect(stub.requests.map { $0.headers["authorization"] } == ["Bearer abc"])
        #expect(server.requests.map { $0.headers["user-agent"] } == ["Alertmanager/1"])
    }

    @Test("nobody there is an error")
    func failures() async throws {
        let transport = try HTTPTransport(HTTPClientConfig())
        await #expect(throws: (any Error).self) {
            try await transport.send(
                ReceiverRequest(url: "http://127.0.0.1:1/", headers: [], body: [], timeout: 2000))
        }
    }
}
