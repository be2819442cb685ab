import Testing

@testable import Config

/// Files with more than one mistake, and mistakes far from where they show.
@Suite("Mistakes of a file")
struct ConfigProblemsTests {
    private static func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch { return "\(error)" }
    }

    private static func configuration(_ text: String) -> String {
        message { _ = try ConfigurationLoader.parse(text: Array(text.utf8), path: "f") }
    }

    private static func rules(_ text: String) -> String {
        message { _ = try RuleFileLoader.parse(text: Array(text.utf8), path: "f") }
    }

    @Test("all unknown keys of a configuration are named, in the order of the lines")
    func unknownKeys() {
        let text = """
            zz: 1
            global: {foo: 1}
            scrape_configs:
            - job_name: a
              bar: 1
              static_configs: [{target: [a]}]
              relabel_configs: [{regx: a, action: labeldrop}]
              http_sd_configs: [{url: 'http://h', x: 1}]
            - job_nam: b
            alerting: {alertmanagers: [{paths: a}]}
            storage: {tsdb: {size: 1}}
            """
        let lines = Self.configuration(text).split(separator: "\n")
        let found = lines.map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
        #expect(
            found == [
                "f:1:1: field zz", "f:2:10: field foo", "f:5:3: field bar", "f:6:21: field target",
                "f:7:22: field regx", "f:8:39: field x", "f:9:3: field job_nam", "f:10:29: field paths",
                "f:11:18: field size",
            ])
    }

    @Test("an error names a bounded number of mistakes")
    func bounded() {
        let lines = Self.configuration((1...105).map { "k\($0): 1" }.joined(separator: "\n")).split(separator: "\n")
        #expect(lines.count == 101)
        #expect(lines.last == "and 5 more mistakes")
    }

    @Test("several jobs with mistakes are named at once")
    func jobs() {
        #expect(
            Self.configuration("scrape_configs:\n- {job_name: a, scrape_interval: x}\n- {}\n").split(separator: "\n")
                .map { $0.prefix(4) } == ["f:2:", "f:3:"])
    }

    @Test("an unknown key is named rather than the key that is missing because of it")
    func misspelt() {
        let text = "groups:\n- name: g\n  rules:\n  - alert: A\n    exp: up\n"
        #expect(Self.rules(text) == "f:5:5: field exp not found in type rulefmt.Rule, did you mean expr?")
    }

    @Test("all mistakes of rules are named, in the order of the lines")
    func ruleOrder() {
        let text = """
            groups:
            - name: g
              rules:
              - record: "a{"
                alert: A
                for: 1m
                labels: {__name__: x}
              - expr: up
            - rules: [{alert: B, expr: up, for: x}]
            """
        #expect(
            Self.rules(text).split(separator: "\n").map { String($0.prefix(6)) } == [
                "f:4:5:", "f:4:5:", "f:5:5:", "f:6:5:", "f:7:5:", "f:8:5:", "f:9:3:", "f:9:37",
            ])
    }

    @Test("null in lists of groups and rules is passed over")
    func nulls() throws {
        let file = try RuleFileLoader.parse(
            text: Array("groups: [~, {name: g, rules: [~, {record: r, expr: up}, null]}]".utf8), path: "f")
        #expect(file.groups.map(\.rules.count) == [1])
        #expect(file.groups.first?.rules.first?.number == 1)
    }

    @Test("a quote that is not closed is told where it opens")
    func openQuote() {
        #expect(Self.configuration("global:\n  a: \"x\n  b: 1\n").hasPrefix("f:2:6: yaml: "))
        #expect(Self.configuration("global:\n  a: 'x\n  b: 1\n").hasPrefix("f:2:6: yaml: "))
    }

    @Test("an address that is a URL is told where it stands")
    func hostnames() {
        let text = "scrape_configs:\n- job_name: a\n  static_configs:\n  - targets:\n    - h:1\n    - http://h\n"
        #expect(Self.configuration(text) == "f:6:7: \"http://h\" is not a valid hostname")
    }

    @Test(
        "URLs are read as Go reads them",
        arguments: [
            ("proxy_url: ':'", "proxy_url is no valid URL: missing protocol scheme"),
            ("http_sd_configs: [{url: 'http://x/%zz'}]", "url is no valid URL: invalid URL escape"),
            ("http_sd_configs: [{url: 'ftp://x'}]", "URL scheme must be 'http' or 'https'"),
            ("http_sd_configs: [{url: 'http:x'}]", "host is missing in URL"),
            ("http_sd_configs: [{url: 'HTTP://x'}]", ""), ("proxy_url: 'socks5://h:1'", ""), ("proxy_url: ''", ""),
        ])
    func urls(_ key: String, _ reason: String) {
        let found = Self.configuration("scrape_configs: [{job_name: a, \(key)}]")
        #expect(reason.isEmpty ? found.isEmpty : found.hasSuffix(": " + reason), "\(found)")
    }

    @Test(
        "URLs of webhooks are read as Go reads them",
        arguments: [
            ("http://h", ""), ("http://h:x", "invalid port"), ("ftp://h", "unsupported scheme for URL"),
            ("http:///x", "missing host for URL"),
        ])
    func webhooks(_ url: String, _ reason: String) {
        let text = "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: '\(url)'}]}]"
        let found = Self.message { _ = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "f") }
        #expect(reason.isEmpty ? found.isEmpty : found.contains(reason), "\(found)")
    }

    @Test(
        "values of expected samples are YAML numbers",
        arguments: [
            ("1e3", 1000), ("0x10", 16), ("-.inf", -Double.infinity), ("~", 0), ("1_0", 10), ("Inf", nil), ("NaN", nil),
            ("\"1\"", nil), ("1 1", nil), ("true", nil),
        ])
    func values(_ text: String, _ value: Double?) {
        let file = "tests: [{promql_expr_test: [{expr: a, exp_samples: [{value: \(text)}]}]}]"
        let found = try? RuleTestFileLoader.parse(text: Array(file.utf8), path: "f")
        #expect(found?.tests.first?.expressionTests.first?.expected.first?.value == value)
    }

    @Test("a misspelt key of alerting is named instead of what it leaves out")
    func alertingKeys() {
        let text =
            "foo: 1\nroute: {recever: a}\nreceivers: [{name: a, webhook_configs: [{url: 'http://h', sendresolved: true}]}]\n"
        let error = #expect(throws: ConfigError.self) {
            try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        }
        let message = error?.description ?? ""
        for part in ["field foo", "field recever", "field sendresolved"] {
            #expect(message.contains(part), "\(message)")
        }
        #expect(!message.contains("default receiver"))
    }
}
