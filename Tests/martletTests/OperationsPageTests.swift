import Platform
import Testing

/// `docs/operations.md` held against the sources: flags, metrics, alerts, log messages and file names.
@Suite("Operations page")
struct OperationsPageTests {
    private static func page() throws -> String { try SourceText.file("docs/operations.md") }

    /// The text without its line breaks, which may stand within a message or a command.
    private static func unwrapped(_ text: String) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The constant beginning of each message that the sources log as a warning or an error.
    ///
    /// Messages whose beginning is not constant are left out, as are annotations of queries, which are no log messages.
    private static func messages(_ sources: String) -> Set<String> {
        let direct = sources.matches(
            of: /(?:[lL]og|logger|Log\("[a-z]+"\))\.(?:warn|error)\(\s*"((?:[^"\\]|\\.)*)/)
        let starts = sources.matches(of: /StartError\(\s*what: "((?:[^"\\]|\\.)*)/)
        return Set((direct.map(\.1) + starts.map(\.1)).map(constantPart).filter { !$0.isEmpty })
    }

    private static func constantPart(_ literal: Substring) -> String {
        String(literal[..<(literal.firstRange(of: "\\(")?.lowerBound ?? literal.endIndex)])
    }

    /// The messages that the page quotes: second cells of the tables whose first cell is E or W.
    private static func quoted(_ page: String) -> [String] {
        page.matches(of: /\n\| [EW] \| `([^`]+)` \|/).map { String($0.1) }
    }

    @Test("the page has each message that is logged as a warning or an error")
    func messagesAreListed() throws {
        let logged = Self.messages(try SourceText.swift("Sources"))
        #expect(logged.count > 50, "\(logged.sorted())")
        let quoted = Set(Self.quoted(try Self.page()))
        for message in logged.sorted() { #expect(quoted.contains(message), "docs/operations.md lacks: \(message)") }
    }

    @Test("each message on the page is one")
    func messagesExist() throws {
        let sources = try SourceText.swift("Sources")
        let quoted = Self.quoted(try Self.page())
        #expect(quoted.count > 50)
        for message in quoted {
            let exists = sources.contains("\"" + message)
            #expect(exists, "nothing logs: \(message)")
        }
    }

    @Test("each metric on the page is one")
    func metrics() throws {
        let sources = try SourceText.swift("Sources")
        let found = try Self.page().matches(of: /`((?:martlet|prometheus|alertmanager|process)_[a-z0-9_]+)/)
        let names = Set(found.map { String($0.1) })
        #expect(names.count > 12)
        for name in names {
            // The storage writes the common beginning once.
            let short = name.hasPrefix("prometheus_tsdb_") ? String(name.dropFirst("prometheus_tsdb_".count)) : name
            let exists = sources.contains("\"\(name)\"") || sources.contains("\"\(short)\"")
            #expect(exists, "docs/operations.md names \(name)")
        }
    }

    @Test("the pages name the User-Agent of webhooks")
    func userAgent() throws {
        let agent = "Alertmanager/" + ProductVersion.alertmanager
        for page in ["docs/operations.md", "docs/compatibility.md"] {
            let exists = try SourceText.file(page).contains("`\(agent)`")
            #expect(exists, "\(page) lacks \(agent)")
        }
    }

    @Test("each flag on the page is one")
    func flags() throws {
        let sources = try SourceText.swift("Sources/martlet")
        let flags = Set(try Self.page().matches(of: /--([a-z]+(?:[.-][a-z]+)+)/).map { String($0.1) })
        #expect(flags.count > 15)
        for flag in flags where flag != "data-urlencode" {
            let exists = sources.contains("\"\(flag)\"")
            #expect(exists, "docs/operations.md names --\(flag)")
        }
    }

    @Test("each subcommand on the page is one")
    func commands() throws {
        let sources = try SourceText.swift("Sources/martlet/Commands")
        let text = Self.unwrapped(try Self.page())
        let commands = text.matches(of: /martlet (check|tsdb|test|query) ([a-z-]+)/)
        #expect(commands.count > 8)
        for command in commands {
            let exists = sources.contains("\"\(command.2)\"")
            #expect(exists, "docs/operations.md names martlet \(command.1) \(command.2)")
        }
    }

    @Test("the page and rules/martlet.yml have the same alerts")
    func alerts() throws {
        let rules = try ["rules/martlet.yml", "rules/host.yml"].map {
            Set(try SourceText.file($0).matches(of: /- alert: (\w+)/).map { String($0.1) })
        }
        let named = Set(try Self.page().matches(of: /`((?:Martlet|Host)[A-Z][A-Za-z]+)`/).map { String($0.1) })
        #expect(rules[0].count > 5)
        #expect(rules[0].isSubset(of: named), "docs/operations.md lacks \(rules[0].subtracting(named))")
        let unknown = named.subtracting(rules[0]).subtracting(rules[1])
        #expect(unknown.isEmpty, "docs/operations.md names \(unknown), which no rule file has")
    }

    @Test("each name of a file in the data directory is on the page of formats")
    func files() throws {
        let page = try Self.page()
        let start = try #require(page.firstRange(of: "| name | content | may you delete it? |\n|---|---|---|\n"))
        let rows = page[start.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
            .prefix { $0.hasPrefix("|") }
        #expect(rows.count > 10)
        let formats = try SourceText.file("docs/formats/README.md")
        for row in rows {
            let name = try #require(row.firstMatch(of: /^\| `([^`]+)`/)).1
            let last = name.split(separator: "/").last { $0 != "ID" } ?? name
            let exists = formats.contains(last.drop { $0 == "*" })
            #expect(exists, "docs/formats/README.md does not have \(name)")
        }
    }
}
