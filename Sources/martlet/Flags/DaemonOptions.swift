import Config
import Glibc
import HTTP
import Model
import Notify
import PromQL
import Remote
import Scrape
import Storage
import Telemetry

/// The daemon's settings, read from its flags before anything is opened.
struct DaemonOptions: Sendable {
    let flags: ParsedFlags
    let features: Features
    let logLevel: LogLevel
    let logFormat: LogFormat
    let listenAddresses: [ListenAddress]
    /// Without a slash at its end.
    let externalURL: String
    /// Empty, or beginning with a slash and not ending with one.
    let routePrefix: String
    let acceptedMessages: Set<RemoteWriteMessage>

    /// Reads and checks all flags.
    ///
    /// - Throws: ``CommandLineError`` that names the flag.
    init(_ flags: ParsedFlags) throws(CommandLineError) {
        self.flags = flags
        features = try Features(flags.all("enable-feature"))
        let levelName = flags.text("log.level")
        guard let level = LogLevel(levelName.lowercased()) else {
            throw CommandLineError(
                description: "unrecognized log level \(levelName): --log.level takes debug, info, warn or error")
        }
        logLevel = level
        guard let format = LogFormat(rawValue: flags.text("log.format")) else {
            throw CommandLineError(
                description:
                    "unrecognized log format \(flags.text("log.format")): --log.format takes logfmt or json")
        }
        logFormat = format
        for name in ["query.max-concurrency", "web.max-connections"] where flags.integer(name) < 1 {
            throw CommandLineError(description: "--\(name)=\(flags.text(name)): expected a number of 1 or more")
        }
        var addresses: [ListenAddress] = []
        for text in flags.all("web.listen-address") {
            guard let address = ListenAddress(text) else {
                throw CommandLineError(
                    description: "--web.listen-address=\(text): expected HOST:PORT with a port of 0 to 65535, "
                        + "for instance 127.0.0.1:9090 or :9090")
            }
            addresses.append(address)
        }
        listenAddresses = addresses
        let isOutside = !flags.text("web.external-url").isEmpty
        let external = try ExternalURL(
            isOutside
                ? flags.text("web.external-url")
                : Self.ownURL(port: addresses.first?.port ?? 9090, isTLS: Self.servesTLS(flags)))
        externalURL = external.text
        let prefix = flags.text("web.route-prefix")
        routePrefix = Self.trimmed(prefix.isEmpty ? external.path : prefix)
        acceptedMessages = try RemoteWriteMessage.set(
            flags.all("web.remote-write-receiver.accepted-protobuf-messages"))
        try Self.checkRanges(flags)
    }

    private static func checkRanges(_ flags: ParsedFlags) throws(CommandLineError) {
        let ratio = flags.number("auto-gomemlimit.ratio")
        guard ratio > 0, ratio <= 1 else {
            throw CommandLineError(
                description: "--auto-gomemlimit.ratio must be greater than 0 and less than or equal to 1")
        }
    }

    /// Whether the web configuration has a TLS section; the server reports what is wrong with the file.
    private static func servesTLS(_ flags: ParsedFlags) -> Bool {
        let file = flags.text("web.config.file")
        return !file.isEmpty && (try? WebConfig.load(path: file))?.tls != nil
    }

