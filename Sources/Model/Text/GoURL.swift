/// A URL as Go's `url.Parse` reads it, as far as scheme and host go.
package struct GoURL: Sendable {
    /// In lower case; empty if there is none.
    package let scheme: String
    /// Host and port as written, without credentials; empty if there is none.
    package let host: String

    /// Why a text is no URL, in Go's words.
    package struct Problem: Error, CustomStringConvertible {
        package var description: String
    }

    package init(_ text: String) throws(Problem) {
        let whole = text[...]
        let withoutFragment = whole.prefix { $0 != "#" }
        do throws(Reason) {
            (scheme, host) = try Self.parse(withoutFragment)
        } catch {
            throw Problem(description: "parse \(GoQuote.quote(String(withoutFragment))): \(error.text)")
        }
        do throws(Reason) {
            try Self.checkEscapes(whole[withoutFragment.endIndex...].utf8, in: .other)
        } catch {
            throw Problem(description: "parse \(GoQuote.quote(text)): \(error.text)")
        }
    }

    private struct Reason: Error {
        var text: String
    }

    private enum Part {
        case host
        case zone
        case other
    }

    private static func parse(_ text: Substring) throws(Reason) -> (scheme: String, host: String) {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw Reason(text: "net/url: invalid control character in URL")
        }
        let (scheme, afterScheme) = try splitScheme(text)
        var rest = afterScheme.prefix { $0 != "?" }
        var host = ""
        if !rest.hasPrefix("/") {
            if !scheme.isEmpty { return (scheme, "") }
            if rest.prefix(while: { $0 != "/" }).contains(":") {
                throw Reason(text: "first path segment in URL cannot contain colon")
            }
        }
        if rest.hasPrefix("//"), !scheme.isEmpty || !rest.hasPrefix("///") {
            let authority = rest.dropFirst(2).prefix { $0 != "/" }
            rest = rest[authority.endIndex...]
            host = try checkAuthority(authority)
        }
        try checkEscapes(rest.utf8, in: .other)
        return (scheme, host)
    }

    private static func splitScheme(_ text: Substring) throws(Reason) -> (String, Substring) {
        let end = text.utf8.firstIndex { byte in
            !isAlphanumeric(byte) && !"+-.".utf8.contains(byte)
        }
        guard let end, text.utf8[end] == UInt8(ascii: ":") else { return ("", text) }
        guard let first = text.utf8.first, first != UInt8(ascii: ":") else {
            throw Reason(text: "missing protocol scheme")
        }
        // A scheme begins with a letter.
        guard isAlphanumeric(first), !isDigit(first) else { return ("", text) }
        return (text[..<end].lowercased(), text[text.utf8.index(after: end)...])
    }

    /// - Returns: Host and port.
    private static func checkAuthority(_ authority: Substring) throws(Reason) -> String {
        let at = authority.lastIndex(of: "@")
        let host = at.map { authority[authority.index(after: $0)...] } ?? authority
        try checkHost(host)
        if let at {
            let user = authority[..<at]
            guard user.utf8.allSatisfy({ isAlphanumeric($0) || "-._:~!$&'()*+,;=%@".utf8.contains($0) }) else {
                throw Reason(text: "net/url: invalid userinfo")
            }
            try checkEscapes(user.utf8, in: .other)
        }
        return String(host)
    }

    private static func checkHost(_ host: Substring) throws(Reason) {
        var portStart = host.lastIndex(of: ":")
        if host.hasPrefix("[") {
            guard let bracket = host.lastIndex(of: "]") else { throw Reason(text: "missing ']' in host") }
            portStart = host.index(after: bracket)
        }
        if let portStart {
            let port = host[portStart...]
            guard port.isEmpty || (port.hasPrefix(":") && port.dropFirst().utf8.allSatisfy(isDigit)) else {
                throw Reason(text: "invalid port \(GoQuote.quote(String(port))) after host")
            }
            if host.hasPrefix("["), let percent = host.firstIndex(of: "%"), host[percent...].hasPrefix("%25") {
                try checkEscapes(host[..<percent].utf8, in: .host)
                try checkEscapes(host[percent..<portStart].utf8, in: .zone)
                return
            }
        }
        try checkEscapes(host.utf8, in: .host)
    }

    /// Checks that each `%` begins an escape that may stand in the part, and that a host has only its own bytes.
    private static func checkEscapes(_ bytes: Substring.UTF8View, in part: Part) throws(Reason) {
        var rest = bytes
        while let byte = rest.first {
            guard byte == UInt8(ascii: "%") else {
                if part != .other, byte < 0x80, !isHostByte(byte) {
                    let character = GoQuote.quote(String(UnicodeScalar(byte)))
                    throw Reason(text: "invalid character \(character) in host name")
                }
                rest = rest.dropFirst()
                continue
            }
            let escape = rest.prefix(3)
            guard escape.count == 3, let value = UInt8(String(Substring(escape.dropFirst())), radix: 16),
                escape.dropFirst().allSatisfy({ isAlphanumeric($0) }), mayStand(value, in: part)
            else { throw Reason(text: "invalid URL escape \(GoQuote.quote(String(Substring(escape))))") }
            rest = rest.dropFirst(3)
        }
    }

    /// Whether the byte may be written as an escape.
    private static func mayStand(_ byte: UInt8, in part: Part) -> Bool {
        switch part {
        case .host: byte >= 0x80 || byte == UInt8(ascii: "%")
        case .zone: byte == UInt8(ascii: "%") || byte == UInt8(ascii: " ") || isHostByte(byte)
        case .other: true
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || "-_.~!$&'()*+,;=:[]<>\"".utf8.contains(byte)
    }
}
