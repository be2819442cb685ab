import TestSupport
import Testing

@testable import Config

/// Documents that are printed, and read again.
@Suite("YAML text")
struct YAMLTextTests {
    static func node(_ text: String) throws -> YAMLNode {
        try #require(try YAMLParser.parse(Array(text.utf8), file: "test.yml"))
    }

    /// Texts that mean something in YAML, put together at random.
    private static func randomText(_ random: inout SeededRandom) -> String {
        let pieces = [
            "a", "é", "1", "-", " ", ":", ": ", "#", " #", "\n", "\t", "\\", "\"", "'", "[", "]", "{", "}", ",", "&",
            "*", "!",
            "|", ">", "%", "@", "`", "?", "? ", "- ", "null", "yes", "0x1F", "1e5", ".inf", "<<", "---", "...",
            "\u{85}", "\u{2028}",
            "\u{FEFF}", "\u{598}", "\u{301}", "\0", "\u{7F}", "190:20:30", String(repeating: "k", count: 200),
        ]
        return (0..<Int.random(in: 0..<5, using: &random)).map { _ in
            pieces[Int.random(in: 0..<pieces.count, using: &random)]
        }.joined()
    }

    private static func randomDocument(_ depth: Int, _ random: inout SeededRandom) -> YAMLText {
        switch Int.random(in: 0..<(depth > 0 ? 4 : 2), using: &random) {
        case 0: return .string(randomText(&random))
        case 1: return .plain(["1", "null", "true", "-2.5"][Int.random(in: 0..<4, using: &random)])
        case 2:
            return .list((0..<Int.random(in: 0..<4, using: &random)).map { _ in randomDocument(depth - 1, &random) })
        default:
            var keys: Set<String> = []
            return .map(
                (0..<Int.random(in: 0..<4, using: &random)).compactMap { _ in
                    let key = randomText(&random)
                    return keys.insert(key).inserted ? (key, randomDocument(depth - 1, &random)) : nil
                })
        }
    }

    @Test("what is printed is read as the same", arguments: [1, 2, 3, 4, 5, 6, 7, 8] as [UInt64])
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for _ in 0..<400 {
            let document = Self.randomDocument(3, &random).document
            do {
                let again = YAMLText(try Self.node(document)).document
                #expect(again == document, "seed \(seed)")
            } catch {
                Issue.record("seed \(seed): \(error)\n\(document)")
            }
        }
    }

    @Test("numbers to the base 60 are the texts of YAML 1.1's expression")
    func base60() {
        let pattern = /[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?/
        let pieces = ["-", "+", "0", "5", "6", "9", "12", "59", "60", "_", ":", ":", ":1", ":59", ".", "a", "é"]
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var found = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<7, using: &random)).map { _ in
                pieces[Int.random(in: 0..<pieces.count, using: &random)]
            }.joined()
            let expected = text.wholeMatch(of: pattern) != nil
            if expected { found += 1 }
            #expect(YAMLQuoting.isBase60(text) == expected, "\(text), seed \(SeededRandom.runSeed)")
        }
        #expect(found > 100)
    }

    @Test("documents that say the same are equal, and others are not")
    func fingerprint() throws {
        func text(_ yaml: String) throws -> String { YAMLText(try Self.node(yaml)).document }
        #expect(try text("a: {b: [x, 'z']}") == text("a:\n  b:\n  - \"x\"\n  - z\n"))
        #expect(try text("a: ~") == text("a:"))
        #expect(try text("a: '1'") != text("a: 1"))
        #expect(try text("a: []") != text("a: {}"))
        #expect(try text("a: x\\ny") != text("a: \"x\\ny\""))
        #expect(try text("a: \\\n  x\n\n  y") == text("a: \"\\\\ x\\ny\""))
    }
}
