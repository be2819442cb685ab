import Config
import HTTP
import JSON
import Model
import Synchronization
import TestSupport
import Testing

@testable import Notify

/// Answers requests of integrations, and keeps them.
final class RecordingReceiver: NotificationTransport, MailTransport {
    struct Unreachable: Error, CustomStringConvertible {
        var description: String { "no route to host" }
    }

    private let state = Mutex((requests: [ReceiverRequest](), mails: [MailRequest]()))
    private let answer: @Sendable (ReceiverRequest) -> ReceiverAnswer?

    /// - Parameter answer: Nil for none.
    init(_ answer: @escaping @Sendable (ReceiverRequest) -> ReceiverAnswer? = { _ in ReceiverAnswer(status: 200) }) {
        self.answer = answer
    }

    /// Answers with a status.
    convenience init(status: Int, _ text: String = "") {
        self.init { _ in ReceiverAnswer(status: status, body: Array(text.utf8)) }
    }

    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        state.withLock { $0.requests.append(request) }
        guard let answer = answer(request) else { throw Unreachable() }
        return answer
    }

    func send(_ request: MailRequest) async throws {
        state.withLock { $0.mails.append(request) }
        guard answer(ReceiverRequest(url: "")) != nil else { throw Unreachable() }
    }

    var requests: [ReceiverRequest] { state.withLock { $0.requests } }
    var mails: [MailRequest] { state.withLock { $0.mails } }
    /// `METHOD url` of each request.
    var calls: [String] { requests.map { "\($0.method) \($0.url)" } }
    /// The body of the first or last request, as JSON.
    var firstValue: JSONValue { get throws { try JSONValue.parse(requests.first?.body ?? []) } }
    var lastValue: JSONValue { get throws { try JSONValue.parse(requests.last?.body ?? []) } }
    var bodies: [String] { requests.map { String(decoding: $0.body, as: UTF8.self) } }
}

/// Messages and configurations for tests of integrations.
enum ReceiverCases {
    /// The SHA-256 of `{}:{alertname="Down"}`.
    static let hash = "af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e"
    /// The time 2026-11-29T09:52:13Z.
    static let time: Int64 = 1_795_945_933_000

    /// A receiver with one entry of a kind.
    static func config(_ kind: String, _ entry: String, global: String = "{}") throws -> ReceiverConfig {
        let text = """
            global: \(global)
            route: {receiver: all}
            receivers:
            - name: all
              \(kind)_configs:
              - \(entry)
            """
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        return try #require(config.receivers.first)
    }

    static func alert(_ host: String, endsAt: Int64 = 0) -> NotificationData.Item {
        NotificationData.Item(
            labels: Labels([("alertname", "Down"), ("instance", "\(host):1"), ("severity", "critical")]),
            annotations: Labels([("b", "2"), ("summary", "\(host):1 <is> \"down\" & é")]),
            startsAt: 1_795_945_930_000, endsAt: endsAt, generatorURL: "http://p/g?x=1&y=2",
            fingerprint: host == "a" ? "2fc4c353ef13c5b1" : "15a1fcb40b0531a2")
    }

    /// Two firing alerts.
    static let firing = [alert("a"), alert("b")]
    static let resolved = [alert("b", endsAt: 1_795_945_938_000)]

    static func message(
        _ alerts: [NotificationData.Item] = firing, reason: String = "first notification"
    ) throws -> ReceiverMessage {
        ReceiverMessage(
            data: NotificationData(
                receiver: "all", alerts: alerts, groupLabels: Labels([("alertname", "Down")]),
                externalURL: "http://ext.example/x", notificationReason: reason),
            groupKey: "{}:{alertname=\"Down\"}", templates: try NotificationTemplates(), time: time)
    }

    static func context(now: Int64 = time) -> AttemptContext {
        let clock = ManualClock(now: now)
        return AttemptContext(clock: clock, deadline: clock.monotonic() / 1_000_000 + 10_000)
    }

    /// Makes one attempt, as a delivery does.
    static func attempt(
        _ integration: any Integration, _ message: ReceiverMessage, _ context: AttemptContext = context()
    ) async throws -> Verdict {
        do {
            return try await integration.attempt(message, context)
        } catch let failure as AttemptFailure {
            return failure.verdict
        }
    }
}
