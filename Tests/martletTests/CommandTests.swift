import Foundation
import TestSupport
import Testing

@testable import martlet

/// Subcommands and their exit statuses.
@Suite("Commands")
struct CommandTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func file(_ text: String) throws -> String {
        let path = folder.path + "/\(UUID().uuidString)"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test("check metrics opens the files it is given")
    func metrics() throws {
        let good = try file("# HELP a_total A.\n# TYPE a_total counter\na_total 1\n")
        let lint = try file("# TYPE a counter\na 1\n")
        let broken = try file("a{ 1\n")
        let open = try file("# HELP a A.\n# TYPE a counter\na_total 1\n# EOF\n")
        func check(_ words: String...) -> Int32 { Command.run(["check", "metrics"] + words) }
        #expect(check(good) == 0)
        #expect(check(lint) == 3)
        #expect(check(broken) == 1)
        #expect(check("/does/not/exist") == 1)
        #expect(check(good, lint) == 3)
        #expect(check(lint, broken, good) == 1)
        #expect(check(open) == 0)
        #expect(check("--format=openmetrics", good) == 1)
        #expect(check("--format=text", good) == 0)
        #expect(check("--format=xml", good) == 2)
        #expect(check("--extended", good) == 0)
    }

    @Test("check config looks for the files of credentials and TLS")
    func namedFiles() throws {
        let token = try file("t")
        func check(_ client: String) throws -> Int32 {
            let config = try file("scrape_configs: [{job_name: a, \(client)}]")
            return Command.run(["check", "config", config])
        }
        #expect(try check("authorization: {credentials_file: \(token)}") == 0)
        #expect(try check("authorization: {credentials_file: /no/such}") == 1)
        #expect(try check("bearer_token_file: /no/such") == 1)
        #expect(try check("tls_config: {ca_file: /no/such}") == 1)
        #expect(try check("tls_config: {cert_file: /no/such, key_file: \(token)}") == 1)
        #expect(try check("basic_auth: {username: a, password_file: /no/such}") == 0)
    }

    @Test(
        "check config builds the targets",
        arguments: [
            ("static_configs: [{targets: ['h:1']}]", 0), ("static_configs: [{targets: ['h:1', '']}]", 1),
            ("static_configs: [{targets: ['h:1'], labels: {__scrape_interval__: '5'}}]", 1),
            ("static_configs: [{targets: ['h:1'], labels: {__scrape_timeout__: 1h}}]", 1),
            (
                "static_configs: [{targets: ['h:1']}], "
                    + "relabel_configs: [{target_label: __address__, replacement: 'http://x/y'}]", 1
            ),
            ("scheme: htps, static_configs: [{targets: ['h:1']}]", 0),
        ])
    func targets(_ job: String, _ status: Int32) throws {
        let config = try file("scrape_configs: [{job_name: a, \(job)}]")
        #expect(Command.run(["check", "config", config]) == status)
        #expect(Command.run(["check", "config", "--syntax-only", config]) == status)
    }

    @Test("check config builds the targets in files and those of Alertmanagers")
    func otherTargets() throws {
        let targets = try file("[{targets: ['h:1', '']}]")
        try FileManager.default.moveItem(atPath: targets, toPath: targets + ".yml")
        let discovery = try file("scrape_configs: [{job_name: a, file_sd_configs: [{files: ['\(targets).yml']}]}]")
        let alerting = try file(
            "alerting: {alertmanagers: [{relabel_configs: [{target_label: __address__, replacement: a/b}], "
                + "static_configs: [{targets: ['h:1']}]}]}")
        #expect(Command.run(["check", "config", discovery]) == 1)
        #expect(Command.run(["check", "config", "--syntax-only", discovery]) == 0)
        #expect(Command.run(["check", "config", alerting]) == 1)
    }

    @Test("lint flags choose the checks, and only --lint-fatal ends with 3")
    func lint() throws {
        let rules = try file("groups: [{name: g, rules: [{record: a, expr: b}, {record: a, expr: b}]}]")
        let config = try file(
            "{global: {scrape_interval: 10m}, rule_files: ['\(rules)'], scrape_configs: [{job_name: a}]}")
        let bad = try file("groups: [{name: g, rules: [{record: a, expr: 'b +'}]}]")
        let badConfig = try file("rule_files: ['\(bad)']")
        let unknown = try file("groups: [{name: g, x: 1, rules: [{record: a, expr: b}]}]")
        func check(_ words: String...) -> Int32 { Command.run(["check"] + words) }
        #expect(check("rules", rules) == 0)
        #expect(check("rules", "--lint-fatal", rules) == 3)
        #expect(check("rules", "--lint-fatal", "--lint=none", rules) == 0)
        #expect(check("rules", "--lint-fatal", "--lint=too-long-scrape-interval", rules) == 0)
        #expect(check("rules", "--lint-fatal", rules, bad) == 1)
        #expect(check("config", config) == 0)
        #expect(check("config", "--lint-fatal", config) == 3)
        #expect(check("config", "--lint-fatal", "--lint=none", config) == 0)
        #expect(check("config", "--lint-fatal", "--lint=too-long-scrape-interval", config) == 3)
        #expect(
            check("config", "--lint-fatal", "--lint=too-long-scrape-interval", "--query.lookback-delta=11m", config)
                == 0)
        #expect(check("config", "--lint-fatal", "--lint=foo", config) == 0)
        #expect(check("config", "--lint-fatal", "--syntax-only", "--lint=duplicate-rules", config) == 0)
        #expect(check("config", badConfig) == 1)
        #expect(check("config", "--syntax-only", badConfig) == 0)
        #expect(check("rules", unknown) == 1)
        #expect(check("rules", "--ignore-unknown-fields", unknown) == 0)
        #expect(check("metrics", "--lint=none", rules) == 1)
    }

    @Test("features that are none of the language are a warning for check and test, as promtool's")
    func features() throws {
        let rules = try file("groups: [{name: g, rules: [{record: a, expr: b}]}]")
        for name in ["nonsense", "native-histograms", "st-synthesis", "promql-experimental-functions,nonsense"] {
            #expect(Command.run(["check", "rules", "--enable-feature=\(name)", rules]) == 0)
        }
    }

    @Test("names of lint checks are read as promtool reads them")
    func lintNames() {
        func show(_ text: String, ofRules: Bool = false) -> String {
            let lint = LintOptions(text, ofRules: ofRules)
            return "\(lint.findsDuplicateRules) \(lint.findsLongIntervals) \(lint.unknown)"
        }
        #expect(show("all") == "true true []")
        #expect(show("all", ofRules: true) == "true false []")
        #expect(show("duplicate-rules,too-long-scrape-interval") == "true true []")
        #expect(show("too-long-scrape-interval", ofRules: true) == "false false [\"too-long-scrape-interval\"]")
        #expect(show("all,none") == "false false []")
        #expect(show("foo,duplicate-rules") == "true false [\"foo\"]")
    }

    @Test("names that no test group has test nothing, which is a failure")
    func noTests() throws {
        let tests = try file("tests: [{name: alpha, interval: 1m}]")
        #expect(Command.run(["test", "rules", tests]) == 0)
        #expect(Command.run(["test", "rules", "--run=alp", tests]) == 0)
        #expect(Command.run(["test", "rules", "--run=nope", tests]) == 1)
    }

    @Test("unknown commands and flags end with 2")
    func unknown() {
        for words in [["nosuch"], ["--nosuch"], ["check", "nosuch", "x"], ["--agent"], ["--web.user-assets=x"]] {
            #expect(Command.run(words) == 2, "\(words)")
        }
    }
}
