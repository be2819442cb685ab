import GoCompatibility
import Model

extension GlobalConfig {
    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let interval = try reader.duration("scrape_interval", 0)
        scrapeInterval = interval > 0 ? interval : 60_000
        let timeout = try reader.duration("scrape_timeout", 0)
        scrapeTimeout = timeout > 0 ? timeout : min(10_000, scrapeInterval)
        if scrapeTimeout > scrapeInterval {
            throw reader.place(of: "scrape_timeout").error("global scrape timeout greater than scrape interval")
        }
        let evaluation = try reader.duration("evaluation_interval", 0)
        evaluationInterval = evaluation > 0 ? evaluation : 60_000
        ruleQueryOffset = try reader.duration("rule_query_offset", 0)
        scrapeProtocols = try ScrapeProtocol.list(reader)
        queryLogFile = loading.resolve(try reader.string("query_log_file", ""))
        if try reader.string("scrape_failure_log_file") != nil {
            loading.unsupported("scrape_failure_log_file", at: reader.place(of: "scrape_failure_log_file"))
        }
        limits = try ScrapeLimits(reader, standard: ScrapeLimits())
        let validation = try reader.string("metric_name_validation_scheme", "utf8")
        guard let scheme = NameValidation(rawValue: validation) else {
            throw reader.place(of: "metric_name_validation_scheme").error(
                "invalid metric name validation scheme: \(validation)")
        }
        metricNameValidation = scheme
        metricNameEscaping = try ScrapeConfig.escaping(
            reader, standard: scheme == .legacy ? "underscores" : "allow-utf-8", scheme)
        scrapeNativeHistograms = try reader.bool("scrape_native_histograms", false)
        convertClassicHistogramsToNHCB = try reader.bool("convert_classic_histograms_to_nhcb", false)
        if convertClassicHistogramsToNHCB {
            loading.unsupported(
                "convert_classic_histograms_to_nhcb", at: reader.place(of: "convert_classic_histograms_to_nhcb"))
        }
        alwaysScrapeClassicHistograms = try reader.bool("always_scrape_classic_histograms", false)
        extraScrapeMetrics = try reader.bool("extra_scrape_metrics", loading.extraScrapeMetrics)
        externalLabels = try Self.externalLabels(reader, scheme, loading)
        reader.finish()
    }

    private static func externalLabels(
        _ reader: MappingReader, _ scheme: NameValidation, _ loading: LoadingContext
    ) throws(ConfigError) -> Labels {
        var builder = LabelsBuilder()
        for (name, value) in try reader.stringMap("external_labels") ?? [] {
            if name.isEmpty || (scheme == .legacy && !LabelName.isLegacy(name)) {
                throw reader.place(of: "external_labels").error("\(GoQuote.quote(name)) is not a valid label name")
            }
            builder.set(name, expand(value, loading.environment))
        }
        return builder.labels()
    }

    /// Replaces `$VAR` and `${VAR}` with the variable's value and `$$` with a dollar, by the rules of Go's `os.Expand`.
    static func expand(_ text: String, _ environment: (String) -> String?) -> String {
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            guard bytes[at] == UInt8(ascii: "$"), at + 1 < bytes.count else {
                out.append(bytes[at])
                at += 1
                continue
            }
            let (name, length) = shellName(bytes[(at + 1)...])
            if name.isEmpty {
                // If no name can follow, the dollar stays. Otherwise the syntax is wrong, and the text is removed.
                if length == 0 { out.append(bytes[at]) }
            } else if name.elementsEqual("$".utf8) {
                out.append(UInt8(ascii: "$"))
            } else {
                out += (environment(String(decoding: name, as: UTF8.self)) ?? "").utf8
            }
            at += 1 + length
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// The name at the start of `rest`, and its length in bytes with its braces.
    private static func shellName(_ rest: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Int) {
        let isSpecial: (UInt8) -> Bool = { "*#$@!?-0123456789".utf8.contains($0) }
        let start = rest.startIndex
        guard rest.first == UInt8(ascii: "{") else {
            if let first = rest.first, isSpecial(first) { return (rest.prefix(1), 1) }
            let name = rest.prefix { LabelName.isLegacy("_" + String(UnicodeScalar($0))) }
            return (name, name.count)
        }
        guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return ([], 1) }
        return (rest[(start + 1)..<end], end - start + 1)
    }
}

extension ScrapeProtocol {
    /// Reads `scrape_protocols`; nil if absent.
    static func list(_ reader: MappingReader) throws(ConfigError) -> [ScrapeProtocol]? {
        guard reader.has("scrape_protocols") else { return nil }
        let place = reader.place(of: "scrape_protocols")
        let names = try reader.strings("scrape_protocols") ?? []
        if names.isEmpty { throw place.error("scrape_protocols cannot be empty") }
        var result: [ScrapeProtocol] = []
        for name in names {
            guard let scrapeProtocol = ScrapeProtocol(rawValue: name) else {
                let known = ScrapeProtocol.allCases.map(\.rawValue).sorted().joined(separator: " ")
                throw place.error("unknown scrape protocol \(name), supported: [\(known)]")
            }
            if result.contains(scrapeProtocol) {
                throw place.error("duplicated protocol in scrape_protocols, got \(names)")
            }
            result.append(scrapeProtocol)
        }
        return result
    }
}

extension ScrapeLimits {
    /// Reads the limits; 0 and absent ones become those of `standard`.
    init(_ reader: MappingReader, standard: ScrapeLimits) throws(ConfigError) {
        func or(_ value: Int?, _ standard: Int) -> Int { value.map { $0 == 0 ? standard : $0 } ?? standard }
        let size = try reader.size("body_size_limit") ?? 0
        bodySize = size == 0 ? standard.bodySize : size
        samples = or(try reader.count("sample_limit"), standard.samples)
        targets = or(try reader.count("target_limit"), standard.targets)
        labels = or(try reader.count("label_limit"), standard.labels)
        labelNameLength = or(try reader.count("label_name_length_limit"), standard.labelNameLength)
        labelValueLength = or(try reader.count("label_value_length_limit"), standard.labelValueLength)
        keepDroppedTargets = or(try reader.count("keep_dropped_targets"), standard.keepDroppedTargets)
    }
}
