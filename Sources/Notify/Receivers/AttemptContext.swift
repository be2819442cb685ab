import Config
import GoCompatibility
import HTTP
import Platform
import Synchronization
import Telemetry

/// The surroundings of one attempt: sends its requests until its deadline, and reads its secrets.
package final class AttemptContext: Sendable {
    private let clock: any Clock
    /// ms of the monotonic clock.
    private let deadline: Int64
    private let receiver: String
    private let integration: String
    private let state: Mutex<State>

    private struct State: Sendable {
        var status = 0
        var answer = ""
        var redactor: Redactor
    }

    /// The bytes of an answer that an error shows.
    private static let shownBytes = 512

    /// - Parameters:
    ///   - deadline: ms of the monotonic clock.
    ///   - receiver: For logs, as is the name of the integration.
    ///   - redactor: Knows the secrets of the configuration.
    package init(
        clock: any Clock, deadline: Int64, receiver: String = "", integration: String = "",
        redactor: Redactor = Redactor()
    ) {
        state = Mutex(State(redactor: redactor))
        self.clock = clock
        self.deadline = deadline
        self.receiver = receiver
        self.integration = integration
    }

    /// The status of the last answer; 0 if there was none.
    package var status: Int { state.withLock { $0.status } }

    /// The beginning of the last answer, without secrets; empty if there was none.
    package var answer: String { state.withLock { $0.answer } }

    /// ms of the monotonic clock.
    package var now: Int64 { clock.monotonic() / 1_000_000 }

    /// The time, ms since the epoch.
    package var wallTime: Int64 { clock.now() }

    /// ms until the attempt must be over.
    package var timeLeft: Int64 { max(1, deadline &- now) }

    /// Sends one request, with this program's name and until the attempt's deadline.
    ///
    /// If the delivery is cancelled, an answer within a short time still counts, so that a successful delivery is not
    /// repeated.
    ///
    /// - Throws: A failure to be tried again if there is no answer.
    package func send(
        _ request: ReceiverRequest, by transport: any NotificationTransport
    ) async throws(AttemptFailure) -> ReceiverAnswer {
        var request = request
        request.headers.append(("User-Agent", Self.userAgent))
        request.timeout = timeLeft
        hide(request.url)
        for header in request.headers where header.name.lowercased() == "authorization" {
            hide(String(header.value.drop { $0 != " " }.dropFirst()))
            hide(header.value)
        }
        state.withLock { ($0.status, $0.answer) = (0, "") }
        let result = await finishing { [request] in try await transport.send(request) }
        for secret in transport.secrets { hide(secret) }
        switch result {
        case .success(let answer):
            let shown = shown(answer)
            state.withLock { ($0.status, $0.answer) = (answer.status, shown) }
            return answer
        case .failure(let error as HTTPClientError):
            // The URL of a receiver is often its only secret.
            throw AttemptFailure(.retry(hidingSecrets(in: error.redacted)))
        case .failure(let error):
            throw AttemptFailure(.retry(hidingSecrets(in: "\(error)")))
        }
    }

    /// The result of a call; if the delivery is cancelled, that of the next moments still counts.
    private func finishing<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async -> Result<Value, any Error> {
        let call = Task { try await body() }
        return await withTaskCancellationHandler {
            await call.result
        } onCancel: {
            Task { [clock] in
                try? await clock.sleep(until: clock.now() &+ LastRequests.time)
                call.cancel()
            }
        }
    }

    /// Sends a mail until the attempt's deadline.
    ///
    /// - Throws: A failure to be tried again if the server has not accepted it.
    package func send(_ mail: MailRequest, by transport: any MailTransport) async throws(AttemptFailure) {
        var mail = mail
        mail.timeout = timeLeft
        let result = await finishing { [mail] in try await transport.send(mail) }
        if case .failure(let error) = result {
            throw AttemptFailure(.retry(hidingSecrets(in: "\(error)")))
        }
    }

    /// The value of a secret, which errors and logs do not show from now on.
    ///
    /// Files are read in every attempt, so that they can be changed without a reload.
    ///
    /// - Parameter key: The key of the file in the configuration.
    package func secret(_ source: SecretSource, _ key: String) async throws(AttemptFailure) -> String {
        guard !source.file.isEmpty else {
            hide(source.text)
            return source.text
        }
        let text = try await content(source.file, key)
        hide(text)
        return text
    }

    /// The content of a file without the white space at its ends.
    ///
    /// - Parameter key: The key of the file in the configuration.
    package func content(_ file: String, _ key: String) async throws(AttemptFailure) -> String {
        do throws(ConfigError) {
            return SecretFile.trimmed(try await ConfigFile.content(of: file))
        } catch {
            let reason = "unable to read \(key) \(file): \(error.message)"
            throw AttemptFailure(error.isUnanswered ? .retry(reason) : .refused(reason))
        }
    }

    /// Excludes a text from errors, logs and the ledger; of a URL also its path with the query.
    package func hide(_ secret: String) { state.withLock { $0.redactor.hide(secret) } }

    /// A text without the secrets of this attempt and of the configuration.
    package func hidingSecrets(in text: String) -> String { state.withLock { $0.redactor }.redacted(text) }

    /// The usual meaning of an answer: another attempt for a fault of the server.
    ///
    /// - Parameter retried: Further statuses that are tried again.
    package func verdict(_ answer: ReceiverAnswer, retrying retried: Set<Int> = []) -> Verdict {
        if answer.isSuccess { return .accepted }
        let reason = unexpected(answer)
        return answer.status / 100 == 5 || retried.contains(answer.status) ? .retry(reason) : .refused(reason)
    }

    /// The error of an answer with a wrong status, with the beginning of its body.
    package func unexpected(_ answer: ReceiverAnswer) -> String {
        let reason = "unexpected status code \(answer.status)"
        let detail = shown(answer)
        return detail.isEmpty ? reason : "\(reason): \(detail)"
    }

    /// The beginning of an answer's body, without secrets.
    package func shown(_ answer: ReceiverAnswer) -> String {
        // Secrets are hidden before the text is cut, as a part of a secret would stay.
        ReceiverText.cut(hidingSecrets(in: SecretFile.trimmed(answer.body)), bytes: Self.shownBytes).text
    }

    /// A text of at most `limit` characters for a member of a request; a cut is logged.
    package func cut(_ text: String, _ member: String, characters limit: Int) -> String {
        logged(ReceiverText.cut(text, characters: limit), member, limit)
    }

    /// A text of at most `limit` bytes for a member of a request; a cut is logged.
    package func cut(_ text: String, _ member: String, bytes limit: Int) -> String {
        logged(ReceiverText.cut(text, bytes: limit), member, limit)
    }

    private func logged(_ cut: (text: String, isCut: Bool), _ member: String, _ limit: Int) -> String {
        if cut.isCut {
            Notifier.log.warn(
                "Truncated a text of a notification", about: [receiver, integration, member],
                ["receiver": receiver, "integration": integration, "part": member, "limit": "\(limit)"])
        }
        return cut.text
    }

    /// Receivers that check it expect Alertmanager's name; the number is the version whose behaviour this follows.
    static let userAgent = "Alertmanager/" + ProductVersion.alertmanager
}
