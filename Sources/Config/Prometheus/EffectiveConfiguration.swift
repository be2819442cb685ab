import Model

extension Configuration {
    /// The current configuration as YAML: with all defaults, keys in Prometheus's order, secrets hidden.
    ///
    /// As in Prometheus, it does not contain jobs from `scrape_config_files`.
    ///
    /// - Parameters:
    ///   - retentionTime: ms, from the file or the command line; 0 for no limit.
    ///   - retentionSize: Bytes; 0 for no limit.
    package func effectiveText(retentionTime: Int64, retentionSize: Int64) -> String {
        var out = EffectiveMap()
        out.add("global", global.effective)
        out.add("runtime", .map([("gogc", .plain("\(goGC)"))]))
        out.unlessEmpty("alerting", alerting.effective)
        out.unlessEmpty("rule_files", .strings(ruleFiles))
        out.unlessEmpty("scrape_config_files", .strings(scrapeConfigFiles))
        out.unlessEmpty("scrape_configs", .list(scrapeConfigs.prefix(ownJobs).map(\.effective)))
        out.add("storage", storage.effective(retentionTime, retentionSize))
        return YAMLText.map(out.members).document
    }
}

/// Collects the members of a map, and omits those that Prometheus omits.
struct EffectiveMap {
    private(set) var members: [(key: String, value: YAMLText)] = []

    mutating func add(_ key: String, _ value: YAMLText) { members.append((key, value)) }

    mutating func add(_ other: EffectiveMap) { members += other.members }

    mutating func unlessEmpty(_ key: String, _ value: YAMLText) {
        switch value {
        case .string(let text), .plain(let text): if !text.isEmpty { add(key, value) }
        case .list(let elements): if !elements.isEmpty { add(key, value) }
        case .flow(let texts): if !texts.isEmpty { add(key, value) }
        case .map(let members): if !members.isEmpty { add(key, value) }
        }
    }

    mutating func text(_ key: String, _ text: String) { unlessEmpty(key, .string(text)) }

    mutating func secret(_ key: String, _ text: String) { if !text.isEmpty { add(key, Self.hidden) } }

    mutating func duration(_ key: String, _ milliseconds: Int64) {
        if milliseconds != 0 { add(key, .string(DurationText.format(milliseconds))) }
    }

    mutating func number(_ key: String, _ number: Int) { if number != 0 { add(key, .plain("\(number)")) } }

    mutating func switchedOn(_ key: String, _ isOn: Bool) { if isOn { add(key, .bool(true)) } }

    mutating func limits(_ limits: ScrapeLimits) {
        if limits.bodySize != 0 { add("body_size_limit", .string(ByteSize.format(limits.bodySize))) }
        number("sample_limit", limits.samples)
        number("target_limit", limits.targets)
        number("label_limit", limits.labels)
        number("label_name_length_limit", limits.labelNameLength)
        number("label_value_length_limit", limits.labelValueLength)
    }

    static let hidden = YAMLText.string(SecretSource.hidden)
}

extension GlobalConfig {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.duration("scrape_interval", scrapeInterval)
        out.duration("scrape_timeout", scrapeTimeout)
        out.unlessEmpty("scrape_protocols", .strings((scrapeProtocols ?? []).map(\.rawValue)))
        out.duration("evaluation_interval", evaluationInterval)
        out.duration("rule_query_offset", ruleQueryOffset)
        out.text("query_log_file", queryLogFile)
        out.unlessEmpty("external_labels", .sorted(externalLabels.pairs.map { ($0.name, .string($0.value)) }))
        out.limits(limits)
        out.number("keep_dropped_targets", limits.keepDroppedTargets)
        out.text("metric_name_validation_scheme", metricNameValidation.rawValue)
        out.text("metric_name_escaping_scheme", metricNameEscaping)
        out.add("scrape_native_histograms", .bool(scrapeNativeHistograms))
        out.switchedOn("convert_classic_histograms_to_nhcb", convertClassicHistogramsToNHCB)
        out.switchedOn("always_scrape_classic_histograms", alwaysScrapeClassicHistograms)
        out.switchedOn("extra_scrape_metrics", extraScrapeMetrics)
        return .map(out.members)
    }
}

