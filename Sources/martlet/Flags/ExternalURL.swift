import Config
import GoCompatibility
import Model

/// The URL under which others reach the daemon, from `--web.external-url`.
struct ExternalURL: Sendable, Equatable {
    /// The URL with its path escaped and without slashes at its end.
    let text: String
    /// The path, escaped: empty or beginning with a slash.
    let path: String

    /// Reads a URL by the rules of Prometheus and Go's `url.Parse`.
    ///
    /// - Throws: ``CommandLineError`` in Prometheus's words.
    init(_ given: String) throws(CommandLineError) {
        let shown = ConfigURL.shown(given)
        func failure(_ reason: String) -> CommandLineError {
            CommandLineError(description: "parse external URL \(GoQuote.quote(shown)): \(reason)")
        }
        func parseFailure(_ reason: String) -> CommandLineError {
            failure("parse \(GoQuote.quote(shown)): \(reason)")
        }
        for quote in ["\"", "'"] where given.hasPrefix(quote) || given.hasSuffix(quote) {
            throw failure("URL must not begin or end with quotes")
        }
        guard given.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw parseFailure("net/url: invalid control character in URL")
        }
        let (scheme, rest) = try Self.scheme(of: given[...], parseFailure)
        if let scheme, let first = rest.first, !"/?#".contains(first) {
            // Go reads `localhost:9090` as a scheme and an opaque part, without a path.
            path = ""
            text = scheme.lowercased() + ":" + rest.prefix { $0 != "?" && $0 != "#" }
            return
        }
        var host: Substring?
        var path = rest
        if rest.hasPrefix("//") {
            let authority = rest.dropFirst(2).prefix { !"/?#".contains($0) }
            try Self.check(authority, showsPort: shown == given, parseFailure)
            host = authority
            path = rest.dropFirst(2 + authority.count)
        }
        // The query and the fragment of the external URL are not used.
        path = path.prefix { $0 != "?" && $0 != "#" }
        if scheme == nil, host == nil, path.prefix(while: { $0 != "/" }).contains(":") {
            throw parseFailure("first path segment in URL cannot contain colon")
        }
        while path.hasSuffix("/") { path.removeLast() }
        var escaped = try Self.escape(path, parseFailure)
        if !escaped.isEmpty, !escaped.hasPrefix("/") { escaped = "/" + escaped }
        self.path = escaped
        text = (scheme.map { $0.lowercased() + ":" } ?? "") + (host.map { "//" + $0 } ?? "") + escaped
    }

    private static func scheme(
        of text: Substring, _ failure: (String) -> CommandLineError
    ) throws(CommandLineError) -> (Substring?, Substring) {
        for (offset, byte) in text.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): continue
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
                if offset == 0 { return (nil, text) }
            case UInt8(ascii: ":"):
                if offset == 0 { throw failure("missing protocol scheme") }
                let colon = text.utf8.index(text.startIndex, offsetBy: offset)
                return (text[..<colon], text[text.index(after: colon)...])
            default: return (nil, text)
            }
        }
        return (nil, text)
    }

    private static func check(
        _ authority: Substring, showsPort: Bool, _ failure: (String) -> CommandLineError
    ) throws(CommandLineError) {
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        for byte in host.utf8 where " <>\"`{}|\\^".utf8.contains(byte) {
            throw failure("invalid character \(GoQuote.quote(String(UnicodeScalar(byte)))) in host name")
        }
        let afterAddress = host.lastIndex(of: "]").map { host[host.index(after: $0)...] } ?? host
        if host.hasPrefix("["), !host.contains("]") { throw failure("missing ']' in host") }
        guard let colon = afterAddress.lastIndex(of: ":") else { return }
        let port = afterAddress[afterAddress.index(after: colon)...]
        guard port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            // The text may be the beginning of a password.
            throw failure(
                showsPort ? "invalid port \(GoQuote.quote(":" + port)) after host" : "invalid port after host")
        }
    }

    /// Escapes characters that are not allowed in a path; existing escapes stay.
    private static func escape(
        _ path: Substring, _ failure: (String) -> CommandLineError
    ) throws(CommandLineError) -> String {
        let bytes = Array(path.utf8)
        var out: [UInt8] = []
        let hex = Array("0123456789ABCDEF".utf8)
        for (index, byte) in bytes.enumerated() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = bytes[(index + 1)...].prefix(2)
                guard digits.count == 2, digits.allSatisfy({ isHex($0) }) else {
                    let part = String(decoding: [byte] + digits, as: UTF8.self)
                    throw failure("invalid URL escape \(GoQuote.quote(part))")
                }
                out.append(byte)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                out.append(byte)
            default:
                if "-_.~$&+,/:;=@!'()*[]".utf8.contains(byte) {
                    out.append(byte)
                } else {
                    out += [UInt8(ascii: "%"), hex[Int(byte >> 4)], hex[Int(byte & 15)]]
                }
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
