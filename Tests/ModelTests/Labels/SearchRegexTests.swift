import Model
import Testing

@Suite("Search regex")
struct SearchRegexTests {
    @Test("finds a match anywhere")
    func search() throws {
        #expect(try SearchRegex("b+").matches("abc"))
        #expect(try !SearchRegex("^b").matches("abc"))
        #expect(try SearchRegex("").matches(""))
        #expect(try !SearchRegex("a.c").matches("a\nc"))
    }

    static let replacements: [(String, String, String, String)] = [
        ("a", "x", "banana", "bxnxnx"), ("", "-", "ab", "-a-b-"), ("a*", "x", "baac", "xbxcx"),
        ("(.)(.)", "$2$1", "abc", "bac"),
        ("(?P<n>b)", "<${n}>", "abc", "a<b>c"), ("b", "$1x", "abc", "ac"), ("b", "$$", "abc", "a$c"),
        ("", "-", "é", "-é-"),
        ("z", "x", "abc", "abc"),
    ]

    @Test("replaces as Go's ReplaceAllString", arguments: replacements)
    func replace(_ pattern: String, _ template: String, _ text: String, _ expected: String) throws {
        #expect(try SearchRegex(pattern).replaceAll(in: text, with: template, atMost: 1000) == expected)
    }
}
