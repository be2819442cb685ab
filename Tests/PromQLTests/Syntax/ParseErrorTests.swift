import Testing

@testable import PromQL

/// Texts that are no PromQL with what Prometheus says of them: `line:column message`.
@Suite("Parse errors")
struct ParseErrorTests {
    private static func check(_ text: String, _ expected: String, _ options: ParserOptions = .all) {
        let error = #expect(throws: ParseError.self) { try PromQLParser.parse(text, options: options) }
        #expect(error.map { "\($0.line):\($0.column) \($0.message)" } == expected, "\(text)")
    }

    @Test(
        "the lexer says what is no token",
        arguments: [
            ("up)", "1:4 unexpected right parenthesis ')'"),
            ("sum(up))", "1:9 unexpected right parenthesis ')'"),
            ("(up", "1:4 unclosed left parenthesis"),
            ("up}", "1:3 unexpected character: '}'"),
            ("up]", "1:3 unexpected right bracket ']'"),
            ("up{", "1:4 unexpected end of input inside braces"),
            ("up{1a=\"x\"}", "1:4 unexpected character inside braces: '1'"),
            ("up{a-b=\"x\"}", "1:5 unexpected character inside braces: '-'"),
            ("up{a!b}", "1:5 unexpected character after '!' inside braces: 'b'"),
            ("up{{", "1:4 unexpected left brace '{'"),
            ("!up", "1:1 unexpected character after '!': 'u'"),
            ("up !", "1:4 unexpected character after '!': '\u{FFFD}'"),
            ("up =~ \"x\"", "1:4 unexpected character after '=': '~'"),
            ("up ~ 1", "1:4 unexpected character: '~'"),
            ("up\u{0}", "1:3 unexpected character: '\\x00'"),
            ("up\u{A0}", "1:3 unexpected character: '\\u00a0'"),
            ("a .b", "1:3 unexpected character: '.'"),
            ("up[", "1:4 unexpected end of input in duration expression"),
            ("up[m]", "1:4 unexpected character in duration expression: 'm'"),
            ("up[5 m]", "1:6 unexpected character: 'm', expected ':'"),
            ("up[5m:1m:1m]", "1:9 unexpected colon ':'"),
            ("up[5m", "1:6 unclosed left bracket"),
            ("up[5m[", "1:6 unexpected left bracket '['"),
            ("1e", "1:1 bad number or duration syntax: \"1e\""),
            ("1e+", "1:1 bad number or duration syntax: \"1e+\""),
            ("1__0", "1:1 bad number or duration syntax: \"1__\""),
            ("1_", "1:1 bad number or duration syntax: \"1_\""),
            ("1..2", "1:1 bad number or duration syntax: \"1..\""),
            ("1.2.3", "1:1 bad number or duration syntax: \"1.2.\""),
            ("1up", "1:1 bad number or duration syntax: \"1\""),
            ("5mx", "1:1 bad number or duration syntax: \"5mx\""),
            ("0x", "1:1 error parsing number: strconv.ParseFloat: parsing \"0x\": invalid syntax"),
            ("1e999", "1:1 error parsing number: strconv.ParseFloat: parsing \"1e999\": value out of range"),
            ("up[1.5m]", "1:4 unknown unit \".\" in duration \"1.5m\""),
            ("1m1h", "1:1 not a valid duration string: \"1m1h\""),
            ("\"a", "1:1 unterminated quoted string"),
            ("`a", "1:1 unterminated raw string"),
            ("\"\\q\"", "1:1 unknown escape sequence U+0071 'q'"),
            ("\"\\x4\"", "1:1 illegal character U+0022 '\"' in escape sequence"),
            ("\"\\ud800\"", "1:1 escape sequence is an invalid Unicode code point"),
        ])
    func lexer(_ text: String, _ expected: String) { Self.check(text, expected) }

    @Test("each of several bad numbers has its own place")
    func severalNumbers() {
        let bad = "error parsing number: strconv.ParseFloat: parsing \"1e999\": value out of range"
        Self.check("1 +\n\n  1e999 + 1e999", "3:3 \(bad)")
        var lexer = Lexer(Array("1e999 1 1e999\n1e999\n\n 1m1h 1e999".utf8))
        let problems = (0..<6).compactMap { _ in lexer.next().problem }
        #expect(problems.map { "\($0.line):\($0.column)" } == ["1:1", "1:9", "2:1", "4:2", "4:7"])
    }

    @Test("the label that two long lists share is found")
    func longLists() {
        func labels(_ prefix: String) -> String { (0..<20_000).map { "\(prefix)\($0)" }.joined(separator: ",") }
        Self.check(
            "a + on (\(labels("x")),z) group_left (\(labels("y")),z) b",
            "1:3 label \"z\" must not occur in ON and GROUP clause at once")
    }

