import Foundation
import JSON
import TestSupport
import Testing

/// The ledger and the reasons of a real daemon, asked with the real command.
@Suite("Reasons for notifications")
struct AlertWhyTests {
    @Test("alert why and the ledger explain a refused, a delivered and an inactive alert, also after kill -9")
    func reasons() throws {
        let folder = try Folder()
        let webhook = try #require(
            HTTPStub { request in
                request.path == "/bad"
                    ? HTTPStub.Response(status: 403, body: Array("no access for hook-secret".utf8))
                    : HTTPStub.Response(status: 200, body: Array("thanks".utf8))
            })
        defer { webhook.stop() }
        let rules = try folder.write(
            "rules.yml",
            """
            groups:
              - name: g
                interval: 200ms
                rules:
                  - {alert: Good, expr: vector(7), labels: {to: good}}
                  - {alert: Bad, expr: vector(1), labels: {to: bad}}
                  - {alert: Quiet, expr: vector(1) > 2}
            """)
        let config = try folder.write("martlet.yml", "rule_files: ['\(rules)']\n")
        let alerting = try folder.write(
            "alerting.yml",
            """
            route:
              receiver: good
              group_by: [alertname]
              group_wait: 100ms
              group_interval: 1h
              routes: [{receiver: bad, matchers: [to=bad]}]
            receivers:
              - name: good
                webhook_configs: [{url: 'http://127.0.0.1:\(webhook.port)/good'}]
              - name: bad
                webhook_configs:
                  - url: 'http://127.0.0.1:\(webhook.port)/bad'
                    http_config: {authorization: {credentials: hook-secret}}
            """)
        let port = LoopbackSocket.freePort()
        func start() throws -> Daemon {
            let daemon = try Daemon(
                Daemon.martlet,
                [
                    "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                    "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                ], port: port, folder: folder.url)
            #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
            return daemon
        }
        func why(_ words: [String]) throws -> String {
            try PrometheusPeer.run(
                Daemon.martlet, ["alert", "why", "--url=http://127.0.0.1:\(port)"] + words, in: folder
            ).text
        }
        var daemon = try start()
        #expect(try Daemon.wait { try why(["Bad"]).contains("refused the notification") }, "\(daemon.logText)")
        #expect(try Daemon.wait { try why(["Good"]).contains("was notified at") }, "\(daemon.logText)")
        for _ in 0..<2 {
            let bad = try why(["alertname=Bad"])
            #expect(bad.contains("bad/webhook/0 refused the notification at"), "\(bad)")
            #expect(bad.contains("unexpected status code 403: no access for <redacted>."), "\(bad)")
            #expect(bad.contains("The group waits to notify bad/webhook/0 until"), "\(bad)")
            let good = try why(["alertname=~Goo.*"])
            #expect(good.contains("good/webhook/0 was notified at"), "\(good)")
            let quiet = try why(["Quiet"])
            #expect(quiet.contains("The rule Quiet of the group g is inactive"), "\(quiet)")
            #expect(try why(["Nothing"]).contains("No alerting rule has this name."))
            let answer = try #require(daemon.probe.get("/api/v1/notifications/ledger?outcome=failed"))
            let deliveries = try JSONValue.parse(Array(answer.text.utf8))["data"]?["deliveries"]?.array ?? []
            let attempt = deliveries.last?["attemptLog"]?.array?.first
            #expect(attempt?["outcome"]?.string == "refused" && attempt?["status"]?.number == 403)
            #expect(attempt?["answer"]?.string == "no access for <redacted>")
            #expect(!daemon.logText.contains("hook-secret"))
            daemon.kill9()
            daemon = try start()
            #expect(try Daemon.wait { try why(["Quiet"]).contains("is inactive") })
        }
        // The value of the rule, after the evaluation that follows a start.
        #expect(try Daemon.wait { try why(["Good"]).contains("is firing with the value 7e+00") })
        #expect(webhook.requests.count { $0.path == "/good" } == 1)
        #expect(daemon.terminate() == 0)
    }
}
