import CRE2
import Synchronization

/// A regular expression in RE2's syntax that must match the whole text.
public final class AnchoredRegex: Sendable {
    /// The characters that a dot matches.
    ///
    /// Prometheus puts `^(?s:…)$` around the expressions of selectors, of relabelling, of `label_replace` and of the
    /// origins of CORS. Alertmanager's `^(?:…)$` and the functions of templates leave a dot as Go has it.
    public enum Dot: Sendable, Hashable {
        /// Every character.
        case anything
        /// Every character but a line feed.
        case noLineFeed
    }

    /// The expression as it was written, without the anchors.
    public let source: String
    /// The accepted texts, if they are known without executing the expression.
    public let shape: RegexShape
    // SAFETY: RE2 objects are immutable after construction and may be used from many threads.
    nonisolated(unsafe) private let pattern: OpaquePointer
    /// The approximate bytes of the expression.
    let bytes: Int
    /// The account that is charged for the expression, and returns the charge when all its owners are gone.
    private let account: (any AnyObject & Sendable)?
    private let failed = Atomic<Bool>(false)

    /// The reason why an expression does not compile.
    public struct SyntaxError: Error, CustomStringConvertible {
        /// The invalid part.
        public var expression: String
        /// The reason in Go's words.
        public var reason: String
        public var description: String { "error parsing regexp: \(reason): `\(expression)`" }
    }

    /// Compiles `source`; throws RE2's reason if it is no valid expression.
    public convenience init(_ source: String, dot: Dot = .anything) throws(SyntaxError) {
        try self.init(source, dot: dot, isFrugal: false, account: nil)
    }

    /// Compiles an expression of a request; see ``SyntaxBudget/regex(_:dot:)``.
    init(_ source: String, dot: Dot, isFrugal: Bool, account: (any AnyObject & Sendable)?) throws(SyntaxError) {
        self.source = source
        self.account = account
        shape = RegexShape(source, dot: dot)
        let compiled = try RegexCompiler.compile(source, dot: dot, isFrugal: isFrugal)
        pattern = compiled.pattern
        bytes = compiled.bytes
    }

    deinit { cre2_free(pattern) }

    /// Steps that a match of a text of so many bytes takes at most.
    public func steps(_ bytes: Int) -> Int {
        let (steps, isOver) = bytes.multipliedReportingOverflow(by: max(1, Int(cre2_program_size(pattern))))
        return isOver ? .max : steps
    }

    /// The number of capturing groups.
    public var groupCount: Int { Int(cre2_groups(pattern)) }

    /// Whether all of `text`, as UTF-8, matches.
    public func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool { shape.accepts(text) ?? asked(text) }

    private func asked(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        isMatch(text.withMemoryRebound(to: CChar.self) { cre2_full_match(pattern, $0.baseAddress, $0.count) })
    }

    /// Whether a match had no memory, so that its answer was not that of the expression.
    public var hasFailed: Bool { failed.load(ordering: .relaxed) }

    private func isMatch(_ answer: Int32) -> Bool {
        if answer < 0 { failed.store(true, ordering: .relaxed) }
        return answer > 0
    }

    /// Whether all of `text` matches.
    public func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches($0) }
    }

    /// Whether the expression itself, not its shape, matches all of `text`.
    func asked(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { asked($0) }
    }

    /// Matches all of `text` and expands `template`: `$1`, `${1}`, `$name`, `${name}`, `$$`; nil if there is no match.
    ///
    /// As in Go's `Regexp.Expand`, an unbraced `$x` uses the longest sequence of letters, digits and `_`; an unknown
    /// group is empty; a `$` that does not begin a reference is kept.
    public func expand(_ template: String, matching text: String) -> String? {
        let groups = groupCount + 1
        let utf8 = Array(text.utf8)
        var spans = [Int64](repeating: -1, count: groups * 2)
        let matched = utf8.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) {
                isMatch(cre2_full_match_groups(pattern, $0.baseAddress, $0.count, &spans, Int32(groups)))
            }
        }
        guard matched else { return nil }
        func group(_ index: Int) -> ArraySlice<UInt8> {
            guard index < groups, spans[2 * index] >= 0 else { return [] }
            return utf8[Int(spans[2 * index])..<Int(spans[2 * index + 1])]
        }
        let template = Array(template.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < template.count {
            let c = template[at]
            guard c == UInt8(ascii: "$"), at + 1 < template.count else {
                out.append(c)
                at += 1
                continue
            }
            if template[at + 1] == UInt8(ascii: "$") {
                out.append(c)
                at += 2
                continue
            }
            let isBraced = template[at + 1] == UInt8(ascii: "{")
            var end = at + (isBraced ? 2 : 1)
            let start = end
            while let length = Self.wordLength(template, end) { end += length }
            let name = template[start..<end]
            if name.isEmpty || (isBraced && (end >= template.count || template[end] != UInt8(ascii: "}"))) {
                out.append(c)
                at += 1
                continue
            }
            if let index = Int(String(decoding: name, as: UTF8.self)), name.allSatisfy({ $0 < 0x80 }) {
                out.append(contentsOf: group(index))
            } else {
                let index = name.withUnsafeBufferPointer { buffer in
                    buffer.withMemoryRebound(to: CChar.self) { cre2_group_named(pattern, $0.baseAddress, $0.count) }
                }
                if index >= 0 { out.append(contentsOf: group(Int(index))) }
            }
            at = end + (isBraced ? 1 : 0)
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The bytes of the letter, digit or underscore (by Unicode) at `at`; nil if there is none.
    private static func wordLength(_ template: [UInt8], _ at: Int) -> Int? {
        guard at < template.count else { return nil }
        if template[at] < 0x80 { return isWord(template[at]) ? 1 : nil }
        var end = at + 1
        while end < template.count, template[end] & 0xC0 == 0x80 { end += 1 }
        guard let scalar = String(validating: template[at..<end], as: UTF8.self)?.unicodeScalars.first,
            scalar.properties.isAlphabetic || scalar.properties.numericType == .decimal
        else { return nil }
        return end - at
    }

    private static func isWord(_ c: UInt8) -> Bool {
        c == UInt8(ascii: "_") || (c | 0x20 >= UInt8(ascii: "a") && c | 0x20 <= UInt8(ascii: "z"))
            || (c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9"))
    }
}
