import GoCompatibility
import Model

extension ScrapeConfig {
    init(_ node: YAMLNode, _ global: GlobalConfig, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "config.ScrapeConfig", loading.problems)
        self.init(place: node.place)
        jobName = try reader.string("job_name", "")
        try readTimes(reader, global)
        try readProtocols(reader, global)
        metricsPath = try reader.string("metrics_path", "/metrics")
        scheme = try reader.string("scheme", "http")
        params = try reader.stringLists("params") ?? []
        honorLabels = try reader.bool("honor_labels", false)
        honorTimestamps = try reader.bool("honor_timestamps", true)
        trackTimestampsStaleness = try reader.bool("track_timestamps_staleness", false)
        enableCompression = try reader.bool("enable_compression", true)
        limits = try ScrapeLimits(reader, standard: global.limits)
        try readHistograms(reader, global)
        if convertClassicHistogramsToNHCB, reader.has("convert_classic_histograms_to_nhcb") {
            loading.unsupported(
                "convert_classic_histograms_to_nhcb", at: reader.place(of: "convert_classic_histograms_to_nhcb"))
        }
        try readNames(reader, global)
        extraScrapeMetrics = try reader.bool("extra_scrape_metrics", global.extraScrapeMetrics)
        if try reader.string("scrape_failure_log_file") != nil {
            loading.unsupported("scrape_failure_log_file", at: reader.place(of: "scrape_failure_log_file"))
        }
        client = try HTTPClientConfig(reader, loading: loading)
        staticConfigs = try TargetGroupConfig.list(
            reader, "static_configs", empty: "empty or null section in static_configs")
        fileDiscovery = try FileDiscoveryConfig.list(reader, loading)
        httpDiscovery = try HTTPDiscoveryConfig.list(reader, loading)
        dnsDiscovery = try DNSDiscoveryConfig.list(reader)
        OtherDiscovery.note(reader, loading)
        relabelRules = try RelabelRule.list(
            reader, "relabel_configs", empty: "empty or null target relabeling rule in scrape config",
            metricNameValidation)
        metricRelabelRules = try RelabelRule.list(
            reader, "metric_relabel_configs", empty: "empty or null metric relabeling rule in scrape config",
            metricNameValidation)
        reader.finish()
        if jobName.isEmpty { throw node.place.error("job_name is empty") }
        targetPlaces = TargetGroupConfig.places(reader, "static_configs")
        if relabelRules.isEmpty { try TargetGroupConfig.checkHostnames(staticConfigs, targetPlaces) }
        fingerprint = YAMLText(node).document + "\(global)"
    }

    private mutating func readTimes(_ reader: MappingReader, _ global: GlobalConfig) throws(ConfigError) {
        let interval = try reader.duration("scrape_interval", 0)
        scrapeInterval = interval > 0 ? interval : global.scrapeInterval
        let timeout = try reader.duration("scrape_timeout", 0)
        scrapeTimeout = timeout > 0 ? timeout : min(global.scrapeTimeout, scrapeInterval)
        if scrapeTimeout > scrapeInterval {
            throw reader.place(of: "scrape_timeout").error(
                "scrape timeout greater than scrape interval for scrape config with job name \(GoQuote.quote(jobName))")
        }
    }

    private mutating func readProtocols(_ reader: MappingReader, _ global: GlobalConfig) throws(ConfigError) {
        scrapeNativeHistograms = try reader.bool("scrape_native_histograms", global.scrapeNativeHistograms)
        let standard = scrapeNativeHistograms ? [.protobuf] + ScrapeProtocol.standard : ScrapeProtocol.standard
        let chosen = try ScrapeProtocol.list(reader) ?? global.scrapeProtocols
        choosesProtocols = chosen != nil
        scrapeProtocols = chosen ?? standard
        if let name = try reader.string("fallback_scrape_protocol"), !name.isEmpty {
            guard let known = ScrapeProtocol(rawValue: name) else {
                throw reader.place(of: "fallback_scrape_protocol").error(
                    "invalid fallback_scrape_protocol for scrape config with job name \(GoQuote.quote(jobName)): unknown scrape protocol \(name)"
                )
            }
            fallbackProtocol = known
        }
    }

    private mutating func readHistograms(_ reader: MappingReader, _ global: GlobalConfig) throws(ConfigError) {
        convertClassicHistogramsToNHCB = try reader.bool(
            "convert_classic_histograms_to_nhcb", global.convertClassicHistogramsToNHCB)
        alwaysScrapeClassicHistograms = try reader.bool(
            "always_scrape_classic_histograms", global.alwaysScrapeClassicHistograms)
        nativeHistogramBucketLimit = try reader.count("native_histogram_bucket_limit") ?? 0
        nativeHistogramMinBucketFactor = try reader.number("native_histogram_min_bucket_factor") ?? 0
    }

    private mutating func readNames(_ reader: MappingReader, _ global: GlobalConfig) throws(ConfigError) {
        let validation = try reader.string("metric_name_validation_scheme", "")
        if validation.isEmpty {
            metricNameValidation = global.metricNameValidation
        } else if let scheme = NameValidation(rawValue: validation) {
            metricNameValidation = scheme
        } else {
            throw reader.place(of: "metric_name_validation_scheme").error(
                "invalid metric name validation scheme: \(validation)")
        }
        let standard =
            validation.isEmpty
            ? global.metricNameEscaping : metricNameValidation == .legacy ? "underscores" : "allow-utf-8"
        metricNameEscaping = try Self.escaping(reader, standard: standard, metricNameValidation)
    }

    static func escaping(
        _ reader: MappingReader, standard: String, _ scheme: NameValidation
    ) throws(ConfigError) -> String {
        let name = try reader.string("metric_name_escaping_scheme", standard)
        let place = reader.place(of: "metric_name_escaping_scheme")
        guard ["allow-utf-8", "underscores", "dots", "values"].contains(name) else {
            throw place.error("unknown metric name escaping scheme \(GoQuote.quote(name))")
        }
        if name == "allow-utf-8", scheme == .legacy {
            throw place.error("utf8 metric names requested but validation scheme is not set to UTF8")
        }
        return name
    }
}

