import GoCompatibility
import HTTP
import Model

/// Parses the address of a target as Go's URL parser and dialler do, so that the same spellings are valid.
enum RequestAddress {
    /// The URL of the request, and the reason why it is invalid; nil if it is valid.
    static func check(_ address: String, url: String) -> (url: URLParts, problem: String?) {
        guard var parts = URLParts(url.hasPrefix("//") ? "http:" + url : url) else {
            return (unusable, "parse \(GoQuote.quote(url)): invalid URL")
        }
        // The address is everything before the path: credentials are not part of it.
        guard !url.hasPrefix("//") else { return (parts, get(url, "unsupported protocol scheme \"\"")) }
        if let byte = address.utf8.first(where: { !isHostByte($0) }) {
            let digits = String(byte, radix: 16, uppercase: true)
            let escape = "%" + (digits.utf8.count < 2 ? "0" : "") + digits
            return (parts, "parse \(GoQuote.quote(url)): invalid URL escape \(GoQuote.quote(escape))")
        }
        if address.hasPrefix("["), !address.contains("]") {
            return (parts, "parse \(GoQuote.quote(url)): missing ']' in host")
        }
        guard parts.port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
            return (parts, "parse \(GoQuote.quote(url)): invalid port \(GoQuote.quote(":" + parts.port)) after host")
        }
        guard ["http", "https"].contains(parts.scheme) else {
            return (unusable, get(url, "unsupported protocol scheme \(GoQuote.quote(parts.scheme))"))
        }
        if !parts.port.isEmpty {
            guard let port = UInt16(parts.port) else {
                return (parts, get(url, "dial tcp: address \(parts.port): invalid port"))
            }
            parts.port = "\(port)"
        }
        // Without a name the connection is made to this machine.
        if parts.host.isEmpty { parts.host = "localhost" }
        if isNumeric(parts.host), !isDottedQuad(parts.host) {
            return (parts, get(url, "dial tcp: lookup \(parts.host): no such host"))
        }
        return (parts, nil)
    }

    private static var unusable: URLParts {
        URLParts("http://localhost") ?? URLParts(scheme: "http", host: "localhost")
    }

    private static func get(_ url: String, _ reason: String) -> String { "Get \(GoQuote.quote(url)): \(reason)" }

    /// The bytes that Go's URL printer does not escape in a host, and those of its other character sets.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (byte >= 0x30 && byte <= 0x39) || byte >= 0x80
            || "-_.~!$&'()*+,;=:[]<>\"%".utf8.contains(byte)
    }

    /// Whether a host consists of numbers, which curl would read as an address in any of the old spellings.
    private static func isNumeric(_ host: String) -> Bool {
        host.lowercased().split(separator: ".").allSatisfy { part in
            part.hasPrefix("0x")
                ? part.dropFirst(2).allSatisfy(\.isHexDigit) : part.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        }
    }

    private static func isDottedQuad(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && ($0 == "0" || !$0.hasPrefix("0")) }
    }
}
