/// URLs of a configuration, checked by the rules of Go's `url.Parse`.
///
/// Errors never show the text: a wrong URL may contain a password in any place.
package enum ConfigURL {
    /// The parts of a URL for its checks.
    struct Parts: Equatable {
        /// The scheme in lower case; empty if there is none.
        var scheme = ""
        /// The host with the port, as written.
        var host = ""
    }

    struct Mistake: Error {
        var reason: String
        init(_ reason: String) { self.reason = reason }
    }

    static func parse(_ text: String) throws(Mistake) -> Parts {
        let bytes = Array(text.utf8)
        if bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) { throw Mistake("invalid control character in URL") }
        var parts = Parts()
        let fragment = bytes.firstIndex(of: UInt8(ascii: "#")) ?? bytes.endIndex
        try checkEscapes(bytes[fragment...])
        let scheme = try scheme(bytes[..<fragment])
        parts.scheme = String(decoding: scheme, as: UTF8.self).lowercased()
        var rest = bytes[..<fragment].dropFirst(scheme.isEmpty ? 0 : scheme.count + 1)
        rest = rest.prefix { $0 != UInt8(ascii: "?") }
        if rest.first != UInt8(ascii: "/") {
            if !scheme.isEmpty { return parts }
            if rest.prefix(while: { $0 != UInt8(ascii: "/") }).contains(UInt8(ascii: ":")) {
                throw Mistake("first path segment in URL cannot contain colon")
            }
        } else if rest.starts(with: "//".utf8), !scheme.isEmpty || !rest.starts(with: "///".utf8) {
            let authority = rest.dropFirst(2).prefix { $0 != UInt8(ascii: "/") }
            rest = rest[authority.endIndex...]
            parts.host = String(decoding: try host(authority), as: UTF8.self)
        }
        try checkEscapes(rest)
        return parts
    }

    /// Whether Go's `url.ParseRequestURI` accepts a text: an absolute URL or path.
    package static func isRequestURI(_ text: String) -> Bool {
        guard let parts = try? parse(text) else { return false }
        return !parts.scheme.isEmpty || text.hasPrefix("/")
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    /// The scheme without its colon; empty if there is none.
    private static func scheme(_ bytes: ArraySlice<UInt8>) throws(Mistake) -> ArraySlice<UInt8> {
        for (index, byte) in zip(bytes.indices, bytes) where !isLetter(byte) {
            if byte == UInt8(ascii: ":") {
                if index == bytes.startIndex { throw Mistake("missing protocol scheme") }
                return bytes[..<index]
            }
            if index == bytes.startIndex || !(isDigit(byte) || "+-.".utf8.contains(byte)) { return [] }
        }
        return []
    }

    /// The host and port after a user, completely checked.
    private static func host(_ authority: ArraySlice<UInt8>) throws(Mistake) -> ArraySlice<UInt8> {
        guard let at = authority.lastIndex(of: UInt8(ascii: "@")) else { return try checkedHost(authority) }
        let user = authority[..<at]
        guard user.allSatisfy({ isLetter($0) || isDigit($0) || "-._:~!$&'()*+,;=%@".utf8.contains($0) }) else {
            throw Mistake("invalid userinfo")
        }
        try checkEscapes(user)
        return try checkedHost(authority[(at + 1)...])
    }

    private static func checkedHost(_ host: ArraySlice<UInt8>) throws(Mistake) -> ArraySlice<UInt8> {
        var name = host
        var port = host[host.endIndex...]
        if host.first == UInt8(ascii: "[") {
            guard let end = host.lastIndex(of: UInt8(ascii: "]")) else { throw Mistake("missing ']' in host") }
            (name, port) = (host[...end], host[(end + 1)...])
        } else if let colon = host.lastIndex(of: UInt8(ascii: ":")) {
            (name, port) = (host[..<colon], host[colon...])
        }
        guard port.isEmpty || (port.first == UInt8(ascii: ":") && port.dropFirst().allSatisfy(isDigit)) else {
            throw Mistake("invalid port after host")
        }
        try checkEscapes(name)
        // Blanks, and characters that would end a host elsewhere.
        guard !name.contains(where: { " \\^`{|}/".utf8.contains($0) }) else {
            throw Mistake("invalid character in host name")
        }
        return host
    }

    /// Refuses a `%` without two hexadecimal digits after it.
    private static func checkEscapes(_ bytes: ArraySlice<UInt8>) throws(Mistake) {
        func isHex(_ byte: UInt8) -> Bool {
            isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
        }
        for (index, byte) in zip(bytes.indices, bytes) where byte == UInt8(ascii: "%") {
            let digits = bytes[(index + 1)...].prefix(2)
            guard digits.count == 2, digits.allSatisfy(isHex) else { throw Mistake("invalid URL escape") }
        }
    }
}

extension MappingReader {
    /// A URL as it is written, if Go accepts it; nil if the key is absent.
    func url(_ key: String) throws(ConfigError) -> String? {
        guard let text = try string(key) else { return nil }
        _ = try urlParts(text, key)
        return text
    }

    /// A URL's parts; an error has the place of the key.
    func urlParts(_ text: String, _ key: String) throws(ConfigError) -> ConfigURL.Parts {
        do throws(ConfigURL.Mistake) {
            return try ConfigURL.parse(text)
        } catch {
            throw place(of: key).error("\(key) is no valid URL: \(error.reason)")
        }
    }
}
