/// The daemon's flags: Prometheus's names, defaults and meanings, and a few of martlet's own.
enum ServerFlags {
    static let set = FlagSet(flags: config + web + storage + remote + rules + query + own + ignored)

    private static let config: [Flag] = [
        Flag("version", .boolean, "false", "Show the version and exit."),
        Flag("config.file", .text, "prometheus.yml", "Configuration file."),
        Flag("config.auto-reload", .boolean, "false", "Reload the configuration when its files change."),
        Flag("config.auto-reload-interval", .duration, "30s", "How often to look for changed configuration files."),
        Flag("log.level", .text, "info", "Only log messages of this severity or above: debug, info, warn, error."),
        Flag("log.format", .text, "logfmt", "How log lines are written: logfmt, json."),
        Flag("enable-feature", .text, "", "Comma-separated names of features to enable.", repeats: true),
    ]

    private static let web: [Flag] = [
        Flag(
            "web.listen-address", .text, "0.0.0.0:9090", "Address to serve the API, the pages and metrics on.",
            repeats: true),
        Flag("web.config.file", .text, "", "File with TLS and authentication settings."),
        Flag(
            "web.read-timeout", .duration, "5m",
            "Time after which reading a request times out and idle connections close."),
        Flag("web.max-connections", .integer, "512", "Most connections at once, all listeners together."),
        Flag("web.max-notifications-subscribers", .integer, "16", "Most subscribers of live notifications."),
        Flag("web.external-url", .text, "", "The URL under which martlet is reachable from outside."),
        Flag("web.route-prefix", .text, "", "Prefix of all routes; the path of --web.external-url by default."),
        Flag("web.user-assets", .text, "", "Directory served at /user."),
        Flag("web.enable-lifecycle", .boolean, "false", "Allow reload and shutdown over HTTP."),
        Flag("web.enable-admin-api", .boolean, "false", "Allow snapshots and deletes over HTTP."),
        Flag("web.enable-remote-write-receiver", .boolean, "false", "Accept remote write at /api/v1/write."),
        Flag(
            "web.remote-write-receiver.accepted-protobuf-messages", .text, "prometheus.WriteRequest",
            "Remote-write messages that are accepted.", repeats: true),
        Flag("web.enable-otlp-receiver", .boolean, "false", "Accept OTLP metrics at /api/v1/otlp/v1/metrics."),
        Flag("web.page-title", .text, "Martlet", "Title of the pages."),
        Flag("web.cors.origin", .text, ".*", "Regular expression of allowed CORS origins, fully anchored."),
    ]

    private static let storage: [Flag] = [
        Flag("storage.tsdb.path", .text, "data/", "Directory of the store."),
        Flag("storage.tsdb.retention.time", .duration, "15d", "How long samples are kept."),
        Flag(
            "storage.tsdb.retention.size", .size, "0",
            "How large the store may grow, for instance 512MB; 0 for no limit."),
        Flag("storage.tsdb.no-lockfile", .boolean, "false", "Do not hold a lock file in the store's directory."),
        Flag(
            "storage.wal-sync-interval", .interval, "1s",
            "How often the log is forced to disk; a killed process loses nothing, a power cut this much. "
                + "With always nothing is acknowledged before it is on the disk."),
        Flag(
            "storage.block-codec", .text, "auto",
            "How sealed chunks are encoded: auto (the smallest), xor (Gorilla XOR only)."),
        Flag("storage.tsdb.min-block-duration", .duration, "2h", "Span of a fresh block.", isHidden: true),
        Flag("storage.tsdb.max-block-duration", .duration, "0", "Largest span of a compacted block.", isHidden: true),
    ]

    private static let remote: [Flag] = [
        Flag("storage.remote.flush-deadline", .duration, "1m", "How long to wait for remote write at shutdown."),
        Flag("storage.remote.read-sample-limit", .integer, "50000000", "Most samples of a remote-read answer."),
        Flag("storage.remote.read-concurrent-limit", .integer, "10", "Most remote reads at once."),
        Flag(
            "storage.remote.read-max-bytes-in-frame", .integer, "1048576", "Most bytes of a streamed remote-read frame."
        ),
    ]

