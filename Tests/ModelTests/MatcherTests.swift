import Model
import Testing

@Suite("Matcher")
struct MatcherTests {
    @Test("an absent label counts as empty")
    func absent() throws {
        let labels = Labels([("a", "b")])
        #expect(try Matcher("x", .equal, "").matches(labels))
        #expect(try Matcher("x", .notEqual, "").matches(labels) == false)
        #expect(try Matcher("x", .regex, ".*").matches(labels))
        #expect(try Matcher("x", .notRegex, ".+").matches(labels))
    }

    @Test("expressions are anchored and a dot matches a newline")
    func anchoring() throws {
        #expect(try Matcher("a", .regex, "b").matches("abc") == false)
        #expect(try Matcher("a", .regex, "a.c").matches("a\nc"))
        #expect(try Matcher("a", .regex, "a|bc").matches("bc"))
        #expect(try Matcher("a", .regex, "a|bc").matches("ac") == false)
    }

    @Test(
        "a dot matches a line feed or not, in every form of expression that is answered without RE2",
        arguments: [
            (".*", "\n", true), (".+", "\n", true), ("a.*", "a\n", true), ("a.+", "a\n", true), (".*a", "\na", true),
            (".+a", "\na", true), ("a.c", "a\nc", true), ("(a|b.)c", "b\nc", true), ("^(?:a.*)$", "a\nb", true),
            ("a|.*", "\n", true), (".*", "a", false), (".+a", "ba", false), ("a|b\nc", "b\nc", false),
            ("(?s).*", "\n", false), ("[^a]", "\n", false), ("(?s:a.)b", "a\nb", false),
        ])
    func dots(_ source: String, _ text: String, _ onlyWithLineFeeds: Bool) throws {
        #expect(try AnchoredRegex(source).matches(text))
        #expect(try AnchoredRegex(source, dot: .noLineFeed).matches(text) == !onlyWithLineFeeds)
        #expect(try Matcher("a", .regex, source, dot: .noLineFeed).matches(text) == !onlyWithLineFeeds)
        #expect(try Matcher("a", .notRegex, source, dot: .noLineFeed).matches(text) == onlyWithLineFeeds)
    }

    @Test(
        "an error shows the expression without the flags that are put before it", arguments: ["(", "a)", "*", "[b-a]"])
    func errorsOfFlags(_ source: String) {
        let plain = #expect(throws: AnchoredRegex.SyntaxError.self) { try AnchoredRegex(source) }
        let flagged = #expect(throws: AnchoredRegex.SyntaxError.self) { try AnchoredRegex(source, dot: .noLineFeed) }
        #expect(plain?.description == flagged?.description)
    }

    @Test("an expression that does not compile says why")
    func broken() {
        let error = #expect(throws: AnchoredRegex.SyntaxError.self) { try Matcher("a", .regex, "(") }
        #expect(error?.description.contains("missing") == true)
    }

    @Test(
        "templates expand as in Go",
        arguments: [
            ("$1", "x"), ("${1}y", "xy"), ("$1y", ""), ("$name-", "2-"), ("$$", "$"), ("a$", "a$"), ("${1", "${1"),
            ("$9", ""),
        ])
    func expansion(_ template: String, _ expected: String) throws {
        #expect(try AnchoredRegex("(x)(?P<name>2)").expand(template, matching: "x2") == expected)
    }

    @Test("no match expands to nothing")
    func noMatch() throws {
        #expect(try AnchoredRegex("a").expand("b", matching: "ab") == nil)
    }
}
