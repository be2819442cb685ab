import API
import Config
import Foundation
import Model
import Notify
import Platform
import PromQL
import Rules
import Scrape
import Storage
import Telemetry
import TestSupport
import Testing

@testable import martlet

/// Reloads in two phases: whichever preparation fails, nothing has changed.
@Suite("Reload")
struct ReloaderTests {
    /// The parts of a daemon over a directory of its own, with a first configuration in force.
    private final class Fixture {
        private let temporary: TemporaryFolder
        var folder: String { temporary.path }
        let options: DaemonOptions
        let parts: Components
        let status = DaemonStatus()
        let reloader: Reloader

        init() throws {
            temporary = try TemporaryFolder()
            let folder = temporary.path
            try Fixture.write(folder, Files.first(folder))
            options = try DaemonOptions(
                try ServerFlags.set.parse([
                    "--config.file=\(folder)/martlet.yml", "--alerting.config.file=\(folder)/alerting.yml",
                    "--storage.tsdb.path=\(folder)/data", "--heartbeat.config.file=\(folder)/heartbeats.yml",
                ]))
            let sources = try ConfigurationSources.readFirst(options)
            parts = try Components(options, sources, clock: SystemClock())
            reloader = Reloader(options, parts, status)
            DaemonMetrics.register(parts.metrics, status, hasNotifier: false)
            reloader.commit(try reloader.prepare(sources))
        }

        func end() {
            parts.scrape.shutdown()
            try? parts.store.close()
        }

        func write(_ files: Files) throws { try Self.write(folder, files) }

        private static func write(_ folder: String, _ files: Files) throws {
            for (name, text) in [
                ("martlet.yml", files.main), ("rules.yml", files.rules), ("alerting.yml", files.alerting),
                ("heartbeats.yml", files.heartbeats),
            ] { try text.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8) }
        }

        func metric(_ name: String) -> Double? {
            parts.metrics.families().first { $0.name == name }?.samples.first?.value
        }

