extension ConfigURL {
    /// The schemes after which there cannot be a user; `user:password@host` has the form of a URL, too.
    private static let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

    /// A URL for pages, logs and errors: its password is `xxxxx`, as in Go's `URL.Redacted`.
    ///
    /// A password may be in a place where URLs do not allow it: it may contain a `/`, `?` or `#` that should have been
    /// escaped, or the scheme may be missing. So if no `@` ends a user, the text from the first possible start of a
    /// password to the last `@` is hidden.
    package static func shown(_ text: String) -> String {
        let bytes = Array(text.utf8)
        guard var at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return text }
        var authority = bytes[..<at]
        if let start = authorityStart(bytes), start <= at {
            authority = bytes[start...].prefix { !"/?#".utf8.contains($0) }
            if let end = authority.lastIndex(of: UInt8(ascii: "@")) {
                at = end
                authority = authority[..<end]
            }
        }
        // The colons of an IPv6 address do not precede a password.
        if authority.first == UInt8(ascii: "["), let end = authority.firstIndex(of: UInt8(ascii: "]")) {
            authority = authority[end...]
        }
        guard let colon = authority.firstIndex(of: UInt8(ascii: ":")) else { return text }
        return String(decoding: bytes[...colon] + Array("xxxxx".utf8) + bytes[at...], as: UTF8.self)
    }

    /// The start of the authority; nil if the text has no known scheme and does not begin with two slashes.
    private static func authorityStart(_ bytes: [UInt8]) -> Int? {
        if bytes.starts(with: "//".utf8) { return 2 }
        let scheme = bytes.prefix { $0 != UInt8(ascii: ":") }
        guard bytes[scheme.endIndex...].starts(with: "://".utf8),
            schemes.contains(String(decoding: scheme, as: UTF8.self).lowercased())
        else { return nil }
        return scheme.endIndex + 3
    }

    /// A text with the passwords of all its URLs hidden.
    ///
    /// - Parameter urls: URLs of any form that may be in the text; others end at a blank.
    package static func shownInText(_ text: String, urls: [String] = []) -> String {
        guard text.utf8.contains(UInt8(ascii: "@")) else { return text }
        var text = text
        for url in urls where !url.isEmpty { text = text.replacing(url, with: shown(url)) }
        let words = text.split(separator: " ", omittingEmptySubsequences: false).map { word in
            let opening = word.prefix { "'\"`([<{".contains($0) }
            return opening + shown(String(word[opening.endIndex...]))
        }
        return words.joined(separator: " ")
    }
}
