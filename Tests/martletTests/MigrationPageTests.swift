import Testing

@testable import martlet

/// `docs/migrating-from-prometheus.md` held against the commands and flags that there are.
@Suite("Migration page")
struct MigrationPageTests {
    /// The lines in code blocks that call the binary.
    private static func commands() throws -> [[String]] {
        let page = try SourceText.file("docs/migrating-from-prometheus.md")
        var isCode = false
        var commands: [[String]] = []
        for line in page.split(separator: "\n") {
            if line.hasPrefix("```") {
                isCode.toggle()
            } else if isCode, line.hasPrefix("martlet ") {
                commands.append(line.split(separator: " ").dropFirst().map(String.init))
            }
        }
        return commands
    }

    @Test("the commands and flags of the page exist")
    func commandsExist() throws {
        let commands = try Self.commands()
        #expect(commands.count >= 7)
        let server = Set(ServerFlags.set.flags.map(\.name))
        for words in commands {
            let flags = words.filter { $0.hasPrefix("--") }.map {
                String($0.dropFirst(2).prefix { $0 != "=" })
            }
            switch words.first {
            case "tsdb":
                let kinds = ["list", "analyze", "dump", "verify", "import", "export", "create-blocks-from"]
                #expect(words.count > 1 && kinds.contains(words[1]), "\(words)")
                for flag in flags { #expect(TSDBCommand.flags.flags.contains { $0.name == flag }, "--\(flag)") }
            case "check": #expect(words.count > 1 && words[1] == "config")
            case "query": #expect(words.count > 1 && words[1] == "instant")
            default: for flag in flags { #expect(server.contains(flag), "--\(flag)") }
            }
        }
        #expect(commands.contains { $0.starts(with: ["tsdb", "import"]) })
        #expect(commands.contains { $0.starts(with: ["tsdb", "export"]) })
        let readme = try SourceText.file("README.md")
        #expect(readme.contains("docs/migrating-from-prometheus.md"))
    }
}
