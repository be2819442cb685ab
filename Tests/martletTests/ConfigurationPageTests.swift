import Testing

@testable import martlet

/// `docs/configuration.md` held against the readers of the configuration, which are given every key of the sources.
@Suite("Configuration page")
struct ConfigurationPageTests {
    private struct Row {
        var standard: String
        var difference: String
    }

    private static func page() throws -> String { try SourceText.file("docs/configuration.md") }

    /// The rows of each block by key, without those of the blocks that it names.
    private static func ownRows() throws -> [String: (also: [String], rows: [String: Row])] {
        var blocks: [String: (also: [String], rows: [String: Row])] = [:]
        for (name, table) in try DocumentTable.all("block", in: try page()) {
            var rows: [String: Row] = [:]
            for cells in table.rows {
                guard cells.count == 5 else {
                    Issue.record("\(name): \(cells) has not five cells")
                    continue
                }
                #expect(!cells[1].isEmpty && !cells[2].isEmpty && cells[3].hasSuffix("."), "\(name): \(cells)")
                for key in DocumentTable.code(cells[0]) {
                    #expect(rows[key] == nil, "\(name): \(key) is there twice")
                    rows[key] = Row(standard: cells[2], difference: cells[4])
                }
            }
            #expect(blocks[name] == nil, "\(name) is there twice")
            blocks[name] = (
                table.note.matches(of: /[a-z0-9_]+/).map { String($0.output) }.filter { $0 != "also" }, rows
            )
        }
        return blocks
    }

    /// The rows of each block that a file can have, with those of the blocks that are part of it.
    private static func rows() throws -> [String: [String: Row]] {
        let own = try ownRows()
        func whole(_ name: String) -> [String: Row] {
            guard let block = own[name] else { return [:] }
            return block.also.reduce(into: block.rows) { rows, part in
                #expect(own[part] != nil, "\(name) has the keys of \(part), which is not there")
                rows.merge(whole(part)) { first, _ in first }
            }
        }
        return Dictionary(uniqueKeysWithValues: own.keys.map { ($0, whole($0)) })
    }

    /// Every text of the sources that may be a key.
    private static func candidates() throws -> Set<String> {
        func words(_ text: String) -> [String] { text.matches(of: /"([a-z][a-z0-9_]*)"/).map { String($0.1) } }
        // Kinds of discovery are listed without what their keys end with.
        let kinds = words(try SourceText.file("Sources/Config/Prometheus/ScrapeConfig+YAML.swift"))
        return Set(words(try SourceText.swift("Sources/Config"))).union(kinds.map { $0 + "_sd_configs" })
            .union(["zzz_nosuch"])
    }

    @Test("each key that a reader takes has a row in its block, and each row is a key")
    func keys() throws {
        let rows = try Self.rows()
        let candidates = try Self.candidates().sorted()
        #expect(candidates.count > 300)
        for block in ConfigurationBlock.all {
            let listed = try #require(rows[block.name], "docs/configuration.md has no block \(block.name)")
            #expect(block.read("zzz_nosuch").isUnknownKey, "\(block.name): \(block.read("zzz_nosuch"))")
            let lacking = block.known(candidates).filter { listed[$0] == nil }
            #expect(lacking.isEmpty, "docs/configuration.md, \(block.name), lacks \(lacking)")
            let unknown = listed.keys.filter { block.read($0).isUnknownKey }.sorted()
            #expect(unknown.isEmpty, "docs/configuration.md, \(block.name): nothing reads \(unknown)")
        }
        let parts: Set = ["discovery", "proxy", "scrape_config_file"]
        #expect(Set(rows.keys) == Set(ConfigurationBlock.all.map(\.name)).union(parts))
    }

    @Test("each key that the sources ask for has a row somewhere")
    func everywhere() throws {
        let listed = try Self.rows().values.reduce(into: Set<String>()) { $0.formUnion($1.keys) }
        // Keys of sections that are refused as a whole.
        let inside: Set = ["write_relabel_configs"]
        for folder in ["Prometheus", "Relabel", "Rules", "Alertmanager", "Web"] {
            for key in try CompatibilityPageTests.keys("Sources/Config/" + folder).subtracting(inside) {
                #expect(listed.contains(key), "docs/configuration.md lacks \(key) (\(folder))")
            }
        }
    }

    /// Values of all kinds, of which a key takes at least one.
    private static let values = [
        "1", "true", "x", "\"http://localhost/\"", "[]", "[x]", "[{}]", "[{url: \"http://localhost/\"}]", "{}",
        "{a: b}", "{endpoint: x}", "[{files: [a.yml]}]", "\"{{ x }}\"",
    ]

    @Test("exactly the keys that are not supported yet are called refused")
    func states() throws {
        let rows = try Self.rows()
        for block in ConfigurationBlock.all {
            // A block of a kind that is refused as a whole is so without any of its keys.
            let known = block.read().unsupported
            for (key, row) in rows[block.name] ?? [:] {
                let isRefused = Self.values.contains { block.read(key, $0).isRefused(beyond: known) }
                let isSaid =
                    row.difference.contains("refused in")
                    ? row.difference.contains("`\(block.name)`") : row.difference.contains("refused")
                #expect(isRefused == isSaid, "\(block.name), \(key): \(row.difference)")
            }
        }
    }

    @Test("each default that is a value is what the reader takes without the key")
    func defaults() throws {
        let rows = try Self.rows()
        var count = 0
        for block in ConfigurationBlock.all {
            let bare = block.read()
            for (key, row) in rows[block.name] ?? [:] {
                if row.standard == "**required**" {
                    let without = ConfigurationBlock(
                        name: "", file: block.file, frame: block.frame, needed: block.needed.filter { $0.key != key })
                    #expect(without.read().content == nil, "\(block.name), \(key) is not required")
                    continue
                }
                guard let match = row.standard.wholeMatch(of: /`([^`]*)`/) else { continue }
                // Without a value of its own the block would be refused.
                if block.needed.contains(where: { $0.key == key }) { continue }
                let value = match.1 == "\"\"" || match.1.contains(/^[0-9a-z.-]+$/) ? String(match.1) : "'\(match.1)'"
                let given = block.read(key, value)
                #expect(given.mistake.isEmpty, "\(block.name), \(key): \(given.mistake)")
                let isSame = bare.content == given.content
                #expect(isSame, "\(block.name), \(key): the default is not \(match.1)")
                count += 1
            }
        }
        #expect(count > 80)
    }

    /// The table of flags, as the page must have it.
    static var flags: String {
        "| flag | type | default | meaning |\n|---|---|---|---|\n"
            + ServerFlags.set.flags.map { flag in
                let standard = flag.standard.map { $0.isEmpty ? "—" : "`\($0)`" } ?? "—"
                let repeats = flag.repeats ? " More than once." : ""
                return "| `--\(flag.name)` | \(type(flag.kind)) | \(standard) | \(flag.help)\(repeats) |"
            }.joined(separator: "\n") + "\n"
    }

    private static func type(_ kind: Flag.Kind) -> String {
        switch kind {
        case .boolean: "switch"
        case .interval: "duration or `always`"
        case .span: "duration"
        case .integer, .count: "integer"
        case .choice(let words), .choices(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        default: "\(kind)"
        }
    }

    @Test("the page has each flag with its type, default and meaning")
    func flagTable() throws {
        let exists = try Self.page().contains(Self.flags)
        #expect(exists, "docs/configuration.md lacks this table:\n\(Self.flags)")
    }
}
