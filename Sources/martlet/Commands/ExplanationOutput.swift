import JSON

/// An explanation as a tree: one line per node with its figures in columns, and its decisions below it.
enum ExplanationOutput {
    private struct Line {
        var tree: String
        /// The cells; empty for a line without figures.
        var cells: [String] = []
        var notes: [(indent: String, text: String)] = []
    }

    private static let titles = [
        "own", "total", "helpers", "series", "points", "samples", "chunks", "read", "cache", "memory",
    ]
    /// The longest part of a query in a line.
    private static let longestText = 72

    /// The lines of an answer's `explain`.
    static func lines(_ root: JSONValue) -> [String] {
        var lines: [Line] = []
        collect(root, first: "", rest: "", &lines)
        let isAnalysed = lines.contains { !$0.cells.isEmpty }
        let treeWidth = lines.map(\.tree.count).max() ?? 0
        let widths = titles.indices.map { column in
            max(titles[column].count, lines.map { $0.cells.isEmpty ? 0 : $0.cells[column].count }.max() ?? 0)
        }
        func row(_ tree: String, _ cells: [String]) -> String {
            let padded = zip(cells, widths).map { String(repeating: " ", count: $1 - $0.count) + $0 }
            return ([tree + String(repeating: " ", count: treeWidth - tree.count)] + padded).joined(separator: "  ")
        }
        var result = isAnalysed ? [row("", titles)] : []
        for line in lines {
            result.append(line.cells.isEmpty ? line.tree : row(line.tree, line.cells))
            for note in line.notes { result.append(note.indent + "· " + note.text) }
        }
        return result
    }

    private static func collect(_ node: JSONValue, first: String, rest: String, _ lines: inout [Line]) {
        let children = node["children"]?.array ?? []
        var text = (node["text"]?.string ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        if text.count > longestText { text = text.prefix(longestText - 1) + "…" }
        var line = Line(tree: first + (node["node"]?.string ?? "") + "  " + text)
        if let figures = node["analysis"] { line.cells = cells(figures) }
        let bar = rest + (children.isEmpty ? "   " : "│  ")
        line.notes = (node["notes"]?.array ?? []).map { (bar, $0.string ?? "") }
        lines.append(line)
        for (index, child) in children.enumerated() {
            let isLast = index == children.count - 1
            collect(child, first: rest + (isLast ? "└─ " : "├─ "), rest: rest + (isLast ? "   " : "│  "), &lines)
        }
    }

    private static func cells(_ figures: JSONValue) -> [String] {
        func number(_ name: String) -> Double { figures[name]?.number ?? 0 }
        func count(_ name: String) -> String {
            let value = Int(number(name))
            return value == 0 ? "-" : "\(value)"
        }
        let (hits, misses) = (Int(number("cacheHits")), Int(number("cacheMisses")))
        return [
            time(number("ownTime")), time(number("totalTime")),
            number("helperTime") == 0 ? "-" : time(number("helperTime")), count("series"), count("points"),
            count("samples"),
            count("chunks"), size(Int(number("bytesRead"))), hits + misses == 0 ? "-" : "\(hits)/\(hits + misses)",
            size(Int(number("peakMemory"))),
        ]
    }

    /// A time with three digits in a suitable unit.
    private static func time(_ seconds: Double) -> String {
        let micros = seconds * 1e6
        if micros < 1000 { return "\(Int(micros.rounded()))µs" }
        if micros < 10_000 { return "\(hundredths(micros / 1000))ms" }
        if micros < 1_000_000 { return "\(Int((micros / 1000).rounded()))ms" }
        return "\(hundredths(seconds))s"
    }

    private static func hundredths(_ value: Double) -> String {
        let scaled = Int((value * 100).rounded())
        return "\(scaled / 100).\(scaled % 100 < 10 ? "0" : "")\(scaled % 100)"
    }

    private static func size(_ bytes: Int) -> String {
        if bytes == 0 { return "-" }
        if bytes < 10 << 10 { return "\(bytes)B" }
        if bytes < 10 << 20 { return "\(bytes >> 10)KB" }
        return "\(bytes >> 20)MB"
    }
}
