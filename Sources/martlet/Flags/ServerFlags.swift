/// The daemon's flags: Prometheus's names, defaults and meanings, and a few flags of martlet.
enum ServerFlags {
    static let set = FlagSet(
        flags: config + web + storage + agent + remote + rules + query + own + goRuntime + scrape)

    private static let version: Flag = {
        var flag = Flag("version", .boolean, "false", "Show the version and exit.")
        flag.isParsersOwn = true
        return flag
    }()

    private static let config: [Flag] = [
        version,
        Flag("config.file", .text, "prometheus.yml", "Configuration file."),
        Flag("config.auto-reload", .boolean, "false", "Reload the configuration when its files change."),
        Flag("config.auto-reload-interval", .duration, "30s", "How often to look for changed configuration files."),
        Flag("log.level", .text, "info", "Only log messages of this severity or above: debug, info, warn, error."),
        Flag("log.format", .text, "logfmt", "How log lines are written: logfmt, json."),
        Flag(
            "enable-feature", .text, "",
            "Comma-separated names of features to enable: "
                + Feature.allCases.map(\.help).joined(separator: ", ") + ".", repeats: true),
        .unsupported("agent", .boolean, "false", "martlet always stores; there is no remote write to forward with"),
    ]

    private static let web: [Flag] = [
        Flag(
            "web.listen-address", .text, "0.0.0.0:9090", "Address to serve the API, the pages and metrics on.",
            repeats: true),
        Flag("web.config.file", .text, "", "File with TLS, user and header settings; read again when it changes."),
        Flag(
            "web.read-timeout", .duration, "5m",
            "Time after which reading a request times out and idle connections close."),
        Flag("web.max-connections", .integer, "512", "Most connections at once, all listeners together."),
        .ignored(
            "web.max-notifications-subscribers", .integer, "16",
            because: "there are no live notifications yet, only /api/v1/notifications"),
        Flag("web.external-url", .text, "", "The URL under which martlet is reachable from outside."),
        Flag("web.route-prefix", .text, "", "Prefix of all routes; the path of --web.external-url by default."),
        Flag("web.user-assets", .text, "", "Directory served at /user."),
        Flag("web.enable-lifecycle", .boolean, "false", "Allow reload and shutdown over HTTP."),
        Flag("web.enable-admin-api", .boolean, "false", "Allow snapshots and deletes over HTTP."),
        Flag("web.enable-remote-write-receiver", .boolean, "false", "Accept remote write at /api/v1/write."),
        Flag(
            "web.remote-write-receiver.accepted-protobuf-messages", .text,
            "prometheus.WriteRequest,io.prometheus.write.v2.Request",
            "Remote-write messages that are accepted: prometheus.WriteRequest, io.prometheus.write.v2.Request.",
            repeats: true),
        .unsupported(
            "web.enable-otlp-receiver", .boolean, "false",
            "OTLP metrics; send them to an OpenTelemetry collector that writes to /api/v1/write"),
        Flag(
            "web.search.max-limit", .count, "10000",
            "Largest limit of a search with --enable-feature=search-api; 0 for any."),
        .ignored("web.console.templates", .text, "consoles", because: "there are no console templates"),
        .ignored("web.console.libraries", .text, "console_libraries", because: "there are no console templates"),
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
            "storage.block-codec", .choice(["auto", "xor"]), "auto",
            "How sealed chunks are encoded: auto (the smallest), xor (Gorilla XOR only)."),
        Flag("storage.tsdb.min-block-duration", .span, "2h", "Span of a fresh block."),
        .unsupported(
            "storage.tsdb.delay-compact-file.path", .text, "",
            "blocks are in a format of their own, which block uploaders cannot read"),
        .ignored(
            "storage.tsdb.head-chunks-write-queue-size", .integer, "0",
            because: "chunks of the head are not mapped to disk"),
        .ignored(
            "storage.tsdb.max-block-duration", .duration, "0s", because: "the store chooses the span itself"),
        .ignored(
            "storage.tsdb.block-reload-interval", .duration, "1m", because: "only martlet writes blocks"),
        .ignored(
            "storage.tsdb.delayed-compaction.max-percent", .integer, "10",
            because: "a block is cut half a minute after its window has ended"),
        .ignored(
            "storage.tsdb.wal-compression", .boolean, "true", because: "the log is always compact"),
        .ignored(
            "storage.tsdb.wal-compression-type", .choice(["snappy", "zstd"]), "snappy",
            because: "the log is always compact"),
        .ignored(
            "storage.tsdb.wal-segment-size", .size, "0B", because: "segments of the log have a fixed size"),
        .ignored(
            "storage.tsdb.samples-per-chunk", .integer, "120", because: "chunks are cut by size"),
        .ignored(
            "storage.tsdb.max-block-chunk-segment-size", .size, "512MB", because: "a block has one data file"),
        .ignored(
            "storage.tsdb.allow-overlapping-compaction", .boolean, "true", because: "it is always on"),
        .ignored(
            "storage.tsdb.allow-overlapping-blocks", .boolean, "true", because: "it is always on"),
    ]

    private static let agent: [Flag] = [
        .unsupported("storage.agent.path", .text, "data-agent/", agentHint),
        .unsupported("storage.agent.wal-compression", .boolean, "true", agentHint),
        .unsupported("storage.agent.wal-compression-type", .text, "snappy", agentHint),
        .unsupported("storage.agent.wal-segment-size", .size, "0B", agentHint),
        .unsupported("storage.agent.wal-truncate-frequency", .duration, "0s", agentHint),
        .unsupported("storage.agent.retention.min-time", .duration, "5m", agentHint),
        .unsupported("storage.agent.retention.max-time", .duration, "4h", agentHint),
        .unsupported(
            "storage.agent.checkpoint-from-in-memory-series", .boolean, "false", agentHint),
        .unsupported("storage.agent.checkpoint-batch-size", .integer, "1000", agentHint),
        .unsupported("storage.agent.no-lockfile", .boolean, "false", agentHint),
    ]

    private static let agentHint = "there is no agent mode"

    private static let remote: [Flag] = [
        .ignored(
            "storage.remote.flush-deadline", .duration, "1m",
            because: "nothing is written remotely yet, and remote_write in the configuration is refused"),
        .ignored(
            "storage.remote.read-sample-limit", .integer, "50000000", because: "there is no remote read yet"),
        .ignored("storage.remote.read-concurrent-limit", .integer, "10", because: "there is no remote read yet"),
        .ignored(
            "storage.remote.read-max-bytes-in-frame", .integer, "1048576", because: "there is no remote read yet"),
    ]

    private static let rules: [Flag] = [
        Flag(
            "rules.alert.for-outage-tolerance", .duration, "1h",
            "Longest outage after which the state of alerts is restored."),
        Flag(
            "rules.alert.for-grace-period", .duration, "10m",
            "Shortest time between an alert's restored state and its firing."),
        Flag("rules.alert.resend-delay", .duration, "1m", "Least time before an alert is sent again."),
        Flag(
            "rules.max-concurrent-evals", .integer, "4",
            "Most rules evaluated at once besides the one that each group evaluates, with the feature "
                + "concurrent-rule-eval."),
        Flag(
            "rules.expected-targets-after", .duration, "0s",
            "Raise an alert for a target that vanishes from discovery after it was there for this long, for instance "
                + "1d; 0 for none."),
        Flag(
            "heartbeat.config.file", .text, "",
            "File with URLs to call while martlet is alive, and with heartbeats that others have to send."),
        Flag("alertmanager.notification-queue-capacity", .integer, "10000", "Alerts waiting per Alertmanager."),
        Flag("alertmanager.notification-batch-size", .integer, "256", "Most alerts per request to an Alertmanager."),
        Flag(
            "alertmanager.drain-notification-queue-on-shutdown", .boolean, "true",
            "Send the waiting alerts to Alertmanagers before ending."),
        Flag(
            "alerting.config.file", .text, "", "Configuration in Alertmanager's format; turns the built-in notifier on."
        ),
    ]

    private static let query: [Flag] = [
        Flag("query.lookback-delta", .duration, "5m", "How far back an instant selector looks for a sample."),
        Flag("query.timeout", .duration, "2m", "Longest time of a query."),
        Flag("query.max-concurrency", .integer, "20", "Most queries at once."),
        Flag("query.max-samples", .integer, "50000000", "Most samples of a query in memory."),
        Flag("query.max-memory", .size, "0", "Most memory of all queries together; 0 for a quarter of the machine's."),
        Flag("query.max-memory-per-query", .size, "0", "Most memory of one query; 0 for half of that of all."),
    ]

    private static let own: [Flag] = [
        Flag("shutdown.grace-period", .duration, "20s", "Time for the last scrape, evaluation and flush at SIGTERM.")
    ]

    private static let goReason = "there is no Go runtime"

    private static let goRuntime: [Flag] = [
        .ignored("auto-gomaxprocs", .boolean, "true", because: goReason),
        .ignored("auto-gomemlimit", .boolean, "true", because: goReason),
        .ignored("auto-gomemlimit.ratio", .number, "0.9", because: goReason),
        .ignored("auto-gomemlimit.refresh-interval", .duration, "0s", because: goReason),
    ]

    private static let scrape: [Flag] = [
        Flag(
            "scrape.adjust-timestamps", .boolean, "true", "Align timestamps of scrapes to the schedule."),
        Flag(
            "scrape.timestamp-tolerance", .duration, "2ms", "How late a scrape may be to be aligned."),
        .ignored(
            "scrape.discovery-reload-interval", .duration, "5s", because: "changed targets are used at once"),
    ]
}
