import CRE2
import GoCompatibility

/// Compiles expressions in the syntax of Go's `regexp` with RE2.
enum RegexCompiler {
    /// Sets RE2's flags, whose default is that a dot matches everything.
    private static let noLineFeed = "(?-s)"

    /// The compiled pattern, which the caller frees; throws RE2's reason if `source` is no valid expression.
    static func compile(
        _ source: String, dot: AnchoredRegex.Dot
    ) throws(AnchoredRegex.SyntaxError) -> OpaquePointer {
        let flags = dot == .anything ? "" : noLineFeed
        let (compiled, reason, part) = compile(flags + source)
        if let compiled { return compiled }
        let shown = part.utf8.starts(with: flags.utf8) ? String(part.unicodeScalars.dropFirst(flags.utf8.count)) : part
        throw AnchoredRegex.SyntaxError(expression: shown, reason: reason)
    }

    private static func compile(_ source: String) -> (pattern: OpaquePointer?, reason: String, part: String) {
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
