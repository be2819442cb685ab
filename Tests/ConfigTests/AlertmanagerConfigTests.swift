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

    @Test("an empty list of labels replaces the parent's, as since Alertmanager 0.31; null does not")
    func emptyGroupBy() throws {
        func labels(_ text: String) throws -> [String]? {
            let child = "{matchers: [y=z], group_by: \(text)}"
            return try Self.parse(
                "route: {receiver: a, group_by: [x], routes: [\(child)]}\nreceivers: [{name: a}]"
            ).route.routes[0].groupBy
        }
        #expect(try labels("[]") == [])
        #expect(try labels("~") == nil)
    }

    private static let plain = "route: {receiver: a}\nreceivers: [{name: a}]\n"

    @Test(
        "null in a list of rules and times is the zero value of its type, as in Alertmanager",
        arguments: [
            "inhibit_rules: [~]", "inhibit_rules: [{equal: [~]}]", "inhibit_rules: [{equal: [~, a, null]}]",
            "time_intervals: [~]", "mute_time_intervals: [~, {name: x}]",
            "time_intervals: [{name: x, time_intervals: [~]}]",
        ])
    func nullEntries(_ text: String) throws { _ = try Self.parse(Self.plain + text) }

    @Test(
        "null as a range of times is the one with zeros",
        arguments: [
            ("times", "[0..<0] [] [] [] []"), ("weekdays", "[] [0...0] [] [] []"),
            ("days_of_month", "[] [] [0,0] [] []"),
            ("months", "[] [] [] [0...0] []"), ("years", "[] [] [] [] [0...0]"),
        ])
    func nullRanges(_ key: String, _ expected: String) throws {
        let text = "time_intervals: [{name: x, time_intervals: [{\(key): [~]}]}]"
        let interval = try Self.parse(Self.plain + text).timeIntervals[0].intervals[0]
        let days = interval.daysOfMonth.map { "\($0.begin),\($0.end)" }.joined(separator: " ")
        #expect(
            "\(interval.times.map { $0 }) \(interval.weekdays) [\(days)] \(interval.months) \(interval.years)"
                .replacing("Range(", with: "").replacing("Closed", with: "").replacing(")", with: "") == expected)
    }

    @Test(
        "what is empty or zero and not null is refused, and null where Alertmanager refuses it",
        arguments: [
            "inhibit_rules: [{equal: ['']}]", "time_intervals: [{}]", "time_intervals: [~, ~]",
            "time_intervals: [~]\nmute_time_intervals: [~]",
            "time_intervals: [{name: x, time_intervals: [{times: [{}]}]}]",
            "time_intervals: [{name: x, time_intervals: [{weekdays: ['']}]}]",
            "time_intervals: [{name: x, time_intervals: [{days_of_month: ['0']}]}]",
            "time_intervals: [{name: x, time_intervals: [{months: ['']}]}]",
            "time_intervals: [{name: x, time_intervals: [{years: ['']}]}]",
        ])
    func emptyEntries(_ text: String) {
        let error = #expect(throws: ConfigError.self) { try Self.parse(Self.plain + text) }
        #expect(error?.line ?? 0 > 0)
    }

    @Test(
        "mistakes",
        arguments: [
            ("receivers: []", "no route provided in config"),
            ("templates: ['[a']\nroute: {receiver: a}\nreceivers: [{name: a}]", "syntax error in pattern"),
            ("route: {receiver: x}", "undefined receiver \"x\" used in route"),
            ("route: {group_by: [a]}", "root route must specify a default receiver"),
            ("route: {receiver: a, matchers: [x=y]}\nreceivers: [{name: a}]", "root route must not have any matchers"),
            (
                "route: {receiver: a, group_by: [x, y, x]}\nreceivers: [{name: a}]",
                "duplicated label \"x\" in group_by"
            ),
            (
                "route: {receiver: a, group_by: [x, '...']}\nreceivers: [{name: a}]",
                "cannot have wildcard group_by (`...`) and other labels at the same time"
            ),
            ("route: {receiver: a, continue: true}\nreceivers: [{name: a}]", "cannot have continue in root route"),
            (
                "route: {receiver: a}\nreceivers: [{name: a}]\ninhibit_rules: [{equal: [x, '']}]",
                "invalid label name \"\" in equal list"
            ),
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

    @Test(
        "global settings of receivers are checked though nothing uses them",
        arguments: [
            ("smtp_smarthost: x", "address x: missing port in address"),
            ("smtp_smarthost: 'x:'", "address \"x:\": port cannot be empty"),
            ("smtp_smarthost: '::1:25'", "address ::1:25: too many colons in address"),
            ("smtp_smarthost: '[::1'", "address [::1: missing ']' in address"),
            ("smtp_smarthost: '[::1]'", "address [::1]: missing port in address"),
            ("slack_api_url: x", "unsupported scheme for URL: expected http or https (slack_api_url)"),
            ("pagerduty_url: 'ftp://x'", "unsupported scheme for URL: expected http or https (pagerduty_url)"),
            ("wechat_api_url: 'http://'", "missing host for URL (wechat_api_url)"),
            ("jira_api_url: ''", "unsupported scheme for URL: expected http or https (jira_api_url)"),
            (
                "mattermost_webhook_url: 'http://h:x/'",
                "mattermost_webhook_url is no valid URL: invalid port after host"
            ),
            ("smtp_require_tls: maybe", "cannot unmarshal !!str `maybe` into bool (smtp_require_tls)"),
            ("smtp_from: [a]", "cannot unmarshal !!seq into string (smtp_from)"),
            (
                "opsgenie_api_key: a, opsgenie_api_key_file: b",
                "at most one of opsgenie_api_key & opsgenie_api_key_file must be configured"
            ),
            (
                "slack_app_token_file: a, slack_api_url: 'http://h/'",
                "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured"
            ),
            ("smtp_tls_config: {min_version: TLS9}", "unknown TLS version (min_version)"),
            ("smtp_tls_config: {min_version: ''}", "unknown TLS version (min_version)"),
            ("smtp_tls_config: {max_version: ''}", "unknown TLS version (max_version)"),
        ])
    func globals(_ setting: String, _ message: String) {
        let text = "global: {\(setting)}\nroute: {receiver: a}\nreceivers: [{name: a}]"
        let error = #expect(throws: ConfigError.self) { try Self.parse(text) }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    @Test(
        "addresses as Go takes them, and the placeholder of a shown configuration",
        arguments: [
            "smtp_smarthost: 'h:25'", "smtp_smarthost: ':25'", "smtp_smarthost: '[::1]:25'", "smtp_smarthost: ''",
            "slack_api_url: <secret>", "slack_api_url: 'HTTPS://h/x'", "smtp_tls_config: {server_name: x}",
            "telegram_api_url: null", "smtp_require_tls: no", "smtp_auth_password: '', smtp_auth_password_file: b",
            "opsgenie_api_key: null, opsgenie_api_key_file: b",
            "slack_app_token: a, slack_api_url: 'https://slack.com/api/chat.postMessage'",
            "slack_app_token: a, slack_api_url: 'http://h/', slack_app_url: 'http://h/'",
        ])
    func globalsThatAreValid(_ setting: String) throws {
        _ = try Self.parse("global: {\(setting)}\nroute: {receiver: a}\nreceivers: [{name: a}]")
    }

    @Test(
        "the timeout of a webhook is a duration of Go",
        arguments: [
            ("1.5s", 1500), ("10", 1), ("1m30s", 90_000), ("500us", 1), ("0", 0), ("-1s", -1000), ("1d", nil),
            ("''", nil), ("1", 1), ("2000000000", 2000),
        ] as [(String, Int64?)])
    func webhookTimeout(_ text: String, _ milliseconds: Int64?) {
        let config = try? Self.parse(
            "route: {receiver: a}\nreceivers: [{name: a, webhook_configs: [{url: <secret>, timeout: \(text)}]}]")
        #expect(config?.receivers[0].webhooks[0].timeout == milliseconds)
    }

    @Test(
        "mistakes of time intervals",
        arguments: [
            ("weekdays: [1]", "1 is not a valid weekday"), ("weekdays: ['1:3']", "1 is not a valid weekday"),
            ("weekdays: ['0']", "0 is not a valid weekday"), ("weekdays: [mon]", "mon is not a valid weekday"),
            ("weekdays: ['friday:monday']", "start day cannot be before end day"),
            ("weekdays: ['a:b:c']", "couldn't parse range a:b:c, invalid format"),
            ("days_of_month: ['28:-1']", "end day -1 is always before start day 28"),
            ("days_of_month: ['30:-1']", "end day -1 is always before start day 30"),
            ("days_of_month: ['1:-31']", "end day -31 is always before start day 1"),
            ("days_of_month: ['1:-30']", "end day -30 is always before start day 1"),
            ("days_of_month: ['20:-10']", "end day -10 is always before start day 20"),
            ("days_of_month: ['-1:-3']", "end day -3 is always before start day -1"),
            ("days_of_month: ['0']", "0 is not a valid day of the month: out of range"),
            ("days_of_month: ['32']", "32 is not a valid day of the month: out of range"),
            ("days_of_month: ['-3:3']", "end day must be negative if start day is negative"),
            ("days_of_month: [x]", "strconv.Atoi: parsing \"x\": invalid syntax"),
            ("months: ['march:january']", "end month january is before start month march"),
            ("months: [x]", "x is not a valid month"),
            ("years: ['2022:2020']", "end year 2020 is before start year 2022"),
            ("times: [{start_time: '09:00'}]", "both start and end times must be provided"),
            ("times: [{start_time: '9:00', end_time: '10:00'}]", "couldn't parse timestamp 9:00, invalid format"),
            ("times: [{start_time: '+9:00', end_time: '10:00'}]", "couldn't parse timestamp +9:00, invalid format"),
            (
                "times: [{start_time: '10:00', end_time: '09:00'}]",
                "start time cannot be equal or greater than end time"
            ),
        ])
    func intervalMistakes(_ field: String, _ message: String) {
        let error = #expect(throws: ConfigError.self) { try Self.interval(field) }
        #expect(error?.message == message)
    }

    @Test(
        "months and years without bounds, and days that fit into 28",
        arguments: [
            "months: [13]", "months: [0]", "months: [-1]", "months: ['December']", "years: [-1]", "years: [99999]",
            "days_of_month: ['27:-1']", "days_of_month: ['1:-27']", "days_of_month: ['-31:-1']",
            "weekdays: ['Sunday:SATURDAY']", "times: [{start_time: '00:00', end_time: '24:00'}]",
        ])
    func intervalsThatLoad(_ field: String) throws {
        #expect(try Self.interval(field).timeIntervals.count == 1)
    }

    static func interval(_ field: String) throws -> AlertmanagerConfig {
        try parse(
            "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals: [{name: t, time_intervals: [{\(field)}]}]")
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
