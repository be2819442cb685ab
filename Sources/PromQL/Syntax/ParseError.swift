/// The reason why a text is not PromQL, with the position, in Prometheus's words.
package struct ParseError: Error, Sendable, CustomStringConvertible {
    /// The byte offset in the text.
    package var offset: Int
    /// The line, from 1; 0 if the query is empty.
    package var line: Int
    /// The column in bytes, from 1.
    package var column: Int
    package var message: String

    package init(_ message: String, at offset: Int, in text: [UInt8]) {
        self.message = message
        self.offset = offset
        (line, column) = text.isEmpty ? (0, 0) : TextRange.position(of: offset, in: text)
    }

    /// Makes an error with a known position.
    init(_ message: String, at offset: Int, line: Int, column: Int) {
        (self.message, self.offset, self.line, self.column) = (message, offset, line, column)
    }

    /// `1:5: parse error: …`.
    package var description: String {
        (line == 0 ? "unknown position" : "\(line):\(column)") + ": parse error: \(message)"
    }
}

extension TextRange {
    /// The line and column, from 1, of a byte offset.
    package static func position(of offset: Int, in text: [UInt8]) -> (line: Int, column: Int) {
        var (line, start) = (1, 0)
        for i in 0..<min(offset, text.count) where text[i] == 0x0A {
            line += 1
            start = i + 1
        }
        return (line, offset - start + 1)
    }
}
