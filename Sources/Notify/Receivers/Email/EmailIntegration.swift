import Config
import GoCompatibility
import Glibc
import HTTP
import Model

/// Sends mails: with SMTP, or with a function in tests.
package protocol MailTransport: Sendable {
    /// Sends the mail. Throws if the server has not accepted it.
    func send(_ request: MailRequest) async throws
}

/// Sends mails with SMTP and the settings of a `tls_config`.
package final class SMTPTransport: MailTransport {
    private let client: MailClient

    package init(_ tls: TLSClientConfig) { client = MailClient(tls) }

    package func send(_ request: MailRequest) async throws { try await client.send(request) }
}

/// Sends notifications as mails.
package struct EmailIntegration: Integration {
    package static let kind = IntegrationKind.email
    private let config: EmailConfig
    private let transport: any MailTransport

    package init(_ config: EmailConfig, _ transport: any MailTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        guard let server = GoURL.splitHostPort(config.smarthost) else {
            return .refused("invalid smarthost \(GoQuote.quote(config.smarthost))")
        }
        var request = MailRequest(host: server.host, port: server.port)
        request.startsWithTLS = config.forceImplicitTLS ?? (server.port == "465")
        request.requiresTLS = config.requireTLS
        request.hello = config.hello
        request.user = try await user(context)
        do {
            let senders = try MailAddresses.parse(try message.text(config.from))
            guard let sender = senders.first, senders.count == 1 else {
                return .refused("must be exactly one 'from' address (got: \(senders.count))")
            }
            request.sender = sender
            request.recipients = try MailAddresses.parse(try message.text(config.to))
            request.message = try mail(message, now: context.wallTime).bytes()
        } catch let problem as MailAddresses.Problem {
            return .refused("parse addresses: \(problem)")
        } catch let problem as MailMessage.Problem {
            return .refused(problem.description)
        }
        try await context.send(request, by: transport)
        return .accepted
    }

    private func user(_ context: AttemptContext) async throws -> MailRequest.User? {
        guard !config.authUsername.isEmpty else { return nil }
        return MailRequest.User(
            name: config.authUsername, identity: config.authIdentity,
            password: try await context.secret(config.authPassword, "auth_password_file"),
            secret: try await context.secret(config.authSecret, "auth_secret_file"))
    }

    private func mail(_ message: ReceiverMessage, now: Int64) throws -> MailMessage {
        var random = SystemRandomNumberGenerator()
        let time = MailTime(now)
        let boundary = (0..<4).map { _ in (random.next() as UInt64).zeroPadded(16, radix: 16) }.joined()
        var mail = MailMessage(boundary: boundary, date: time.header)
        for header in config.headers { mail.headers.append((header.name, try message.text(header.value))) }
        if !mail.headers.contains(where: { $0.name == "Message-Id" }) {
            let id = "<\(now &* 1_000_000).\(random.next() as UInt64)@\(Self.hostName)>"
            mail.headers.append(("Message-Id", id))
        }
        if let threading = config.threading {
            let day = threading == .daily ? time.day : ""
            // All mails of the group, and of the day, answer one that was never sent.
            let parent = "<alert-\(message.groupKeyHash.prefix(16))-\(day)@alertmanager>"
            mail.headers += [("References", parent), ("In-Reply-To", parent)]
        }
        if !config.text.isEmpty { mail.text = try message.text(config.text) }
        if !config.html.isEmpty { mail.html = try message.html(config.html) }
        return mail
    }

    /// The name of this machine, as far as it can be a part of an identifier.
    private static let hostName: String = {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        let allowed = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            .filter { $0 > 0x20 && $0 < 0x7F && !"<>@()[]\\,;:\"".utf8.contains($0) }
        return allowed.isEmpty ? "localhost" : String(decoding: allowed, as: UTF8.self)
    }()
}

/// A moment in the machine's time zone, as mails have it.
struct MailTime {
    /// The value of a `Date` header.
    let header: String
    /// `2006-01-02`.
    let day: String

    /// - Parameter milliseconds: Those since the epoch.
    init(_ milliseconds: Int64) {
        var seconds = time_t(CivilTime.floorDivide(milliseconds, 1000))
        var parts = tm()
        localtime_r(&seconds, &parts)
        // The program does not set a locale, so that the names are English.
        header = Self.text(&parts, "%a, %d %b %Y %H:%M:%S %z")
        day = Self.text(&parts, "%Y-%m-%d")
    }

    private static func text(_ parts: inout tm, _ format: String) -> String {
        var out = [CChar](repeating: 0, count: 128)
        let count = strftime(&out, out.count, format, &parts)
        return String(decoding: out.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