extension ScrapeConfig {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.text("job_name", jobName)
        out.switchedOn("honor_labels", honorLabels)
        out.add("honor_timestamps", .bool(honorTimestamps))
        out.add("track_timestamps_staleness", .bool(trackTimestampsStaleness))
        out.unlessEmpty("params", .sorted(params.map { ($0.key, .strings($0.values)) }))
        out.duration("scrape_interval", scrapeInterval)
        out.duration("scrape_timeout", scrapeTimeout)
        out.add("scrape_protocols", .strings(scrapeProtocols.map(\.rawValue)))
        out.text("fallback_scrape_protocol", fallbackProtocol?.rawValue ?? "")
        out.add("scrape_native_histograms", .bool(scrapeNativeHistograms))
        out.add("always_scrape_classic_histograms", .bool(alwaysScrapeClassicHistograms))
        out.add("convert_classic_histograms_to_nhcb", .bool(convertClassicHistogramsToNHCB))
        out.text("metrics_path", metricsPath)
        out.text("scheme", scheme)
        out.add("enable_compression", .bool(enableCompression))
        out.limits(limits)
        out.number("native_histogram_bucket_limit", nativeHistogramBucketLimit)
        if nativeHistogramMinBucketFactor != 0 {
            out.add("native_histogram_min_bucket_factor", .plain("\(nativeHistogramMinBucketFactor)"))
        }
        out.number("keep_dropped_targets", limits.keepDroppedTargets)
        out.text("metric_name_validation_scheme", metricNameValidation.rawValue)
        out.text("metric_name_escaping_scheme", metricNameEscaping)
        out.add("extra_scrape_metrics", .bool(extraScrapeMetrics))
        out.add(client.effective)
        out.unlessEmpty("relabel_configs", .list(relabelRules.map(\.effective)))
        out.unlessEmpty("metric_relabel_configs", .list(metricRelabelRules.map(\.effective)))
        out.unlessEmpty("dns_sd_configs", .list(dnsDiscovery.map(\.effective)))
        out.unlessEmpty("file_sd_configs", .list(fileDiscovery.map(\.effective)))
        out.unlessEmpty("http_sd_configs", .list(httpDiscovery.map(\.effective)))
        out.unlessEmpty("static_configs", .list(staticConfigs.map(\.effective)))
        return .map(out.members)
    }
}

extension TargetGroupConfig {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.add("targets", .strings(targets))
        out.unlessEmpty("labels", .sorted(labels.map { ($0.name, .string($0.value)) }))
        return .map(out.members)
    }
}

extension FileDiscoveryConfig {
    var effective: YAMLText {
        .map([("files", .strings(files)), ("refresh_interval", .string(DurationText.format(refreshInterval)))])
    }
}

extension HTTPDiscoveryConfig {
    var effective: YAMLText {
        var out = client.effective
        out.add("refresh_interval", .string(DurationText.format(refreshInterval)))
        out.text("url", ConfigURL.shown(url))
        return .map(out.members)
    }
}

extension DNSDiscoveryConfig {
    var effective: YAMLText {
        .map([
            ("names", .strings(names)), ("refresh_interval", .string(DurationText.format(refreshInterval))),
            ("type", .string(type.rawValue)), ("port", .plain("\(port)")),
        ])
    }
}

extension SigV4Config {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.text("region", region)
        out.text("access_key", accessKey)
        out.secret("secret_key", secretKey)
        out.text("profile", profile)
        out.text("role_arn", roleARN)
        out.text("external_id", externalID)
        out.switchedOn("use_fips_sts_endpoint", useFIPSEndpoint)
        out.text("service_name", serviceName)
        return .map(out.members)
    }
}

extension RelabelRule {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.unlessEmpty("source_labels", .flow(sourceLabels))
        // An empty separator or replacement differs from an absent one.
        out.add("separator", .string(separator))
        if pattern.source != Self.standardPattern {
            out.add("regex", pattern.source.isEmpty ? .plain("null") : .string(pattern.source))
        }
        if modulus != 0 { out.add("modulus", .plain("\(modulus)")) }
        out.text("target_label", targetLabel)
        out.add("replacement", .string(replacement))
        out.text("action", action.rawValue)
        return .map(out.members)
    }
}

extension AlertingConfig {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.unlessEmpty("alert_relabel_configs", .list(relabelRules.map(\.effective)))
        out.unlessEmpty("alertmanagers", .list(alertmanagers.map(\.effective)))
        return .map(out.members)
    }
}

extension AlertmanagerEndpointConfig {
    var effective: YAMLText {
        var out = client.effective
        if let sigV4 { out.unlessEmpty("sigv4", sigV4.effective) }
        out.text("scheme", scheme)
        out.text("path_prefix", pathPrefix)
        out.duration("timeout", timeout)
        out.text("api_version", "v2")
        out.unlessEmpty("relabel_configs", .list(relabelRules.map(\.effective)))
        out.unlessEmpty("alert_relabel_configs", .list(alertRelabelRules.map(\.effective)))
        out.unlessEmpty("dns_sd_configs", .list(dnsDiscovery.map(\.effective)))
        out.unlessEmpty("file_sd_configs", .list(fileDiscovery.map(\.effective)))
        out.unlessEmpty("http_sd_configs", .list(httpDiscovery.map(\.effective)))
        out.unlessEmpty("static_configs", .list(staticConfigs.map(\.effective)))
        return .map(out.members)
    }
}

extension StorageConfig {
    func effective(_ retentionTime: Int64, _ retentionSize: Int64) -> YAMLText {
        var tsdb = EffectiveMap()
        tsdb.duration("out_of_order_time_window", outOfOrderTimeWindow)
        var retention = EffectiveMap()
        retention.duration("time", retentionTime)
        if retentionSize != 0 { retention.add("size", .string(ByteSize.format(retentionSize))) }
        tsdb.add("retention", .map(retention.members))
        return .map([
            ("tsdb", .map(tsdb.members)), ("exemplars", .map([("max_exemplars", .plain("\(maxExemplars)"))])),
        ])
    }
}
