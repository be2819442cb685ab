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
        for words in commands {
            let command = Subcommand.all.first { words.starts(with: $0.words) } ?? ServeCommand.command
            let rest = words.starts(with: command.words) ? Array(words.dropFirst(command.words.count)) : words
            #expect(throws: Never.self, "martlet \(words.joined(separator: " "))") { _ = try command.parse(rest) }
        }
        #expect(commands.contains { $0.starts(with: ["tsdb", "import"]) })
        #expect(commands.contains { $0.starts(with: ["tsdb", "export"]) })
        let readme = try SourceText.file("README.md")
        #expect(readme.contains("docs/migrating-from-prometheus.md"))
    }
}
