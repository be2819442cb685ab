import GoCompatibility

/// The place in a HTML page that the output of a template has reached, and the escaping of values for it, as Go's
/// `html/template` has it.
///
/// The text of the template is trusted and moves the place; values are not and never move it. A place that is not
/// understood accepts no value.
struct HTMLEscape: Sendable {
    private enum Place: Equatable {
        case text
        case comment
        /// The name of an element, after `<` or `</`.
        case elementName
        /// Between attributes.
        case tag
        case attributeName
        case afterAttributeName
        case beforeValue
        /// The value of an attribute, up to this quote; without one up to white space.
        case value(quote: UInt8?)
        /// The content of an element that has no elements inside, up to its end tag.
        case content
    }

    /// The language of an attribute's value.
    private enum Language { case plain, url, style, refused }

    private var place = Place.text
    private var isEndTag = false
    private var element: [UInt8] = []
    private var attribute: [UInt8] = []
    private var language = Language.plain
    /// Whether the value of an attribute has begun; ``isInQuery``: whether it had `?` or `#`.
    private var hasAddress = false
    private var isInQuery = false
    private var script = ScriptPlace()

    private static let withText: [String] = ["script", "style", "textarea", "title"]

    private var elementName: String { String(decoding: element, as: UTF8.self) }

    // MARK: Text of the template

    /// The text without comments; the place afterwards is at its end.
    mutating func literal(_ text: String) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if place == .comment {
                if bytes[at...].starts(with: "-->".utf8) {
                    place = .text
                    at += 3
                } else {
                    at += 1
                }
                continue
            }
            if place == .text, bytes[at...].starts(with: "<!--".utf8) {
                place = .comment
                at += 4
                continue
            }
            advance(bytes, at)
            out.append(bytes[at])
            at += 1
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

