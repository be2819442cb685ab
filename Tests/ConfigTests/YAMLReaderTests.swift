import Model
import TestSupport
import Testing

@testable import Config

/// What every reader of a list or a map refuses, and how names are compared.
@Suite("Readers of YAML")
struct YAMLReaderTests {
    private static func job(_ keys: String) -> String { "scrape_configs: [{job_name: j, \(keys)}]" }

    /// Every list of strings of Prometheus's file, with `LIST` in its place.
    private static let lists = [
        "rule_files: LIST", "scrape_config_files: LIST", "global: {scrape_protocols: LIST}",
        job("scrape_protocols: LIST"),
        job("params: {a: LIST}"), job("proxy_url: 'http://p', proxy_connect_header: {A: LIST}"),
        job("http_headers: {A: {values: LIST}}"), job("http_headers: {A: {secrets: LIST}}"),
        job("http_headers: {A: {files: LIST}}"), job("oauth2: {client_id: a, token_url: 'http://t', scopes: LIST}"),
        job("static_configs: [{targets: LIST}]"), job("file_sd_configs: [{files: LIST}]"),
        job("relabel_configs: [{source_labels: LIST, target_label: b}]"),
        job("metric_relabel_configs: [{source_labels: LIST, target_label: b}]"),
        job("http_sd_configs: [{url: 'http://h', http_headers: {A: {values: LIST}}}]"),
        "alerting: {alertmanagers: [{static_configs: [{targets: LIST}]}]}",
        "alerting: {alert_relabel_configs: [{source_labels: LIST, target_label: b}]}",
    ]

    /// Every map of strings of Prometheus's file, with `MAP` in its place.
    private static let maps = [
        "global: {external_labels: MAP}", job("static_configs: [{targets: [a], labels: MAP}]"),
        job("oauth2: {client_id: a, token_url: 'http://t', endpoint_params: MAP}"),
    ]

    private static func prometheus(_ text: String) throws(ConfigError) {
        _ = try ConfigurationLoader.parse(text: Array(text.utf8), path: "f") { _ in nil }
    }

    private static func rules(_ text: String) throws(ConfigError) {
        _ = try RuleFileLoader.parse(text: Array(text.utf8), path: "f")
    }

