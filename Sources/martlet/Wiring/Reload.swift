import API
import Config
import GoCompatibility
import HTTP
import Notify
import Platform
import PromQL
import Rules
import Scrape
import Storage
import Synchronization
import Telemetry

/// A configuration that has been read and checked in all its parts, and has changed nothing yet.
struct PreparedConfiguration: Sendable {
    var configuration: Configuration
    var groups: [RuleGroupDefinition]
    var endpoints: [AlertmanagerEndpoint]
    /// nil without a built-in notifier.
    var notifier: NotifierSettings?
    var queryLog: QueryJournal.PreparedLog
    /// The files it was read from, as they were.
    var sum: ConfigurationSum?

    /// The text of a configuration that can be read only once, from a pipe for instance; nil for a file.
    static func pipedText(_ options: DaemonOptions) throws -> [UInt8]? {
        let path = options.flags.text("config.file")
        return ConfigFile.isReadOnce(path) ? try ConfigFile.readOnce(path) : nil
    }

    /// Reads the configuration file and refuses what is not supported yet.
    ///
    /// - Parameter text: The file's content, if it has been read already.
    static func load(_ options: DaemonOptions, text: [UInt8]? = nil) throws -> Configuration {
        let path = options.flags.text("config.file")
        let configuration: Configuration
        do throws(ConfigError) {
            configuration = try ConfigurationLoader.load(
                path: path, text: text, extraScrapeMetrics: options.features.contains(.extraScrapeMetrics))
        } catch {
            guard error.file == path, error.line == 0, !options.flags.isGiven("config.file") else { throw error }
            var error = error
            error.message +=
                " (give another file with --config.file; a first one may be: "
                + "scrape_configs: [{job_name: martlet, static_configs: [{targets: [\"localhost:9090\"]}]}])"
            throw error
        }
        if let missing = configuration.unsupported.first { throw missing }
        return configuration
    }

    /// Reads the file of `--alerting.config.file`; nil without the flag.
    static func notifierSettings(_ options: DaemonOptions) throws -> NotifierSettings? {
        let path = options.flags.text("alerting.config.file")
        if path.isEmpty { return nil }
        return try NotifierSettings(try AlertmanagerConfigLoader.load(path: path)) { try HTTPTransport($0) }
    }
}

extension Daemon {
    /// Reads and checks everything that `configuration` names; changes nothing.
    func prepare(_ configuration: Configuration, sum: ConfigurationSum? = nil) throws -> PreparedConfiguration {
        var files: [RuleFile] = []
        for pattern in configuration.ruleFiles {
            let paths = try FileGlob.expand(pattern)
            if paths.isEmpty, !GoGlob.hasWildcard(pattern) {
                log.warn("A rule file does not exist; its rules are not evaluated", ["file": pattern])
            }
            for path in paths where !files.contains(where: { $0.path == path }) {
                files.append(try RuleFileLoader.load(path: path))
            }
        }
        let (groups, errors) = RuleSet.definitions(
            files, evaluationInterval: configuration.global.evaluationInterval,
            queryOffset: configuration.global.ruleQueryOffset
        ) { try RuleExpression($0, engine: engine) }
        if let first = errors.first { throw first }
        return PreparedConfiguration(
            configuration: configuration, groups: groups,
            endpoints: try AlertmanagerEndpoint.all(configuration.alerting) { try HTTPTransport($0) },
            notifier: try PreparedConfiguration.notifierSettings(options),
            queryLog: try QueryJournal.prepareLog(configuration.global.queryLogFile),
            sum: sum)
    }

    /// Reads the configuration and everything that it names; changes nothing.
    ///
    /// - Parameter text: The content of the main file, if it has been read already.
    func loadAll(text: [UInt8]? = nil) throws -> PreparedConfiguration {
        let configuration = try PreparedConfiguration.load(options, text: text)
        guard options.autoReloadInterval != nil, text == nil else { return try prepare(configuration) }
        // The sum is older than what is used, so that a change between the two is seen at the next look.
        let sum = ConfigurationSum(configuration, options)
        return try prepare(try PreparedConfiguration.load(options), sum: sum)
    }

    /// Hands a prepared configuration to all parts.
    ///
    /// - Throws: Before anything has changed, if the groups of rules cannot be made.
    func apply(_ prepared: PreparedConfiguration) throws {
        let configuration = prepared.configuration
        let external = configuration.global.externalLabels
        // The only step that can fail is the first; it changes nothing if it does.
        try rules.apply(prepared.groups) { $0.externalLabels = external }
        journal.setLog(prepared.queryLog)
        engine.setDefaultSubqueryStep(configuration.global.evaluationInterval)
        alertSinks.apply(relabelRules: configuration.alerting.relabelRules, externalLabels: external)
        alertmanagers.apply(prepared.endpoints)
        if let settings = prepared.notifier { notifier?.reload(settings) }
        store.change(StoreSettings(options.store(configuration)))
        scrape.apply(configuration)
        state.withLock {
            $0.configuration = configuration
            $0.sum = prepared.sum
            $0.reloadSucceeded = true
            $0.reloadTime = clock.now()
        }
    }

    /// Reads the configuration again; the old one stays in force if the new one cannot be used.
    ///
    /// - Returns: The reason for a failure.
    func reload() -> String? { reloading.run { reloadNow() } }

    /// Reloads on another thread, so that signals are taken meanwhile.
    func reloadLater() {
        // Of several that wait, one is enough.
        if laterReloads.add(1, ordering: .relaxed).newValue > 3 {
            laterReloads.subtract(1, ordering: .relaxed)
            return
        }
        BlockingCall.start { [self] in
            _ = reload()
            laterReloads.subtract(1, ordering: .relaxed)
        }
    }

    private func reloadNow() -> String? {
        log.info("Loading configuration file", ["filename": options.flags.text("config.file")])
        let began = clock.monotonic()
        do {
            try apply(try loadAll())
            log.info(
                "Completed loading of configuration file",
                [
                    "filename": options.flags.text("config.file"),
                    "totalDuration": "\((clock.monotonic() - began) / 1_000_000)ms",
                ])
            return nil
        } catch {
            log.error("Reloading the configuration failed; the old one stays in force", ["err": "\(error)"])
            state.withLock { $0.reloadSucceeded = false }
            return "\(error)"
        }
    }
}