extension TargetGroupConfig {
    static func list(_ reader: MappingReader, _ key: String, empty: String) throws(ConfigError) -> [TargetGroupConfig] {
        var groups: [TargetGroupConfig] = []
        for node in try reader.list(key, empty: empty) {
            groups.append(try TargetGroupConfig(reader.child(node, Self.type)))
        }
        return groups
    }

    /// The place of each target of each group.
    static func places(_ reader: MappingReader, _ key: String) -> [[ConfigPlace]] {
        (reader.node(key)?.elements ?? []).map { ($0["targets"]?.elements ?? []).map(\.place) }
    }

    /// Refuses addresses that are URLs.
    static func checkHostnames(_ groups: [TargetGroupConfig], _ places: [[ConfigPlace]]) throws(ConfigError) {
        for (group, places) in zip(groups, places) {
            for (target, place) in zip(group.targets, places) where target.contains("/") {
                throw place.error("\(GoQuote.quote(ConfigURL.shown(target))) is not a valid hostname")
            }
        }
    }

    private static let type = "struct { Targets []string; Labels model.LabelSet }"

    /// Reads a group from a file of targets.
    package init(_ node: YAMLNode) throws(ConfigError) {
        let problems = ConfigProblems()
        self = try TargetGroupConfig(try MappingReader(node, Self.type, problems))
        try problems.check()
    }

    private init(_ reader: MappingReader) throws(ConfigError) {
        self.init(targets: try reader.strings("targets") ?? [], labels: [])
        for (name, value) in try reader.stringMap("labels") ?? [] {
            if name.isEmpty { throw reader.place(of: "labels").error("\"\" is not a valid label name") }
            labels.append(Label(name: name, value: value))
        }
        reader.finish()
    }
}
