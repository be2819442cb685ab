import Foundation
import Testing

/// The dependencies, compared with the table in docs/architecture.md.
@Suite("Architecture")
struct ImportTests {
    /// The rows of the table: module and what it may import, lowest module first.
    static func table() throws -> [(module: String, allowed: Set<String>)] {
        let text = try String(contentsOfFile: ProjectFiles.root + "/docs/architecture.md", encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 5, cells[1].hasPrefix("`"), cells[1].hasSuffix("`") else { return nil }
            return (String(cells[1].dropFirst().dropLast()), Set(cells[2].split(separator: " ").map(String.init)))
        }
    }

    static let everywhere: Set<String> = ["Glibc", "Synchronization", "Swift", "_Concurrency"]

    @Test("every import is a dependency of the architecture's table")
    func imports() throws {
        let table = try Self.table()
        #expect(table.count > 20)
        var seen = 0
        for (module, allowed) in table {
            for file in try ProjectFiles.swiftFiles("Sources/" + module) {
                for imported in ProjectFiles.imports(of: try ProjectFiles.text(file)) {
                    seen += 1
                    #expect(
                        allowed.contains(imported) || Self.everywhere.contains(imported),
                        "\(file) imports \(imported), which docs/architecture.md does not allow \(module)")
                }
            }
        }
        #expect(seen > 10)
    }

    @Test("dependencies go only to lower modules")
    func oneWay() throws {
        var lower: Set<String> = []
        for (module, allowed) in try Self.table() {
            #expect(
                allowed.isSubset(of: lower), "\(module) may import \(allowed.subtracting(lower)), which is not below it"
            )
            lower.insert(module)
        }
    }

    @Test("every folder of Sources is a module of the table")
    func modules() throws {
        let known = Set(try Self.table().map(\.module))
        let folders = try FileManager.default.contentsOfDirectory(atPath: ProjectFiles.root + "/Sources")
        for folder in folders { #expect(known.contains(folder), "Sources/\(folder) is not in docs/architecture.md") }
    }

    @Test("the manifest's dependencies are those of the table")
    func manifest() throws {
        let manifest = try ProjectFiles.text("Package.swift")
        for (module, allowed) in try Self.table() where !module.hasPrefix("C") || module == "Config" {
            let name =
                module == "martlet" ? "name: \"martlet\",\n            dependencies: [" : "module(\"\(module)\", ["
            let loose = module == "martlet" ? name : "\"\(module)\","
            guard let start = manifest.range(of: name) ?? manifest.range(of: loose) else {
                Issue.record("\(module) is not in Package.swift")
                continue
            }
            let rest = manifest[start.lowerBound...]
            guard let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") else { continue }
            let words = rest[open..<close].split(whereSeparator: { !$0.isLetter && !$0.isNumber }).map(String.init)
            #expect(Set(words) == allowed, "Package.swift and docs/architecture.md differ about \(module)")
        }
    }
}
