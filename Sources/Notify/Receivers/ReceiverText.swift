/// Texts that fit into the limits of services.
package enum ReceiverText {
    /// A text of at most `limit` characters (code points), the last of which stands for those that are left out.
    ///
    /// - Returns: The text, and whether it was cut.
    package static func cut(_ text: String, characters limit: Int) -> (text: String, isCut: Bool) {
        // A text of few bytes has few characters.
        if text.utf8.count <= limit || text.unicodeScalars.count <= limit { return (text, false) }
        var kept = String.UnicodeScalarView(text.unicodeScalars.prefix(max(0, limit - 1)))
        kept.append("…")
        return (String(kept), true)
    }

    /// A text of at most `limit` bytes with whole characters, the last of which stands for those that are left out.
    ///
    /// - Returns: The text, and whether it was cut.
    package static func cut(_ text: String, bytes limit: Int) -> (text: String, isCut: Bool) {
        let mark = "…"
        guard text.utf8.count > limit else { return (text, false) }
        guard limit >= mark.utf8.count else { return (String(String.UnicodeScalarView()), true) }
        var kept = String.UnicodeScalarView()
        var left = limit - mark.utf8.count
        for scalar in text.unicodeScalars {
            left -= UTF8.width(scalar)
            if left < 0 { break }
            kept.append(scalar)
        }
        return (String(kept) + mark, true)
    }
}
