import CRE2

/// A regular expression in RE2's syntax that may match any part of a text; a dot does not match newlines.
///
/// It corresponds to Go's `regexp.MatchString` and `ReplaceAllString`, while ``AnchoredRegex`` corresponds to
/// Prometheus's label matchers.
public final class SearchRegex: Sendable {
    // SAFETY: RE2 objects are immutable after construction and may be used from many threads.
    nonisolated(unsafe) private let pattern: OpaquePointer

    /// Compiles `source`; throws RE2's reason if the expression is invalid.
    public init(_ source: String) throws(AnchoredRegex.SyntaxError) {
        pattern = try RegexCompiler.compile(source, dot: .noLineFeed).pattern
    }

    deinit { cre2_free(pattern) }

    private var groups: Int { Int(cre2_groups(pattern)) + 1 }

    /// The start and end of each group of the first match at or after `from`; −1 for a group without a match.
    private func search(_ text: [UInt8], from: Int) -> [Int64]? {
        var spans = [Int64](repeating: -1, count: groups * 2)
        let found = text.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                cre2_search_groups(pattern, $0.baseAddress, $0.count, from, &spans, Int32(groups)) > 0
            }
        }
        return found ? spans : nil
    }

    /// Whether some part of `text` matches.
    public func matches(_ text: String) -> Bool {
        var text = Array(text.utf8)
        // RE2 interprets a null pointer as a group without a match, so an empty text must still have an address.
        if text.isEmpty { text.reserveCapacity(1) }
        return search(text, from: 0) != nil
    }

    /// Replaces every match, left to right and without overlap, by `template` (`$1`, `${name}`, `$$`), as Go's
    /// `ReplaceAllString` does; an empty match directly after a match is ignored.
    ///
    /// - Parameter most: The most bytes of the result; nil if there would be more.
    public func replaceAll(in text: String, with template: String, atMost most: Int) -> String? {
        let text = Array(text.utf8)
        let template = Array(template.utf8)
        var out: [UInt8] = []
        var (copied, at, lastEnd) = (0, 0, -1)
        while at <= text.count, let spans = search(text, from: at), spans.count >= 2 {
            let (start, end) = (Int(spans[0]), Int(spans[1]))
            guard start >= copied, end >= start, end <= text.count else { break }
            if !(start == end && start == lastEnd) {
                out.append(contentsOf: text[copied..<start])
                guard expand(template, spans, text, into: &out, atMost: most) else { return nil }
                copied = end
                lastEnd = end
            }
            if end > at {
                at = end
            } else {
                // After an empty match, one character is skipped.
                at += 1
                while at < text.count, text[at] & 0xC0 == 0x80 { at += 1 }
            }
        }
        out.append(contentsOf: text[copied...])
        guard out.count <= most else { return nil }
        return String(decoding: out, as: UTF8.self)
    }

    /// Go's `Regexp.Expand`; see ``AnchoredRegex/expand(_:matching:)``.
    ///
    /// - Returns: False if there are more than `most` bytes.
    private func expand(
        _ template: [UInt8], _ spans: [Int64], _ text: [UInt8], into out: inout [UInt8], atMost most: Int
    ) -> Bool {
        let dollar = UInt8(ascii: "$")
        var at = 0
        while at < template.count {
            guard out.count <= most else { return false }
            let c = template[at]
            guard c == dollar, at + 1 < template.count else {
                out.append(c)
                at += 1
                continue
            }
            if template[at + 1] == dollar {
                out.append(c)
                at += 2
                continue
            }
            let isBraced = template[at + 1] == UInt8(ascii: "{")
            let start = at + (isBraced ? 2 : 1)
            var end = start
            while end < template.count, Self.isWord(template[end]) { end += 1 }
            if start == end || (isBraced && (end >= template.count || template[end] != UInt8(ascii: "}"))) {
                out.append(c)
                at += 1
                continue
            }
            let name = template[start..<end]
            let index =
                Int(String(decoding: name, as: UTF8.self))
                ?? name.withUnsafeBufferPointer { buffer in
                    buffer.withMemoryRebound(to: CChar.self) {
                        Int(cre2_group_named(pattern, $0.baseAddress, $0.count))
                    }
                }
            if index >= 0, index < spans.count / 2, spans[2 * index] >= 0 {
                out.append(contentsOf: text[Int(spans[2 * index])..<Int(spans[2 * index + 1])])
            }
            at = end + (isBraced ? 1 : 0)
        }
        return out.count <= most
    }

    private static func isWord(_ c: UInt8) -> Bool {
        c == UInt8(ascii: "_") || (c | 0x20 >= UInt8(ascii: "a") && c | 0x20 <= UInt8(ascii: "z"))
            || (c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9"))
    }
}
