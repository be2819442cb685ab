import Config
import Model
import Testing

/// The sections of Alertmanager's file besides the kinds of receivers.
@Suite("Sections of Alertmanager's configuration")
struct AlertmanagerSectionsTests {
    private static func parse(
        _ rest: String, route: String = "", receiver: String = "", mode: AlertMatchers.Mode = .fallback
    ) throws -> AlertmanagerConfig {
        let text = "route: {receiver: a\(route)}\nreceivers: [{name: a\(receiver)}]\n\(rest)"
        return try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml", matchers: mode)
    }

    private static func mistake(
        _ rest: String, route: String = "", receiver: String = "", mode: AlertMatchers.Mode = .fallback
    ) -> String {
        do {
            _ = try parse(rest, route: route, receiver: receiver, mode: mode)
            return "none"
        } catch {
            return "\(error)"
        }
    }

    @Test("a route may add labels, which nothing sends yet")
    func routeLabels() throws {
        let config = try Self.parse("", route: ", labels: {é: '{{ .x }}', b: null}")
        #expect(config.route.labels.map(\.name) == ["é", "b"])
        #expect(config.route.labels.map(\.value.text) == ["{{ .x }}", ""])
        #expect(config.unsupported.map(\.description) == ["am.yml:1:22: not supported yet: labels of routes"])
        #expect(
            Self.mistake("", route: ", labels: {'': x}") == "am.yml:1:35: invalid label name \"\" in route labels")
    }

    @Test("a receiver has the label name")
    func receiverLabels() throws {
        #expect(try Self.parse("").receivers[0].labels == Labels([("name", "a")]))
        let given = try Self.parse("", receiver: ", labels: {team: x, name: a}")
        #expect(given.receivers[0].labels == Labels([("name", "a"), ("team", "x")]))
        #expect(given.unsupported.isEmpty)
        #expect(
            Self.mistake("", receiver: ", labels: {name: b}")
                == "am.yml:2:23: receiver label \"name\" must match receiver name \"a\", got \"b\"")
    }

    @Test(
        "the order of a name's two uses decides which key the error names",
        arguments: [
            ("time_intervals: [{name: t}, {name: t}]", "am.yml:3:29: time interval \"t\" is not unique"),
            ("mute_time_intervals: [{name: t}, {name: t}]", "am.yml:3:34: mute time interval \"t\" is not unique"),
            (
                "time_intervals: [{name: t}]\nmute_time_intervals: [{name: t}]",
                "am.yml:3:18: time interval \"t\" is not unique"
            ),
            ("inhibit_rules: [{sources: []}]", "field sources not found in type config.plain"),
            ("tracing: {}", "am.yml:3:10: missing endpoint in tracing config"),
            (
                "tracing: {endpoint: x, client_type: udp}",
                "am.yml:3:24: expected client_type of tracing to be grpc or http"
            ),
            ("tracing: {endpoint: x, sampling: 1}", "field sampling not found in type tracing.TracingConfig"),
            (
                "event_recorder: {file_outputs: [{}]}",
                "am.yml:3:33: event_recorder file output requires a path"
            ),
            (
                "event_recorder: {webhook_outputs: [{workers: 1}]}",
                "am.yml:3:36: event_recorder webhook output requires a url"
            ),
            (
                "event_recorder: {webhook_outputs: [{url: 'http://h', batch_max_events: 1}]}",
                "am.yml:3:54: event_recorder webhook batch settings require batch: true"
            ),
            (
                "event_recorder: {webhook_outputs: [{url: 'http://h', workers: -1}]}",
                "am.yml:3:54: event_recorder webhook workers cannot be negative"
            ),
            (
                "event_recorder: {kafka_outputs: [{brokers: [a]}]}",
                "am.yml:3:34: event_recorder kafka output requires a topic"
            ),
        ])
    func mistakes(_ section: String, _ message: String) {
        let found = Self.mistake(section)
        #expect(message.hasPrefix("field") ? found.contains(message) : found == message)
    }

    @Test("a null receiver is passed over, and the name of an inhibition rule is kept")
    func small() throws {
        let text = "route: {receiver: a}\nreceivers: [~, {name: a}, null]\ninhibit_rules: [{name: n}, ~]"
        let config = try AlertmanagerConfigTests.parse(text)
        #expect(config.receivers.map(\.name) == ["a"])
        #expect(config.inhibitRules.map(\.name) == ["n", ""])
    }

    @Test("what is not supported matters only in receivers that a route names")
    func unused() throws {
        let receivers = "receivers: [{name: a}, {name: b, sns_configs: [{topic_arn: x, sigv4: {role_arn: r}}]}]"
        func unsupported(_ route: String) throws -> [String] {
            try AlertmanagerConfigTests.parse("route: {receiver: a\(route)}\n\(receivers)").unsupported.map(
                \.description)
        }
        #expect(try unsupported("") == [])
        #expect(try unsupported(", routes: [{receiver: b}]") == ["am.yml:2:71: not supported yet: role_arn of sns"])
    }

    @Test(
        "each mode reads its notation of matchers",
        arguments: [
            ("a=b", #"a="b""#, #"a="b""#), (#"a="\x41""#, #"a="\\x41""#, #"a="A""#), ("é=ü", "!", #""é"="ü""#),
            ("a=", #"a="""#, "!"), ("a=b c", #"a="b c""#, "!"), ("{a=b", #"a="b""#, "!"), ("", "", ""), ("{}", "", ""),
            ("{a=b,}", #"a="b""#, #"a="b""#), ("a=b,,c=d", "!", "!"), ("a=~b{2}", #"a=~"b{2""#, "!"),
        ])
    func modes(_ text: String, _ classic: String, _ strict: String) {
        let place = ConfigPlace(file: "f", line: 1, column: 1)
        for (mode, expected) in [(AlertMatchers.Mode.classic, classic), (.utf8Strict, strict)] {
            let matchers = try? AlertMatchers.parse(text, place, mode)
            #expect((matchers.map { $0.map(\.description).joined(separator: ",") } ?? "!") == expected, "\(mode)")
        }
    }

    @Test(
        "the strict notation tells where it stops",
        arguments: [
            ("}", "0:1: }: expected opening brace"), (#""foo"#, #"0:4: "foo: missing end ""#),
            ("a=b,", ""), ("{,a=b}", "1:2: ,: expected label name"), ("a", "1:1: end of input: expected an operator"),
            ("a b", "2:3: b: expected an operator such as '=', '!=', '=~' or '!~'"),
            ("a=", "2:2: end of input: expected label value"), ("a=b c", "4:5: c: expected a comma or close brace"),
            ("a=b,,", "4:5: ,: expected a matcher or close brace after comma"),
            ("{a=b", "4:4: end of input: expected close brace"), ("{a=b}x", "5:6: x: expected end of input"),
            ("a=b}", "3:4: }: expected end of input"), ("a!b", "1:2: b, expected one of '=~'"),
            ("'a'=b", "0:1: ': invalid input"), ("\"a\nb\"=c", "0:2: \"a: missing end \""),
        ])
    func strictErrors(_ text: String, _ message: String) {
        var found = ""
        do throws(ConfigError) {
            _ = try AlertMatchers.parse(text, ConfigPlace(file: "f", line: 1, column: 1), .utf8Strict)
        } catch { found = error.message }
        #expect(message.isEmpty ? found.isEmpty : found.hasPrefix(message), "\(found)")
    }

    @Test("classic mode takes only classic names everywhere")
    func classicNames() {
        for (rest, route, message) in [
            ("", ", group_by: [a-b]", "invalid label name \"a-b\" in group_by list"),
            ("", ", labels: {a-b: x}", "invalid label name \"a-b\" in route labels"),
            ("inhibit_rules: [{equal: [é]}]", "", "invalid label name \"é\" in equal list"),
        ] {
            #expect(Self.mistake(rest, route: route) == "none")
            #expect(Self.mistake(rest, route: route, mode: .classic).hasSuffix(": " + message))
        }
    }
}

/// One matcher, as arguments and filters have it.
@Suite("Single matcher")
struct SingleMatcherTests {
    @Test(
        arguments: [
            ("a=b", .fallback, "a|=|b"), ("a=b,c=d", .fallback, "a|=|b,c=d"), (" a =~ \"b c\" ", .fallback, "a|=~|b c"),
            ("a=", .fallback, "a|=|"), ("é=ü", .fallback, "é|=|ü"), (#""a b"!="c""#, .fallback, "a b|!=|c"),
            (#"a="\t""#, .fallback, #"a|=|\t"#), (#"a="\t""#, .utf8Strict, "a|=|\t"), ("a=}", .classic, "a|=|}"),
        ] as [(String, AlertMatchers.Mode, String)])
    func `one matcher is read`(text: String, mode: AlertMatchers.Mode, result: String) throws {
        let matcher = try AlertMatchers.one(text, mode)
        #expect("\(matcher.name)|\(matcher.kind.rawValue)|\(matcher.value)" == result)
    }

    @Test(
        arguments: [
            ("a", .fallback, "bad matcher format: a"), ("", .fallback, "bad matcher format: "),
            (#"{a="b"}"#, .fallback, #"unexpected open or close brace: {a="b"}"#),
            ("a=}", .fallback, "unexpected open or close brace: a=}"), ("é=ü", .classic, "bad matcher format: é=ü"),
            ("a=b,c=d", .utf8Strict, "expected 1 matcher, found 2"), ("", .utf8Strict, "no matchers"),
            (#"a="b"c""#, .fallback, #"matcher value contains unescaped double quote: "b"c""#),
        ] as [(String, AlertMatchers.Mode, String)])
    func `other texts are refused`(text: String, mode: AlertMatchers.Mode, reason: String) throws {
        let mistake = try #require(throws: MatcherMistake.self) { try AlertMatchers.one(text, mode) }
        #expect(mistake.description == reason)
    }

    @Test func `a name with a special character is quoted`() {
        #expect(AlertMatchers.text("a", "=", "b\n\"\\") == #"a="b\n\"\\""#)
        #expect(AlertMatchers.text("é", "=~", "ü") == #"é=~"ü""#)
        #expect(AlertMatchers.text("a b", "!=", "c\t") == #""a b"!="c\t""#)
    }
}
