/// Converts the syntax of Go's `regexp` to that of RE2.
///
/// There are two differences: RE2 has no `(?<name>`, and it has `\\C`, a single byte.
public enum GoRegexSyntax {
    public enum Translation: Equatable {
        case text(String)
        /// The expression has `\\C`.
        case singleByte
    }

    /// Rewrites `(?<name>` as `(?P<name>` where it begins a group: not in a class, after a backslash or in `\\Q…\\E`.
    public static func translate(_ source: String) -> Translation {
        let bytes = Array(source.utf8)
        guard source.utf8.contains(UInt8(ascii: "\\")) || source.contains("(?<") else { return .text(source) }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 8)
        var at = 0
        /// The start of the current class: a `]` directly after it belongs to the class.
        var classStart: Int?
        func begins(_ text: StaticString, _ at: Int) -> Bool {
            text.withUTF8Buffer { bytes[at...].starts(with: $0) }
        }
        while at < bytes.count {
            let byte = bytes[at]
            if byte == UInt8(ascii: "\\"), at + 1 < bytes.count {
                let next = bytes[at + 1]
                if classStart == nil, next == UInt8(ascii: "Q") {
                    // The text is literal up to the end or `\\E`.
                    var end = at + 2
                    while end < bytes.count, !begins("\\E", end) { end += 1 }
                    end = min(end + 2, bytes.count)
                    out += bytes[at..<end]
                    at = end
                    continue
                }
                if classStart == nil, next == UInt8(ascii: "C") { return .singleByte }
                out += [byte, next]
                at += 2
                continue
            }
            if let start = classStart {
                if begins("[:", at), let end = classNameEnd(bytes, at) {
                    out += bytes[at..<end]
                    at = end
                    continue
                }
                if byte == UInt8(ascii: "]"), at > start { classStart = nil }
            } else if byte == UInt8(ascii: "[") {
                classStart = at + (at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "^") ? 2 : 1)
            } else if begins("(?<", at) {
                out += "(?P<".utf8
                at += 3
                continue
            }
            out.append(byte)
            at += 1
        }
        return .text(String(decoding: out, as: UTF8.self))
    }

    /// The index after `[:name:]` at `at`; nil if there is none.
    private static func classNameEnd(_ bytes: [UInt8], _ at: Int) -> Int? {
        var end = at + 2
        if end < bytes.count, bytes[end] == UInt8(ascii: "^") { end += 1 }
        while end < bytes.count, bytes[end] | 0x20 >= UInt8(ascii: "a"), bytes[end] | 0x20 <= UInt8(ascii: "z") {
            end += 1
        }
        guard end + 1 < bytes.count, bytes[end] == UInt8(ascii: ":"), bytes[end + 1] == UInt8(ascii: "]") else {
            return nil
        }
        return end + 2
    }
}