    private static let rules: [Flag] = [
        Flag(
            "rules.alert.for-outage-tolerance", .duration, "1h",
            "Longest outage after which the state of alerts is restored."),
        Flag(
            "rules.alert.for-grace-period", .duration, "10m",
            "Shortest time between an alert's restored state and its firing."),
        Flag("rules.alert.resend-delay", .duration, "1m", "Least time before an alert is sent again."),
        Flag("rules.max-concurrent-evals", .integer, "4", "Most rules evaluated at once."),
        Flag("alertmanager.notification-queue-capacity", .integer, "10000", "Alerts waiting per Alertmanager."),
        Flag("alertmanager.notification-batch-size", .integer, "256", "Most alerts per request to an Alertmanager."),
        Flag(
            "alertmanager.drain-notification-queue-on-shutdown", .boolean, "true",
            "Send what waits for Alertmanagers before ending."),
        Flag(
            "alerting.config.file", .text, "", "Configuration in Alertmanager's format; turns the built-in notifier on."
        ),
    ]

    private static let query: [Flag] = [
        Flag("query.lookback-delta", .duration, "5m", "How far back an instant selector looks for a sample."),
        Flag("query.timeout", .duration, "2m", "Longest time of a query."),
        Flag("query.max-concurrency", .integer, "20", "Most queries at once."),
        Flag("query.max-samples", .integer, "50000000", "Most samples a query may hold in memory."),
        Flag("query.max-memory", .size, "0", "Most memory of all queries together; 0 for a quarter of the machine's."),
        Flag("query.max-memory-per-query", .size, "0", "Most memory of one query; 0 for half of that of all."),
    ]

    private static let own: [Flag] = [
        Flag("shutdown.grace-period", .duration, "20s", "Time for the last scrape, evaluation and flush at SIGTERM.")
    ]

    /// Flags that mean nothing here but must not break a command line that worked with Prometheus.
    private static let ignored: [Flag] = [
        Flag("web.console.templates", .text, "consoles", "Ignored.", isHidden: true),
        Flag("web.console.libraries", .text, "console_libraries", "Ignored.", isHidden: true),
        Flag("auto-gomaxprocs", .boolean, "true", "Ignored: there is no Go runtime.", isHidden: true),
        Flag("auto-gomemlimit", .boolean, "true", "Ignored: there is no Go runtime.", isHidden: true),
        Flag("auto-gomemlimit.ratio", .number, "0.9", "Ignored: there is no Go runtime.", isHidden: true),
        Flag("auto-gomemlimit.refresh-interval", .duration, "0s", "Ignored: there is no Go runtime.", isHidden: true),
        Flag("storage.tsdb.wal-compression", .boolean, "true", "Ignored: the log is always compact.", isHidden: true),
        Flag("storage.tsdb.wal-compression-type", .text, "snappy", "Ignored.", isHidden: true),
        Flag("storage.tsdb.wal-segment-size", .size, "0", "Ignored.", isHidden: true),
        Flag("storage.tsdb.samples-per-chunk", .integer, "120", "Ignored: chunks are cut by size.", isHidden: true),
        Flag("storage.tsdb.head-chunks-write-queue-size", .integer, "0", "Ignored.", isHidden: true),
        Flag("storage.tsdb.max-block-chunk-segment-size", .size, "512MB", "Ignored.", isHidden: true),
        Flag("storage.tsdb.allow-overlapping-compaction", .boolean, "true", "Ignored: always on.", isHidden: true),
        Flag("storage.tsdb.allow-overlapping-blocks", .boolean, "true", "Ignored: always on.", isHidden: true),
        Flag("scrape.adjust-timestamps", .boolean, "true", "Align scrape timestamps to the schedule.", isHidden: true),
        Flag("scrape.timestamp-tolerance", .duration, "2ms", "How far scrape timestamps are aligned.", isHidden: true),
        Flag("scrape.discovery-reload-interval", .duration, "5s", "Least time between target updates.", isHidden: true),
    ]
}
