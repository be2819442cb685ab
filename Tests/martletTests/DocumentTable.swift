/// A table of a document, found by the mark in front of it.
struct DocumentTable {
    /// What follows the table's name in its mark: `also: a, b` for instance.
    var note: String
    /// The cells of each row without the head, without blanks around them.
    var rows: [[String]]

    /// The tables whose marks are `<!-- kind: NAME note -->` or `<!-- kind -->`, by name in the order of the page.
    static func all(_ kind: String, in page: String) throws -> [(name: String, table: DocumentTable)] {
        let mark = try Regex(
            "<!-- \(kind)(?:: ([a-z0-9_]+))? ?([^>]*?) ?-->\n", as: (Substring, Substring?, Substring).self)
        return page.matches(of: mark).map { match in
            let lines = page[match.range.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
                .prefix { $0.hasPrefix("|") }
            let rows = lines.dropFirst(2).map { cells(String($0)) }
            return (String(match.1 ?? ""), DocumentTable(note: String(match.2), rows: rows))
        }
    }

    /// The cells of a line; a bar between backticks does not end one.
    private static func cells(_ line: String) -> [String] {
        var cells: [String] = []
        var cell = ""
        var isCode = false
        for character in line.dropFirst() {
            if character == "`" { isCode.toggle() }
            if character == "|", !isCode {
                cells.append(trimmed(cell))
                cell = ""
            } else {
                cell.append(character)
            }
        }
        return cells
    }

    private static func trimmed(_ text: String) -> String {
        var rest = text[...]
        while rest.last == " " { rest.removeLast() }
        return String(rest.drop { $0 == " " })
    }

    /// What stands between backticks.
    static func code(_ cell: String) -> [String] { cell.matches(of: /`([^`]+)`/).map { String($0.1) } }
}
