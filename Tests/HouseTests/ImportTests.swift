import Foundation
import Testing

/// The dependency arrows, held against the table in docs/architecture.md.
@Suite("House")
struct ImportTests {
    /// The rows of the table: room and what it may import, lowest room first.
    static func table() throws -> [(room: String, allowed: Set<String>)] {
        let text = try String(contentsOfFile: House.root + "/docs/architecture.md", encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 5, cells[1].hasPrefix("`"), cells[1].hasSuffix("`") else { return nil }
            return (String(cells[1].dropFirst().dropLast()), Set(cells[2].split(separator: " ").map(String.init)))
        }
    }

    static let everywhere: Set<String> = ["Glibc", "Synchronization", "Swift", "_Concurrency", "Dispatch"]

    @Test("every import is an arrow of the architecture's table")
    func imports() throws {
        let table = try Self.table()
        #expect(table.count > 20)
        var seen = 0
        for (room, allowed) in table {
            for file in try House.swiftFiles("Sources/" + room) {
                for imported in House.imports(of: try House.text(file)) {
                    seen += 1
                    #expect(
                        allowed.contains(imported) || Self.everywhere.contains(imported),
                        "\(file) imports \(imported), which docs/architecture.md does not allow \(room)")
                }
            }
        }
        #expect(seen > 10)
    }

    @Test("arrows go only to lower rooms")
    func oneWay() throws {
        var lower: Set<String> = []
        for (room, allowed) in try Self.table() {
            #expect(
                allowed.isSubset(of: lower), "\(room) may import \(allowed.subtracting(lower)), which is not below it")
            lower.insert(room)
        }
    }

    @Test("every folder of Sources is a room of the table")
    func rooms() throws {
        let known = Set(try Self.table().map(\.room))
        let folders = try FileManager.default.contentsOfDirectory(atPath: House.root + "/Sources")
        for folder in folders { #expect(known.contains(folder), "Sources/\(folder) is not in docs/architecture.md") }
    }

    @Test("the manifest's dependencies are the table's arrows")
    func manifest() throws {
        let manifest = try House.text("Package.swift")
        for (room, allowed) in try Self.table() where !room.hasPrefix("C") || room == "Config" {
            let name = room == "martlet" ? "name: \"martlet\",\n            dependencies: [" : "room(\"\(room)\", ["
            let loose = room == "martlet" ? name : "\"\(room)\","
            guard let start = manifest.range(of: name) ?? manifest.range(of: loose) else {
                Issue.record("\(room) is not in Package.swift")
                continue
            }
            let rest = manifest[start.lowerBound...]
            guard let open = rest.firstIndex(of: "["), let close = rest[open...].firstIndex(of: "]") else { continue }
            let words = rest[open..<close].split(whereSeparator: { !$0.isLetter && !$0.isNumber }).map(String.init)
            #expect(Set(words) == allowed, "Package.swift and docs/architecture.md differ about \(room)")
        }
    }
}
