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
        if reader.node("sigv4") != nil { loading.unsupported("sigv4", at: reader.place(of: "sigv4")) }
        client = try HTTPClientConfig(reader, loading: loading)
        staticConfigs = try TargetGroupConfig.list(
            reader, "static_configs", empty: "empty or null section in static_configs")
        fileDiscovery = try FileDiscoveryConfig.list(reader, loading)
        if !fileDiscovery.isEmpty {
            loading.unsupported("alertmanagers file_sd_configs", at: reader.place(of: "file_sd_configs"))
        }
        if !(try HTTPDiscoveryConfig.list(reader, loading)).isEmpty {
            loading.unsupported("alertmanagers http_sd_configs", at: reader.place(of: "http_sd_configs"))
        }
        OtherDiscovery.note(reader, loading)
        relabelRules = try RelabelRule.list(
            reader, "relabel_configs", empty: "empty or null Alertmanager target relabeling rule")
        alertRelabelRules = try RelabelRule.list(
            reader, "alert_relabel_configs", empty: "empty or null Alertmanager alert relabeling rule")
        reader.finish()
        targetPlaces = TargetGroupConfig.places(reader, "static_configs")
        if relabelRules.isEmpty { try TargetGroupConfig.checkHostnames(staticConfigs, targetPlaces) }
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
