import Config
import HTTP
import Telemetry

/// The daemon's settings: a value that is made from the flags before anything is opened.
///
/// No other code reads the flags of the daemon.
struct DaemonOptions: Sendable {
    /// The files of the configuration, and the interval of their checks.
    struct Files: Sendable {
        let configuration: String
        /// Whether the command line contains the configuration file.
        let isConfigurationGiven: Bool
        /// The configuration file of the built-in notifier; empty for none.
        let alerting: String
        /// The file of the heartbeats that are sent and expected; empty for none.
        let heartbeats: String
        /// The interval of the checks of the files, ms; nil if they are not watched.
        let autoReloadInterval: Int64?
    }

    /// The flags of the storage.
    ///
    /// The configuration may override those of retention.
    struct Storage: Sendable {
        let directory: String
        let retentionTime: Int64
        let isRetentionTimeGiven: Bool
        let retentionSize: Int64
        let syncInterval: Int64
        let blockDuration: Int64
        let usesXOROnly: Bool
        let usesLockFile: Bool
    }

    /// The query limits; 0 bytes for the default amount of memory.
    struct Queries: Sendable {
        let maxConcurrency: Int
        let maxSamples: Int
        let lookbackDelta: Int64
        let timeout: Int64
        let maxMemory: Int64
        let maxMemoryPerQuery: Int64
    }

    struct Rules: Sendable {
        let resendDelay: Int64
        let outageTolerance: Int64
        let forGracePeriod: Int64
        /// The ms after which a target is expected to stay; nil if none is.
        let expectedTargetsAfter: Int64?
        /// The rules that may be evaluated at once beside one of each group; 0 for none.
        let concurrent: Int
    }

    struct Alertmanagers: Sendable {
        let capacity: Int
        let batchSize: Int
        let drainsOnStop: Bool
    }

    let features: Features
    let logLevel: LogLevel
    let logFormat: LogFormat
    let files: Files
    let web: WebOptions
    let storage: Storage
    let queries: Queries
    let rules: Rules
    let alertmanagers: Alertmanagers
    /// The largest adjustment of the time of a scrape, ms; -1 for no adjustment.
    let timestampTolerance: Int64
    /// ms.
    let shutdownGrace: Int64
    /// All flags as `/api/v1/status/flags` shows them, with the derived values.
    let shownFlags: [(name: String, value: String)]
    /// The flags on the command line that have no effect, with the reasons.
    let ignoredFlags: [(name: String, reason: String)]

    /// Reads and checks all flags.
    ///
    /// - Parameters:
    ///   - hostName: The name of this machine, for the default value of the external URL.
    ///   - webFile: The file of `--web.config.file`; nil without the flag.
    /// - Throws: ``CommandLineError`` that names the flag.
    init(
        _ flags: ParsedFlags, hostName: String = "localhost", webFile: WebConfigFile? = nil
    ) throws(CommandLineError) {
        features = try Features(flags.all("enable-feature"))
        logLevel = try Self.logLevel(flags)
        logFormat = try Self.logFormat(flags)
        for name in ["query.max-concurrency", "web.max-connections"] where flags.integer(name) < 1 {
            throw CommandLineError(description: "--\(name)=\(flags.text(name)): expected a number of 1 or more")
        }
        web = try WebOptions(flags, features, hostName: hostName, file: webFile)
        let ratio = flags.number("auto-gomemlimit.ratio")
        guard ratio > 0, ratio <= 1 else {
            throw CommandLineError(
                description: "--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1")
        }
        files = Files(flags, features)
        storage = Storage(flags)
        queries = Queries(flags)
        rules = Rules(flags, features)
        alertmanagers = Alertmanagers(flags)
        timestampTolerance =
            flags.boolean("scrape.adjust-timestamps") ? flags.duration("scrape.timestamp-tolerance") : -1
        shutdownGrace = flags.duration("shutdown.grace-period")
        shownFlags = Self.shown(flags, routePrefix: web.routePrefix)
        ignoredFlags = flags.ignored
    }

    private static func logLevel(_ flags: ParsedFlags) throws(CommandLineError) -> LogLevel {
        let name = flags.text("log.level")
        guard let level = LogLevel(name.lowercased()) else {
            throw CommandLineError(
                description: "unrecognized log level \(name): --log.level takes debug, info, warn or error")
        }
        return level
    }

    private static func logFormat(_ flags: ParsedFlags) throws(CommandLineError) -> LogFormat {
        let name = flags.text("log.format")
        guard let format = LogFormat(rawValue: name) else {
            throw CommandLineError(
                description: "unrecognized log format \(name): --log.format takes logfmt or json")
        }
        return format
    }

    private static func shown(_ flags: ParsedFlags, routePrefix: String) -> [(name: String, value: String)] {
        flags.values.map { flag in
            switch flag.name {
            case "web.route-prefix": (flag.name, routePrefix.isEmpty ? "/" : routePrefix)
            case "log.level": (flag.name, flag.value.lowercased())
            case "web.external-url": (flag.name, ConfigURL.shown(flag.value))
            default: flag
            }
        }
    }
}

extension DaemonOptions.Files {
    init(_ flags: ParsedFlags, _ features: Features) {
        configuration = flags.text("config.file")
        isConfigurationGiven = flags.isGiven("config.file")
        alerting = flags.text("alerting.config.file")
        heartbeats = flags.text("heartbeat.config.file")
        let isWatched = flags.boolean("config.auto-reload") || features.contains(.autoReloadConfig)
        autoReloadInterval = isWatched ? max(1000, flags.duration("config.auto-reload-interval")) : nil
    }
}

extension DaemonOptions.Storage {
    init(_ flags: ParsedFlags) {
        directory = flags.text("storage.tsdb.path")
        retentionTime = flags.duration("storage.tsdb.retention.time")
        isRetentionTimeGiven = flags.isGiven("storage.tsdb.retention.time")
        retentionSize = flags.size("storage.tsdb.retention.size")
        syncInterval = flags.duration("storage.wal-sync-interval")
        blockDuration = flags.duration("storage.tsdb.min-block-duration")
        usesXOROnly = flags.text("storage.block-codec") == "xor"
        usesLockFile = !flags.boolean("storage.tsdb.no-lockfile")
    }
}

extension DaemonOptions.Queries {
    init(_ flags: ParsedFlags) {
        maxConcurrency = flags.integer("query.max-concurrency")
        maxSamples = flags.integer("query.max-samples")
        lookbackDelta = flags.duration("query.lookback-delta")
        timeout = flags.duration("query.timeout")
        maxMemory = flags.size("query.max-memory")
        maxMemoryPerQuery = flags.size("query.max-memory-per-query")
    }
}

extension DaemonOptions.Rules {
    init(_ flags: ParsedFlags, _ features: Features) {
        resendDelay = flags.duration("rules.alert.resend-delay")
        outageTolerance = flags.duration("rules.alert.for-outage-tolerance")
        forGracePeriod = flags.duration("rules.alert.for-grace-period")
        let after = flags.duration("rules.expected-targets-after")
        expectedTargetsAfter = after > 0 ? after : nil
        concurrent =
            features.contains(.concurrentRuleEvaluation) ? max(0, flags.integer("rules.max-concurrent-evals")) : 0
    }
}

extension DaemonOptions.Alertmanagers {
    init(_ flags: ParsedFlags) {
        capacity = flags.integer("alertmanager.notification-queue-capacity")
        batchSize = flags.integer("alertmanager.notification-batch-size")
        drainsOnStop = flags.boolean("alertmanager.drain-notification-queue-on-shutdown")
    }
}
