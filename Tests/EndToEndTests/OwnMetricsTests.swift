import Foundation
import JSON
import TestSupport
import Testing

/// The metrics that alerts and dashboards name are there, with numbers of what happened.
@Suite("Own metrics", .serialized)
struct OwnMetricsTests {
    /// Metrics that a shipped or well-known expression names and that are not there yet, with what brings them.
    static let missing: [String: String] = [
        "prometheus_remote_storage_queue_highest_timestamp_seconds": "sending remote write",
        "prometheus_remote_storage_queue_highest_sent_timestamp_seconds": "sending remote write",
        "prometheus_remote_storage_shards_desired": "sending remote write",
        "prometheus_remote_storage_shards_max": "sending remote write",
    ]

    /// The expressions of Prometheus's own mixin that people run against their servers.
    static let mixin = [
        "max_over_time(prometheus_config_last_reload_successful[5m]) == 0",
        "prometheus_notifications_queue_length / prometheus_notifications_queue_capacity",
        "rate(prometheus_notifications_errors_total[5m]) / rate(prometheus_notifications_sent_total[5m])",
        "max_over_time(prometheus_notifications_alertmanagers_discovered[5m]) < 1",
        "prometheus_tsdb_reloads_failures_total prometheus_tsdb_compactions_failed_total",
        "prometheus_tsdb_head_samples_appended_total prometheus_target_metadata_cache_entries",
        "prometheus_rule_group_rules prometheus_rule_evaluation_failures_total",
        "prometheus_rule_group_iterations_missed_total prometheus_target_sync_failed_total",
        "prometheus_remote_storage_queue_highest_timestamp_seconds",
        "prometheus_remote_storage_queue_highest_sent_timestamp_seconds",
        "prometheus_remote_storage_shards_desired prometheus_remote_storage_shards_max",
        "prometheus_target_scrape_pool_exceeded_target_limit_total",
        "prometheus_target_scrape_pool_exceeded_label_limits_total",
        "prometheus_target_scrapes_exceeded_body_size_limit_total",
        "prometheus_target_scrapes_exceeded_sample_limit_total",
        "prometheus_engine_queries prometheus_engine_queries_concurrent_max",
        "prometheus_target_interval_length_seconds_sum prometheus_target_interval_length_seconds_count",
        "prometheus_engine_query_duration_seconds prometheus_engine_query_duration_seconds_count",
        "prometheus_target_sync_length_seconds_sum prometheus_tsdb_head_chunks prometheus_tsdb_head_series",
        "prometheus_tsdb_blocks_loaded prometheus_tsdb_storage_blocks_bytes prometheus_tsdb_symbol_table_size_bytes",
        "prometheus_tsdb_head_series_created_total prometheus_tsdb_head_series_removed_total",
        "prometheus_tsdb_head_chunks_created_total prometheus_tsdb_head_chunks_removed_total",
        "prometheus_tsdb_head_active_appenders prometheus_tsdb_head_min_time prometheus_tsdb_head_max_time",
        "prometheus_tsdb_lowest_timestamp prometheus_tsdb_head_gc_duration_seconds_sum prometheus_tsdb_reloads_total",
        "prometheus_tsdb_retention_limit_bytes prometheus_tsdb_retention_limit_seconds prometheus_tsdb_clean_start",
        "prometheus_tsdb_compactions_total prometheus_tsdb_compactions_triggered_total",
        "prometheus_tsdb_compaction_duration_seconds_bucket prometheus_tsdb_wal_fsync_duration_seconds",
        "prometheus_tsdb_wal_corruptions_total prometheus_tsdb_wal_writes_failed_total",
        "prometheus_tsdb_wal_segment_current prometheus_tsdb_wal_storage_size_bytes",
        "prometheus_tsdb_wal_truncate_duration_seconds_count prometheus_rule_evaluation_duration_seconds",
        "prometheus_rule_group_duration_seconds prometheus_rule_group_last_duration_seconds prometheus_build_info",
        "prometheus_http_request_duration_seconds_bucket prometheus_http_response_size_bytes_bucket process_max_fds",
        "process_virtual_memory_max_bytes prometheus_sd_discovered_targets prometheus_template_text_expansions_total",
        "prometheus_tsdb_exemplar_exemplars_appended_total prometheus_web_federation_errors_total",
    ]

    struct Setting {
        let folder: Folder
        let daemon: Daemon
        let receiver: HTTPStub
        let target: HTTPStub
    }

    private static let page = """
        # TYPE demo_requests counter
        demo_requests_total{path="/"} 3 # {trace_id="aaa"} 1.0
        # TYPE demo_up gauge
        demo_up 1
        # EOF

        """

