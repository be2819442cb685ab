extension ConfigURL {
    /// The schemes before which no user can stand; `user:password@host` has the form of a URL, too.
    private static let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]

    /// A URL as pages, logs and errors may show it: its password is `xxxxx`, as Go's `URL.Redacted` has it.
    ///
    /// A password need not be where the rules of URLs expect it: it may hold a `/`, `?` or `#` that should have been
    /// escaped, or the scheme may be missing. So where no `@` ends a user, all between the first colon of what may be one
    /// and the last `@` is hidden.
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
        // The colons of an address are none before a password.
        if authority.first == UInt8(ascii: "["), let end = authority.firstIndex(of: UInt8(ascii: "]")) {
            authority = authority[end...]
        }
        guard let colon = authority.firstIndex(of: UInt8(ascii: ":")) else { return text }
        return String(decoding: bytes[...colon] + Array("xxxxx".utf8) + bytes[at...], as: UTF8.self)
    }

    /// Where the authority begins; nil if the text has no scheme that is known, and does not begin with two slashes.
    private static func authorityStart(_ bytes: [UInt8]) -> Int? {
        if bytes.starts(with: "//".utf8) { return 2 }
        let scheme = bytes.prefix { $0 != UInt8(ascii: ":") }
        guard bytes[scheme.endIndex...].starts(with: "://".utf8),
            schemes.contains(String(decoding: scheme, as: UTF8.self).lowercased())
        else { return nil }
        return scheme.endIndex + 3
    }

    /// A text with the passwords of all URLs in it hidden.
    ///
    /// - Parameter urls: URLs that may stand in it, whatever they look like; others end at a blank.
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
