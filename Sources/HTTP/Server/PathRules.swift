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

    /// Checks a path as it was sent.
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
