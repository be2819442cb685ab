/// Finds the functions of a Swift source by counting parentheses and braces; knows strings, comments and nothing else.
struct SwiftScan {
    /// A function or an initializer.
    struct Function: Sendable {
        var name: String
        var parameters: Int
        /// From the declaration to the closing brace; 0 for a requirement without a body.
        var lines: Int
        /// Whether a comment above or beside the declaration says `// Long: …`.
        var isMarkedLong = false
        /// An initializer that does nothing but assign its parameters to the properties of their names.
        var isMemberwise: Bool
    }

    /// The source with the contents of strings and comments as spaces, so that each byte keeps its place.
    private var code: [UInt8]
    private let source: [UInt8]

    init(_ text: String) {
        source = Array(text.utf8)
        code = source
        blank()
    }

    // MARK: Strings and comments

    private mutating func blank() {
        var at = 0
        while at < source.count {
            let byte = source[at]
            guard byte == UInt8(ascii: "/") || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "#") else {
                at += 1
                continue
            }
            if starts("//", at) {
                while at < source.count, source[at] != UInt8(ascii: "\n") { hide(&at) }
            } else if let start = stringStart(at) {
                skipString(&at, start)
            } else {
                at += 1
            }
        }
    }

    private mutating func hide(_ at: inout Int) {
        if code[at] != UInt8(ascii: "\n") { code[at] = UInt8(ascii: " ") }
        at += 1
    }

    private func starts(_ text: StaticString, _ at: Int) -> Bool {
        let size = text.utf8CodeUnitCount
        guard at + size <= source.count else { return false }
        return (0..<size).allSatisfy { source[at + $0] == text.utf8Start[$0] }
    }

    private typealias StringStart = (hashes: Int, quotes: Int)

    private func stringStart(_ at: Int) -> StringStart? {
        var hashes = 0
        while at + hashes < source.count, source[at + hashes] == UInt8(ascii: "#") { hashes += 1 }
        if starts("\"\"\"", at + hashes) { return (hashes, 3) }
        return starts("\"", at + hashes) ? (hashes, 1) : nil
    }

    private func ends(_ start: StringStart, _ at: Int) -> Bool {
        let size = start.quotes + start.hashes
        guard at + size <= source.count else { return false }
        return (0..<size).allSatisfy { source[at + $0] == UInt8(ascii: $0 < start.quotes ? "\"" : "#") }
    }

    /// Hides a string with its interpolations, which may have strings in them.
    private mutating func skipString(_ at: inout Int, _ start: StringStart) {
        for _ in 0..<(start.hashes + start.quotes) { hide(&at) }
        while at < source.count, !ends(start, at) {
            guard isEscape(at, start) else {
                hide(&at)
                continue
            }
            for _ in 0...start.hashes { hide(&at) }
            guard at < source.count else { return }
            if source[at] == UInt8(ascii: "(") { skipInterpolation(&at) } else { hide(&at) }
        }
        for _ in 0..<(start.hashes + start.quotes) where at < source.count { hide(&at) }
    }

    private func isEscape(_ at: Int, _ start: StringStart) -> Bool {
        guard source[at] == UInt8(ascii: "\\"), at + start.hashes < source.count else { return false }
        return (0..<start.hashes).allSatisfy { source[at + 1 + $0] == UInt8(ascii: "#") }
    }

    private mutating func skipInterpolation(_ at: inout Int) {
        var depth = 0
        while at < source.count {
            if let start = stringStart(at) {
                skipString(&at, start)
                continue
            }
            depth += source[at] == UInt8(ascii: "(") ? 1 : source[at] == UInt8(ascii: ")") ? -1 : 0
            hide(&at)
            if depth == 0 { return }
        }
    }

    // MARK: Functions

    /// All functions and initializers, those inside of functions too.
    func functions() -> [Function] {
        let lines = Self.lines(code)
        let given = Self.lines(source)
        var found: [Function] = []
        var offset = 0
        for (number, line) in lines.enumerated() {
            if let (name, end) = Self.declared(line), let open = firstParenthesis(from: offset + end) {
                var function = function(name, open, start: offset)
                function.isMarkedLong = Self.isMarkedLong(given, number)
                found.append(function)
            }
            offset += line.utf8.count + 1
        }
        return found
    }

    private static func lines(_ bytes: [UInt8]) -> [Substring] {
        String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// The name of the function that a line declares, and how many bytes of the line are before its parameters.
    private static func declared(_ line: Substring) -> (name: String, end: Int)? {
        guard line.contains("func ") || line.contains("init") || line.contains("subscript") else { return nil }
        let modifiers =
            /\s*(?:(?:@\w+|package|public|private|fileprivate|internal|static|final|override|mutating|nonmutating|convenience|required|nonisolated|class)\s+)*/
        guard let start = line.prefixMatch(of: modifiers)?.range.upperBound,
            let match = line[start...].prefixMatch(of: /func\s+([^\s(<]+|<=?|<<)|init(?=[?!]?[(<])|subscript(?=[(<])/)
        else { return nil }
        let name = match.1 ?? match.0.prefix { $0.isLetter }
        return (String(name), line[..<match.range.upperBound].utf8.count)
    }

    private func firstParenthesis(from start: Int) -> Int? {
        code[start...].firstIndex(of: UInt8(ascii: "("))
    }

    private func function(_ name: String, _ open: Int, start: Int) -> Function {
        let (count, close) = parameters(open)
        var lines = 0
        var isMemberwise = false
        if let body = body(after: close), let end = closing(body) {
            lines = code[start...end].count { $0 == UInt8(ascii: "\n") } + 1
            isMemberwise = name == "init" && Self.onlyAssigns(code[(body + 1)..<end])
        }
        return Function(
            name: name, parameters: count, lines: lines, isMemberwise: isMemberwise)
    }

    /// How many parameters a list has, and where it ends.
    private func parameters(_ open: Int) -> (count: Int, close: Int) {
        var (depth, commas, isEmpty) = (0, 0, true)
        for at in open..<code.count {
            switch code[at] {
            case UInt8(ascii: "("), UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"):
                depth -= 1
                if depth == 0 { return (isEmpty ? 0 : commas + 1, at) }
            case UInt8(ascii: ",") where depth == 1: commas += 1
            case UInt8(ascii: " "), UInt8(ascii: "\n"): break
            default: isEmpty = false
            }
        }
        return (0, code.count - 1)
    }

    /// Where the body begins; nil for a requirement, which ends with its line.
    private func body(after close: Int) -> Int? {
        var depth = 0
        for at in (close + 1)..<max(close + 1, code.count) {
            switch code[at] {
            case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: "{") where depth == 0: return at
            case UInt8(ascii: "}") where depth == 0: return nil
            case UInt8(ascii: "\n") where depth == 0:
                let rest = code[at...].drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }.prefix(8)
                let next = String(decoding: rest, as: UTF8.self)
                guard ["->", "throws", "async", "where", "rethrows", "{", ")"].contains(where: next.hasPrefix) else {
                    return nil
                }
            default: break
            }
        }
        return nil
    }

    private func closing(_ open: Int) -> Int? {
        var depth = 0
        for at in open..<code.count {
            if code[at] == UInt8(ascii: "{") { depth += 1 }
            if code[at] == UInt8(ascii: "}") {
                depth -= 1
                if depth == 0 { return at }
            }
        }
        return nil
    }

    /// Whether the line of the declaration, or a comment right above it, says why the function is long.
    private static func isMarkedLong(_ lines: [Substring], _ number: Int) -> Bool {
        let above = lines[..<number].reversed().prefix { line in
            let text = line.drop { $0 == " " }
            return text.hasPrefix("//") || text.hasPrefix("@")
        }
        return lines[number].contains("// Long: ") || above.contains { $0.contains("// Long: ") }
    }

    private static func onlyAssigns(_ body: ArraySlice<UInt8>) -> Bool {
        String(decoding: body, as: UTF8.self).split(separator: "\n").allSatisfy { line in
            line.allSatisfy { $0 == " " }
                || line.wholeMatch(of: /\s*self\.(\w+) = (\w+)\s*/).map { $0.1 == $0.2 } ?? false
        }
    }
}
