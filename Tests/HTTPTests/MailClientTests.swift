import Config
import TestSupport
import Testing

@testable import HTTP

@Suite("Mail client")
struct MailClientTests {
    private static func request(_ server: SMTPStub) -> MailRequest {
        var request = MailRequest(host: "127.0.0.1", port: "\(server.port)")
        request.requiresTLS = false
        request.sender = "am@x.example"
        request.recipients = ["a@x.example", "b@x.example"]
        request.message = Array("Subject: S\r\n\r\nline\r\n.dot\r\n..\r\n".utf8)
        return request
    }

    /// The failure of a request; nil if it succeeds.
    private static func failure(_ request: MailRequest) async -> TransferFailure? {
        do throws(TransferFailure) {
            try await MailClient().send(request)
            return nil
        } catch {
            return error
        }
    }

    private static func server(_ extensions: [String], _ replies: [(String, String)] = []) throws -> SMTPStub {
        var behaviour = SMTPStub.Behaviour()
        behaviour.extensions = extensions
        behaviour.replies = replies.map { (command: $0.0, reply: $0.1) }
        return try #require(SMTPStub(behaviour))
    }

    @Test("a mail is a conversation from EHLO to QUIT, with its dots")
    func plain() async throws {
        let server = try Self.server(["AUTH PLAIN LOGIN CRAM-MD5", "8BITMIME"])
        defer { server.stop() }
        var request = Self.request(server)
        request.user = MailRequest.User(name: "u", password: "p")
        #expect(await Self.failure(request) == nil)
        let conversation = try #require(await server.conversations(after: 1).first)
        #expect(
            conversation.lines == [
                "EHLO localhost", "AUTH PLAIN AHUAcA==", "MAIL FROM:<am@x.example>", "RCPT TO:<a@x.example>",
                "RCPT TO:<b@x.example>", "DATA", "QUIT",
            ])
        #expect(conversation.message == "Subject: S\r\n\r\nline\r\n.dot\r\n..")
    }

    @Test("the greeting has the configured name, the identity is that of PLAIN")
    func hello() async throws {
        let server = try Self.server(["AUTH PLAIN"])
        defer { server.stop() }
        var request = Self.request(server)
        request.hello = "mx.example/a b"
        request.user = MailRequest.User(name: "u", identity: "i", password: "p")
        #expect(await Self.failure(request) == nil)
        let lines = try #require(await server.conversations(after: 1).first?.lines)
        #expect(lines.first == "EHLO mx.example/a b")
        #expect(lines.dropFirst().first == "AUTH PLAIN " + Base64.encode(Array("i\0u\0p".utf8)))
    }

    @Test(
        "the mechanism is one that the server and the credentials have",
        arguments: [
            ("AUTH LOGIN", "p", "", ["AUTH LOGIN dQ==", "cA=="]),
            ("AUTH PLAIN CRAM-MD5", "", "s", ["AUTH CRAM-MD5", "dSA3OTk4M2RkYTUwZmQ0YmIyODNlOGQ0OWVkNmQwYmE2Nw=="]),
            ("AUTH LOGIN", "p", "s", ["AUTH LOGIN dQ==", "cA=="]),
            ("8BITMIME", "p", "s", []),
            ("8BITMIME", "", "", []),
        ])
    func mechanism(_ offered: String, _ password: String, _ secret: String, _ expected: [String]) async throws {
        let server = try Self.server([offered])
        defer { server.stop() }
        var request = Self.request(server)
        request.user = MailRequest.User(name: "u", password: password, secret: secret)
        #expect(await Self.failure(request) == nil)
        let count = offered == "AUTH LOGIN" && !secret.isEmpty ? 2 : 1
        let lines = try #require(
            await server.conversations(after: count).map(\.lines).first { lines in
                lines.contains { $0.hasPrefix("MAIL") }
            })
        let shown = lines.dropFirst().prefix { !$0.hasPrefix("MAIL") }
        if secret.isEmpty || !password.isEmpty {
            #expect(Array(shown) == expected)
        } else {
            #expect(shown.first == expected.first)
            #expect(shown.count == 2)
        }
    }

    @Test("a user without password is an error if the server asks for one")
    func missing() async throws {
        let server = try Self.server(["AUTH PLAIN LOGIN EXTERNAL"])
        defer { server.stop() }
        var request = Self.request(server)
        request.user = MailRequest.User(name: "u")
        #expect(
            await Self.failure(request)?.description
                == "missing password or secret for the auth mechanisms of the server")
    }

    @Test("PLAIN is only for TLS and this machine")
    func unsafe() {
        let user = MailRequest.User(name: "u", password: "p", secret: "s")
        func choices(_ host: String, tls: Bool = false, implicit: Bool = false) -> [MailTransfer.Authentication] {
            var request = MailRequest(host: host, port: "25")
            request.requiresTLS = tls
            request.startsWithTLS = implicit
            return MailTransfer.Authentication.choices(user, request)
        }
        let safe: [MailTransfer.Authentication] = [.secret, .password(mechanisms: ["PLAIN", "LOGIN"])]
        #expect(choices("localhost") == safe)
        #expect(choices("mx.example", tls: true) == safe)
        #expect(choices("mx.example", implicit: true) == safe)
        #expect(choices("mx.example") == [.secret, .password(mechanisms: ["LOGIN"])])
    }

    @Test("a server without STARTTLS gets nothing if TLS is required")
    func requiredTLS() async throws {
        let server = try Self.server(["AUTH PLAIN"])
        defer { server.stop() }
        var request = Self.request(server)
        request.requiresTLS = true
        request.user = MailRequest.User(name: "u", password: "p")
        #expect(
            await Self.failure(request)?.description
                == "'require_tls' is true (default) but \"127.0.0.1:\(server.port)\" does not advertise the STARTTLS extension"
        )
        #expect(
            await server.conversations(after: 1).allSatisfy {
                !$0.lines.contains { $0.hasPrefix("AUTH") || $0.hasPrefix("MAIL") }
            })
    }

    @Test(
        "what a server refuses is an error with its words, except where they may repeat a secret",
        arguments: [
            ("MAIL", "550 no sender", "550 no sender"), ("RCPT TO:<b", "550 no such user", "550 no such user"),
            ("DATA", "452 full", "452 full"), ("AUTH", "535 bad AHUAcA==", "auth: the server answers 535"),
        ])
    func refusal(_ command: String, _ reply: String, _ shown: String) async throws {
        let server = try Self.server(["AUTH PLAIN"], [(command, reply)])
        defer { server.stop() }
        var request = Self.request(server)
        request.user = MailRequest.User(name: "u", password: "p")
        let text = try #require(await Self.failure(request)?.description)
        #expect(text.contains(shown))
        #expect(!text.contains("AHUAcA"))
        #expect(await server.conversations(after: 1).allSatisfy { $0.message.isEmpty })
    }

    @Test("no address can add commands", arguments: ["a@x>\r\nRCPT TO:<b@x", "a b@x", "a@x\n", "<a@x>"])
    func injection(_ address: String) async throws {
        let server = try Self.server([])
        defer { server.stop() }
        var recipient = Self.request(server)
        recipient.recipients = ["ok@x", address]
        var sender = Self.request(server)
        sender.sender = address
        for request in [recipient, sender] {
            #expect(await Self.failure(request)?.kind == .setup)
        }
        #expect(server.connectionCount == 0)
    }

    @Test("a server that does not answer is given up at the end of the time, or when the task is cancelled")
    func hanging() async throws {
        var behaviour = SMTPStub.Behaviour()
        behaviour.hangs = true
        let server = try #require(SMTPStub(behaviour))
        defer { server.stop() }
        var request = Self.request(server)
        request.timeout = 200
        #expect(await Self.failure(request)?.kind == .timeout)
        request.timeout = 600_000
        let late = request
        let task = Task { await Self.failure(late) }
        while server.connectionCount < 2 { await Task.yield() }
        task.cancel()
        #expect(await task.value?.kind == .cancelled)
    }

    @Test("a port without a server is an error with the reason")
    func nobody() async {
        var request = MailRequest(host: "127.0.0.1", port: "\(LoopbackSocket.freePort())")
        request.sender = "a@x"
        request.recipients = ["b@x"]
        let failure = await Self.failure(request)
        #expect(failure?.kind == .network)
        #expect(failure?.description.isEmpty == false)
    }

    @Test("a certificate that is missing is an error, and not another check")
    func certificates() async throws {
        let server = try Self.server([])
        defer { server.stop() }
        var tls = TLSClientConfig()
        tls.caFile = "/nonexistent/ca"
        let request = Self.request(server)
        do throws(TransferFailure) {
            try await MailClient(tls).send(request)
            Issue.record("the mail was sent")
        } catch {
            #expect(error.kind == .setup)
        }
        #expect(server.connectionCount == 0)
    }
}
