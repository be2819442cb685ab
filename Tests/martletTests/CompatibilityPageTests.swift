import Testing

@testable import martlet

/// `docs/compatibility.md` held against the tables of flags and features.
@Suite("Compatibility page")
struct CompatibilityPageTests {
    static var unsupportedFlags: String {
        table(
            "flag | reason",
            ServerFlags.set.flags.compactMap {
                if case .unsupported(let hint) = $0.state { ("--" + $0.name, hint) } else { nil }
            })
    }

    static var ignoredFlags: String {
        table(
            "flag | reason",
            ServerFlags.set.flags.compactMap {
                if case .ignored(let reason) = $0.state { ("--" + $0.name, reason) } else { nil }
            })
    }

    static var features: String {
        table(
            "feature | state",
            Feature.allCases.compactMap { feature in
                switch feature.state {
                case .used: nil
                case .ignored(let reason): (feature.rawValue, "ignored: " + reason)
                case .unsupported(let hint): (feature.rawValue, "not supported yet: " + hint)
                }
            })
    }

    static var usedFeatures: String {
        Feature.allCases.filter { $0.state == .used }.map { "`\($0.rawValue)`" }.joined(separator: ", ")
    }

    private static func table(_ head: String, _ rows: [(String, String)]) -> String {
        "| \(head) |\n|---|---|\n" + rows.map { "| `\($0.0)` | \($0.1) |" }.joined(separator: "\n")
    }

    @Test("the page has each flag and feature that is ignored or not supported, with its reason")
    func tables() throws {
        let page = try SourceText.file("docs/compatibility.md")
        for part in [Self.unsupportedFlags, Self.ignoredFlags, Self.features] {
            #expect(page.contains(part), "docs/compatibility.md lacks this table:\n\(part)")
        }
        let unwrapped = page.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(unwrapped.contains(Self.usedFeatures + "."), "docs/compatibility.md lacks: \(Self.usedFeatures)")
    }
}
