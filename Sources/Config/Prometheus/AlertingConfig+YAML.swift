import GoCompatibility
import Model

extension AlertingConfig {
    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        relabelRules = try RelabelRule.list(
            reader, "alert_relabel_configs", empty: "empty or null alert relabeling rule")
        for node in try reader.list("alertmanagers", empty: "empty or null Alertmanager config section") {
            alertmanagers.append(try AlertmanagerEndpointConfig(node, loading))
        }
        reader.finish()
    }
}

extension AlertmanagerEndpointConfig {
    init(_ node: YAMLNode, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "config.AlertmanagerConfig", loading.problems)
        place = node.place
        timeout = try reader.duration("timeout", 10_000)
        pathPrefix = try reader.string("path_prefix", "")
        scheme = try reader.string("scheme", "http")
        let version = try reader.string("api_version", "v2")
        guard version == "v2" else {
            throw reader.place(of: "api_version").error(
                "expected Alertmanager api version to be one of [v2] but got \(version)")
        }
        client = try HTTPClientConfig(reader, loading: loading)
        try readSigV4(reader, loading)
        staticConfigs = try TargetGroupConfig.list(
            reader, "static_configs", empty: "empty or null section in static_configs")
        fileDiscovery = try FileDiscoveryConfig.list(reader, loading)
        httpDiscovery = try HTTPDiscoveryConfig.list(reader, loading)
        dnsDiscovery = try DNSDiscoveryConfig.list(reader)
        OtherDiscovery.note(reader, loading)
        relabelRules = try RelabelRule.list(
            reader, "relabel_configs", empty: "empty or null Alertmanager target relabeling rule")
        alertRelabelRules = try RelabelRule.list(
            reader, "alert_relabel_configs", empty: "empty or null Alertmanager alert relabeling rule")
        reader.finish()
        targetPlaces = TargetGroupConfig.places(reader, "static_configs")
        if relabelRules.isEmpty { try TargetGroupConfig.checkHostnames(staticConfigs, targetPlaces) }
    }

    private mutating func readSigV4(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        guard let section = try reader.mapping("sigv4", "sigv4.SigV4Config") else { return }
        let config = try SigV4Config(section)
        if config.accessKey.isEmpty != config.secretKey.isEmpty {
            throw section.place.error(
                "must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config")
        }
        if !config.roleARN.isEmpty { loading.unsupported("sigv4 role_arn", at: section.place(of: "role_arn")) }
        if client.basicAuth != nil || client.authorization != nil || client.oauth2 != nil {
            throw reader.place(of: "sigv4").error(
                "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured")
        }
        sigV4 = config
    }
}

extension StorageConfig {
    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        if let tsdb = try reader.mapping("tsdb", "config.TSDBConfig") {
            outOfOrderTimeWindow = try tsdb.duration("out_of_order_time_window", 0)
            _ = try tsdb.number("stale_series_compaction_threshold")
            if let encoding = try tsdb.mapping("chunk_encoding", "config.ChunkEncodingConfig") {
                let floats = try encoding.string("floats", "")
                if !["", "xor", "xor2"].contains(floats) {
                    throw encoding.place(of: "floats").error(
                        "unknown chunk encoding \(GoQuote.quote(floats)), want xor or xor2")
                }
                encoding.finish()
            }
            if let retention = try tsdb.mapping("retention", "config.TSDBRetentionConfig") {
                retentionTime = try retention.duration("time", 0)
                retentionSize = try retention.size("size") ?? 0
                if let share = try retention.number("percentage"), share != 0 {
                    loading.unsupported("storage.tsdb.retention.percentage", at: retention.place(of: "percentage"))
                }
                retention.finish()
            }
            tsdb.finish()
        }
        if let exemplars = try reader.mapping("exemplars", "config.ExemplarsConfig") {
            maxExemplars = try exemplars.integer("max_exemplars") ?? 100_000
            exemplars.finish()
        }
        reader.finish()
    }
}

/// The sections about remote storage, OTLP and tracing: known, but not supported yet.
enum RemoteConfig {
    static func check(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let sections = [
            ("remote_write", "empty or null remote write config section"),
            ("remote_read", "empty or null remote read config section"),
        ]
        for (key, empty) in sections where !(try reader.list(key, empty: empty)).isEmpty {
            loading.unsupported(key, at: reader.place(of: key))
            for node in try reader.list(key) {
                let section = try reader.child(node, key)
                if try (section.url("url") ?? "").isEmpty { throw node.place.error("url for \(key) is empty") }
                _ = try RelabelRule.list(
                    section, "write_relabel_configs", empty: "empty or null relabeling rule in remote write config")
            }
        }
        for key in ["tracing", "otlp"] {
            if let node = reader.node(key), !node.isNull { loading.unsupported(key, at: reader.place(of: key)) }
        }
    }
}
