/// The exposition format for a client of our own metrics.
public struct ExpositionNegotiation: Sendable {
    /// The formats that can be written.
    public enum Format: Sendable, Equatable {
        case text, openMetrics, protobuf
    }

    public var format: Format
    public var isOpenMetrics: Bool { format == .openMetrics }
    public var escaping: NameEscaping
    /// The whole `Content-Type` header.
    public var contentType: String

    /// Selects a format by an `Accept` header; without a usable entry it is text 0.0.4 with underscores.
    ///
    /// The entry with the highest weight is used; the first if weights are equal.
    ///
    /// - Parameter allowsOpenMetrics: Whether OpenMetrics may be selected; federation never uses it.
    public init(accept: String, allowsOpenMetrics: Bool = true) {
        var best: (weight: Double, format: Format, version: String, escaping: NameEscaping)?
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
                best = (weight, .openMetrics, version.isEmpty ? "0.0.1" : version, escaping)
            case ("text/plain", let version) where ["", "0.0.4", "1.0.0"].contains(version):
                best = (weight, .text, version.isEmpty ? "0.0.4" : version, escaping)
            case ("application/vnd.google.protobuf", _)
            where parameters["proto"] == "io.prometheus.client.MetricFamily" && parameters["encoding"] == "delimited":
                best = (weight, .protobuf, "", escaping)
            case ("*/*", _), ("text/*", _): best = (weight, .text, "0.0.4", escaping)
            default: continue
            }
        }
        format = best?.format ?? .text
        escaping = best?.escaping ?? .underscores
        let version = best?.version ?? "0.0.4"
        let media =
            switch format {
            case .text: "text/plain; version=\(version); charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=\(version); charset=utf-8"
            case .protobuf:
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
        contentType = media + "; escaping=\(escaping.rawValue)"
    }

    private static func trim(_ text: some StringProtocol) -> String {
        var rest = text[...]
        while let first = rest.first, first == " " || first == "\t" || first == "\"" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" || last == "\"" { rest.removeLast() }
        return String(rest)
    }
}
