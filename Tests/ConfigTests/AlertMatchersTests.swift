import Config
import Model
import Testing

@Suite("Matchers of Alertmanager's configuration")
struct AlertMatchersTests {
    static func parse(_ route: String, _ rest: String = "") throws -> AlertmanagerConfig {
        try AlertmanagerConfigTests.parse(
            "route: {receiver: a, routes: [\(route)]}\nreceivers: [{name: a}]\n\(rest)")
    }

    /// What a text in `matchers` means, or the error.
    static func read(_ text: String) -> String {
        // A double-quoted scalar, so that every character may stand in it.
        let quoted = text.unicodeScalars.map { scalar in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            case "\t": "\\t"
            default: String(scalar)
            }
        }.joined()
        do {
            let config = try parse("{matchers: [\"\(quoted)\"]}")
            return config.route.routes[0].matchers.map(\.description).joined(separator: ",")
        } catch {
            return "error: \((error as? ConfigError)?.message ?? "")"
        }
    }

    @Test(
        "texts that both grammars or one of them accept",
        arguments: [
            // The classic one drops a brace on each side alone.
            ("{a=b", #"a="b""#), ("a=b}", #"a="b""#), ("{", ""), ("}", ""), ("{}", ""), ("", ""), ("{a=b,}", #"a="b""#),
            (#"a=b\"c"#, #"a="b\"c""#), (#"a=~a\"\n"#, #"a=~"a\"\n""#), ("a=", #"a="""#), ("a=b c", #"a="b c""#),
            ("a=b=c", #"a="b=c""#), ("a=~b{2}", #"a=~"b{2""#), ("a=~\"b{2}\"", #"a=~"b{2}""#),
            (#" a : "#, "error: bad matcher format:  a : "), ("a:b=c", #""a:b"="c""#),
            (#"a="\t""#, #"a="\\t""#), (#"a=b\"#, #"a="b\\""#), (#"a="x,y", b!~z"#, #"a="x,y",b!~"z""#),
            (#"a="x\",y""#, #"a="x\",y""#),
            // Only the one with UTF-8 names.
            (#""a b"="c""#, #""a b"="c""#), ("é=ü", #""é"="ü""#), ("1a=b", #""1a"="b""#),
            ("foo.bar=x", #""foo.bar"="x""#),
            (#"{"a,b"=c,}"#, #""a,b"="c""#), (#""\u00e9"!="\x41""#, #""é"!="A""#),
        ])
    func accepted(_ text: String, _ meaning: String) { #expect(Self.read(text) == meaning) }

    @Test(
        "texts that neither grammar accepts have the classic one's error",
        arguments: [
            ("a", "bad matcher format: a"), ("a~b", "bad matcher format: a~b"), ("a b=c", "bad matcher format: a b=c"),
            ("{,a=b}", "bad matcher format: "), ("a=b,,c=d", "bad matcher format: "),
            (#"a="b"#, #"matcher value contains unescaped double quote: "b"#),
            (#"a=b""#, #"matcher value contains unescaped double quote: b""#),
            (#"a="b"c"#, #"matcher value contains unescaped double quote: "b"c"#),
            (#"{a=b} c"#, ""), ("é", "bad matcher format: é"), ("\"\"=a", "bad matcher format: \"\"=a"),
        ])
    func refused(_ text: String, _ reason: String) {
        // The classic grammar takes what is behind a brace for a part of the value.
        #expect(Self.read(text) == (reason.isEmpty ? #"a="b} c""# : "error: \(reason)"))
    }

    @Test(
        "match and match_re take only classic names, in routes and inhibition rules",
        arguments: ["1a", "a-b", "a.b", "é", "a b", ""])
    func names(_ name: String) {
        for key in ["match", "match_re"] {
            let error = #expect(throws: ConfigError.self) { try Self.parse("{\(key): {\"\(name)\": x}}") }
            #expect(error?.message == "invalid label name \"\(name)\"")
            for side in ["source", "target"] {
                let rule = "inhibit_rules: [{\(side)_\(key): {\"\(name)\": x}}]"
                let error = #expect(throws: ConfigError.self) { try Self.parse("{}", rule) }
                #expect(error?.message == "invalid label name \"\(name)\"")
            }
        }
    }

    @Test("null is the empty text in match, and no expression in match_re")
    func null() throws {
        #expect(try Self.parse("{match: {a: null}}").route.routes[0].matchers.map(\.description) == [#"a="""#])
        let error = #expect(throws: ConfigError.self) { try Self.parse("{match_re: {b: x, a: null}}") }
        #expect(error?.message == "invalid regexp value for \"a\"")
        #expect(throws: ConfigError.self) { try Self.parse("{}", "inhibit_rules: [{source_match_re: {a: ~}}]") }
        #expect(try Self.parse("{matchers: [null, a=b]}").route.routes[0].matchers.map(\.description) == [#"a="b""#])
    }

    @Test(
        "a dot of an expression matches no line feed, in every notation",
        arguments: [
            "{match_re: {a: \"x.*\"}}", "{match_re: {a: \"x.y\"}}", "{match_re: {a: \".+\"}}",
            "{matchers: [\"a=~x.y\"]}",
            "{matchers: ['a=~\".*\"']}", "{matchers: ['{\"a\"=~\"x.*\"}']}", "{matchers: ['{\"a\"=~\"x(.|z)y\",}']}",
        ])
    func dots(_ route: String) throws {
        let rules = ["source", "target"].map { side in
            "inhibit_rules: [\(route.replacing("match", with: side + "_match"))]"
        }
        let (source, target) = (try Self.parse("{}", rules[0]), try Self.parse("{}", rules[1]))
        let matchers = try Self.parse(route).route.routes[0].matchers
        for matchers in [matchers, source.inhibitRules[0].source, target.inhibitRules[0].target] {
            try #require(matchers.count == 1)
            #expect(matchers[0].matches("xzy"))
            #expect(!matchers[0].matches("x\ny"))
        }
    }

    @Test("match_re has its anchors in the value, and an error of its expression is its own")
    func anchors() throws {
        let matchers = try Self.parse("{match_re: {a: \"x|y\"}}").route.routes[0].matchers
        #expect(matchers.map(\.value) == ["^(?:x|y)$"])
        #expect(matchers.first?.matches("x") == true && matchers.first?.matches("xy") == false)
        #expect(throws: ConfigError.self) { try Self.parse("{match_re: {a: \"x)(y\"}}") }
    }
}
