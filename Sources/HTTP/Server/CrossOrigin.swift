import Model

/// The permissions of browsers on other origins.
package struct CrossOrigin: Sendable {
    /// Origins that may read the API.
    package var allowed: AnchoredRegex?

    package init(_ allowed: AnchoredRegex? = nil) { self.allowed = allowed }

    /// The headers of an answer of the API.
    func headers(origin: String?) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = [("Vary", "Origin")]
        guard let origin, !origin.isEmpty else { return headers }
        headers.append(("Access-Control-Allow-Headers", "Accept, Authorization, Content-Type, Origin"))
        headers.append(("Access-Control-Allow-Methods", "GET, POST, OPTIONS"))
        headers.append(("Access-Control-Expose-Headers", "Date"))
        if allowed?.matches(origin) ?? true { headers.append(("Access-Control-Allow-Origin", origin)) }
        return headers
    }

    /// Whether a browser reports that a page of another site sends this request.
    ///
    /// A request with neither header is not from a browser, and is allowed. Over plain HTTP browsers send `Origin`
    /// only.
    ///
    /// - Parameter hosts: The daemon's names in this request: `Host`, and that of a proxy in front.
    static func isForeign(fetchSite: String?, origin: String?, hosts: [String]) -> Bool {
        if let fetchSite { return fetchSite == "cross-site" }
        guard let origin else { return false }
        guard let scheme = origin.firstRange(of: "://") else { return true }
        return !hosts.contains { origin[scheme.upperBound...].isSame(as: $0) }
    }
}
