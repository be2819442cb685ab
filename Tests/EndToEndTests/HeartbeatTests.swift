import Foundation
import JSON
import TestSupport
import Testing

/// The daemon's own alerts, and its heartbeats, with the real binary.
@Suite("Heartbeats and expected targets", .serialized)
struct HeartbeatTests {
    private func alerts(_ daemon: Daemon) -> [[String: String]] {
        let text = daemon.probe.get("/api/v1/alerts")?.text ?? ""
        let alerts = (try? JSONValue.parse(Array(text.utf8)))?["data"]?["alerts"]?.array ?? []
        return alerts.map { alert in
            var labels: [String: String] = [:]
            for name in ["alertname", "heartbeat", "instance", "team"] {
                labels[name] = alert["labels"]?[name]?.string
            }
            return labels
        }
    }

    private func start(_ folder: Folder, _ port: UInt16, _ more: [String]) throws -> Daemon {
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(folder.url.path)/martlet.yml", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)",
            ] + more, port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    @Test("a heartbeat that does not come raises an alert, also over kill -9, and one that comes ends it")
    func incoming() throws {
        let folder = try Folder()
        let port = LoopbackSocket.freePort()
        _ = try folder.write("martlet.yml", "global: {evaluation_interval: 500ms}")
        let file = try folder.write("h.yml", "incoming: [{name: backup, interval: 3s, labels: {team: db}}]")
        let flags = ["--heartbeat.config.file=\(file)"]
        var daemon = try start(folder, port, flags)
        #expect(daemon.probe.get("/api/v1/heartbeat/other")?.status == 404)
        #expect(daemon.probe.get("/api/v1/heartbeat/backup")?.status == 200)
        let expected = ["alertname": "MartletHeartbeatMissed", "heartbeat": "backup", "team": "db"]
        #expect(Daemon.wait { alerts(daemon) == [expected] }, "\(alerts(daemon)) \(daemon.logText)")
        daemon.kill9()
        daemon = try start(folder, port, flags)
        #expect(Daemon.wait { alerts(daemon) == [expected] }, "\(alerts(daemon)) \(daemon.logText)")
        #expect(
            Daemon.wait {
                _ = daemon.probe.get("/api/v1/heartbeat/backup")
                return alerts(daemon).isEmpty
            })
        daemon.terminate()
    }

    @Test("a URL is called while scrapes, rules and deliveries work, and not without them")
    func outgoing() throws {
        let folder = try Folder()
        let (port, beats) = (LoopbackSocket.freePort(), try #require(HTTPStub { _ in HTTPStub.Response() }))
        defer { beats.stop() }
        _ = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}
            rule_files: [rules.yml]
            scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:\(port)"]}]}]
            """)
        _ = try folder.write("rules.yml", "groups: [{name: g, rules: [{record: r, expr: up}]}]")
        let file = try folder.write(
            "h.yml", "outgoing: [{url: 'http://127.0.0.1:\(beats.port)/secret', interval: 1s}]")
        let daemon = try start(folder, port, ["--heartbeat.config.file=\(file)"])
        #expect(Daemon.wait { beats.requests.count >= 3 }, "\(daemon.logText)")
        #expect(beats.requests.allSatisfy { $0.path == "/secret" })
        #expect(daemon.probe.get("/metrics")?.text.contains("martlet_heartbeats_withheld_total 0") == true)
        #expect(!daemon.logText.contains("/secret"))
        daemon.terminate()
    }

    @Test("a target that vanishes from a file raises an alert, and ends it when it is back")
    func vanished() throws {
        let folder = try Folder()
        let port = LoopbackSocket.freePort()
        _ = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}
            scrape_configs: [{job_name: j, file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]}]
            """)
        let both = "[{\"targets\": [\"127.0.0.1:\(port)\", \"localhost:\(port)\"]}]"
        _ = try folder.write("targets.json", both)
        let daemon = try start(folder, port, ["--rules.expected-targets-after=5s"])
        let answers = QueryAnswers(probe: daemon.probe)
        #expect(Daemon.wait { (answers.value("min(count_over_time(up[1m]))") ?? 0) >= 14 })
        _ = try folder.write("targets.json", "[{\"targets\": [\"127.0.0.1:\(port)\"]}]")
        #expect(
            Daemon.wait {
                alerts(daemon) == [["alertname": "MartletTargetVanished", "instance": "localhost:\(port)"]]
            }, "\(alerts(daemon)) \(daemon.logText)")
        #expect(daemon.probe.get("/api/v1/rules?type=alert")?.text.contains("\"file\":\"built-in\"") == true)
        _ = try folder.write("targets.json", both)
        #expect(Daemon.wait { alerts(daemon).isEmpty })
        daemon.terminate()
    }
}
