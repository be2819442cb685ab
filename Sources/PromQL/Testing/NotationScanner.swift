import GoCompatibility
import Model

/// Reads the small texts of test scripts byte by byte.
struct NotationScanner {
    private let bytes: [UInt8]
    private(set) var at = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { at >= bytes.count }
    var isAtSpace: Bool { at < bytes.count && SeriesNotation.isSpace(bytes[at]) }

    mutating func skipSpace() { while isAtSpace { at += 1 } }

    func peek(_ text: String) -> Bool { bytes[at...].starts(with: text.utf8) }

    mutating func take(_ text: String) -> Bool {
        guard peek(text) else { return false }
        at += text.utf8.count
        return true
    }

    func failure(_ message: String) -> SeriesNotation.SyntaxError {
        let rest = String(decoding: bytes[min(at, bytes.count)...].prefix(20), as: UTF8.self)
        return .init(description: "\(message), found \(GoQuote.quote(rest))", offset: at)
    }

    /// Reads consecutive bytes that `isIncluded` accepts.
    mutating func run(_ isIncluded: (UInt8) -> Bool) -> String {
        let start = at
        while at < bytes.count, isIncluded(bytes[at]) { at += 1 }
        return String(decoding: bytes[start..<at], as: UTF8.self)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isLetter(_ byte: UInt8) -> Bool { byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A }

    /// A word of letters and underscores.
    mutating func word() -> String { run { Self.isLetter($0) || $0 == UInt8(ascii: "_") } }

    /// A non-negative integer up to `most`.
    mutating func count(most: Int) throws(SeriesNotation.SyntaxError) -> Int {
        let digits = run(Self.isDigit)
        guard let value = Int(digits), value <= most else { throw failure("expected a number of repetitions") }
        return value
    }

    /// A number with an optional sign: decimal, `Inf` or `NaN`.
    ///
    /// It is not hexadecimal: `0x10` is the value 0, ten times more.
    mutating func number() throws(SeriesNotation.SyntaxError) -> Double {
        var sign = 1.0
        if take("-") { sign = -1 } else { _ = take("+") }
        if at < bytes.count, Self.isLetter(bytes[at]) {
            // Prometheus reads `Infx2` as one word.
            let word = bytes[at...].prefix { Self.isLetter($0) || Self.isDigit($0) || $0 == UInt8(ascii: "_") }
            let name = String(decoding: word, as: UTF8.self).lowercased()
            guard name == "inf" || name == "nan" else { throw failure("expected a number") }
            at += word.count
            return name == "inf" ? sign * .infinity : .nan
        }
        var text = run { Self.isDigit($0) || $0 == UInt8(ascii: "_") }
        if take(".") { text += "." + run(Self.isDigit) }
        if at < bytes.count, bytes[at] | 0x20 == UInt8(ascii: "e") {
            at += 1
            text += "e"
            if take("-") { text += "-" } else { _ = take("+") }
            text += run(Self.isDigit)
        }
        if text.hasSuffix(".") { text += "0" }
        if text.hasPrefix(".") { text = "0" + text }
        text = text.replacing(".e", with: ".0e")
        let hasLooseUnderscore = text.split(separator: "_", omittingEmptySubsequences: false).contains { part in
            part.first?.isNumber != true || part.last?.isNumber != true
        }
        let digits = text.filter { $0 != "_" }
        guard !hasLooseUnderscore, let value = Double(digits), value.isFinite else {
            throw failure("expected a number")
        }
        // As in Go, an integer that begins with 0 is octal if possible.
        if digits.hasPrefix("0"), let octal = Int(digits, radix: 8) { return sign * Double(octal) }
        return sign * value
    }
}
