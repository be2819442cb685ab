import Model

/// Matchers of routes and inhibition rules, in the new notation and the two old ones.
package enum AlertMatchers {
    static func read(
        _ reader: MappingReader, _ key: String, _ equalKey: String, _ regexKey: String
    ) throws(ConfigError) -> [Matcher] {
        var result: [Matcher] = []
        for (kind, oldKey) in [(Matcher.Kind.equal, equalKey), (.regex, regexKey)] {
            for (name, value) in try reader.stringMap(oldKey) ?? [] {
                guard !name.isEmpty else { throw reader.place(of: oldKey).error("invalid label name \"\"") }
                result.append(try matcher(name, kind, value, reader.place(of: oldKey)))
            }
        }
        for node in try reader.list(key) {
            guard let text = node.text else { throw node.place.error("cannot unmarshal \(node.kind) into a matcher") }
            result += try parse(text, node.place)
        }
        return result.sorted { $0.name != $1.name ? $0.name < $1.name : $0.value < $1.value }
    }

    private static func matcher(
        _ name: String, _ kind: Matcher.Kind, _ value: String, _ place: ConfigPlace
    ) throws(ConfigError) -> Matcher {
        do throws(AnchoredRegex.SyntaxError) {
            return try Matcher(name, kind, value)
        } catch {
            throw place.error("\(error)")
        }
    }

    /// Reads `name=value`, `name="value"`, several with commas, with or without braces around them.
    package static func parse(_ text: String, _ place: ConfigPlace) throws(ConfigError) -> [Matcher] {
        var scanner = Scanner(bytes: Array(text.utf8))
        scanner.skipSpace()
        let isBraced = scanner.take("{")
        var result: [Matcher] = []
        while true {
            scanner.skipSpace()
            if isBraced, scanner.take("}") { break }
            if scanner.isAtEnd {
                if isBraced { throw place.error("bad matcher format: \(text): expected a closing brace") }
                break
            }
            guard let name = scanner.name(), !name.isEmpty else { throw place.error("bad matcher format: \(text)") }
            scanner.skipSpace()
            guard let kind = scanner.operation() else { throw place.error("bad matcher format: \(text)") }
            scanner.skipSpace()
            guard let value = scanner.value(isBraced: isBraced) else {
                throw place.error("matcher value contains unescaped double quote: \(text)")
            }
            result.append(try matcher(name, kind, value, place))
            scanner.skipSpace()
            if scanner.take(",") { continue }
            if isBraced, scanner.take("}") { break }
            guard scanner.isAtEnd else { throw place.error("bad matcher format: \(text)") }
        }
        scanner.skipSpace()
        guard scanner.isAtEnd else { throw place.error("bad matcher format: \(text)") }
        return result
    }

    private struct Scanner {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at >= bytes.count }

        mutating func skipSpace() {
            while at < bytes.count, bytes[at] == 0x20 || bytes[at] == 0x09 || bytes[at] == 0x0A || bytes[at] == 0x0D {
                at += 1
            }
        }

        mutating func take(_ character: Character) -> Bool {
            guard at < bytes.count, bytes[at] == character.asciiValue else { return false }
            at += 1
            return true
        }

        mutating func name() -> String? {
            if at < bytes.count, bytes[at] == UInt8(ascii: "\"") { return quoted() }
            let start = at
            while at < bytes.count, ![0x20, 0x3D, 0x21, 0x2C, 0x7B, 0x7D, 0x22, 0x7E].contains(bytes[at]) { at += 1 }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }

        mutating func operation() -> Matcher.Kind? {
            if take("=") { return take("~") ? .regex : .equal }
            if take("!") { return take("=") ? .notEqual : take("~") ? .notRegex : nil }
            return nil
        }

        mutating func value(isBraced: Bool) -> String? {
            if at < bytes.count, bytes[at] == UInt8(ascii: "\"") { return quoted() }
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: ","), !(isBraced && bytes[at] == UInt8(ascii: "}")) {
                if bytes[at] == UInt8(ascii: "\"") { return nil }
                at += 1
            }
            var end = at
            while end > start, bytes[end - 1] == 0x20 { end -= 1 }
            return String(decoding: bytes[start..<end], as: UTF8.self)
        }

        private mutating func quoted() -> String? {
            at += 1
            var out: [UInt8] = []
            while at < bytes.count {
                let c = bytes[at]
                at += 1
                if c == UInt8(ascii: "\"") { return String(decoding: out, as: UTF8.self) }
                if c == UInt8(ascii: "\\"), at < bytes.count {
                    let next = bytes[at]
                    at += 1
                    switch next {
                    case UInt8(ascii: "n"): out.append(0x0A)
                    case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(next)
                    default: out += [c, next]
                    }
                } else {
                    out.append(c)
                }
            }
            return nil
        }
    }
}