    private static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0C, 0x0D].contains(byte) }

    private static func lower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private mutating func advance(_ bytes: [UInt8], _ at: Int) {
        let byte = bytes[at]
        switch place {
        case .text:
            guard byte == UInt8(ascii: "<") else { return }
            // What follows the end of this text is not known yet; no value may be the name of an element.
            let next = at + 1 < bytes.count ? bytes[at + 1] : UInt8(ascii: "a")
            isEndTag = next == UInt8(ascii: "/")
            if isEndTag || Self.isLetter(next) { (place, element) = (.elementName, []) }
        case .comment: break
        case .elementName:
            if element.isEmpty, !isEndTag, !Self.isLetter(byte) {
                isEndTag = byte == UInt8(ascii: "/")
                if !isEndTag { place = .text }
            } else if Self.isSpace(byte) || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "/") && !element.isEmpty {
                place = .tag
                advanceTag(byte)
            } else if byte != UInt8(ascii: "/") {
                element.append(Self.lower(byte))
            }
        case .tag, .attributeName, .afterAttributeName, .beforeValue: advanceTag(byte)
        case .value(let quote):
            if quote == nil ? Self.isSpace(byte) || byte == UInt8(ascii: ">") : byte == quote {
                place = .tag
                if quote == nil { advanceTag(byte) }
            } else {
                advanceValue(byte)
            }
        case .content:
            let end = Array("</".utf8) + element
            if bytes[at...].prefix(end.count).map(Self.lower) == end {
                (place, isEndTag, element) = (.elementName, true, [])
            } else if elementName == "script" {
                script.advance(byte)
            }
        }
    }

    private mutating func advanceValue(_ byte: UInt8) {
        if byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#") { isInQuery = true }
        if !Self.isSpace(byte) { hasAddress = true }
    }

    private mutating func advanceTag(_ byte: UInt8) {
        if byte == UInt8(ascii: ">") {
            place = !isEndTag && Self.withText.contains(elementName) ? .content : .text
            script = ScriptPlace()
            return
        }
        switch place {
        case .attributeName where byte == UInt8(ascii: "="), .afterAttributeName where byte == UInt8(ascii: "="):
            language = Self.language(of: String(decoding: attribute, as: UTF8.self))
            (place, hasAddress, isInQuery) = (.beforeValue, false, false)
        case .attributeName:
            if Self.isSpace(byte) { place = .afterAttributeName } else { attribute.append(Self.lower(byte)) }
        case .beforeValue:
            if Self.isSpace(byte) { return }
            let isQuote = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
            place = .value(quote: isQuote ? byte : nil)
            if !isQuote { advanceValue(byte) }
        default:
            if Self.isSpace(byte) || byte == UInt8(ascii: "/") { return }
            (place, attribute) = (.attributeName, [Self.lower(byte)])
        }
    }

    private static let addresses: Set<String> = [
        "action", "archive", "background", "cite", "classid", "codebase", "data", "formaction", "href", "icon",
        "longdesc", "manifest", "poster", "profile", "src", "usemap", "xmlns",
    ]

    private static func language(of attribute: String) -> Language {
        var name = attribute[...]
        if name.hasPrefix("data-") {
            name = name.dropFirst(5)
        } else if let colon = name.firstIndex(of: ":") {
            if name[..<colon] == "xmlns" { return .url }
            name = name[name.index(after: colon)...]
        }
        if addresses.contains(String(name)) { return .url }
        if name == "style" { return .style }
        if name.hasPrefix("on") || ["srcdoc", "srcset", "imagesrcset"].contains(name) { return .refused }
        return ["src", "uri", "url"].contains { name.contains($0) } ? .url : .plain
    }

    // MARK: Values

    /// The text of a value at this place; nil if the place accepts none.
    ///
    /// - Parameter function: The last function of the value's pipeline, which may have escaped it already.
    mutating func escape(_ value: TemplateValue, after function: String?) -> String? {
        var text = GoFormat.plain(value)
        if case .null = value { text = "" }
        switch place {
        case .comment: return ""
        case .text:
            return SafeText.html.isType(of: value) || function == "html" ? text : Self.entities(text, in: Self.marks)
        case .content: return content(value, text, isEscaped: function == "html")
        case .elementName: return nil
        case .tag, .attributeName, .afterAttributeName: return attributeName(text)
        case .beforeValue:
            place = .value(quote: nil)
            return attributeValue(value, text, function, quote: nil)
        case .value(let quote): return attributeValue(value, text, function, quote: quote)
        }
    }

    /// The mark in the output of a value that is not safe where it stands.
    private static let unsafe = "ZgotmplZ"

    private static let marks = "\0\"&'+<>"
    /// The marks to escape in a text that has entities already.
    private static let marksInEntities = "\0\"'+<>"
    private static let marksWithoutQuotes = "\t\n\u{B}\u{C}\r =`"

    private static func entities(_ text: String, in marks: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            guard marks.unicodeScalars.contains(scalar) else {
                out.unicodeScalars.append(scalar)
                continue
            }
            switch scalar {
            case "\0": out += "\u{FFFD}"
            case "&": out += "&amp;"
            case "<": out += "&lt;"
            case ">": out += "&gt;"
            default: out += "&#\(scalar.value);"
            }
        }
        return out
    }

    private func content(_ value: TemplateValue, _ text: String, isEscaped: Bool) -> String? {
        switch elementName {
        case "script": return script.escape(value.base, text)
        case "style": return Self.style(text)
        default:
            let hasEntities = isEscaped || SafeText.html.isType(of: value)
            return Self.entities(text, in: hasEntities ? Self.marksInEntities : Self.marks)
        }
    }

    private mutating func attributeName(_ text: String) -> String {
        let bytes = Array(text.utf8).map(Self.lower)
        let isName = !bytes.isEmpty && bytes.allSatisfy { Self.isLetter($0) || (0x30...0x39).contains($0) }
        let whole = (place == .attributeName ? attribute : []) + bytes
        guard isName, Self.language(of: String(decoding: whole, as: UTF8.self)) == .plain else { return Self.unsafe }
        (place, attribute) = (.attributeName, whole)
        return String(decoding: bytes, as: UTF8.self)
    }

    private func attributeValue(
        _ value: TemplateValue, _ text: String, _ function: String?, quote: UInt8?
    ) -> String? {
        var text = text
        var marks = Self.marks
        switch language {
        case .refused: return nil
        case .style: text = Self.style(text)
        case .url: text = address(value, text, function)
        case .plain:
            if SafeText.html.isType(of: value) {
                text = Self.withoutElements(text)
                marks = Self.marksInEntities
            } else if function == "html" {
                marks = Self.marksInEntities
            }
        }
        if quote != nil { return Self.entities(text, in: marks) }
        return text.isEmpty ? Self.unsafe : Self.entities(text, in: marks + Self.marksWithoutQuotes)
    }

    /// The text of a part of a page without its tags and comments.
    private static func withoutElements(_ text: String) -> String {
        var page = HTMLEscape()
        let bytes = Array(page.literal(text).utf8)
        page = HTMLEscape()
        var out: [UInt8] = []
        for at in bytes.indices {
            let isText = page.place == .text
            page.advance(bytes, at)
            if isText, page.place == .text { out.append(bytes[at]) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private func address(_ value: TemplateValue, _ text: String, _ function: String?) -> String {
        if function == "urlquery" { return text }
        let isSafe = SafeText.url.isType(of: value)
        if isInQuery, !isSafe { return Self.percent(text, keepingAddress: false) }
        if !isSafe, !hasAddress {
            let scheme = text.prefix { $0 != ":" }
            if scheme.utf8.count < text.utf8.count, !scheme.contains("/"),
                !["http", "https", "mailto"].contains(scheme.lowercased())
            {
                return "#" + Self.unsafe
            }
        }
        return Self.percent(text, keepingAddress: true)
    }

    /// A text with the bytes as `%xx` that an address, or a part of its query, does not have.
    private static func percent(_ text: String, keepingAddress: Bool) -> String {
        let bytes = Array(text.utf8)
        var out = ""
        for (at, byte) in bytes.enumerated() {
            let isKept =
                isLetter(byte) || (0x30...0x39).contains(byte) || "-._~".utf8.contains(byte)
                || keepingAddress
                    && ("!#$&*+,/:;=?@[]".utf8.contains(byte)
                        || byte == UInt8(ascii: "%") && at + 2 < bytes.count && isHexadecimal(bytes[at + 1])
                            && isHexadecimal(bytes[at + 2]))
            if isKept {
                out.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                out += "%" + byte.zeroPadded(2, radix: 16)
            }
        }
        return out
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
    }

    /// A value of a style: names, numbers, colours and lists of them, and nothing that can hold an address or script.
    private static func style(_ text: String) -> String {
        let isSafe = text.unicodeScalars.allSatisfy {
            !"\0\"'()/;@[\\]`{}<>".unicodeScalars.contains($0)
        }
        let lower = text.lowercased()
        return isSafe && !text.contains("--") && !lower.contains("expression") && !lower.contains("mozbinding")
            ? text : unsafe
    }
}

/// The place in a script: in a string, in a comment, or where a value may stand.
struct ScriptPlace: Sendable {
    private enum Place: Equatable {
        case code
        case string(UInt8)
        case lineComment
        case blockComment
        /// After a regular expression, a division or a template literal, which are not distinguished.
        case unclear
    }

    private var place = Place.code
    private var last: UInt8 = 0

    mutating func advance(_ byte: UInt8) {
        let before = last
        last = byte
        switch place {
        case .code:
            if before == UInt8(ascii: "/") {
                switch byte {
                case UInt8(ascii: "/"): place = .lineComment
                case UInt8(ascii: "*"): place = .blockComment
                default: place = .unclear
                }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                place = .string(byte)
            } else if byte == UInt8(ascii: "`") {
                place = .unclear
            }
        case .string(let quote):
            if before == UInt8(ascii: "\\") {
                // A backslash after a backslash escapes nothing.
                last = 0
            } else if byte == quote {
                place = .code
            }
        case .lineComment: if byte == 0x0A { place = .code }
        case .blockComment:
            if before == UInt8(ascii: "*"), byte == UInt8(ascii: "/") {
                place = .code
                last = 0
            }
        case .unclear: break
        }
    }

    /// The value as a literal of the script or as a part of its string; nil where it cannot stand.
    func escape(_ value: TemplateValue, _ text: String) -> String? {
        switch place {
        case .lineComment, .blockComment: return ""
        case .unclear: return nil
        case .string: return Self.escaped(text)
        case .code:
            if last == UInt8(ascii: "/") { return nil }
            switch value {
            case .string: return "\"" + Self.escaped(text) + "\""
            case .null: return " null "
            case .bool, .integer, .named(_, .int64): return " \(text) "
            case .float(let number): return number.isFinite ? " \(text) " : nil
            default: return nil
            }
        }
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case "\\": out += "\\\\"
            case "/": out += "\\/"
            case _
            where scalar.value < 0x20 || scalar.value == 0x2028 || scalar.value == 0x2029
                || "\"'&+<>`$".unicodeScalars.contains(scalar):
                out += "\\u" + scalar.value.zeroPadded(4, radix: 16)
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
