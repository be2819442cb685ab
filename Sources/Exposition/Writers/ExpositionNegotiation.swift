/// Which text format a client of our own metrics gets.
public struct ExpositionNegotiation: Sendable {
    public var isOpenMetrics: Bool
    public var escaping: NameEscaping
    /// The whole `Content-Type` header.
    public var contentType: String

    /// Chooses by an `Accept` header; without a usable entry it is text 0.0.4 with underscores.
    ///
    /// - Parameter allowsOpenMetrics: Federation never answers in OpenMetrics.
    public init(accept: String, allowsOpenMetrics: Bool = true) {
        var best: (weight: Double, isOpenMetrics: Bool, version: String, escaping: NameEscaping)?
        for entry in accept.split(separator: ",") {
            let parts = entry.split(separator: ";").map { Self.trim($0) }
            guard let media = parts.first?.lowercased() else { continue }
            var parameters: [String: String] = [:]
            for part in parts.dropFirst() {
                let pair = part.split(separator: "=", maxSplits: 1)
                if pair.count == 2 { parameters[Self.trim(pair[0]).lowercased()] = Self.trim(pair[1]) }
            }
            let weight = parameters["q"].flatMap(Double.init) ?? 1
            guard weight > 0, weight > best?.weight ?? 0 else { continue }
            let escaping = parameters["escaping"].flatMap(NameEscaping.init) ?? .underscores
            switch (media, parameters["version"] ?? "") {
            case ("application/openmetrics-text", let version)
            where allowsOpenMetrics && ["", "0.0.1", "1.0.0"].contains(version):
                best = (weight, true, version.isEmpty ? "0.0.1" : version, escaping)
            case ("text/plain", let version) where ["", "0.0.4", "1.0.0"].contains(version):
                best = (weight, false, version.isEmpty ? "0.0.4" : version, escaping)
            case ("*/*", _), ("text/*", _): best = (weight, false, "0.0.4", escaping)
            default: continue
            }
        }
        isOpenMetrics = best?.isOpenMetrics ?? false
        escaping = best?.escaping ?? .underscores
        let media = isOpenMetrics ? "application/openmetrics-text" : "text/plain"
        contentType = "\(media); version=\(best?.version ?? "0.0.4"); charset=utf-8; escaping=\(escaping.rawValue)"
    }

    private static func trim(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while let first = rest.first, first == " " || first == "\t" || first == "\"" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\"" { rest.removeLast() }
        return String(rest)
    }
}
