/// The decision about a path before the router looks for a route.
enum PathRules {
    enum Verdict: Hashable {
        case plain
        /// The same path without empty parts and without `.` and `..`.
        case redirect(String)
        /// An escaped slash or NUL, which is only used to bypass a proxy's rule.
        case refused
    }

    /// Whether a path has no empty part, no `.` or `..`, and no escape.
    private static func isPlain(_ rawPath: String) -> Bool {
        var before: UInt8 = 0
        for byte in rawPath.utf8 {
            if byte == UInt8(ascii: "%") { return false }
            if before == UInt8(ascii: "/"), byte == before || byte == UInt8(ascii: ".") { return false }
            before = byte
        }
        return true
    }

    /// A path whose escapes of letters, digits, `-`, `.`, `_` and `~` are decoded, so that routes match it.
    ///
    /// RFC 3986 calls both forms equal. Other escapes stay, because a decoded `/` or `%` would change the path.
    static func normal(_ rawPath: String) -> String {
        let bytes = Array(rawPath.utf8)
        guard bytes.contains(UInt8(ascii: "%")) else { return rawPath }
        var result: [UInt8] = []
        var at = 0
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "%"), at + 2 < bytes.count,
                let decoded = UInt8(String(decoding: bytes[(at + 1)...(at + 2)], as: UTF8.self), radix: 16),
                isUnreserved(decoded), bytes[at + 1] != UInt8(ascii: "+")
            {
                result.append(decoded)
                at += 3
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }

    /// Checks a path whose escapes of unreserved characters are decoded.
    static func judge(_ rawPath: String) -> Verdict {
        guard rawPath.utf8.first == UInt8(ascii: "/") else { return .refused }
        if isPlain(rawPath) { return .plain }
        if rawPath.utf8.contains(UInt8(ascii: "%")) {
            let decoded = Array(rawPath.utf8)
            for at in decoded.indices where decoded[at] == UInt8(ascii: "%") && at + 2 < decoded.count {
                let pair = String(decoding: decoded[(at + 1)...(at + 2)], as: UTF8.self).lowercased()
                if pair == "2f" || pair == "00" || pair == "5c" { return .refused }
            }
        }
        let parts = Router.parts(rawPath)
        let isClean = parts.enumerated().allSatisfy { index, part in
            part != "." && part != ".." && (!part.isEmpty || index == parts.count - 1)
        }
        if isClean { return .plain }
        var kept: [Substring] = []
        for part in parts {
            if part == ".." { _ = kept.popLast() } else if !part.isEmpty, part != "." { kept.append(part) }
        }
        let endsWithSlash = ["", ".", ".."].contains(parts.last) && !kept.isEmpty
        return .redirect("/" + kept.joined(separator: "/") + (endsWithSlash ? "/" : ""))
    }
}
