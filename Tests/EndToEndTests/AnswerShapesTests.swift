import Foundation
import JSON
import TestSupport
import Testing

/// Answers whose shape typed clients rely on, from the real binary.
@Suite("Shapes of answers", .serialized)
struct AnswerShapesTests {
    private static func start(_ folder: Folder, _ target: UInt16) throws -> Daemon {
        let port = LoopbackSocket.freePort()
        _ = try folder.write(
            "rules.yml",
            """
            groups:
            - name: g
              rules:
              - {record: bare, expr: vector(1)}
              - {alert: Always, expr: vector(1), labels: {severity: page}}
              - {alert: Never, expr: absent(vector(1))}
            """)
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}
            rule_files: [rules.yml]
            alerting:
              alertmanagers:
              - static_configs: [{targets: ["127.0.0.1:1", "127.0.0.1:2"]}]
                relabel_configs:
                - {source_labels: [__address__], regex: ".*:2", action: drop}
                - {target_label: __alerts_path__, replacement: /custom}
            scrape_configs:
            - job_name: a
              static_configs: [{targets: ["127.0.0.1:\(target)", "dropped:1"]}]
              relabel_configs: [{source_labels: [__address__], regex: "dropped.*", action: drop}]
            - {job_name: b, static_configs: [{targets: ["127.0.0.1:\(target)"]}]}
            """)
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-admin-api", "--enable-feature=search-api",
                "--web.search.max-limit=3",
            ], port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    @Test("rules, targets, metadata, Alertmanagers, snapshots and searches have Prometheus's shapes")
    func shapes() throws {
        let folder = try Folder()
        let target = try #require(
            HTTPStub { _ in
                .init(contentType: "text/plain; version=0.0.4", text: "# TYPE x counter\nx 1\n# TYPE y gauge\ny 1\n")
            })
        defer { target.stop() }
        let daemon = try Self.start(folder, target.port)
        func get(_ path: String) throws -> JSONValue {
            try JSONValue.parse(try #require(daemon.probe.get("/api/v1/" + path)).text)
        }
        func rules(_ query: String) throws -> [JSONValue] {
            try get("rules" + query)["data"]?["groups"]?.array?.first?["rules"]?.array ?? []
        }
        #expect(try Daemon.wait { try rules("").contains { $0["state"]?.string == "firing" } })
        let shown = try rules("")
        #expect(shown.count == 3)
        #expect(shown.first?["labels"]?.object?.isEmpty == true)
        #expect(shown[1]["alerts"]?.array?.count == 1)
        #expect(shown[2]["alerts"]?.array?.isEmpty == true)
        let hidden = try #require(daemon.probe.get("/api/v1/rules?exclude_alerts=true")).text
        #expect(hidden.contains("\"alerts\":null") && !hidden.contains("\"alerts\":["))
        #expect(daemon.probe.get("/api/v1/rules?exclude_alerts=x")?.status == 400)

        let managers = try get("alertmanagers")["data"]
        #expect(
            managers?["activeAlertmanagers"]?.array?.compactMap { $0["url"]?.string } == ["http://127.0.0.1:1/custom"])
        #expect(managers?["droppedAlertmanagers"]?.array?.count == 1)

        func count(_ value: JSONValue?) -> Int { value?.array?.count ?? -1 }
        #expect(
            try Daemon.wait {
                try get("targets")["data"]?["activeTargets"]?.array?.allSatisfy { $0["health"]?.string == "up" } == true
            })
        let pool = try get("targets?scrapePool=b")["data"]
        #expect(count(pool?["activeTargets"]) == 1 && count(pool?["droppedTargets"]) == 0)
        #expect(pool?["droppedTargetCounts"]?["a"] != nil && pool?["droppedTargetCounts"]?["b"] != nil)
        let unknown = try get("targets?state=x")["data"]
        #expect(count(unknown?["activeTargets"]) == 0 && count(unknown?["droppedTargets"]) == 0)
        #expect(count(try get("targets/metadata")["data"]) == 4)
        #expect(count(try get("targets/metadata?limit=-1")["data"]) == 4)
        #expect(count(try get("targets/metadata?limit=0")["data"]) == 0)
        #expect(count(try get("targets/metadata?limit=1")["data"]) == 2)
        #expect(count(try get("targets/metadata?match_target=%7B%7D")["data"]) == 4)
        #expect(count(try get("targets/metadata?match_target=%7Bjob=%22b%22%7D&metric=x")["data"]) == 1)

        func names(_ path: String) throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: folder.url.path + "/data/" + path))
        }
        func snapshot(_ query: String) throws -> Set<String> {
            let answer = try #require(daemon.probe.post("/api/v1/admin/tsdb/snapshot" + query, form: []))
            let name = try JSONValue.parse(answer.text)["data"]?["name"]?.string
            return try names("snapshots/" + (try #require(name, "\(answer.text)")) + "/blocks")
        }
        // There is no block yet: without the head a snapshot has none. The other one makes it.
        let without = try snapshot("?skip_head=true")
        #expect(try snapshot("").count > without.count)

        let search = try #require(daemon.probe.get("/api/v1/search/metric_names?search%5B%5D=x&include_metadata=true"))
        #expect(search.headers["content-type"] == "application/x-ndjson; charset=utf-8")
        #expect(search.text.hasPrefix(#"{"results":[{"name":"x","type":"counter"}"#), "\(search.text)")
        #expect(daemon.probe.get("/api/v1/search/metric_names?limit=4")?.status == 400)
        #expect(daemon.probe.get("/api/v1/search/metric_names")?.text.hasSuffix("\"has_more\":true}\n") == true)
        #expect(daemon.terminate() == 0)
    }
}
