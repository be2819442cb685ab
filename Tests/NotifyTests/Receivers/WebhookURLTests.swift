import Config
import HTTP
import Model
@testable import Notify
import Platform
import TestSupport
import Testing

@Suite("URLs of webhooks")
struct WebhookURLTests {
    static func configuration(_ webhook: String) -> String {
        "route: {receiver: r, group_wait: 1s}\nreceivers:\n  - name: r\n    webhook_configs:\n      - \(webhook)\n"
    }

    @Test("a template in a URL is expanded for each group")
    func templates() async throws {
        let timeline = try Timeline(
            "route: {receiver: r, group_wait: 1s, group_by: [a]}\nreceivers: [{name: r, webhook_configs: "
                + "[{url: 'http://h/{{ .GroupLabels.a }}'}]}]")
        await timeline.push(at: 0, [("a", "1")])
        await timeline.push(at: 0.1, [("a", "2")])
        await timeline.run(until: 5)
        #expect(timeline.transport.calls.map(\.url) == ["http://h/1", "http://h/2"])
    }

    @Test(
        "a templated URL that is no template is refused when it is read, with its place",
        arguments: ["'http://h/{{ .x'", "'{{ nothing }}'"])
    func syntax(_ url: String) throws {
        let text = Self.configuration("url: \(url)")
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let error = #expect(throws: ConfigError.self) {
            try NotifierSettings(config) { _ in RecordingTransport(ManualClock()) }
        }
        #expect(error?.description.hasPrefix("am.yml:5:14: invalid template syntax: ") == true)
    }

    @Test("what is recorded of a notification that a template refuses says why, and it is not repeated")
    func failing() async throws {
        let timeline = try Timeline(Self.configuration("url: 'http://h/{{ .Nothing }}'"))
        await timeline.push(at: 0, [("a", "1")])
        await timeline.run(until: 5)
        #expect(timeline.transport.calls.isEmpty)
        let delivery = try #require(timeline.notifier.deliveries().first)
        #expect(delivery.attempts == 1)
        #expect(delivery.error.contains("can't evaluate field Nothing"))
    }

    @Test("a receiver that no route names is not made")
    func unused() throws {
        let webhook = "webhook_configs: [{url: 'http://h', payload: x}]"
        let text = "route: {receiver: a}\nreceivers: [{name: a}, {name: b, \(webhook)}]"
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let pipeline = try NotifierSettings(config) { _ in throw ConfigError(file: "", message: "made") }.pipeline
        #expect(pipeline.receivers.count == 1)
    }

    @Test("white space around the URL in a file is ignored", arguments: ["", " ", "\n", "\r\n", "  \n\n", "\t\r\n "])
    func file(_ space: String) async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/url"
        try RealFileSystem().replace(path, with: Array("\(space)http://h/token\(space)".utf8))
        let timeline = try Timeline(Self.configuration("url_file: \(path)"))
        await timeline.push(at: 0, [("a", "1")])
        await timeline.run(until: 5)
        #expect(timeline.transport.calls.map(\.url) == ["http://h/token"])
    }

    @Test("a relative file is not looked for beside the configuration")
    func relative() throws {
        let text = Self.configuration("url_file: secrets/url")
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "/etc/am/am.yml")
        #expect(config.receivers.first?.webhooks.first?.urlFile == "secrets/url")
    }

    @Test("what is kept of a failed delivery does not show the URL")
    func redacted() async throws {
        let text = Self.configuration(
            "{url: 'http://127.0.0.1:1/secret-token', http_config: {follow_redirects: false}}")
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let notifier = try Notifier(
            settings: try NotifierSettings(config) { try HTTPTransport($0) }, ledger: nil, clock: clock,
            externalURL: "http://here", random: { 0.5 })
        notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
        for _ in 0..<5 {
            let next = notifier.step(at: clock.now())
            await notifier.settle()
            clock.advance(to: min(next, Timeline.start + 20_000))
        }
        let delivery = try #require(notifier.deliveries().first)
        #expect(delivery.error == "Post \"<redacted>\": dial tcp 127.0.0.1:1: connect: connection refused")
    }

    @Test("a redirect that would drop the body is a failure")
    func redirect() async throws {
        let server = try #require(
            RawServer { request in
                request.startLine.contains("/w ")
                    ? .text("HTTP/1.1 302 F\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")
                    : .text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            })
        defer { server.stop() }
        let answer = try await HTTPTransport(HTTPClientConfig()).send(
            ReceiverRequest(url: server.url + "/w", headers: [], body: [1], timeout: 5000))
        #expect(answer.status == 302)
        #expect(
            AttemptContext(clock: ManualClock(), deadline: 1).verdict(answer) == .refused("unexpected status code 302"))
        #expect(server.requests.count == 1)
    }
}
