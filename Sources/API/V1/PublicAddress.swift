/// The address under which others reach the daemon, and the URLs of targets on its own machine that follow from it.
package struct PublicAddress: Sendable {
    private let scheme: String
    /// The host, with its port if it has one.
    private let host: String
    /// The port that the daemon listens on.
    private let ownPort: String

    /// - Parameters:
    ///   - externalURL: The URL under which others reach the daemon.
    ///   - ownPort: The port of its listener.
    package init(externalURL: String, ownPort: String) {
        let parts = Self.parts(externalURL)
        scheme = parts?.scheme ?? ""
        // The user and the password are removed, because viewers of targets must not see them.
        host = (parts?.host.split(separator: "@", omittingEmptySubsequences: false).last).map { String($0) } ?? ""
        self.ownPort = ownPort
    }

    /// The URL of a target for other machines, where loopback addresses mean another machine.
    package func globalURL(_ url: String) -> String {
        guard let parts = Self.parts(url), let (name, port) = Self.split(parts.host),
            ["127.0.0.1", "localhost", "::1"].contains(name), !host.isEmpty
        else { return url }
        // Outside, the daemon itself is known by its external address.
        if port == ownPort { return scheme + "://" + host + parts.rest }
        let bare = Self.split(host)?.name ?? host
        return parts.scheme + "://" + (bare.contains(":") ? "[\(bare)]" : bare) + ":" + port + parts.rest
    }

    private static func parts(_ url: String) -> (scheme: String, host: String, rest: String)? {
        guard let mark = url.firstRange(of: "://") else { return nil }
        let behind = url[mark.upperBound...]
        let end = behind.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? behind.endIndex
        return (String(url[..<mark.lowerBound]), String(behind[..<end]), String(behind[end...]))
    }

    /// The name and the port of a host; nil if it has no port.
    private static func split(_ host: String) -> (name: String, port: String)? {
        guard let colon = host.lastIndex(of: ":") else { return nil }
        let name = host[..<colon]
        let port = String(host[host.index(after: colon)...])
        if name.hasPrefix("["), name.hasSuffix("]") { return (String(name.dropFirst().dropLast()), port) }
        return name.contains(":") ? nil : (String(name), port)
    }
}