    func start() throws -> Setting {
        let folder = try Folder()
        let receiver = try #require(HTTPStub { _ in HTTPStub.Response() })
        let target = try #require(
            HTTPStub { _ in
                HTTPStub.Response(contentType: "application/openmetrics-text; version=1.0.0", text: Self.page)
            })
        let port = LoopbackSocket.freePort()
        _ = try folder.write(
            "rules.yml",
            """
            groups:
              - name: g
                rules:
                  - {record: "demo:sum", expr: "sum(demo_up)"}
                  - alert: Always
                    expr: demo_up == 1
                    annotations: {summary: "{{ $labels.instance }}"}
            """)
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}
            rule_files: [rules.yml]
            alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:\(receiver.port)"]}]}]}
            scrape_configs:
              - {job_name: demo, static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]}
            """)
        let alerting = try folder.write(
            "alerting.yml",
            """
            route: {receiver: hook}
            receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:\(receiver.port)/hook"}]}]
            """)
        let heartbeats = try folder.write("h.yml", "incoming: [{name: a, interval: 1d}]")
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                "--heartbeat.config.file=\(heartbeats)", "--web.enable-remote-write-receiver",
                "--enable-feature=exemplar-storage",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
            ], port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return Setting(folder: folder, daemon: daemon, receiver: receiver, target: target)
    }

    /// The value of each line of a page, by the text in front of it.
    private static func values(_ page: String) -> [String: Double] {
        var values: [String: Double] = [:]
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " ") else { continue }
            values[String(line[..<space])] = Double(line[line.index(after: space)...])
        }
        return values
    }

    /// Names that an expression seems to ask for.
    private static func names(_ text: String) -> [String] {
        text.matches(of: /[a-zA-Z_:][a-zA-Z0-9_:]*/).map { String($0.output) }.filter { name in
            ["prometheus_", "process_", "alertmanager_", "martlet_"].contains { name.hasPrefix($0) }
        }
    }

    @Test("each metric that rules, dashboards and the mixin name is on /metrics and says what happened")
    func complete() throws {
        let setting = try start()
        defer {
            setting.receiver.stop()
            setting.target.stop()
        }
        let probe = setting.daemon.probe
        let asked = Daemon.wait {
            guard !setting.receiver.requests.isEmpty, let page = probe.get("/metrics")?.text else { return false }
            let values = Self.values(page)
            return values.contains {
                $0.key.hasPrefix("prometheus_target_interval_length_seconds_count") && $0.value >= 3
            }
                && values["prometheus_tsdb_exemplar_exemplars_appended_total"] == 1
                && values.contains { $0.key.hasPrefix("prometheus_notifications_sent_total") && $0.value >= 1 }
        }
        #expect(asked, "\(probe.get("/metrics")?.text ?? "") \(setting.daemon.logText)")
        // One push that is taken, and one that is late.
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        for (age, status) in [(Int64(0), 204), (3_600_000, 400)] {
            let answer = probe.request(
                "POST", "/api/v1/write",
                headers: ["Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"],
                body: ReloadTests.push("pushed", at: now - age))
            #expect(answer?.status == status, "\(answer?.text ?? "")")
        }
        _ = probe.get("/api/v1/query?query=demo_up")
        _ = probe.get("/federate?match[]=demo_up")
        let page = try #require(probe.get("/metrics")).text
        let values = Self.values(page)
        let known = Set(values.keys.map { String($0.prefix { $0 != "{" }) })

        let root = URL(fileURLWithPath: SharedFolder.projectRoot)
        var wanted: [(name: String, place: String)] = Self.mixin.flatMap { text in
            Self.names(text).map { ($0, "the mixin") }
        }
        for file in ["rules/martlet.yml", "dashboards/martlet.json"] {
            let text = try String(contentsOf: root.appendingPathComponent(file), encoding: .utf8)
            wanted += Self.names(text).filter { !$0.contains(":") }.map { ($0, file) }
        }
        #expect(wanted.count > 100)
        for (name, place) in wanted where Self.missing[name] == nil {
            #expect(known.contains(name), "\(name), which \(place) names, is not on /metrics")
        }
        for name in Self.missing.keys {
            #expect(!known.contains(name), "\(name) is there: take it off the list of missing ones")
        }

        // Numbers of what happened, not constants.
        func value(_ key: String) -> Double { values[key] ?? .nan }
        #expect(value(#"prometheus_tsdb_head_samples_appended_total{type="float"}"#) > 10)
        #expect(value("prometheus_remote_write_receiver_samples_total") == 1)
        #expect(value(#"prometheus_http_requests_total{code="204",handler="/api/v1/write"}"#) == 1)
        #expect(value(#"prometheus_http_requests_total{code="400",handler="/api/v1/write"}"#) == 1)
        #expect(value("prometheus_tsdb_head_series") >= 8)
        #expect(value("prometheus_tsdb_head_series_created_total") >= value("prometheus_tsdb_head_series"))
        #expect(value("prometheus_tsdb_head_chunks") >= 8)
        #expect(value("prometheus_tsdb_head_max_time") > value("prometheus_tsdb_head_min_time"))
        #expect(value("prometheus_tsdb_head_max_time_seconds") > 1.7e9)
        #expect(value("prometheus_tsdb_wal_storage_size_bytes") > 100)
        #expect(value("prometheus_tsdb_wal_segment_current") >= 1)
        #expect(value("prometheus_tsdb_retention_limit_seconds") == 15 * 86_400)
        #expect(value("prometheus_tsdb_clean_start") == 1)
        #expect(value(#"prometheus_engine_query_duration_seconds_count{slice="inner_eval"}"#) >= 2)
        #expect(value("prometheus_template_text_expansions_total") >= 1)
        #expect(value("prometheus_tsdb_exemplar_exemplars_in_storage") == 1)
        #expect(value("prometheus_rule_group_duration_seconds_count") >= 1)

        // The page in its other forms holds the same families.
        let open = try #require(
            probe.get("/metrics", headers: ["Accept": "application/openmetrics-text; version=1.0.0"]))
        #expect(open.text.hasSuffix("# EOF\n"))
        #expect(open.text.contains("# TYPE prometheus_tsdb_reloads counter"))
        #expect(page.contains("prometheus_http_response_size_bytes_bucket{handler=\"/metrics\",le=\"1e+06\"}"))
        #expect(setting.daemon.terminate() == 0)
    }
}
