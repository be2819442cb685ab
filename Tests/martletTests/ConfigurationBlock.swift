import Config

/// A mapping of a configuration file, as `docs/configuration.md` names it, and how to have it read.
struct ConfigurationBlock {
    enum File {
        case main, rules, tests, notifier, heartbeats, web
    }

    var name: String
    var file: File
    /// A whole file with `KEYS` for the members of the mapping.
    var frame: String
    /// Members that the mapping must have.
    var needed: [(key: String, value: String)] = []

    /// What the reader of the file makes of the mapping with one more member.
    struct Outcome {
        /// All that was read, without places; nil after a mistake.
        var content: String?
        var unsupported: [String] = []
        var mistake = ""

        var isUnknownKey: Bool { mistake.contains(" not found in type ") }

        /// Whether something is not supported that is not among these messages.
        func isRefused(beyond known: [String]) -> Bool {
            unsupported.contains { !known.contains($0) } || mistake.contains("not supported yet")
        }
    }

    /// Reads the block with `value` for `key`, or without it.
    func read(_ key: String? = nil, _ value: String = "null") -> Outcome { read(key.map { [$0] } ?? [], value) }

    /// The keys that the block does not refuse as unknown.
    func known(_ keys: [String]) -> [String] {
        // Many at a time, for most are unknown in most blocks.
        stride(from: 0, to: keys.count, by: 50).flatMap { start -> [String] in
            let some = Array(keys[start..<min(start + 50, keys.count)])
            let refused = read(some, "null").mistake.ranges(of: " not found in type ").count
            return refused == some.count ? [] : some.filter { !read($0).isUnknownKey }
        }
    }

