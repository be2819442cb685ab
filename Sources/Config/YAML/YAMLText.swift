import GoCompatibility
import Model

/// A YAML document in the output format of go-yaml, so that texts can be compared with Prometheus's.
indirect enum YAMLText: Sendable {
    /// A string, quoted if it would be read as another type.
    case string(String)
    /// A number, a boolean or null, never quoted.
    case plain(String)
    case list([YAMLText])
    /// Strings in brackets on one line.
    case flow([String])
    case map([(key: String, value: YAMLText)])

    static func bool(_ isOn: Bool) -> YAMLText { .plain(isOn ? "true" : "false") }

    static func strings(_ texts: [String]) -> YAMLText { .list(texts.map { .string($0) }) }

    /// A map whose keys are in go-yaml's order.
    static func sorted(_ members: [(key: String, value: YAMLText)]) -> YAMLText {
        .map(members.sorted { YAMLKeyOrder.precedes($0.key, $1.key) })
    }

    /// The content of a parsed document with its secrets: two texts are equal only if the documents are.
    init(_ node: YAMLNode) {
        switch node.content {
        case .scalar(let text, let isPlain):
            self = YAMLScalar(text, isPlain: isPlain) == .string ? .string(text) : .plain(node.isNull ? "null" : text)
        case .sequence(let elements): self = .list(elements.map { YAMLText($0) })
        case .mapping(let members): self = .map(members.map { ($0.0.text ?? "", YAMLText($0.1)) })
        }
    }

    /// The document, with a line break at the end.
    var document: String {
        var out = ""
        write(indent: 0, lead: "", to: &out)
        return out
    }

    /// The text of a value on the line of its key; nil if it needs its own lines.
    private var inline: String? {
        switch self {
        case .string(let text): YAMLQuoting.block(text)
        case .plain(let text): text
        case .flow(let texts): "[" + texts.map(YAMLQuoting.flow).joined(separator: ", ") + "]"
        case .list(let elements): elements.isEmpty ? "[]" : nil
        case .map(let members): members.isEmpty ? "{}" : nil
        }
    }

    /// - Parameter lead: The beginning of the first line in place of its indentation.
    private func write(indent: Int, lead: String, to out: inout String) {
        let space = String(repeating: " ", count: indent)
        if let inline {
            out += lead + inline + "\n"
            return
        }
        var lead = lead
        func start() -> String {
            defer { lead = space }
            return lead
        }
        switch self {
        case .list(let elements):
            for element in elements { element.write(indent: indent + 2, lead: start() + "- ", to: &out) }
        case .map(let members):
            for (key, value) in members {
                guard YAMLQuoting.isSimpleKey(key) else {
                    out += start() + "? " + YAMLQuoting.block(key) + "\n"
                    value.write(indent: indent + 2, lead: space + ": ", to: &out)
                    continue
                }
                out += start() + YAMLQuoting.block(key) + ":"
                if let inline = value.inline {
                    out += " " + inline + "\n"
                    continue
                }
                out += "\n"
                let inner = if case .list = value { indent } else { indent + 2 }
                value.write(indent: inner, lead: String(repeating: " ", count: inner), to: &out)
            }
        case .string, .plain, .flow: break
        }
    }
}

/// Decides how a string is quoted, as go-yaml does.
enum YAMLQuoting {
    /// A string as a value or a key in block style.
    static func block(_ text: String) -> String { quote(text, isFlow: false) }

    /// A string as an element between brackets.
    static func flow(_ text: String) -> String { quote(text, isFlow: true) }

