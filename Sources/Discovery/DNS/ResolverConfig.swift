import Model

/// The name servers and the search list of `resolv.conf`.
package struct ResolverConfig: Sendable, Hashable {
    @Exact package var servers: [String] = []
    @Exact package var search: [String] = []
    /// The dots from which on a name is first looked up as it is.
    package var dots = 1

    /// The most servers and domains that are used, so that a lookup has a limited time.
    private static let (mostServers, mostDomains) = (8, 32)

    package init() {}

    /// Reads the lines of the file; unknown ones are passed over.
    package init(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let key = words.first, words.count > 1 || key == "search" else { continue }
            switch key {
            case "nameserver": servers.append(words[1])
            // The last line of the two counts.
            case "domain": search = [words[1]]
            case "search": search = Array(words.dropFirst())
            case "options":
                for option in words.dropFirst() where option.hasPrefix("ndots:") {
                    if let number = Int(option.dropFirst(6)) { dots = min(max(number, 0), 15) }
                }
            default: break
            }
        }
        servers = Array(servers.prefix(Self.mostServers))
        search = Array(search.prefix(Self.mostDomains))
    }

    /// The full names to look up for a name, in order.
    package func names(_ name: String) -> [String] {
        if Self.isFull(name) { return [name] }
        let full = name + "."
        let isFirst = name.utf8.count { $0 == UInt8(ascii: ".") } >= dots
        let further = search.map { name + "." + $0 }.map { Self.isFull($0) ? $0 : $0 + "." }
        return isFirst ? [full] + further : further + [full]
    }

    /// Whether a name ends with a dot that is no part of a label.
    private static func isFull(_ name: String) -> Bool {
        guard name.hasSuffix(".") else { return false }
        return name.utf8.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count.isMultiple(of: 2)
    }
}