        /// What each part has of the configuration, by part.
        func picture() -> [String: String] {
            let now = parts.clock.now()
            parts.alertSinks.send([Alert(labels: Labels([("alertname", "a")]), startsAt: now, endsAt: now + 60_000)])
            _ = parts.notifier?.step(at: now)
            let inForce = status.inForce
            return [
                "configuration": inForce.configuration.effectiveText(retentionTime: 0, retentionSize: 0),
                "retention": parts.store.retentionText, "pools": "\(parts.scrape.pools())",
                "subquery step": "\(parts.engine.options.defaultSubqueryStep)",
                "rules": "\(parts.rules.status().map { ($0.name, $0.interval, $0.rules.map(\.name)) })",
                "alertmanagers": "\(parts.alertmanagers.activeURLs())",
                "receivers": "\(parts.notifier?.alerts().flatMap(\.receivers) ?? [])",
                "heartbeats": "\(((try? parts.heartbeats?.call("beat")) ?? nil) ?? 0)",
                "query log": "\(metric("prometheus_engine_query_log_enabled") ?? -1)",
            ]
        }
    }

    /// The texts of a configuration.
    private struct Files {
        var main: String
        var rules: String
        var alerting: String
        var heartbeats: String

        static func first(_ folder: String) -> Files {
            Files(
                main: """
                    global: {evaluation_interval: 15s}
                    rule_files: [rules.yml]
                    alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:21301']}]}]}
                    storage: {tsdb: {retention: {time: 1d}}}
                    scrape_configs: [{job_name: first}]
                    """,
                rules: "groups: [{name: first, rules: [{record: a, expr: b}]}]",
                alerting: "{route: {receiver: first}, receivers: [{name: first}]}",
                heartbeats: "incoming: [{name: beat, interval: 1d}]")
        }

        /// A configuration that differs in each part from the first.
        static func second(_ folder: String) -> Files {
            Files(
                main: """
                    global: {evaluation_interval: 30s, query_log_file: \(folder)/queries.log}
                    rule_files: [rules.yml]
                    alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:21302']}]}]}
                    storage: {tsdb: {retention: {time: 2d}}}
                    scrape_configs: [{job_name: second}]
                    """,
                rules: "groups: [{name: second, rules: [{alert: A, expr: b, labels: {x: '{{ 1 }}'}}]}]",
                alerting: "{route: {receiver: second}, receivers: [{name: second}]}",
                heartbeats: "incoming: [{name: beat, interval: 2d}]")
        }

        /// The second configuration with the ways in which a step of its preparation fails.
        static func failing(_ step: PreparationStep, _ folder: String) -> [Files] {
            func with(_ change: (inout Files) -> Void) -> Files {
                var files = second(folder)
                change(&files)
                return files
            }
            func main(_ old: String, _ new: String) -> Files {
                with { $0.main = $0.main.replacing(old, with: new) }
            }
            switch step {
            case .configuration:
                return [
                    with { $0.main += "\nnonsense: 1" }, with { $0.main = "{" },
                    with { $0.main += "\nremote_write: [{url: 'http://127.0.0.1:21303/'}]" },
                    with { $0.main += "\nscrape_config_files: [alerting.yml]" },
                ]
            case .notifier:
                return [
                    with { $0.alerting = "{" }, with { $0.alerting = "{route: {receiver: none}, receivers: []}" },
                    with {
                        $0.alerting =
                            "{route: {receiver: a}, receivers: [{name: a, webhook_configs: [{url: 'http://x', "
                            + "http_config: {tls_config: {ca_file: /no/such}}}]}]}"
                    },
                ]
            case .heartbeats:
                return [with { $0.heartbeats = "incoming: [{name: beat}]" }, with { $0.heartbeats = "nonsense: 1" }]
            case .ruleFiles:
                return [with { $0.rules = "{" }, with { $0.rules = "nonsense: 1" }]
            case .rules:
                return [
                    with { $0.rules = $0.rules.replacing("expr: b", with: "expr: 'b +'") },
                    with { $0.rules = $0.rules.replacing("{{ 1 }}", with: "{{ 1 ") },
                ]
            case .alertmanagers:
                return [
                    main(
                        "{static_configs: [{targets: ['127.0.0.1:21302']}]}",
                        "{static_configs: [{targets: ['127.0.0.1:21302']}], tls_config: {ca_file: /no/such}}")
                ]
            case .queryLog:
                return [main("/queries.log", "/no/such/queries.log"), main("/queries.log", "")]
            }
        }
    }

    @Test("a failure of any step of the preparation leaves each part as it is", arguments: PreparationStep.allCases)
    func failures(step: PreparationStep) throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let before = fixture.picture()
        let time = fixture.status.inForce.time
        let all = Files.failing(step, fixture.folder)
        #expect(!all.isEmpty)
        for files in all {
            try fixture.write(files)
            let error = #expect(throws: PreparationError.self) {
                try fixture.reloader.prepare(try ConfigurationSources.read(fixture.options))
            }
            #expect(error?.step == step, "\(error.map { "\($0)" } ?? "no error")")
            let reason = fixture.reloader.reload()
            #expect(reason == error?.description)
            #expect(fixture.picture() == before)
            #expect(!fixture.status.inForce.reloadSucceeded && fixture.status.inForce.time == time)
            #expect(fixture.metric("prometheus_config_last_reload_successful") == 0)
        }
    }

    @Test("preparing changes nothing; committing changes each part")
    func success() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        let before = fixture.picture()
        try fixture.write(Files.failing(.rules, fixture.folder)[0])
        #expect(fixture.reloader.reload() != nil)
        try fixture.write(Files.second(fixture.folder))
        let prepared = try fixture.reloader.prepare(try ConfigurationSources.read(fixture.options))
        #expect(fixture.picture() == before)
        fixture.reloader.commit(prepared)
        let after = fixture.picture()
        for (part, text) in before { #expect(after[part] != text, "\(part)") }
        #expect(fixture.status.inForce.reloadSucceeded)
        #expect(fixture.reloader.reload() == nil)
        #expect(fixture.picture() == after)
    }

    @Test("the targets of all Alertmanagers are counted, because discovery other than static is refused for them")
    func alertmanagerTargets() throws {
        let fixture = try Fixture()
        defer { fixture.end() }
        func counts() -> [String: Double] {
            let families = fixture.parts.metrics.families()
            let samples = families.first { $0.name == "prometheus_sd_discovered_targets" }?.samples ?? []
            var counts: [String: Double] = [:]
            for sample in samples {
                let values = sample.labels.map(\.value)
                guard values.contains("notify") else { continue }
                counts[values.first { $0 != "notify" } ?? ""] = sample.value
            }
            return counts
        }
        #expect(counts() == ["config-0": 1])
        let second = Files.second(fixture.folder)
        let block = "{static_configs: [{targets: ['127.0.0.1:21302']}]}"
        func reload(_ blocks: String) throws -> Bool {
            var files = second
            files.main = files.main.replacing(block, with: blocks)
            #expect(files.main != second.main)
            try fixture.write(files)
            return fixture.reloader.reload() == nil
        }
        let more =
            "{static_configs: [{targets: ['127.0.0.1:21304', '127.0.0.1:21305']}, {targets: ['127.0.0.1:21306']}]}"
        #expect(try reload("\(more), {scheme: http}, \(block)"))
        #expect(counts() == ["config-0": 3, "config-1": 0, "config-2": 1])
        for other in [
            "kubernetes_sd_configs: [{role: pod}]", "file_sd_configs: [{files: [a.txt]}]",
        ] {
            #expect(try !reload("{\(other)}, \(block)"), "\(other)")
            #expect(counts() == ["config-0": 3, "config-1": 0, "config-2": 1])
        }
        try #"[{"targets": ["127.0.0.1:21307", "127.0.0.1:21308"]}]"#.write(
            toFile: fixture.folder + "/a.json", atomically: true, encoding: .utf8)
        #expect(try reload("{file_sd_configs: [{files: [a.json]}]}, \(block)"))
        #expect(counts() == ["config-0": 2, "config-1": 1])
    }
}
