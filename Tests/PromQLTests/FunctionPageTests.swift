import Foundation
import Testing

@testable import PromQL

/// The table of functions in `docs/promql.md`, held against the registry.
@Suite("Function page")
struct FunctionPageTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func row(_ function: Function) -> String {
        var types = function.arguments.map { $0 == .matrix ? "range" : $0.rawValue }
        if function.variadic != 0, let last = types.popLast() {
            types.append(function.variadic < 0 ? last + "…" : function.variadic == 1 ? "[\(last)]" : "\(last)…")
        }
        var notes: [String] = []
        if function.arguments.contains(.matrix), !function.traits.contains(.histograms) { notes.append("floats only") }
        if function.traits.contains(.anchored) { notes.append("`anchored`") }
        if function.traits.contains(.smoothed) { notes.append("`smoothed`") }
        if function.traits.contains(.startTimes) { notes.append("start timestamps") }
        if function.isExperimental { notes.append("experimental") }
        return "| `\(function.name)(\(types.joined(separator: ", ")))` | \(function.summary) | "
            + "\(notes.joined(separator: ", ")) |"
    }

    @Test("the page has the row of each function, and no other")
    func rows() throws {
        let page = try String(contentsOf: Self.root.appending(path: "docs/promql.md"), encoding: .utf8)
        let rows = page.split(separator: "\n").map(String.init).filter { $0.hasPrefix("| `") && $0.contains("(") }
        let expected = FunctionRegistry.all.map(Self.row)
        #expect(expected.count > 70)
        #expect(rows == expected, "the table should be:\n\(expected.joined(separator: "\n"))")
    }

    @Test("the name of a function stands in one row of the registry, and nowhere else in the engine")
    func names() throws {
        let sources = Self.root.appending(path: "Sources/PromQL")
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        // The type checker knows the selector that `info` takes, and the planner the constant of `pi`.
        let exceptions: Set<String> = ["info", "pi"]
        // Words of the language that are names of functions, too.
        let words: Set<String> = ["start", "end", "range", "step", "scalar", "vector", "min_of", "max_of", "timestamp"]
        var places: [String: [String]] = [:]
        for case let file as URL in files! where file.pathExtension == "swift" {
            guard !file.path.contains("/Testing/") else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for function in FunctionRegistry.all where !exceptions.union(words).contains(function.name) {
                let count = text.ranges(of: "\"\(function.name)\"").count
                for _ in 0..<count { places[function.name, default: []].append(file.lastPathComponent) }
            }
        }
        for (name, files) in places { #expect(files == ["FunctionRegistry.swift"], "\(name)") }
    }
}
