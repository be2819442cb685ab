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

    /// The lines behind a mark, up to the first empty one.
    private static func rows(_ page: String, _ mark: String) -> String {
        guard let start = page.firstRange(of: "<!-- \(mark) -->\n") else { return "" }
        let rest = page[start.upperBound...]
        return String(rest[..<(rest.firstRange(of: "\n\n")?.lowerBound ?? rest.endIndex)])
    }

    /// What stands between backticks.
    private static func code(_ text: String) -> Set<String> {
        Set(text.matches(of: /`([^`]+)`/).map { String($0.1) })
    }

    /// What stands between quotation marks.
    private static func quoted(_ text: String) -> Set<String> {
        Set(text.matches(of: /"([^"]+)"/).map { String($0.1) })
    }

    @Test("the page has each endpoint that is served, and what it calls missing is not")
    func endpoints() throws {
        let pages = try SourceText.file("Sources/Web/WebPages.swift")
        var served: Set<String> = []
        if let list = pages.firstMatch(of: /pagePaths = \[([^\]]+)\]/) { served = Self.quoted(String(list.1)) }
        for match in try SourceText.file("Sources/API/APIRoutes.swift").matches(
            of: /(routes\.)?add\((?:\["GET"\]|both|change), "(\/[^"]+)"/)
        { served.insert((match.1 == nil ? "/api/v1" : "") + match.2) }
        for match in try SourceText.swift("Sources/martlet/Daemon").matches(of: /routes\.add\(\["[A-Z]+"\], "([^"]+)"/)
        {
            served.insert(String(match.1))
        }
        for match in try SourceText.file("Sources/AlertAPI/AlertAPIRoutes.swift").matches(of: /[ ]add\(\s*"(\/[^"]+)"/)
        {
            served.insert("/api/v2" + match.1)
        }
        #expect(served.count > 50, "\(served.sorted())")
        #expect(served.isSuperset(of: ["/api/v1/query", "/api/v1/write", "/metrics", "/-/reload", "/user/*path", "/"]))
        let page = try SourceText.file("docs/compatibility.md")
        let listed = Self.code(Self.rows(page, "endpoints"))
        for path in served { #expect(listed.contains(path), "docs/compatibility.md lacks \(path)") }
        for path in listed where path.hasPrefix("/") && !path.hasSuffix("/") || path == "/" {
            #expect(served.contains(path), "\(path) is listed, but not served")
        }
        let missing = Self.code(Self.rows(page, "endpoints: missing"))
        #expect(missing.count > 10)
        #expect(missing.isDisjoint(with: served), "served, but listed as missing: \(missing.intersection(served))")
    }

    /// The keys that the sources in a folder ask for.
    static func keys(_ folder: String) throws -> Set<String> {
        let text = try SourceText.swift(folder)
        let direct = text.matches(
            of: try Regex("\\.(?:\(Self.readers))\\(\\s*\"([a-z0-9_]+)\"", as: (Substring, Substring).self))
        let passed = text.matches(
            of: /(?:list|ranges|multiHeaders|globs|read)\(\s*(?:reader, )?((?:"[a-z0-9_]+"(?:, )?)+)/)
        var keys = Set(direct.map { String($0.1) })
        for match in text.matches(of: /[ ]text\("([a-z_]+)",/) { keys.insert(String(match.1)) }
        for match in passed {
            keys.formUnion(match.1.matches(of: /"([a-z0-9_]+)"/).map { String($0.1) })
        }
        return keys
    }

    private static let readers =
        "string|strings|bool|integer|unsigned|count|number|duration|goDuration|size|mapping|list|node|has|stringMap"
        + "|stringLists|url|httpURL|template|templates|templateMap|templateTree"

    @Test("every flag that the README or a page names is one")
    func flags() throws {
        let known = Set(Subcommand.all.flatMap(\.flags.flags).map(\.name) + ["data-urlencode"])
        let pages = [
            "commands", "compatibility", "getting-started", "migrating-from-prometheus", "promql", "queries",
        ]
        for file in ["README.md"] + pages.map({ "docs/\($0).md" }) {
            for line in try SourceText.file(file).split(separator: "\n") {
                // What is said to be missing is no flag.
                let text = line[..<(line.firstRange(of: "not there yet: ")?.lowerBound ?? line.endIndex)]
                for match in text.matches(of: /--([a-z]+(?:[.-][a-z-]+)+)/) {
                    let isKnown = known.contains(String(match.1))
                    #expect(isKnown, "\(file) names --\(match.1)")
                }
            }
        }
    }

    @Test("the page has each key that a configuration file may have")
    func keys() throws {
        let page = try SourceText.file("docs/compatibility.md")
        let configuration = try #require(page.firstRange(of: "## Configuration"))
        let listed = Self.code(String(page[configuration.lowerBound...]))
        for (folder, least) in [("Prometheus", 95), ("Relabel", 7), ("Alertmanager", 40), ("AWS", 8)] {
            let keys = try Self.keys("Sources/Config/" + folder)
            #expect(keys.count >= least, "\(keys.sorted())")
            for key in keys { #expect(listed.contains(key), "docs/compatibility.md lacks \(key) (\(folder))") }
        }
        // And the other way: what the page lists as obeyed is asked for.
        for (mark, folders) in [
            ("keys: Prometheus", ["Prometheus", "Relabel", "AWS"]), ("keys: Alertmanager", ["Alertmanager", "AWS"]),
        ] {
            let known = try folders.reduce(into: Set<String>()) { try $0.formUnion(Self.keys("Sources/Config/" + $1)) }
            let shown = Self.code(Self.rows(page, mark))
            #expect(shown.count > 25)
            for key in shown { #expect(known.contains(key), "\(key) is listed, but nobody asks for it") }
        }
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

    @Test("the page names every command, and only those there are")
    func commands() throws {
        let page = try SourceText.file("docs/compatibility.md")
        var named: Set<String> = ["serve", "version"]
        let rows = ["promtool", "amtool"].flatMap { Self.rows(page, $0).split(separator: "\n").dropFirst(2) }
        for row in rows {
            let cells = row.split(separator: "|", omittingEmptySubsequences: false)
            #expect(cells.count == 5, "\(row)")
            named.formUnion(Self.code(String(cells[2])))
        }
        #expect(named == Set(Subcommand.all.map(\.name)))
    }
}
