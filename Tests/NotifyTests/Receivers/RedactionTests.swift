import Config
import Model
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Notify

/// Secrets in logs, in the ledger and in what the API shows.
@Suite("Redaction")
struct RedactionTests {
    private static let configuration = """
        global:
          smtp_auth_password: mail-secret
          slack_api_url: 'http://slack.example/services/T-secret'
          opsgenie_api_key: genie-secret
        route: {receiver: team, group_wait: 1s, group_interval: 5m}
        receivers:
          - name: team
            webhook_configs:
              - url: 'http://hook.example/long-path-secret?token=query-secret'
                http_config:
                  basic_auth: {username: u, password: basic-secret}
                  http_headers: {X-Key: {secrets: [header-secret]}}
          - name: other
            pagerduty_configs: [{routing_key: routing-secret}]
            telegram_configs: [{bot_token: 'bot-secret', chat_id: 1}]
            webhook_configs: [{url: 'http://other.example/b', http_config: {authorization: {credentials: bearer-secret}}}]
        """
    private static let secrets = [
        "mail-secret", "T-secret", "genie-secret", "long-path-secret", "query-secret", "basic-secret", "header-secret",
        "routing-secret", "bot-secret", "bearer-secret",
    ]

    @Test("no secret of the configuration is in a log, the ledger or the API, whatever the receiver answers")
    func everywhere() async throws {
        let lines = Mutex<[String]>([])
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let echo =
            Self.secrets.map { secret in
                [
                    "T-secret": "http://slack.example/services/T-secret",
                    "query-secret": "/long-path-secret?token=query-secret",
                ][secret]
                    ?? secret
            }.joined(separator: " ") + #" http:\/\/hook.example\/long-path-secret?token=query-secret é"#
        let transport = AnsweringTransport { _ in .text(echo, status: 500) }
        let notifier = try Notifier(
            settings: try Timeline.settings(Self.configuration, transport),
            ledger: LedgerFolder(path: "l", fileSystem: files), clock: clock, externalURL: "http://here",
            random: { 0.5 })
        await Log.$listener.withValue({ line in lines.withLock { $0.append(line) } }) {
            notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
            for _ in 0..<3 {
                clock.advance(to: min(notifier.step(at: clock.now()), Timeline.start + 1000))
                await notifier.settle()
            }
        }
        let delivery = try #require(notifier.deliveries().first)
        #expect(delivery.log.count > 3 && delivery.log.allSatisfy { $0.answer.contains("<redacted>") })
        let steps = notifier.explanations(of: [], limit: 1).flatMap(\.steps)
        #expect(steps.contains { $0.sentence.contains("<redacted>") })
        let texts = [
            lines.withLock { $0 }.joined(), String(decoding: try files.read("l/ledger"), as: UTF8.self),
            "\(delivery.json)", "\(steps)",
        ]
        for (index, text) in texts.enumerated() {
            #expect(text.contains("<redacted>"), "text \(index)")
            for secret in Self.secrets { #expect(!text.contains(secret), "\(secret) in text \(index)") }
        }
    }

    @Test("the values of Authorization headers are hidden, and an answer is cut between characters")
    func attempt() async throws {
        let answer = "GenieKey abc-def-ghi " + String(repeating: "é", count: 600)
        let transport = AnsweringTransport { _ in .text(answer, status: 400) }
        let context = AttemptContext(clock: ManualClock(), deadline: 10_000)
        var request = ReceiverRequest.json("http://h/", [])
        request.headers.append(("authorization", "GenieKey abc-def-ghi"))
        let verdict = context.verdict(try await context.send(request, by: transport))
        #expect(context.answer.hasPrefix("<redacted> é") && context.answer.hasSuffix("é…"))
        #expect(context.answer.utf8.count <= 512 && context.answer.utf8.count > 508)
        #expect(verdict == .refused("unexpected status code 400: " + context.answer))
    }

    @Test("secrets within each other are hidden as a whole, and short texts are not touched")
    func redactor() {
        let redactor = Redactor(["abcd", "abcdef", "abc", "http://h/x", "http://host/longer/path?q=1"])
        #expect(
            redactor.redacted("abc abcdef abcd /x /longer/path http://h/x")
                == "abc <redacted> <redacted> /x <redacted> <redacted>")
    }
}
