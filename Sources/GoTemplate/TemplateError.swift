/// The reason why a template cannot be parsed or executed, in the words of Go's `text/template`.
public struct TemplateError: Error, CustomStringConvertible, Sendable {
    public var description: String
    /// The place of a fault of the syntax, both from 1, and the reason without it; nil for other errors.
    public private(set) var syntax: (line: Int, column: Int, message: String)?

    public init(_ description: String) { self.description = description }

    static func parse(name: String, _ source: [UInt8], at position: Int, _ message: String) -> TemplateError {
        let before = source.prefix(max(0, position))
        let line = before.count { $0 == 0x0A } + 1
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        var error = TemplateError("template: \(name):\(line): \(message)")
        error.syntax = (line, before.count - lineStart + 1, message)
        return error
    }
}
