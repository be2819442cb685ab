import Config
import Testing

@Suite("Heartbeat configuration")
struct HeartbeatConfigTests {
    private func parse(_ text: String) throws -> HeartbeatConfig {
        try HeartbeatConfig.parse(text: Array(text.utf8), path: "h.yml")
    }

    @Test("both directions are read, with their defaults")
    func good() throws {
        let config = try parse(
            """
            outgoing: [{url: "https://example.com/ping/x"}, {url: "http://a", interval: 5m, timeout: 1s,
              http_config: {basic_auth: {username: u, password: p}}}]
            incoming: [{name: backup-1, interval: 25h, labels: {team: db}}]
            """)
        #expect(config.outgoing.map(\.interval) == [60_000, 300_000])
        #expect(config.outgoing.map(\.timeout) == [10_000, 1000])
        #expect(config.outgoing[1].client.basicAuth != nil)
        #expect(config.incoming.map(\.name) == ["backup-1"] && config.incoming[0].interval == 90_000_000)
        #expect(try parse("").outgoing.isEmpty)
    }

    static let bad: [(text: String, message: String)] = [
        ("outgoing: [{}]", "1:12: a heartbeat needs a url"),
        ("outgoing: [{url: 'ftp://a/'}]", "1:13: unsupported scheme for URL: expected http or https (url)"),
        ("outgoing: [{url: 'http://a/', interval: 10ms}]", "1:31: interval is shorter than 1s"),
        ("outgoing: [{url: 'http://a/', nonsense: 1}]", "1:31: field nonsense not found in type heartbeat.Outgoing"),
        ("incoming: [{name: a}]", "1:12: a heartbeat needs an interval of 1s or more"),
        (
            "incoming: [{name: a/b, interval: 1m}]",
            "1:13: a heartbeat needs a name of at most 128 letters, digits, '-', '_' and '.'"
        ),
        (
            "incoming: [{name: .., interval: 1m}]",
            "1:13: a heartbeat needs a name of at most 128 letters, digits, '-', '_' and '.'"
        ),
        (
            "incoming: [{name: a, interval: 1m}, {name: a, interval: 2m}]",
            #"1:37: heartbeat name "a" is not unique"#
        ), ("incoming: [{name: a, interval: 1m, labels: {alertname: b}}]", "1:36: invalid label name: alertname"),
        ("incoming: [null]", "1:12: empty or null heartbeat"),
        (
            "outgoing: [{url: 'http://a/', http_config: {basic: 1}}]",
            "1:45: field basic not found in type config.HTTPClientConfig"
        ),
    ]

    @Test("mistakes are named with their places", arguments: bad)
    func refuse(_ text: String, _ message: String) {
        var found = ""
        do { _ = try parse(text) } catch { found = "\(error)" }
        #expect(found == "h.yml:" + message)
    }
}
