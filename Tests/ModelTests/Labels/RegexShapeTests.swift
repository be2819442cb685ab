import Testing

@testable import Model

@Suite("Shapes of regular expressions")
struct RegexShapeTests {
    @Test(
        "Lists, beginnings and ends are seen",
        arguments: [
            ("", RegexShape.literals([""])), ("a", .literals(["a"])), ("a|b|", .literals(["a", "b", ""])),
            ("(a|b)", .literals(["a", "b"])), ("(?:a|b)", .literals(["a", "b"])), ("a\\.b", .literals(["a.b"])),
            (".*", .any), (".+", .nonEmpty), ("(.*)", .any), ("a.*", .prefix("a", needsMore: false)),
            ("a\\.b.+", .prefix("a.b", needsMore: true)), (".*b", .suffix("b", needsMore: false)),
            (".+b", .suffix("b", needsMore: true)), ("a|b.*", .other), ("(a)|(b)", .other), ("(?i)a", .other),
            ("a.b", .other), ("\\d", .other), ("a{2}", .other), ("a\\", .other), ("^a$", .other), ("(?:a|b", .other),
            ("(?i:a)", .other), (".*a.*", .other), ("é", .other), ("(a|b).*", .other), ("\\.*", .other),
            ("a\\.+", .other),
        ])
    func shapes(source: String, shape: RegexShape) {
        #expect(RegexShape(source) == shape)
    }

    @Test("What a shape says is what the expression says")
    func agrees() throws {
        let patterns = [
            "", "a", "a|b|", "(a|b)", "(?:ab|b)", "a\\.b", ".*", ".+", "(.*)", "a.*", "a.+", "a\\.b.+", ".*b", ".+b",
            "\\|",
            "K", "K|`|;", "K.*", ".*K", "a|b.*", "\\.*", "a\\.+", "\\\\.*", "a\\\\.*", ".*\\.", "(a.*)", "(.+b)",
            "(.*b)", "(?:a.+)", "a-b|c_d",
        ]
        let texts = [
            "", "a", "b", "ab", "aab", "abb", "a.b", "a.bc", "axb", "a\nb", ".", "..", "|", "\\", "\\x", "a\\", "a\\.",
            "a.", "a..", "ba", "c_d", "a-b", "é", "aé", "éb",
            // Swift takes the first three for K, ` and ;.
            "\u{212A}", "\u{1FEF}", "\u{37E}", "K", "`", ";", "K\u{301}",
        ]
        for pattern in patterns {
            let regex = try AnchoredRegex(pattern)
            for text in texts {
                var text = text
                let said = text.withUTF8 { RegexShape(pattern).accepts($0) }
                #expect(said ?? regex.asked(text) == regex.asked(text), "\(pattern) on \(text)")
                #expect(regex.matches(text) == regex.asked(text), "\(pattern) on \(text)")
            }
        }
    }
}
