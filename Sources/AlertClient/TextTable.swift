import GoCompatibility

/// Rows of cells in columns that are as wide as their widest cell, with two blanks after each.
package struct TextTable {
    private static let gap = 2

    private var rows: [[String]]

    package init(_ heading: [String]) { rows = [heading] }

    package mutating func add(_ row: [String]) { rows.append(row.map(Self.printable)) }

    /// The lines of the table; all rows have as many cells as the heading.
    package var text: String {
        var widths: [Int] = []
        for row in rows {
            for (column, cell) in row.enumerated() {
                let width = cell.unicodeScalars.count
                if column < widths.count { widths[column] = max(widths[column], width) } else { widths.append(width) }
            }
        }
        var text = ""
        for row in rows {
            for (cell, width) in zip(row, widths) {
                text += cell
                text += String(repeating: " ", count: width - cell.unicodeScalars.count + Self.gap)
            }
            text += "\n"
        }
        return text
    }

    /// A text whose control characters are written as escapes.
    ///
    /// A line feed or tab would break the columns, and an escape sequence would change the terminal.
    package static func printable(_ text: String) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            default:
                scalar.value == 0x061C || (0x200E...0x200F).contains(scalar.value)
                    || (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
            }
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if isControl(scalar) {
                out += GoQuote.quote(String(scalar)).dropFirst().dropLast()
            } else {
                out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
