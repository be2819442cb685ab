/// Why a template cannot be parsed or executed; the texts are those of Go's `text/template`.
package struct TemplateError: Error, CustomStringConvertible, Sendable {
    package var description: String

    init(_ description: String) { self.description = description }

    static func parse(name: String, line: Int, _ message: String) -> TemplateError {
        TemplateError("template: \(name):\(line): \(message)")
    }
}
