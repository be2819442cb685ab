import GoCompatibility
import Model

/// Signs requests to services of AWS with Signature Version 4.
package struct AWSSignature: Sendable {
    /// The keys of an account, or of a session.
    package struct Keys: Sendable, Equatable {
        package var accessKey: String
        package var secretKey: String
        /// Empty for the keys of an account.
        package var sessionToken: String

        package init(accessKey: String, secretKey: String, sessionToken: String = "") {
            self.accessKey = accessKey
            self.secretKey = secretKey
            self.sessionToken = sessionToken
        }
    }

    /// The parts of a request that a signature covers.
    package struct Request: Sendable {
        package var method: String
        package var url: String
        /// Without `Host`, which the signature takes from the URL.
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]

        package init(
            method: String = "POST", url: String, headers: [(name: String, value: String)], body: [UInt8]
        ) {
            self.method = method
            self.url = url
            self.headers = headers
            self.body = body
        }
    }

    private static let algorithm = "AWS4-HMAC-SHA256"

    private let keys: Keys
    private let region: String
    private let service: String

    package init(_ keys: Keys, region: String, service: String) {
        self.keys = keys
        self.region = region
        self.service = service
    }

    /// The headers that a request needs in addition to its own.
    ///
    /// - Parameter time: ms since the epoch.
    /// - Returns: Nil if the URL is none of HTTP.
    package func headers(for request: Request, time: Int64) -> [(name: String, value: String)]? {
        guard let url = URLParts(request.url), !url.host.isEmpty else { return nil }
        let date = Self.date(time)
        var added = [(name: "X-Amz-Date", value: date)]
        if !keys.sessionToken.isEmpty { added.append((name: "X-Amz-Security-Token", value: keys.sessionToken)) }
        let signed = (request.headers + added + [(name: "host", value: url.authority)])
            .map { (name: GoCase.lower($0.name), value: Self.trimmed($0.value)) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let names = signed.map(\.name).joined(separator: ";")
        let (path, query) = Self.target(url)
        let canonical =
            ([request.method, path, query] + signed.map { "\($0.name):\($0.value)" }
            + ["", names, Digest.hex(Digest.sha256(request.body))]).joined(separator: "\n")
        let day = String(date.prefix(8))
        let scope = "\(day)/\(region)/\(service)/aws4_request"
        let text = [Self.algorithm, date, scope, Digest.hex(Digest.sha256(Array(canonical.utf8)))]
            .joined(separator: "\n")
        var key = Array("AWS4\(keys.secretKey)".utf8)
        for part in [day, region, service, "aws4_request", text] { key = Self.hmac(key, Array(part.utf8)) }
        let credential = "Credential=\(keys.accessKey)/\(scope)"
        added.append(
            (
                name: "Authorization",
                value: "\(Self.algorithm) \(credential), SignedHeaders=\(names), Signature=\(Digest.hex(key))"
            ))
        return added
    }

    /// HMAC with SHA-256 (RFC 2104).
    static func hmac(_ key: [UInt8], _ text: [UInt8]) -> [UInt8] {
        let block = 64
        let short = key.count > block ? Digest.sha256(key) : key
        let padded = short + [UInt8](repeating: 0, count: block - short.count)
        let inner = Digest.sha256(padded.map { $0 ^ 0x36 } + text)
        return Digest.sha256(padded.map { $0 ^ 0x5C } + inner)
    }

    /// A time as `20060102T150405Z`.
    private static func date(_ time: Int64) -> String {
        String(RFC3339.text(time).filter { $0 != "-" && $0 != ":" }.prefix(15)) + "Z"
    }

    /// The path with its percent signs escaped once more, and the sorted query.
    private static func target(_ url: URLParts) -> (path: String, query: String) {
        let path = url.rest.prefix { $0 != "?" }
        let query = url.rest.dropFirst(path.count + 1).split(separator: "&", omittingEmptySubsequences: true)
            .map { $0.contains("=") ? String($0) : "\($0)=" }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let escaped = path.split(separator: "/", omittingEmptySubsequences: false)
            .map { GoURL.queryEscape(String($0)).replacing("+", with: "%20") }.joined(separator: "/")
        return (escaped.isEmpty ? "/" : escaped, query.joined(separator: "&"))
    }

    /// A value without blanks at its ends, and with single blanks inside.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}