    private static func ownURL(port: UInt16, isTLS: Bool) -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return "\(isTLS ? "https" : "http")://\(host):\(port)"
    }

    /// A prefix with one slash before it and none behind; empty for the root.
    private static func trimmed(_ prefix: String) -> String {
        var rest = prefix[...]
        while rest.hasSuffix("/") { rest.removeLast() }
        rest = rest.drop { $0 == "/" }
        return rest.isEmpty ? "" : "/" + rest
    }

    /// All flags as `/api/v1/status/flags` shows them, with what is derived from others filled in.
    var shownFlags: [(name: String, value: String)] {
        flags.values.map { flag in
            switch flag.name {
            case "web.route-prefix": (flag.name, routePrefix.isEmpty ? "/" : routePrefix)
            case "log.level": (flag.name, flag.value.lowercased())
            case "web.external-url": (flag.name, ConfigURL.shown(flag.value))
            default: flag
            }
        }
    }

    // MARK: Options of the parts

    /// How long samples are kept, ms, and how large the store may grow, bytes; 0 for no limit.
    ///
    /// The configuration's section wins over the flags; a size that is given alone leaves the time without limit.
    func retention(_ configuration: StorageConfig) -> (time: Int64, size: Int64) {
        if configuration.retentionTime != nil || configuration.retentionSize != nil {
            return (configuration.retentionTime ?? 0, configuration.retentionSize ?? 0)
        }
        let size = flags.size("storage.tsdb.retention.size")
        if size > 0, !flags.isGiven("storage.tsdb.retention.time") { return (0, size) }
        return (flags.duration("storage.tsdb.retention.time"), size)
    }

    func store(_ configuration: Configuration) -> StoreOptions {
        let retention = retention(configuration.storage)
        return StoreOptions(
            directory: flags.text("storage.tsdb.path"), retentionTime: retention.time,
            retentionSize: retention.size, walSyncInterval: flags.duration("storage.wal-sync-interval"),
            blockDuration: flags.duration("storage.tsdb.min-block-duration"), cutDelay: 30_000,
            outOfOrderWindow: configuration.storage.outOfOrderTimeWindow,
            maxExemplars: configuration.storage.maxExemplars,
            usesXOROnly: flags.text("storage.block-codec") == "xor",
            usesLockFile: !flags.boolean("storage.tsdb.no-lockfile"))
    }

    static func parser(_ features: Features) -> ParserOptions {
        var options = ParserOptions()
        options.experimentalFunctions = features.contains(.experimentalFunctions)
        options.extendedRangeSelectors = features.contains(.extendedRangeSelectors)
        options.fillModifiers = features.contains(.binaryOperatorFillModifiers)
        return options
    }

    /// - Parameter memory: Bytes of all queries together unless the flags say otherwise.
    func engine(_ configuration: Configuration, processors: Int, memory: Int) -> EngineOptions {
        var options = EngineOptions()
        options.lookbackDelta = flags.duration("query.lookback-delta")
        options.maxSamples = flags.integer("query.max-samples")
        options.workers = max(1, processors)
        options.timeout = flags.duration("query.timeout")
        let given = Int(flags.size("query.max-memory"))
        let budget = MemoryBudget(limit: given > 0 ? given : memory)
        options.memoryBudget = budget
        let perQuery = Int(flags.size("query.max-memory-per-query"))
        options.maxMemoryPerQuery = perQuery > 0 ? min(perQuery, budget.limit) : budget.limit / 2
        options.defaultSubqueryStep = configuration.global.evaluationInterval
        options.parser = Self.parser(features)
        options.perStepStatistics = features.contains(.perStepStatistics)
        options.delayedNameRemoval = features.contains(.delayedNameRemoval)
        options.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.usesStartTimes = features.contains(.useStartTimestamps)
        return options
    }

    func scrape(_ configuration: Configuration) -> ScrapeOptions {
        var options = ScrapeOptions()
        options.offsetSeed = configuration.global.externalLabels.stableHash
        options.timestampTolerance =
            flags.boolean("scrape.adjust-timestamps") ? flags.duration("scrape.timestamp-tolerance") : -1
        options.features.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.features.startTimes = features.contains(.startTimestampStorage)
        options.features.zerosAtStart = features.contains(.createdTimestampZeroIngestion)
        return options
    }

    var remoteWrite: RemoteFeatures {
        var options = RemoteFeatures()
        options.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.startTimes = features.contains(.startTimestampStorage)
        options.messages = acceptedMessages
        return options
    }

    /// How often the configuration's files are looked at, ms; nil if they are not.
    var autoReloadInterval: Int64? {
        guard flags.boolean("config.auto-reload") || features.contains(.autoReloadConfig) else { return nil }
        return max(1000, flags.duration("config.auto-reload-interval"))
    }

    /// Rules that may be evaluated at once besides each group's own; 0 for none.
    var concurrentRules: Int {
        features.contains(.concurrentRuleEvaluation) ? max(0, flags.integer("rules.max-concurrent-evals")) : 0
    }
}

extension RemoteWriteMessage {
    /// The messages that the values of the flag name, each a name or a list with commas.
    static func set(_ values: [String]) throws(CommandLineError) -> Set<RemoteWriteMessage> {
        var messages: Set<RemoteWriteMessage> = []
        for name in values.flatMap({ $0.split(separator: ",") }) {
            guard let message = RemoteWriteMessage(rawValue: String(name)) else {
                throw CommandLineError(
                    description: "unknown remote write protobuf message \(name), supported: "
                        + allCases.map(\.rawValue).joined(separator: ", ")
                        + " (--web.remote-write-receiver.accepted-protobuf-messages)")
            }
            messages.insert(message)
        }
        return messages
    }
}
