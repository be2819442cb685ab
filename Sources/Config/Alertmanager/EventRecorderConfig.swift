import Model

/// The section `event_recorder`, which is checked and has no effect, as in an Alertmanager without that feature.
enum EventRecorderConfig {
    static func check(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        for node in try reader.list("file_outputs") {
            let output = try reader.child(node, "config.EventRecorderFileOutput")
            let path = try output.string("path", "")
            output.finish()
            if path.isEmpty { throw node.place.error("event_recorder file output requires a path") }
        }
        for node in try reader.list("stdout_outputs") {
            try reader.child(node, "config.EventRecorderStdoutOutput").finish()
        }
        for node in try reader.list("webhook_outputs") {
            try checkWebhook(try reader.child(node, "config.EventRecorderWebhookOutput"), loading)
        }
        for node in try reader.list("kafka_outputs") {
            try checkKafka(try reader.child(node, "config.EventRecorderKafkaOutput"), loading)
        }
        reader.finish()
    }

    private static func checkWebhook(_ output: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let url = try output.httpURL("url")
        if let http = try output.mapping("http_config", "config.HTTPClientConfig") {
            _ = try HTTPClientConfig(http, loading: loading)
            http.finish()
        }
        let amounts = [
            ("workers", try output.integer("workers")), ("max_retries", try output.integer("max_retries")),
            ("batch_max_events", try output.integer("batch_max_events")),
            ("batch_max_bytes", try output.integer("batch_max_bytes")),
        ]
        _ = try output.duration("timeout")
        _ = try output.duration("retry_backoff")
        let isBatch = try output.bool("batch", false)
        let hasInterval = try output.duration("batch_flush_interval") != nil
        output.finish()
        if url == nil { throw output.place.error("event_recorder webhook output requires a url") }
        for (key, amount) in amounts {
            guard let amount else { continue }
            if amount < 0 {
                throw output.place(of: key).error("event_recorder webhook \(key) cannot be negative")
            }
            if key.hasPrefix("batch"), !isBatch {
                throw output.place(of: key).error("event_recorder webhook batch settings require batch: true")
            }
        }
        if hasInterval, !isBatch {
            throw output.place(of: "batch_flush_interval").error(
                "event_recorder webhook batch settings require batch: true")
        }
    }

    private static func checkKafka(_ output: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        _ = try output.strings("brokers")
        let topic = try output.string("topic", "")
        _ = try output.string("client_id")
        _ = try output.string("format")
        _ = try output.string("acks")
        _ = try output.string("compression")
        _ = try output.integer("buffer_size")
        _ = try TLSClientConfig(output, loading: loading)
        output.finish()
        if topic.isEmpty { throw output.place.error("event_recorder kafka output requires a topic") }
    }
}
