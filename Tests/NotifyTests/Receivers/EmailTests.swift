import Config
import Foundation
import HTTP
import Model
import TestSupport
import Testing

@testable import Notify

@Suite("Email")
struct EmailTests {
    private static let base = "to: 'A <a@x.example>, b@x.example', from: am@x.example, smarthost: 'localhost:25'"

    private static func mail(
        _ more: String, _ alerts: [NotificationData.Item] = ReceiverCases.firing, global: String = "{}"
    ) async throws -> MailRequest {
        let transport = RecordingReceiver()
        let config = try #require(try ReceiverCases.config("email", "{\(base)\(more)}", global: global).emails.first)
        let integration = EmailIntegration(config, transport)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message(alerts)) == .accepted)
        return try #require(transport.mails.first)
    }

    private static func refusal(_ entry: String) async throws -> Verdict {
        let transport = RecordingReceiver()
        let config = try #require(try ReceiverCases.config("email", entry).emails.first)
        let verdict = try await ReceiverCases.attempt(EmailIntegration(config, transport), ReceiverCases.message())
        #expect(transport.mails.isEmpty)
        return verdict
    }

    /// A mail in its parts: headers, and of each part its headers and text.
    private struct Parts {
        var headers: [(name: String, value: String)] = []
        var parts: [(headers: [String], text: String)] = []

        init(_ request: MailRequest) throws {
            let text = String(decoding: request.message, as: UTF8.self)
            let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init)
            #expect(!text.replacing("\r\n", with: "").contains { $0 == "\r" || $0 == "\n" || $0 == "\r\n" })
            let end = try #require(lines.firstIndex(of: ""))
            for line in lines[..<end] {
                if line.hasPrefix(" "), let last = headers.indices.last {
                    headers[last].value += "\r\n" + line
                } else {
                    let colon = try #require(line.firstIndex(of: ":"))
                    headers.append((String(line[..<colon]), String(line[colon...].dropFirst(2))))
                }
            }
            let type = try #require(headers.first { $0.name == "Content-Type" }?.value)
            let prefix = "multipart/alternative;  boundary="
            #expect(type.hasPrefix(prefix))
            let boundary = "--" + type.dropFirst(prefix.count)
            let body = lines[(end + 1)...].joined(separator: "\r\n")
            let pieces = body.components(separatedBy: boundary)
            #expect(pieces.first == "")
            #expect(pieces.last == "--\r\n")
            for piece in pieces.dropFirst().dropLast() {
                let halves = piece.components(separatedBy: "\r\n\r\n")
                let text = halves.dropFirst().joined(separator: "\r\n\r\n")
                parts.append((halves[0].components(separatedBy: "\r\n").filter { !$0.isEmpty }, text))
            }
        }

        subscript(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }
    }

    @Test("a mail has its headers and both parts")
    func parts() async throws {
        let request = try await Self.mail(
            ", text: 'plain {{ .Status }} é', html: '<b>{{ .Status }}</b>', headers: {subject: 'S é {{ .Status }}', X-a: y}"
        )
        #expect(request.sender == "am@x.example")
        #expect(request.recipients == ["a@x.example", "b@x.example"])
        let mail = try Parts(request)
        #expect(mail["Subject"] == ["=?utf-8?q?S_=C3=A9_firing?="])
        #expect(mail["To"] == ["A <a@x.example>, b@x.example"])
        #expect(mail["From"] == ["am@x.example"])
        #expect(mail["X-A"] == ["y"])
        #expect(mail["Mime-Version"] + mail["MIME-Version"] == ["1.0"])
        #expect(mail["References"] == [])
        #expect(mail["Date"] == [MailTime(ReceiverCases.time).header])
        let id = try #require(mail["Message-Id"].first)
        #expect(id.hasPrefix("<1795945933000000000."))
        #expect(id.hasSuffix(">"))
        #expect(mail.parts.map(\.text) == ["plain firing =C3=A9\r\n", "<b>firing</b>\r\n"])
        #expect(
            mail.parts.map(\.headers) == [
                ["Content-Transfer-Encoding: quoted-printable", "Content-Type: text/plain; charset=UTF-8"],
                ["Content-Transfer-Encoding: quoted-printable", "Content-Type: text/html; charset=UTF-8"],
            ])
    }

    @Test("the default mail is a page only, with the usual subject")
    func standard() async throws {
        let mail = try Parts(try await Self.mail(""))
        #expect(mail["Subject"] == ["[FIRING:2] Down (critical)"])
        #expect(mail.parts.count == 1)
        #expect(mail.parts.first?.headers.last == "Content-Type: text/html; charset=UTF-8")
        #expect(mail.parts.first?.text.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 } == true)
        #expect(try Parts(try await Self.mail(", html: ''")).parts.isEmpty)
    }

    @Test("an own identifier stays; threads refer to the group, and to the day")
    func threads() async throws {
        let own = try Parts(try await Self.mail(", headers: {message-id: '<own@x>'}"))
        #expect(own["Message-Id"] == ["<own@x>"])
        let start = "<alert-\(ReceiverCases.hash.prefix(16))-"
        for (kind, rest) in [("none", ""), ("daily", MailTime(ReceiverCases.time).day)] {
            let mail = try Parts(try await Self.mail(", threading: {enabled: true, thread_by_date: \(kind)}"))
            #expect(mail["References"] == ["\(start)\(rest)@alertmanager>"])
            #expect(mail["In-Reply-To"] == mail["References"])
        }
    }

    @Test("times are those of the machine's zone, in English")
    func times() {
        let header = MailTime(ReceiverCases.time).header
        #expect(header.utf8.count == 31)
        #expect(header.hasSuffix("00") || header.hasSuffix("30") || header.hasSuffix("45"))
        #expect(header.contains(" Nov 2026 "))
        #expect(MailTime(ReceiverCases.time).day.hasPrefix("2026-11-"))
    }

    @Test("the way to the server is that of the configuration")
    func connection() async throws {
        let plain = try await Self.mail("")
        #expect(plain.host == "localhost")
        #expect(plain.port == "25")
        #expect(plain.requiresTLS)
        #expect(!plain.startsWithTLS)
        #expect(plain.hello == "localhost")
        #expect(plain.user == nil)
        #expect(plain.timeout == 10_000)
        let other = try await Self.mail(
            ", hello: h, require_tls: false, auth_username: u, auth_identity: i, auth_password: p, auth_secret: s, force_implicit_tls: true"
        )
        #expect(!other.requiresTLS)
        #expect(other.startsWithTLS)
        #expect(other.hello == "h")
        #expect(other.user?.name == "u")
        #expect(other.user?.identity == "i")
        #expect(other.user?.password == "p")
        #expect(other.user?.secret == "s")
    }

    @Test("port 465 begins with TLS, unless the configuration says otherwise")
    func implicit() async throws {
        for (more, expected) in [("", true), (", force_implicit_tls: false", false)] {
            let transport = RecordingReceiver()
            let entry = "{to: a@x, from: b@x, smarthost: '[::1]:465'\(more)}"
            let config = try #require(try ReceiverCases.config("email", entry).emails.first)
            _ = try await ReceiverCases.attempt(EmailIntegration(config, transport), ReceiverCases.message())
            #expect(transport.mails.first?.startsWithTLS == expected)
            #expect(transport.mails.first?.host == "::1")
        }
    }

    @Test("addresses that are none are refused")
    func addresses() async throws {
        let rest = "smarthost: 'h:25', html: '', headers: {Subject: S}"
        #expect(
            try await Self.refusal("{to: a@x, from: 'a@x, b@x', \(rest)}")
                == .refused("must be exactly one 'from' address (got: 2)"))
        for to in ["nobody", "a@x b@x", "a@", "<a@x", "{{ .CommonLabels.none }}"] {
            guard case .refused(let reason) = try await Self.refusal("{to: '\(to)', from: a@x, \(rest)}") else {
                Issue.record("\(to) is accepted")
                continue
            }
            #expect(reason.hasPrefix("parse addresses: mail: "))
        }
    }

    @Test(
        "lists of addresses are read as mail programs do",
        arguments: [
            ("a@x", ["a@x"]), ("A B <a@x>,b@y", ["a@x", "b@y"]), ("\"B, \\\"C\" <b@x.y>", ["b@x.y"]),
            ("a@x (a comment (with another)), , b@y", ["a@x", "b@y"]), ("\"a b\"@x", ["\"a b\"@x"]),
            ("Team: a@x, B <b@y>; , c@z", ["a@x", "b@y", "c@z"]), ("J. Doe <j.d@[1.2.3.4]>", ["j.d@[1.2.3.4]"]),
            ("é <ü@é.example>", ["ü@é.example"]),
        ])
    func lists(_ text: String, _ addresses: [String]) throws {
        #expect(try MailAddresses.parse(text) == addresses)
    }

    @Test("no value can begin another header or a part, and no address another command")
    func injection() async throws {
        let evil = "x\r\nBcc: evil@x\n\rX: y\r\n\r\nbody é"
        let line = String(decoding: try MailMessage.line("Subject", evil), as: UTF8.self)
        #expect(!line.dropLast(2).replacing("\r\n ", with: "").utf8.contains { $0 == 0x0A || $0 == 0x0D })
        #expect(throws: MailMessage.Problem.self) { try MailMessage.line("A: b\r\nC", "v") }
        #expect(throws: MailMessage.Problem.self) { try MailMessage.line("", "v") }
        #expect(throws: MailAddresses.Problem.self) { try MailAddresses.parse("a@x\r\nRCPT TO:<b@y>") }
        var alert = ReceiverCases.alert("a")
        alert.annotations = .init([("summary", evil)])
        let mail = try Parts(
            try await Self.mail(", headers: {Subject: '{{ .CommonAnnotations.summary }}'}", [alert]))
        #expect(mail.headers.map(\.name).filter { $0 == "Bcc" || $0 == "X" } == [])
        #expect(mail.parts.count == 1)
    }

    @Test("encoded words have at most 75 bytes with whole characters")
    func words() throws {
        let text = String(repeating: "é_=? ", count: 60)
        let words = EncodedWords.encode(text).components(separatedBy: "\r\n ")
        #expect(words.count > 5)
        #expect(words.allSatisfy { $0.utf8.count <= 75 && $0.hasPrefix("=?utf-8?q?") && $0.hasSuffix("?=") })
        #expect(words.allSatisfy { !$0.hasSuffix("=C3?=") })
        let plain = words.map { $0.dropFirst(10).dropLast(2) }.joined()
        #expect(plain == String(repeating: "=C3=A9=5F=3D=3F_", count: 60))
    }

    @Test("long headers are folded at blanks, or encoded if they have none")
    func folding() throws {
        let addresses = (0..<200).map { "user\($0)@example.com" }.joined(separator: ", ")
        let folded = String(decoding: try MailMessage.line("To", addresses), as: UTF8.self)
        #expect(folded.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 998 })
        #expect(folded.replacing("\r\n ", with: " ") == "To: \(addresses)\r\n")
        let word = String(decoding: try MailMessage.line("X", String(repeating: "w", count: 2000)), as: UTF8.self)
        #expect(word.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 80 })
    }

    @Test(
        "quoted-printable keeps lines short and blanks at their ends",
        arguments: [
            ("a\nb\r\nc\rd", "a\r\nb\r\nc\r\nd"), ("a=é\t x", "a=3D=C3=A9\t x"), ("end \nnext\t", "end=20\r\nnext=09"),
            ("\u{1}", "=01"),
        ])
    func quotedPrintable(_ text: String, _ encoded: String) {
        #expect(String(decoding: QuotedPrintable.encode(text), as: UTF8.self) == encoded)
    }

    @Test("quoted-printable can be decoded again")
    func decoding() {
        let text = String(repeating: "é =x", count: 300) + "\r\n" + String(repeating: "y", count: 76) + "\r\nz"
        let encoded = String(decoding: QuotedPrintable.encode(text), as: UTF8.self)
        #expect(encoded.components(separatedBy: "\r\n").allSatisfy { $0.utf8.count <= 76 })
        #expect(encoded.contains("\r\n" + String(repeating: "y", count: 76) + "\r\n"))
        var bytes: [UInt8] = []
        var rest = Array(encoded.replacing("=\r\n", with: "").utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            bytes.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        }
        #expect(String(decoding: bytes, as: UTF8.self) == text)
    }

    @Test("a server that does not accept the mail is tried again, without the password in the error")
    func failures() async throws {
        let config = try #require(
            try ReceiverCases.config("email", "{\(Self.base), auth_username: u, auth_password: no route}").emails.first)
        let verdict = try await ReceiverCases.attempt(
            EmailIntegration(config, RecordingReceiver { _ in nil }), ReceiverCases.message())
        #expect(verdict == .retry("<redacted> to host"))
    }

    @Test("a mail reaches a server")
    func delivered() async throws {
        var behaviour = SMTPStub.Behaviour()
        behaviour.extensions = ["AUTH PLAIN LOGIN CRAM-MD5", "8BITMIME"]
        let server = try #require(SMTPStub(behaviour))
        defer { server.stop() }
        let entry = """
            {to: 'A <a@x.example>, b@x.example', from: am@x.example, smarthost: 'localhost:\(server.port)',
            require_tls: false, auth_username: u, auth_password: p, text: "a\\n.\\nb", html: '<i>{{ .Status }}</i>'}
            """
        let config = try #require(try ReceiverCases.config("email", entry).emails.first)
        let integration = EmailIntegration(config, SMTPTransport(config.tls))
        let context = AttemptContext(clock: ManualClock(now: ReceiverCases.time), deadline: .max)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message(), context) == .accepted)
        let conversation = try #require(await server.conversations(after: 1).first)
        #expect(
            conversation.lines == [
                "EHLO localhost", "AUTH PLAIN AHUAcA==", "MAIL FROM:<am@x.example>", "RCPT TO:<a@x.example>",
                "RCPT TO:<b@x.example>", "DATA", "QUIT",
            ])
        #expect(conversation.message.contains("\r\n\r\na\r\n.\r\nb\r\n--"))
        #expect(conversation.message.contains("\r\n\r\n<i>firing</i>\r\n--"))
    }
}
