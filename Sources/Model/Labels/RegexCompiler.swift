import CRE2
import GoCompatibility

/// Compiles expressions in the syntax of Go's `regexp` with RE2.
enum RegexCompiler {
    /// Sets RE2's flags, whose default is that a dot matches everything.
    private static let noLineFeed = "(?-s)"

    /// The bytes of an expression and of its automaton, which grows with the matched texts.
    private static let mostMemory: Int64 = 8 << 20
    /// The bytes that suffice for nearly all expressions.
    private static let usualMemory: Int64 = 512 << 10

    /// A compiled pattern, which the caller frees.
    struct Compiled {
        var pattern: OpaquePointer
        /// Whether it may have ``mostMemory``, not ``usualMemory``.
        var isLarge: Bool

        /// The approximate bytes of the program, and a part of those that its automaton may have.
        var bytes: Int {
            let size = Int(cre2_program_size(pattern))
            // RE2 keeps tables of constant size for all but the smallest programs.
            let program = (4 << 10) + size * 16 + (size > 512 ? 128 << 10 : 0)
            return program + Int(isLarge ? RegexCompiler.mostMemory : RegexCompiler.usualMemory) / 4
        }
    }

    /// Compiles `source`; throws RE2's reason if it is no valid expression.
    ///
    /// - Parameter isFrugal: Whether the pattern gets little memory if that suffices.
    static func compile(
        _ source: String, dot: AnchoredRegex.Dot, isFrugal: Bool = false
    ) throws(AnchoredRegex.SyntaxError) -> Compiled {
        let flags = dot == .anything ? "" : noLineFeed
        var text: String
        switch GoRegexSyntax.translate(flags + source) {
        case .text(let translated): text = translated
        case .singleByte: throw AnchoredRegex.SyntaxError(expression: "\\C", reason: "invalid escape sequence")
        }
        if isFrugal {
            let first = try pattern(&text, usualMemory, source)
            if cre2_error(first) == nil { return Compiled(pattern: first, isLarge: false) }
            let isTooLarge = cre2_is_too_large(first) != 0
            if !isTooLarge { throw error(first, flags) }
            cre2_free(first)
        }
        let compiled = try pattern(&text, mostMemory, source)
        guard cre2_error(compiled) == nil else { throw error(compiled, flags) }
        return Compiled(pattern: compiled, isLarge: true)
    }

    private static func pattern(
        _ text: inout String, _ memory: Int64, _ source: String
    ) throws(AnchoredRegex.SyntaxError) -> OpaquePointer {
        let pattern = text.withUTF8 { utf8 in
            utf8.withMemoryRebound(to: CChar.self) { cre2_new($0.baseAddress, $0.count, memory) }
        }
        guard let pattern else { throw AnchoredRegex.SyntaxError(expression: source, reason: "out of memory") }
        return pattern
    }

    /// The error of a pattern that did not compile, which is freed.
    private static func error(_ pattern: OpaquePointer, _ flags: String) -> AnchoredRegex.SyntaxError {
        defer { cre2_free(pattern) }
        let reason = cre2_error(pattern).map { String(cString: $0) } ?? ""
        let part = String(cString: cre2_error_place(pattern))
        let shown = part.utf8.starts(with: flags.utf8) ? String(part.unicodeScalars.dropFirst(flags.utf8.count)) : part
        return AnchoredRegex.SyntaxError(expression: shown, reason: reason)
    }
}
