import GoCompatibility
import Testing

@Suite("Patterns of files")
struct GoGlobTests {
    @Test(
        "names match as in Go's filepath.Match",
        arguments: [
            ("*.yml", "a.yml", true), ("*.yml", ".yml", true), ("*.yml", ".a.yml", true), ("?.yml", "é.yml", true),
            ("?.yml", "e\u{301}.yml", false), ("[é].yml", "é.yml", true), ("é.yml", "e\u{301}.yml", false),
            ("[!a].yml", "b.yml", false), ("[!a].yml", "!.yml", true), ("[^a].yml", "b.yml", true),
            ("[^a].yml", "a.yml", false), ("[a-c]", "b", true), ("[a-c]", "d", false), ("[c-a]", "b", false),
            ("[a-b-c]", "c", false), ("[\\]-a]", "^", true), ("[]", "x", false), ("\\*", "*", true),
            ("\\*", "a", false), ("*-rules*.yml", "x-rules-1.yml", true), ("*-rules*.yml", "x-rules", false),
            ("a*b*c", "abbc", true), ("a*b*c", "acb", false), ("**", "", true), ("*", "a/b", false),
            ("?", "/", false), ("a*/b", "a/c/b", false), ("", "", true), ("", "a", false), ("a", "", false),
            ("[[*]", "*", true), ("*a", "aaaaab", false), ("*aab", "aaaaab", true),
        ])
    func matches(_ pattern: String, _ name: String, _ matches: Bool) {
        #expect((GoGlobPattern(pattern)?.matches(name) ?? false) == matches)
    }

    @Test("a long name costs at most its length times that of the pattern")
    func manyStars() throws {
        let pattern = try #require(GoGlobPattern(String(repeating: "*a", count: 100) + "b"))
        #expect(!pattern.matches(String(repeating: "a", count: 255)))
    }

    @Test(
        "patterns that Go refuses are none",
        arguments: [
            "[", "[a", "[]", "[]a]", "[^]", "[a-]", "[-a]", "[a-b", "a\\", "[\\", "[a\\", "x*[", "[a/b].yml", "[]*]",
        ])
    func malformed(_ pattern: String) { #expect(!GoGlob.isWellFormed(pattern)) }

    @Test("only the last part may have stars, any number of them")
    func stars() {
        for pattern in ["", "a", "a/b", "a/*", "x/*-rules*.yml", "**", "a/?b/[c]*"] {
            #expect(GoGlob.hasStarsInLastPartOnly(pattern), "\(pattern)")
        }
        for pattern in ["*/a", "a*/b*", "a/**/b.yml"] { #expect(!GoGlob.hasStarsInLastPartOnly(pattern), "\(pattern)") }
    }

    @Test("a path is taken apart into a directory and the patterns below it")
    func paths() throws {
        let parts = [
            ("a/b.yml", "a/b.yml", 0), ("*", ".", 1), ("/*", "/", 1), ("a/*", "a", 1), ("a/?/b", "a", 2),
            ("/x/[a]/?/b*", "/x", 3), ("?/", ".", 2),
        ]
        for (pattern, directory, levels) in parts {
            let path = try #require(GoGlobPath(pattern))
            #expect(path.directory == directory && path.names.count == levels, "\(pattern)")
        }
        let joined = [
            (".", "a", "a"), ("/", "a", "/a"), ("a/./b//", "c", "a/b/c"), ("a/../b", "c", "b/c"), ("..", "c", "../c"),
            ("/..", "c", "/c"), ("../..", "c", "../../c"),
        ]
        for (directory, name, path) in joined { #expect(GoGlobPath.join(directory, name) == path) }
    }
}
