import Config
import JSON
import Model
@testable import Notify
import Synchronization
import TestSupport

/// A transport that remembers requests and answers as it is told.
final class AnsweringTransport: NotificationTransport {
    struct Unreachable: Error, CustomStringConvertible {
        var description: String
    }
    private let state = Mutex<(requests: [ReceiverRequest], answers: [ReceiverAnswer?])>(([], []))
    private let standard: @Sendable (ReceiverRequest) -> ReceiverAnswer

    /// - Parameters:
    ///   - answers: Those of the next requests, nil for none at all.
    ///   - standard: The answer to further requests.
    init(
        _ answers: [ReceiverAnswer?] = [],
        standard: @escaping @Sendable (ReceiverRequest) -> ReceiverAnswer = { _ in ReceiverAnswer(status: 200) }
    ) {
        self.standard = standard
        state.withLock { $0.answers = answers }
    }

    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        let answer = state.withLock { state -> ReceiverAnswer?? in
            state.requests.append(request)
            return state.answers.isEmpty ? nil : .some(state.answers.removeFirst())
        }
        guard let answer else { return standard(request) }
        guard let answer else { throw Unreachable(description: "no route to \(request.url)") }
        return answer
    }

    var requests: [ReceiverRequest] { state.withLock { $0.requests } }
}

extension ReceiverAnswer {
    static func json(_ text: String, status: Int = 200) -> ReceiverAnswer {
        ReceiverAnswer(status: status, contentType: "application/json; charset=utf-8", body: Array(text.utf8))
    }

    static func text(_ text: String, status: Int = 200) -> ReceiverAnswer {
        ReceiverAnswer(status: status, contentType: "text/plain", body: Array(text.utf8))
    }
}

/// One receiver of a configuration, and the attempts that it makes.
struct ReceiverTrial {
    let integration: any Integration
    let transport: AnsweringTransport
    let clock = ManualClock()

    /// - Parameter entry: The lists of a receiver: `slack_configs: [{…}]`.
    init(_ entry: String, _ answers: [ReceiverAnswer?] = []) throws {
        let text = "route: {receiver: r}\nreceivers: [{name: r, \(entry)}]"
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let transport = AnsweringTransport(answers)
        self.transport = transport
        guard let placed = config.receivers.first?.integrations({ _ in transport }).first else {
            throw AnsweringTransport.Unreachable(description: "no integration in \(entry)")
        }
        integration = placed.integration
    }

    func attempt(_ message: ReceiverMessage = ReceiverTrial.message()) async -> Verdict {
        await IntegrationCall.attempt(integration, message, AttemptContext(clock: clock, deadline: 10_000))
    }

    /// The body of the last request.
    var body: JSONValue { (transport.requests.last.flatMap { try? JSONValue.parse($0.body) }) ?? .null }
    /// The body of the last request as text.
    var bodyText: String { String(decoding: transport.requests.last?.body ?? [], as: UTF8.self) }

    static func message(isFiring: Bool = true, summary: String = "s") -> ReceiverMessage {
        let alert = NotificationData.Item(
            labels: Labels([("alertname", "Down"), ("severity", "critical")]),
            annotations: Labels([("summary", summary)]), startsAt: 1_700_000_000_000,
            endsAt: isFiring ? 0 : 1_700_000_001_000, generatorURL: "http://p/g", fingerprint: "00000000000000ff")
        return ReceiverMessage(
            data: NotificationData(
                receiver: "r", alerts: [alert], groupLabels: Labels([("alertname", "Down")]),
                externalURL: "http://am"),
            groupKey: "{}:{alertname=\"Down\"}", templates: .standard, time: 1_700_000_000_000)
    }
}
