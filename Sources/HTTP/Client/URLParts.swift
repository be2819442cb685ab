/// The parts of an HTTP URL that a client needs.
package struct URLParts: Equatable, Sendable {
    /// In lower case.
    package var scheme: String
    /// `user:password` as written; nil if there is none.
    package var userInfo: String?
    /// Without brackets.
    package var host: String
    /// As written; empty for the scheme's default port.
    package var port: String
    /// The text after the authority without the fragment.
    package var rest: String

    package init(scheme: String, host: String) {
        self.scheme = scheme
        self.host = host
        port = ""
        rest = ""
    }

    /// Splits `scheme://authority…`; nil if the text has another form.
    package init?(_ text: String) {
        guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://"),
            text[..<colon].utf8.allSatisfy(Self.isSchemeByte)
        else { return nil }
        scheme = text[..<colon].lowercased()
        let afterScheme = text[text.index(colon, offsetBy: 3)...]
        let authority = afterScheme.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        rest = String(afterScheme[authority.endIndex...].prefix { $0 != "#" })
        let at = authority.lastIndex(of: "@")
        userInfo = at.map { String(authority[..<$0]) }
        let hostPort = at.map { authority[authority.index(after: $0)...] } ?? authority
        let bracket = hostPort.lastIndex(of: "]")
        let portColon = hostPort[(bracket ?? hostPort.startIndex)...].lastIndex(of: ":")
        port = portColon.map { String(hostPort[hostPort.index(after: $0)...]) } ?? ""
        let name = portColon.map { hostPort[..<$0] } ?? hostPort
        host = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : String(name)
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39)
            || [0x2B, 0x2D, 0x2E].contains(byte)
    }

    /// `host:port` without credentials.
    package var authority: String {
        let name = host.utf8.contains(0x3A) ? "[\(host)]" : host
        return port.isEmpty ? name : "\(name):\(port)"
    }

    /// The port of the connection.
    package var effectivePort: String { port.isEmpty ? (scheme == "https" ? "443" : "80") : port }

    package var text: String { "\(scheme)://\(userInfo.map { $0 + "@" } ?? "")\(authority)\(rest)" }

    /// Returns the URL of a `Location` header in an answer to this URL (RFC 3986, section 5.2).
    package func resolving(_ location: String) -> String {
        let target = String(location.prefix { $0 != "#" })
        let start = target.prefix { $0 != "/" && $0 != "?" }
        if let colon = start.firstIndex(of: ":"), target[..<colon].utf8.allSatisfy(Self.isSchemeByte) { return target }
        let base = "\(scheme)://\(authority)"
        if target.hasPrefix("//") { return "\(scheme):\(target)" }
        if target.hasPrefix("/") { return base + Self.removingDots(target) }
        let path = String(rest.prefix { $0 != "?" })
        if target.isEmpty { return base + rest }
        if target.hasPrefix("?") { return base + path + target }
        let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "/"
        return base + Self.removingDots(folder + target)
    }

    /// Removes `.` and `..` from a path.
    private static func removingDots(_ target: String) -> String {
        let path = target.prefix { $0 != "?" }
        var kept: [Substring] = []
        let segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            let isLast = index == segments.count - 1
            switch segment {
            case ".": if isLast { kept.append("") }
            case "..":
                _ = kept.popLast()
                if isLast { kept.append("") }
            default: kept.append(segment)
            }
        }
        return "/" + kept.joined(separator: "/") + target[path.endIndex...]
    }

    /// Whether credentials for this URL may be sent to `other`, the target of a redirect.
    ///
    /// They may be sent to the same host or a host below it, on the same port, and never from TLS to plain text. The
    /// change from `http` to `https` on the default ports is allowed.
    package func trusts(_ other: URLParts) -> Bool {
        let (mine, theirs) = (host.lowercased(), other.host.lowercased())
        let isAddress = mine.utf8.contains(0x3A) || mine.utf8.allSatisfy { $0 == 0x2E || ($0 >= 0x30 && $0 <= 0x39) }
        guard mine == theirs || (!isAddress && !mine.isEmpty && theirs.hasSuffix("." + mine)) else { return false }
        if scheme == other.scheme { return effectivePort == other.effectivePort }
        return scheme == "http" && other.scheme == "https" && effectivePort == "80" && other.effectivePort == "443"
    }
}