    @Test(
        "the parser names what it found, where it was, and what it wanted there",
        arguments: [
            ("* up", "1:1 unexpected <op:*>"),
            ("1 <> 2", "1:4 unexpected <op:>>"),
            ("up up", "1:4 unexpected identifier \"up\""),
            ("up a:b", "1:4 unexpected metric identifier \"a:b\""),
            ("up sum", "1:4 unexpected <aggr:sum>"),
            ("up BY", "1:4 unexpected <BY>"),
            ("up \"0123456789\"", "1:4 unexpected string \"\\\"012345678\"..."),
            ("up 12345678901", "1:4 unexpected number \"1234567890\"..."),
            ("up 5m", "1:4 unexpected duration \"5m\""),
            ("up\n+", "2:2 unexpected end of input"),
            ("atan2", "1:1 unexpected <op:atan2>"),
            ("by (job)", "1:4 unexpected \"(\""),
            ("up{\"job\"}{\"x\"}", "1:10 unexpected \"{\""),
            ("sum(up up)", "1:8 unexpected identifier \"up\" in aggregation"),
            ("sum by (a) up", "1:12 unexpected identifier \"up\" in aggregation"),
            ("sum(abs(up) abs)", "1:13 unexpected identifier \"abs\" in aggregation"),
            ("sum by a (up)", "1:8 unexpected identifier \"a\" in grouping opts, expected \"(\""),
            ("sum by (1) (up)", "1:9 unexpected number \"1\" in grouping opts, expected label"),
            ("sum by (a b) (up)", "1:11 unexpected identifier \"b\" in grouping opts, expected \",\" or \")\""),
            ("up + on (a) group_left group_right up", "1:24 unexpected <group_right> in grouping opts, expected \"(\""),
            ("up + on (a) ignoring (b) up", "1:13 unexpected <ignoring>"),
            ("up + fill(x) up", "1:11 unexpected identifier \"x\""),
            ("up + fill(0) fill_left(1) up", "1:23 unexpected \"(\""),
            ("{\"a\" \"b\"}", "1:6 unexpected string \"\\\"b\\\"\" in label matching, expected \",\" or \"}\""),
            ("up{a==\"b\"}", "1:6 unexpected \"=\" in label matching, expected string"),
            ("up{a}", "1:5 unexpected \"}\" in label matching, expected label matching operator"),
            ("up{,}", "1:4 unexpected \",\" in label matching, expected identifier or \"}\""),
            (
                "up offset up",
                "1:11 unexpected identifier \"up\" in offset, expected number, duration, step(), or range()"
            ),
            ("up @ start", "1:11 unexpected end of input in @, expected timestamp"),
            ("up @ x", "1:6 unexpected identifier \"x\" in @, expected timestamp"),
            (
                "up[]",
                "1:4 unexpected \"]\" in subquery or range selector, expected number, duration, step(), or range()"
            ),
            ("up[5m 5m]", "1:7 unexpected duration \"5m\" in subquery or range, expected \":\" or \"]\""),
            ("up[5m:1m 1m]", "1:10 unexpected duration \"1m\" in subquery selector, expected \"]\""),
        ])
    func grammar(_ text: String, _ expected: String) { Self.check(text, expected) }

    @Test(
        "an error in front comes before one behind, and grammar before types",
        arguments: [
            ("nope(up) ~", "1:1 unknown function with name \"nope\""),
            ("nope(up ~)", "1:9 unexpected character: '~'"),
            ("1 == 1 + nope(x)", "1:10 unknown function with name \"nope\""),
            ("up offset 1m offset 1m ~", "1:1 offset may not be set multiple times"),
            ("up{__name__=\"up\"} + bool 1", "1:1 metric name must not be set twice: \"up\" or \"up\""),
            ("sum() ~", "1:7 unexpected character: '~'"),
            ("sum() by (a) ~", "1:1 no arguments for aggregate expression provided"),
            ("info(up, 1)", "1:1 expected type instant vector in call to function \"info\", got scalar"),
            ("a smoothed + on (x) group_left (x) b", "1:3 label \"x\" must not occur in ON and GROUP clause at once"),
            ("a anchored smoothed", "1:1 anchored and smoothed modifiers cannot be used together"),
            ("up @ 1e20", "1:1 timestamp out of bounds for @ modifier: 100000000000000000000.000000"),
        ])
    func order(_ text: String, _ expected: String) { Self.check(text, expected) }

    @Test(
        "what is not enabled is said to be so",
        arguments: [
            ("info(up)", "1:1 function \"info\" is not enabled"),
            (
                "limitk(1, up)",
                "1:1 limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            ),
            ("1 + (a + fill(0) b)", "1:6 binop fill modifiers are experimental and not enabled"),
            ("rate(a[5m] smoothed)", "1:6 smoothed modifier is experimental and not enabled"),
        ])
    func features(_ text: String, _ expected: String) { Self.check(text, expected, ParserOptions()) }

    @Test(
        "broken regular expressions are told of in Go's words",
        arguments: [
            ("(", "missing closing ): `(`"), ("[a", "missing closing ]: `[a`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"), ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a**", "invalid nested repetition operator: `**`"), ("*", "missing argument to repetition operator: `*`"),
            ("a)", "unexpected ): `a)`"),
        ])
    func regexes(_ pattern: String, _ expected: String) {
        Self.check("up{a=~\"\(pattern)\"}", "1:4 error parsing regexp: \(expected)")
    }
}
