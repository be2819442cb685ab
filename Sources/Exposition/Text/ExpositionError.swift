import Model

/// The reason why an exposition text cannot be read, with the place.
public struct ExpositionError: Error, Sendable, CustomStringConvertible {
    /// The expected and the found token, in Prometheus's words if it has some.
    public var message: String
    /// Counted from 1; 0 for binary formats.
    public var line: Int
    /// In bytes, counted from 1; for binary formats the offset.
    public var column: Int

    public init(_ message: String, line: Int, column: Int) {
        self.message = message
        self.line = line
        self.column = column
    }

    public var description: String { message }

    /// The message with its place, for users.
    public var located: String { line > 0 ? "line \(line), column \(column): \(message)" : message }

    /// An error at `offset` of a text.
    static func at(
        _ offset: Int, in base: UnsafePointer<UInt8>, _ message: String
    ) -> ExpositionError {
        var line = 1
        var lineStart = 0
        for i in 0..<max(0, offset) where base[i] == 0x0A {
            line += 1
            lineStart = i + 1
        }
        return ExpositionError(message, line: line, column: offset - lineStart + 1)
    }
}
