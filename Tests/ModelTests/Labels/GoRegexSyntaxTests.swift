import GoCompatibility
import Testing

@testable import Model

/// Expressions of Go that RE2 spells otherwise.
@Suite("Go regex syntax")
struct GoRegexSyntaxTests {
    @Test(
        "named groups are rewritten only where they begin a group",
        arguments: [
            ("(?<n>a)", "(?P<n>a)"), ("(?P<n>a)", "(?P<n>a)"), (#"\(?<n>a"#, #"\(?<n>a"#), ("[(?<n>]", "[(?<n>]"),
            ("[](?<n>]", "[](?<n>]"), ("[^](?<n>](?<m>b)", "[^](?<n>](?P<m>b)"),
            (#"\Q(?<n>\E(?<m>a)"#, #"\Q(?<n>\E(?P<m>a)"#),
            (#"[\](?<n>](?<m>x)"#, #"[\](?<n>](?P<m>x)"#), ("[[:alpha:](?<n>](?<m>x)", "[[:alpha:](?<n>](?P<m>x)"),
            ("((?<a>(?<b>x)))", "((?P<a>(?P<b>x)))"), (#"\\(?<n>a)"#, #"\\(?P<n>a)"#), ("(?<n", "(?P<n"),
            (#"\Q(?<n>"#, #"\Q(?<n>"#), ("ä(?<n>ö)", "ä(?P<n>ö)"), ("[[:^alpha:]](?<n>a)", "[[:^alpha:]](?P<n>a)"),
            ("[[(?<n>](?<m>a)", "[[(?<n>](?P<m>a)"),
        ])
    func rewrite(source: String, translated: String) {
        #expect(GoRegexSyntax.translate(source) == .text(translated))
    }

    @Test("a single byte is refused, but not what only looks like it")
    func singleByte() throws {
        for bad in [#"\C"#, #"a\C+"#, #"(\C)"#, #"\\\C"#] {
            #expect(throws: AnchoredRegex.SyntaxError.self) { try AnchoredRegex(bad) }
            #expect(throws: AnchoredRegex.SyntaxError.self) { try SearchRegex(bad) }
        }
        #expect(try AnchoredRegex(#"\\C"#).matches(#"\C"#))
        #expect(try AnchoredRegex(#"\Q\C\E"#).matches(#"\C"#))
    }

    @Test("named groups of both spellings expand, in matchers and in searches")
    func expand() throws {
        #expect(try AnchoredRegex("(?<n>a+)b").expand("<$n>", matching: "aab") == "<aa>")
        #expect(try AnchoredRegex("(?P<n>a+)b").expand("<${n}>", matching: "aab") == "<aa>")
        #expect(try SearchRegex("(?<n>b)").replaceAll(in: "abc", with: "<$n>", atMost: 100) == "a<b>c")
    }
}
