import CRE2
import GoCompatibility

/// Compiles expressions in the syntax of Go's `regexp` with RE2.
enum RegexCompiler {
    /// The compiled pattern, which the caller frees, or nil and the reason with the part of the expression.
    static func compile(_ source: String) -> (pattern: OpaquePointer?, reason: String, part: String) {
        var text: String
        switch GoRegexSyntax.translate(source) {
        case .text(let translated): text = translated
        case .singleByte: return (nil, "invalid escape sequence", "\\C")
        }
        let pattern = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { cre2_new($0.baseAddress, $0.count) }
        }
        guard let pattern else { return (nil, "out of memory", source) }
        guard let reason = cre2_error(pattern) else { return (pattern, "", "") }
        defer { cre2_free(pattern) }
        return (nil, String(cString: reason), String(cString: cre2_error_place(pattern)))
    }
}