    /// Whether a key is written before its colon; others get their own line that begins with `?`.
    static func isSimpleKey(_ text: String) -> Bool {
        text.utf8.count <= 128
            && !text.unicodeScalars.contains { ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"].contains($0) }
    }

    private static func quote(_ text: String, isFlow: Bool) -> String {
        // A string that would be read as another type gets double quotes.
        guard YAMLScalar(text, isPlain: true) == .string, !isBase60(text), text != "<<" else { return double(text) }
        guard text.unicodeScalars.allSatisfy(isPrintable) else { return double(text) }
        if mayBePlain(text, isFlow: isFlow) { return text }
        // The loop uses scalars, because a combining mark after a quote forms one character with it.
        var out = "'"
        for c in text.unicodeScalars { out.unicodeScalars.append(contentsOf: c == "'" ? [c, c] : [c]) }
        return out + "'"
    }

    /// Whether a text is a number like `190:20:30`, which older readers read as a time.
    ///
    /// The pattern is `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`.
    static func isBase60(_ text: String) -> Bool {
        func isDigit(_ c: UInt8) -> Bool { c >= 0x30 && c <= 0x39 }
        func isTail(_ c: UInt8) -> Bool { isDigit(c) || c == UInt8(ascii: "_") }
        var rest = text.utf8[...]
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
        guard let first = rest.first, isDigit(first) else { return false }
        rest = rest.drop(while: isTail)
        guard rest.first == UInt8(ascii: ":") else { return false }
        while rest.first == UInt8(ascii: ":") {
            rest = rest.dropFirst()
            let digits = rest.prefix(2).prefix(while: isDigit)
            guard let tens = digits.first, digits.count == 1 || tens < UInt8(ascii: "6") else { return false }
            rest = rest.dropFirst(digits.count)
        }
        guard let point = rest.first else { return true }
        return point == UInt8(ascii: ".") && rest.dropFirst().allSatisfy(isTail)
    }

    private static func isPrintable(_ c: Unicode.Scalar) -> Bool {
        switch c.value {
        case 0x20...0x7E, 0xA0...0x2027, 0x202A...0xD7FF, 0xE000...0xFEFE, 0xFF00...0xFFFD: true
        default: false
        }
    }

    /// Whether a plain scalar reads back as `text`.
    private static func mayBePlain(_ text: String, isFlow: Bool) -> Bool {
        let bytes = Array(text.utf8)
        let isBlank: (Int) -> Bool = { $0 >= bytes.count || bytes[$0] == 0x20 }
        if text.hasPrefix("---") || text.hasPrefix("...") { return false }
        if bytes.first == 0x20 || bytes.last == 0x20 { return false }
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "#"):
                if index == 0 || bytes[index - 1] == 0x20 { return false }
            case UInt8(ascii: ","), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"):
                if index == 0 || isFlow { return false }
            case UInt8(ascii: "?"):
                if isFlow || (index == 0 && isBlank(1)) { return false }
            case UInt8(ascii: ":"):
                if isFlow || isBlank(index + 1) { return false }
            case UInt8(ascii: "-"):
                if index == 0, isBlank(1) { return false }
            case UInt8(ascii: "&"), UInt8(ascii: "*"), UInt8(ascii: "!"), UInt8(ascii: "|"), UInt8(ascii: ">"),
                UInt8(ascii: "'"), UInt8(ascii: "\""), UInt8(ascii: "%"), UInt8(ascii: "@"), UInt8(ascii: "`"):
                if index == 0 { return false }
            default: break
            }
        }
        return true
    }

    private static func double(_ text: String) -> String {
        var out = "\""
        for c in text.unicodeScalars {
            switch c {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case "\0": out += "\\0"
            default:
                if isPrintable(c) {
                    out.unicodeScalars.append(c)
                } else {
                    let (prefix, width) = c.value < 0x100 ? ("\\x", 2) : c.value < 0x10000 ? ("\\u", 4) : ("\\U", 8)
                    out += prefix + c.value.zeroPadded(width, radix: 16, uppercase: true)
                }
            }
        }
        return out + "\""
    }
}

/// The order in which go-yaml writes the keys of a map: numbers by value, letters after everything else.
enum YAMLKeyOrder {
    static func precedes(_ a: String, _ b: String) -> Bool {
        let (a, b) = (Array(a.unicodeScalars), Array(b.unicodeScalars))
        guard let at = (0..<min(a.count, b.count)).first(where: { a[$0] != b[$0] }) else { return a.count < b.count }
        let (aIsLetter, bIsLetter) = (a[at].properties.isAlphabetic, b[at].properties.isAlphabetic)
        if aIsLetter, bIsLetter { return a[at] < b[at] }
        if aIsLetter || bIsLetter { return bIsLetter }
        let (x, y) = (number(a[at...]), number(b[at...]))
        if x.value != y.value { return x.value < y.value }
        if x.digits != y.digits { return x.digits < y.digits }
        return a[at] < b[at]
    }

    /// The number at the start of a text; a number that is too large counts as the largest.
    private static func number(_ text: ArraySlice<Unicode.Scalar>) -> (value: UInt64, digits: Int) {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let value = digits.reduce(UInt64(0)) { sum, digit in
            let (tens, overflow) = sum.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.addingReportingOverflow(UInt64(digit.value - 0x30))
            return overflow || carry ? .max : next
        }
        return (value, digits.count)
    }
}