    private func read(_ keys: [String], _ value: String) -> Outcome {
        let members =
            needed.filter { !keys.contains($0.key) }.map { "\($0.key): \($0.value)" }
            + keys.map { "\($0): \(value)" }
        let text = frame.replacing("KEYS", with: members.joined(separator: ", "))
        do throws(ConfigError) {
            var outcome = try Self.load(file, Array(text.utf8))
            outcome.content = outcome.content?.replacing(/Config\.ConfigPlace\([^)]*\)/, with: "")
            return outcome
        } catch {
            return Outcome(content: nil, mistake: error.message)
        }
    }

    private static func load(_ file: File, _ text: [UInt8]) throws(ConfigError) -> Outcome {
        switch file {
        case .main:
            var read = try ConfigurationLoader.parse(text: text, path: "x.yml", environment: { _ in nil })
            for index in read.scrapeConfigs.indices { read.scrapeConfigs[index].fingerprint = "" }
            let missing = read.unsupported.map(\.message)
            read.unsupported = []
            return Outcome(content: "\(read)", unsupported: missing)
        case .rules:
            return Outcome(content: "\(try RuleFileLoader.parse(text: text, path: "x.yml", readsOwnKeys: true))")
        case .tests: return Outcome(content: "\(try RuleTestFileLoader.parse(text: text, path: "x.yml"))")
        case .notifier:
            var read = try AlertmanagerConfigLoader.parse(text: text, path: "x.yml")
            let missing = read.unsupported.map(\.message)
            read.unsupported = []
            (read.hash, read.secrets) = (0, [])
            for index in read.receivers.indices { read.receivers[index].unsupported = [] }
            return Outcome(content: "\(read)", unsupported: missing)
        case .heartbeats: return Outcome(content: "\(try HeartbeatConfig.parse(text: text, path: "x.yml"))")
        case .web: return Outcome(content: "\(try WebConfig.parse(text: text, path: "x.yml"))")
        }
    }

    private static func job(_ inner: String) -> String { "{scrape_configs: [{job_name: x, \(inner)}]}" }
    private static func http(_ inner: String) -> String { notifier("global: {http_config: {\(inner)}}") }
    private static func storage(_ inner: String) -> String { "{storage: {\(inner)}}" }
    private static func test(_ inner: String) -> String { "{tests: [{\(inner)}]}" }
    private static func notifier(_ inner: String) -> String {
        "{route: {receiver: r}, receivers: [{name: r}], \(inner)}"
    }
    private static let url = ("url", "\"http://localhost/\"")

    /// All blocks but those that are only part of others.
    static let all: [ConfigurationBlock] = main + clients + rules + notifier + receivers + heartbeats + web

    private static let main: [ConfigurationBlock] = [
        .init(name: "file", file: .main, frame: "{KEYS}"),
        .init(name: "global", file: .main, frame: "{global: {KEYS}}"),
        .init(name: "runtime", file: .main, frame: "{runtime: {KEYS}}"),
        .init(name: "scrape_config", file: .main, frame: "{scrape_configs: [{KEYS}]}", needed: [("job_name", "x")]),
        .init(name: "static_config", file: .main, frame: job("static_configs: [{KEYS}]")),
        .init(
            name: "file_sd_config", file: .main, frame: job("file_sd_configs: [{KEYS}]"),
            needed: [("files", "[a.yml]")]),
        .init(
            name: "dns_sd_config", file: .main, frame: job("dns_sd_configs: [{KEYS}]"), needed: [("names", "[a]")]),
        .init(name: "http_sd_config", file: .main, frame: job("http_sd_configs: [{KEYS}]"), needed: [url]),
        .init(
            name: "relabel_config", file: .main, frame: job("relabel_configs: [{KEYS}]"),
            needed: [("target_label", "a")]),
        .init(name: "alerting", file: .main, frame: "{alerting: {KEYS}}"),
        .init(name: "alertmanager", file: .main, frame: "{alerting: {alertmanagers: [{KEYS}]}}"),
        .init(
            name: "alertmanager_sigv4", file: .main, frame: "{alerting: {alertmanagers: [{sigv4: {KEYS}}]}}",
            needed: [("access_key", "a"), ("secret_key", "b")]),
        .init(name: "storage", file: .main, frame: storage("KEYS")),
        .init(name: "tsdb", file: .main, frame: storage("tsdb: {KEYS}")),
        .init(name: "chunk_encoding", file: .main, frame: storage("tsdb: {chunk_encoding: {KEYS}}")),
        .init(name: "retention", file: .main, frame: storage("tsdb: {retention: {KEYS}}")),
        .init(name: "exemplars", file: .main, frame: storage("exemplars: {KEYS}")),
    ]

    private static let clients: [ConfigurationBlock] = [
        .init(name: "http_config", file: .notifier, frame: http("KEYS")),
        .init(name: "basic_auth", file: .notifier, frame: http("basic_auth: {KEYS}")),
        .init(name: "authorization", file: .notifier, frame: http("authorization: {KEYS}")),
        .init(
            name: "oauth2", file: .notifier, frame: http("oauth2: {KEYS}"),
            needed: [("client_id", "a"), ("token_url", "\"http://localhost/\"")]),
        .init(name: "tls_config", file: .notifier, frame: http("tls_config: {KEYS}")),
        .init(name: "http_header", file: .notifier, frame: http("http_headers: {X-A: {KEYS}}")),
    ]

    private static let rules: [ConfigurationBlock] = [
        .init(name: "rule_file", file: .rules, frame: "{KEYS}"),
        .init(name: "rule_group", file: .rules, frame: "{groups: [{KEYS}]}", needed: [("name", "g")]),
        .init(
            name: "rule", file: .rules, frame: "{groups: [{name: g, rules: [{KEYS}]}]}",
            needed: [("alert", "A"), ("expr", "up")]),
        .init(name: "test_file", file: .tests, frame: "{KEYS}"),
        .init(name: "test", file: .tests, frame: "{tests: [{KEYS}]}"),
        .init(name: "input_series", file: .tests, frame: test("input_series: [{KEYS}]")),
        .init(
            name: "alert_rule_test", file: .tests, frame: test("alert_rule_test: [{KEYS}]"),
            needed: [("alertname", "A")]),
        .init(
            name: "exp_alert", file: .tests, frame: test("alert_rule_test: [{alertname: A, exp_alerts: [{KEYS}]}]")),
        .init(name: "promql_expr_test", file: .tests, frame: test("promql_expr_test: [{KEYS}]")),
        .init(name: "exp_sample", file: .tests, frame: test("promql_expr_test: [{exp_samples: [{KEYS}]}]")),
    ]

    private static let notifier: [ConfigurationBlock] = [
        .init(
            name: "notifier", file: .notifier, frame: "{KEYS}",
            needed: [("route", "{receiver: r}"), ("receivers", "[{name: r}]")]),
        .init(name: "notifier_global", file: .notifier, frame: notifier("global: {KEYS}")),
        .init(
            name: "route", file: .notifier, frame: "{route: {KEYS}, receivers: [{name: r}, {name: s}]}",
            needed: [("receiver", "r")]),
        .init(
            name: "receiver", file: .notifier, frame: "{route: {receiver: s}, receivers: [{KEYS}]}",
            needed: [("name", "s")]),
        .init(
            name: "webhook_config", file: .notifier,
            frame: "{route: {receiver: r}, receivers: [{name: r, webhook_configs: [{KEYS}]}]}", needed: [url]),
        .init(name: "inhibit_rule", file: .notifier, frame: notifier("inhibit_rules: [{KEYS}]")),
        .init(
            name: "time_interval", file: .notifier, frame: notifier("time_intervals: [{KEYS}]"),
            needed: [("name", "t")]),
        .init(
            name: "time_range", file: .notifier,
            frame: notifier("time_intervals: [{name: t, time_intervals: [{KEYS}]}]")),
        .init(
            name: "time", file: .notifier,
            frame: notifier("time_intervals: [{name: t, time_intervals: [{times: [{KEYS}]}]}]"),
            needed: [("start_time", "\"01:00\""), ("end_time", "\"02:00\"")]),
    ]

    private static let heartbeats: [ConfigurationBlock] = [
        .init(name: "heartbeats", file: .heartbeats, frame: "{KEYS}"),
        .init(
            name: "outgoing_heartbeat", file: .heartbeats, frame: "{outgoing: [{KEYS}]}", needed: [url]),
        .init(
            name: "incoming_heartbeat", file: .heartbeats, frame: "{incoming: [{KEYS}]}",
            needed: [("name", "a"), ("interval", "1m")]),
    ]

    private static let web: [ConfigurationBlock] = [
        .init(name: "web", file: .web, frame: "{KEYS}"),
        .init(
            name: "tls_server_config", file: .web, frame: "{tls_server_config: {KEYS}}",
            needed: [("cert_file", "a"), ("key_file", "b")]),
        .init(name: "http_server_config", file: .web, frame: "{http_server_config: {KEYS}}"),
        .init(name: "rate_limit", file: .web, frame: "{rate_limit: {KEYS}}"),
    ]
}
