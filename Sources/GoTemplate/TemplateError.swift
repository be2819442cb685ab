/// The reason why a template cannot be parsed or executed, in the words of Go's `text/template`.
public struct TemplateError: Error, CustomStringConvertible, Sendable {
    public var description: String

    public init(_ description: String) { self.description = description }

    static func parse(name: String, line: Int, _ message: String) -> TemplateError {
        TemplateError("template: \(name):\(line): \(message)")
    }
}
