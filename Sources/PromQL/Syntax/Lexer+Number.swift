import Glibc
import Model

/// The reason why a number has no value, in Go's words.
private enum NumberProblem: String, Error {
    case syntax = "invalid syntax"
    case range = "value out of range"
}

/// Reads numbers and durations; it accepts and refuses the same text as Prometheus's lexer.
extension Lexer {
    mutating func number() throws(ParseError) {
        let start = at
        if takeNumber() {
            var token = Token(kind: .number, text: slice(start, at), range: TextRange(start, at))
            switch Self.value(of: token.text) {
            case .success(let value): token.number = value
            case .failure(let problem):
                token.problem = failureAhead(
                    "error parsing number: strconv.ParseFloat: parsing \(Quoted.text(token.text)): \(problem.rawValue)",
                    at: start)
            }
            self.token = token
        } else if takeRestOfDuration() {
            var token = Token(kind: .duration, text: slice(start, at), range: TextRange(start, at))
            do throws(DurationText.ParseError) {
                token.number = Double(try DurationText.parse(token.text)) / 1000
            } catch {
                token.problem = failureAhead(error.description, at: start)
            }
            self.token = token
        } else {
            throw failure("bad number or duration syntax: \(Quoted.text(slice(start, at)))", at: start)
        }
    }

    private mutating func take(_ isTaken: (UInt8) -> Bool) -> Bool {
        guard at < text.count, isTaken(text[at]) else { return false }
        at += 1
        return true
    }

    private mutating func take(_ bytes: StaticString) -> Bool {
        take { c in bytes.withUTF8Buffer { $0.contains(c) } }
    }

    private static func isHexDigit(_ c: UInt8) -> Bool { isDigit(c) || (c | 0x20 >= 0x61 && c | 0x20 <= 0x66) }

    /// Reads the characters of a number.
    ///
    /// If it returns false, ``at`` is after the invalid byte.
    private mutating func takeNumber() -> Bool {
        let isHex = byte(at) == UInt8(ascii: "0") && byte(at + 1) | 0x20 == UInt8(ascii: "x")
        let isDigit = isHex ? Self.isHexDigit : Self.isDigit
        if isHex {
            at += 2
            _ = take("_")
        }
        _ = take(".")
        _ = take(isDigit)
        var (sawPoint, sawExponent) = (false, false)
        while at < text.count {
            let c = text[at]
            if isDigit(c) {
                at += 1
            } else if c == UInt8(ascii: ".") {
                at += 1
                if sawPoint || take("_.") || isHex { return false }
                sawPoint = true
            } else if c | 0x20 == UInt8(ascii: "e") {
                at += 1
                if sawExponent { return false }
                sawExponent = true
                _ = take("+-")
                if take("._eE") || at == text.count { return false }
            } else if c == UInt8(ascii: "_") {
                at += 1
                if take("._eE") || at == text.count { return false }
            } else {
                break
            }
        }
        return !isWordByte(at)
    }

    /// Reads a unit and more pairs of digits and units.
    ///
    /// If it returns false, ``at`` is after the invalid text.
    private mutating func takeRestOfDuration() -> Bool {
        guard take("smhdwy") else { return false }
        _ = take("s")
        while take(Self.isDigit) {
            while take(Self.isDigit) {}
            guard take("smhdw") else { return false }
            _ = take("s")
        }
        guard isWordByte(at) else { return true }
        at += 1
        return false
    }

    /// A literal's value as Go reads it, base-0 integers first, then decimal floats; or the reason why it has none.
    private static func value(of spelling: String) -> Result<Double, NumberProblem> {
        let bytes = Array(spelling.utf8)
        for (i, c) in bytes.enumerated() where c == UInt8(ascii: "_") {
            let isPlaced = i > 0 && i + 1 < bytes.count && isHexDigit(bytes[i + 1])
            guard isPlaced, isHexDigit(bytes[i - 1]) || bytes[i - 1] | 0x20 == UInt8(ascii: "x") else {
                return .failure(.syntax)
            }
        }
        let plain = String(spelling.filter { $0 != "_" })
        let lower = plain.lowercased()
        if lower.hasPrefix("0x") {
            return Int64(lower.dropFirst(2), radix: 16).map { .success(Double($0)) } ?? .failure(.syntax)
        }
        if lower.utf8.count > 1, lower.hasPrefix("0"), lower.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }),
            let octal = Int64(lower, radix: 8)
        {
            return .success(Double(octal))
        }
        guard let last = lower.utf8.last, isDigit(last) || last == UInt8(ascii: ".") else { return .failure(.syntax) }
        let value = strtod(plain, nil)
        return value.isFinite ? .success(value) : .failure(.range)
    }
}
