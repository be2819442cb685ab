import Config
import GoCompatibility
import Platform

/// A mail for a server, and the way to it.
package struct MailRequest: Sendable {
    /// The credentials of a user.
    package struct User: Sendable {
        package var name: String
        /// The identity for PLAIN; empty for the user's own.
        package var identity: String
        /// The password for PLAIN and LOGIN.
        package var password: String
        /// The secret for CRAM-MD5.
        package var secret: String

        package init(name: String, identity: String = "", password: String = "", secret: String = "") {
            self.name = name
            self.identity = identity
            self.password = password
            self.secret = secret
        }
    }

    package var host: String
    package var port: String
    /// Whether the connection begins with TLS.
    package var startsWithTLS = false
    /// Whether a connection that begins without TLS must change to it.
    package var requiresTLS = true
    /// The client's name in its greeting; `localhost` if it is empty.
    package var hello = ""
    /// Nil for none; only used if the server offers authentication.
    package var user: User?
    package var sender = ""
    package var recipients: [String] = []
    /// Headers and body with CRLF.
    package var message: [UInt8] = []
    /// Milliseconds.
    package var timeout: Int64 = 30_000

    package init(host: String, port: String) {
        self.host = host
        self.port = port
    }

    /// Whether the server is this machine, so that a password without TLS stays on it.
    var isLocal: Bool { ["localhost", "127.0.0.1", "::1"].contains(host) }
}

/// Sends mails with SMTP: a connection for each.
package final class MailClient: Sendable {
    /// The most mails at once; others wait in order.
    private static let most = 4

    private let tls: TLSClientConfig
    private let files: TLSFileReader
    private let places = FairPlaces(most)

    package init(_ tls: TLSClientConfig = TLSClientConfig()) {
        self.tls = tls
        files = TLSFileReader(tls)
    }

    /// Sends a mail.
    ///
    /// The calling task waits without blocking a thread; if it is cancelled, the connection is closed.
    package func send(_ request: MailRequest) async throws(TransferFailure) {
        let certificates = try await files.read()
        var conversations = [MailTransfer.Authentication.none]
        if let user = request.user { conversations = MailTransfer.Authentication.choices(user, request) }
        for (index, authentication) in conversations.enumerated() {
            guard let end = try await converse(request, authentication, certificates) else { return }
            // Only then the next mechanism has a chance.
            if end.isWithoutMechanism, index + 1 < conversations.count { continue }
            throw end.failure
        }
    }

    private func converse(
        _ request: MailRequest, _ authentication: MailTransfer.Authentication, _ certificates: TLSFiles
    ) async throws(TransferFailure) -> MailTransfer.End? {
        guard await places.enter() else { throw TransferFailure(.cancelled, "context canceled") }
        guard let transfer = MailTransfer(request, authentication) else {
            places.leave()
            throw TransferFailure(.setup, "libcurl does not start")
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                BlockingCall.start { [self] in
                    continuation.resume(returning: transfer.run(tls, certificates))
                    // The sender need not wait for the end of the connection.
                    transfer.close()
                    places.leave()
                }
            }
        } onCancel: {
            transfer.cancel()
        }
    }
}
