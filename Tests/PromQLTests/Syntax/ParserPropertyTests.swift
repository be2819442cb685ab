import Foundation
import TestSupport
import Testing

@testable import PromQL

@Suite("Properties of the parser")
struct ParserPropertyTests {
    private static let seeds = [
        "up", "sum by (a, b) (rate(x_total{job=~\"a.*\", i!=\"\"}[5m])) / on (a) group_left (c) y", "-2 ^ -3 ^ 4",
        "histogram_quantile(0.9, sum without (i) (x[1h:30s] offset -5m @ end()))", "{\"utf8.näme\", a!~\"b\"} </ 3e5",
        "label_replace(a, \"b\", '$1', `c`, \"(.*)\") or vector(0x1F) unless ignoring () c",
        "topk(5, a + fill_left(1) fill_right(-2) b)", "x[min_of(5m, step() * 2):range() % 7] @ 12.5",
        "rate(x[5m] smoothed) > bool 1h30m", "count_values(\"v\", a) # comment", "((a == b) != bool c)", "+Inf - NaN",
        "a atan2 b % c", "sum(a) by (bool, on)", "x offset (5m + -1m ^ 2)", "limitk(2, start) and anchored",
    ]

    private static let pieces = [
        "(", ")", "[", "]", "{", "}", ",", ":", "\"", "'", "`", "\\", "-", "+", "^", "@", "=", "=~", "!", "offset",
        "by",
        "bool", "on", "5m", "1e", "0x", "NaN", "#", "\n", " ", "é", "\u{0}", "sum", "rate", "a", "9999999999999999999y",
        "group_left", "step()", "</", "fill(1)",
    ]

    private static func mutate(_ query: String, _ random: inout SeededRandom) -> String {
        var characters = Array(query)
        for _ in 0...Int.random(in: 0..<4, using: &random) {
            let at = Int.random(in: 0...characters.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: if at < characters.count { characters.remove(at: at) }
            case 1: characters.insert(contentsOf: pieces.randomElement(using: &random) ?? "", at: at)
            case 2:
                let end = Int.random(in: at...characters.count, using: &random)
                characters.insert(contentsOf: characters[at..<end], at: at)
            default:
                if at < characters.count { characters[at] = pieces.randomElement(using: &random)?.first ?? "x" }
            }
        }
        return String(characters)
    }

    @Test("what is printed parses to the same tree, and no text crashes the parser")
    func roundTrip() throws {
        let seed = SeededRandom.runSeed
        var random = SeededRandom(seed: seed)
        var parsed = 0
        for round in 0..<4000 {
            let base = Self.seeds[round % Self.seeds.count]
            let query = round < Self.seeds.count ? base : Self.mutate(base, &random)
            guard let tree = try? PromQLParser.parse(query, options: .all) else { continue }
            parsed += 1
            // Infinity is printed with its sign, which binds looser than a power: the same value from another tree.
            if tree.description.contains("Inf ^") || tree.prettyDescription.contains(/Inf\s*\^/) { continue }
            for printed in [tree.description, tree.prettyDescription] {
                guard let again = try? PromQLParser.parse(printed, options: .all) else {
                    Issue.record("seed \(seed): \(query) prints as \(printed), which does not parse")
                    continue
                }
                if tree.description != again.description || Self.bytes(tree) != Self.bytes(again) {
                    Issue.record("seed \(seed): \(query) prints as \(printed), another tree")
                }
            }
        }
        #expect(parsed > Self.seeds.count / 2, "seed \(seed)")
    }

    /// How often each byte stands in a tree's JSON: printing sorts matchers, so that their order may be another.
    private static func bytes(_ tree: PromQL.Expression) -> [Int] {
        var counts = [Int](repeating: 0, count: 256)
        for byte in ExpressionJSON.encode(tree) { counts[Int(byte)] += 1 }
        return counts
    }

    /// How many generated queries are printed and read again.
    private static let total = Int(ProcessInfo.processInfo.environment["MARTLET_QUERIES"] ?? "") ?? 2_000

    @Test("what is generated over the whole grammar parses, and its print parses to the same tree")
    func grammar() {
        let seed = SeededRandom.runSeed
        var queries = GrammarQueries(seed: seed)
        var failures = 0
        for _ in 0..<Self.total where failures < 5 {
            let query = queries.next()
            do throws(ParseError) {
                let tree = try PromQLParser.parse(query, options: .all)
                let printed = tree.description
                let again = try PromQLParser.parse(printed, options: .all)
                if printed == again.description, Self.bytes(tree) == Self.bytes(again) { continue }
                Issue.record("seed \(seed): \(query) prints as \(printed), another tree")
            } catch {
                Issue.record("seed \(seed): \(query): \(error)")
            }
            failures += 1
        }
    }

    @Test(
        "deep nesting is refused",
        arguments: ["(", "-", "sum(", "a+(", "a[", "{", "a^", "-(-", "a[1^", "a[1+", "a[(", "a[-("])
    func depth(piece: String) {
        let query = String(repeating: piece, count: 100_000) + "1"
        #expect(throws: ParseError.self) { try PromQLParser.parse(query, options: .all) }
    }
}
