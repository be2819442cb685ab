import AlertAPI
import Config
import HTTP
import JSON
import Model
import Notify
import Platform
import Synchronization
import TestSupport
import Testing

/// A receiver that takes everything.
private final class SilentTransport: NotificationTransport {
    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer { ReceiverAnswer(status: 200) }
}

/// The API of a notifier whose clock is moved by hand.
final class AlertAPIFixture {
    /// 2023-11-14T22:13:20Z.
    static let start: Int64 = 1_700_000_000_000
    static let configuration = """
        route:
          receiver: team
          group_by: [alertname]
          routes:
            - {receiver: page, matchers: [severity="page"], group_by: [alertname, zone], continue: true}
            - {receiver: night, matchers: [severity="page"], mute_time_intervals: [always]}
        receivers:
          - {name: team, labels: {owner: a}}
          - {name: page, webhook_configs: [{url: 'http://h/secret'}]}
          - {name: night}
          - {name: unused}
        inhibit_rules: [{source_matchers: [alertname="Cut"], target_matchers: [severity="page"], equal: [zone]}]
        time_intervals: [{name: always, time_intervals: [{}]}]
        """

    let clock = ManualClock(now: start, jumps: true)
    let notifier: Notifier?
    let router: Router

    struct Answer {
        var status: Int
        var text: String
        var headers: [(name: String, value: String)]

        var json: JSONValue? { try? JSONValue.parse(text) }
    }

    init(_ configuration: String? = configuration, budget: ByteBudget? = nil) throws {
        let clock = clock
        let notifier = try configuration.map { text in
            let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
            return try Notifier(
                settings: try NotifierSettings(config) { _ in SilentTransport() }, ledger: nil, clock: clock,
                externalURL: "http://here")
        }
        self.notifier = notifier
        var routes = Router.Builder()
        let reason = Reason()
        let context = AlertAPIContext(
            notifier: notifier, clock: clock, startTime: Self.start, unreadyReason: { reason.text },
            budget: budget ?? ByteBudget(limit: 64 << 20))
        AlertAPIRoutes.add(to: &routes, context)
        router = Router(routes)
        self.reason = reason
    }

    /// Why the daemon does not serve.
    final class Reason: Sendable {
        private let value = Mutex<String?>(nil)
        var text: String? {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }
    let reason: Reason

    func request(
        _ method: String, _ path: String, _ query: [(String, String)] = [], body: String = "",
        type: String? = "application/json", accept: String? = nil
    ) -> Answer {
        let headers = [type.map { ("Content-Type", $0) }, accept.map { ("Accept", $0) }].compactMap { $0 }
        let request = HTTPRequest(
            method: method, path: "/api/v2" + path, query: query.map { (name: $0.0, value: $0.1) },
            headers: headers.map { (name: $0.0, value: $0.1) }, body: Array(body.utf8))
        let response = router.handle(request)
        return Answer(
            status: response.status, text: String(decoding: response.body, as: UTF8.self), headers: response.headers)
    }

    func get(_ path: String, _ query: [(String, String)] = []) -> Answer { request("GET", path, query) }

    /// Posts what must be accepted.
    func post(_ path: String, _ body: String, sourceLocation: SourceLocation = #_sourceLocation) -> Answer {
        let answer = request("POST", path, body: body)
        #expect(answer.status == 200, "\(answer.text)", sourceLocation: sourceLocation)
        return answer
    }

    /// The time of a second after the start, as the API writes it.
    static func time(_ seconds: Int) -> String {
        let total = 13 * 60 + 20 + seconds
        let digits = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return "2023-11-14T22:\(digits(total / 60)):\(digits(total % 60)).000Z"
    }
}