    private static func alertmanager(_ rest: String, receivers: String = "[{name: a}]", route: String = "")
        throws(ConfigError)
    {
        let text = "route: {receiver: a\(route)}\nreceivers: \(receivers)\n\(rest)\n"
        _ = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "f")
    }

    @Test("a node of the wrong kind in a list is refused at its place", arguments: lists)
    func listsOfWrongKinds(_ text: String) throws {
        for (list, before) in [
            ("[[x], y]", "["), ("[y, {z: 1}]", "[y, "), ("[y, []]", "[y, "), ("x", ""), ("{x: y}", ""),
        ] {
            let error = #expect(throws: ConfigError.self) {
                try Self.prometheus(text.replacing("LIST", with: list))
            }
            let start = try #require(text.split(separator: "LIST").first.map(String.init))
            #expect(error?.line == 1 && error?.column == (start + before).utf8.count + 1, "\(text) \(list)")
            #expect(error?.message.hasPrefix("cannot unmarshal !!") == true)
        }
    }

    @Test("a node of the wrong kind in a map is refused at its place", arguments: maps)
    func mapsOfWrongKinds(_ text: String) throws {
        for (map, before) in [("{a: [x]}", "{a: "), ("{b: c, a: {x: y}}", "{b: c, a: "), ("[a]", ""), ("a", "")] {
            let error = #expect(throws: ConfigError.self) {
                try Self.prometheus(text.replacing("MAP", with: map))
            }
            let start = try #require(text.split(separator: "MAP").first.map(String.init))
            #expect(error?.line == 1 && error?.column == (start + before).utf8.count + 1, "\(text) \(map)")
        }
    }

    @Test("numbers, switches and null are texts in lists of parameters")
    func scalars() throws {
        let text = Self.job("params: {a: [1, yes, ~, 'b'], c: ~, d: []}")
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "f") { _ in nil }
        #expect(config.scrapeConfigs[0].params.map(\.key) == ["a", "c", "d"])
        #expect(config.scrapeConfigs[0].params.map(\.values) == [["1", "yes", "", "b"], [], []])
    }

    @Test("null as a key is the empty name", arguments: ["~", "null", "!!null ''", "? "])
    func nullKeys(_ key: String) throws {
        let labels = "{\(key): v}"
        for text in Self.maps.dropLast() {
            let error = #expect(throws: ConfigError.self) { try Self.prometheus(text.replacing("MAP", with: labels)) }
            #expect(error?.message == "\"\" is not a valid label name")
        }
        let rule = #expect(throws: ConfigError.self) {
            try Self.rules("groups: [{name: g, rules: [{record: a, expr: '1', labels: \(labels)}]}]")
        }
        #expect(rule?.message.contains("invalid label name: ") == true)
        let unknown = #expect(throws: ConfigError.self) { try Self.prometheus("global: \(labels)") }
        #expect(unknown?.message.hasPrefix("field  not found in type config.plain") == true)
        let twice = #expect(throws: ConfigError.self) { try Self.prometheus("global: {'': a, \(key): v}") }
        #expect(twice?.message == "mapping key \"\" already defined")
    }

    @Test(
        "a binary scalar is the text that it stands for",
        arguments: [
            ("!!binary aGVsbG8=", "hello"), ("!!binary 'aGVs bG8='", nil), ("!!binary \"aGVs\\nbG8=\"", "hello"),
            ("!!binary ''", ""), ("!!binary fg==", "~"), ("!!binary NQ==", "5"), ("!!binary a*==", nil),
            ("!!binary aGVsbG8", nil), ("!!binary a===", nil), ("!!binary aG=sbG8=", nil), ("!!binary /w==", nil),
            ("!<tag:yaml.org,2002:binary> w6k=", "é"),
        ] as [(String, String?)])
    func binary(_ scalar: String, _ value: String?) throws {
        let text = "global: {external_labels: {a: \(scalar)}}"
        guard let value else {
            let error = #expect(throws: ConfigError.self) { try Self.prometheus(text) }
            #expect(error?.column == 31)
            #expect(error?.message.contains("!!binary value") == true)
            return
        }
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "f") { _ in nil }
        #expect(config.global.externalLabels["a"] ?? "" == value)
        // It is text, whatever it looks like.
        #expect(throws: ConfigError.self) { try Self.prometheus("global: {sample_limit: \(scalar)}") }
    }

    /// `é` as one code point and as two.
    private static let (composed, decomposed) = ("\u{E9}", "e\u{301}")

    @Test("names that differ in their bytes only are two names, everywhere")
    func exactNames() throws {
        let (a, b) = (Self.composed, Self.decomposed)
        try Self.prometheus("scrape_configs: [{job_name: \(a)}, {job_name: \(b)}]")
        try Self.prometheus("global: {external_labels: {\(a): x, \(b): y}}")
        try Self.rules("groups: [{name: \(a)}, {name: \(b)}]")
        try Self.alertmanager("", receivers: "[{name: a}, {name: \(a)}, {name: \(b)}]")
        try Self.alertmanager("time_intervals: [{name: \(a)}, {name: \(b)}]")
        _ = try RuleTestFileLoader.parse(text: Array("group_eval_order: [\(a), \(b)]".utf8), path: "f")
        let web = try WebConfig.parse(
            text: Array("basic_auth_users: {\(a): \(Self.hash), \(b): \(Self.hash)}".utf8), path: "f")
        #expect(web.users.count == 2)
    }

    private static let hash = "$2b$10$" + String(repeating: "a", count: 53)

    @Test("a name of the same bytes is found twice, and one of other bytes is not found")
    func references() throws {
        let (a, b) = (Self.composed, Self.decomposed)
        #expect(throws: ConfigError.self) {
            try Self.prometheus("scrape_configs: [{job_name: \(a)}, {job_name: \(a)}]")
        }
        #expect(throws: ConfigError.self) { try Self.prometheus("global: {external_labels: {\(a): x, \(a): y}}") }
        #expect(throws: ConfigError.self) { try Self.rules("groups: [{name: \(b)}, {name: \(b)}]") }
        #expect(throws: ConfigError.self) {
            try Self.alertmanager("", receivers: "[{name: a}, {name: \(b)}, {name: \(b)}]")
        }
        for (name, isKnown) in [(a, true), (b, false)] {
            for (rest, receivers, route) in [
                ("", "[{name: a}, {name: \(a)}]", ", routes: [{receiver: \(name)}]"),
                ("time_intervals: [{name: \(a)}]", "[{name: a}]", ", routes: [{mute_time_intervals: [\(name)]}]"),
                ("time_intervals: [{name: \(a)}]", "[{name: a}]", ", routes: [{active_time_intervals: [\(name)]}]"),
            ] {
                do throws(ConfigError) {
                    try Self.alertmanager(rest, receivers: receivers, route: route)
                    #expect(isKnown)
                } catch {
                    #expect(!isKnown && error.message.hasPrefix("undefined "))
                }
            }
        }
    }

    @Test("settings that differ in their bytes only are not equal")
    func exactSettings() {
        let (a, b) = (Self.composed, Self.decomposed)
        func client(_ text: String) -> HTTPClientConfig {
            var config = HTTPClientConfig()
            config.basicAuth = .init()
            config.basicAuth?.password = text
            return config
        }
        #expect(client(a) != client(b))
        #expect(Set([client(a), client(b), client(a)]).count == 2)
        #expect(FileDiscoveryConfig(files: [a]) != FileDiscoveryConfig(files: [b]))
        #expect(HTTPDiscoveryConfig(url: a, client: .init()) != HTTPDiscoveryConfig(url: b, client: .init()))
        #expect(TargetGroupConfig(targets: [a], labels: []) != TargetGroupConfig(targets: [b], labels: []))
        #expect(TargetGroupConfig(targets: [a], labels: []) == TargetGroupConfig(targets: [a], labels: []))
    }
}
