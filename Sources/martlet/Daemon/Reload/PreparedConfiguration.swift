import API
import Config
import GoCompatibility
import HTTP
import Notify
import PromQL
import Rules
import Telemetry

/// A configuration whose files were read and checked, and that is not applied yet.
struct PreparedConfiguration: Sendable {
    let sources: ConfigurationSources
    let rules: RuleManager.Prepared
    let alertmanagers: [AlertmanagerEntry]
    /// The query log, opened but not used yet.
    let queryLog: QueryJournal.PreparedLog

    /// Reads and checks all files that the main files name; changes nothing.
    ///
    /// - Parameters:
    ///   - readsOwnRuleKeys: Whether rules may have martlet's own keys.
    ///   - builtIn: The groups of rules that the daemon has itself.
    init(
        _ sources: ConfigurationSources, engine: QueryEngine, readsOwnRuleKeys: Bool,
        builtIn: [RuleGroupDefinition] = []
    ) throws(PreparationError) {
        let configuration = sources.configuration
        let files = try PreparationStep.ruleFiles.run {
            try Self.ruleFiles(configuration, readsOwnKeys: readsOwnRuleKeys)
        }
        self.sources = sources
        rules = try PreparationStep.rules.run {
            let (groups, errors) = RuleSet.definitions(
                files, evaluationInterval: configuration.global.evaluationInterval,
                queryOffset: configuration.global.ruleQueryOffset
            ) { try RuleExpression($0, engine: engine) }
            if let first = errors.first { throw first }
            return try RuleManager.prepare(groups + builtIn)
        }
        alertmanagers = try PreparationStep.alertmanagers.run {
            try AlertmanagerEntry.all(configuration.alerting) { entry in
                let transport = try HTTPTransport(entry.client)
                return entry.sigV4.map { SigningTransport($0, transport) } ?? transport
            }
        }
        queryLog = try PreparationStep.queryLog.run {
            try QueryJournal.prepareLog(configuration.global.queryLogFile)
        }
    }

    private static func ruleFiles(
        _ configuration: Configuration, readsOwnKeys: Bool
    ) throws(ConfigError) -> [RuleFile] {
        var files: [RuleFile] = []
        for pattern in configuration.ruleFiles {
            let paths = try FileGlob.expand(pattern)
            if paths.isEmpty, !GoGlob.hasWildcard(pattern) {
                Log("main").warn("A rule file does not exist; its rules are not evaluated", ["file": pattern])
            }
            for path in paths where !files.contains(where: { $0.path == path }) {
                files.append(try RuleFileLoader.load(path: path, readsOwnKeys: readsOwnKeys))
            }
        }
        return files
    }
}

/// The steps to prepare a configuration, in order.
enum PreparationStep: CaseIterable, Sendable {
    /// Reads the configuration file and those of `scrape_config_files`.
    case configuration
    /// Reads the configuration of the built-in notifier, and its certificates.
    case notifier
    /// Reads the heartbeats that are sent and expected.
    case heartbeats
    case ruleFiles
    /// Parses expressions and templates.
    case rules
    /// Reads the certificates of Alertmanagers.
    case alertmanagers
    /// Opens the query log.
    case queryLog

    /// Runs the step; an error names the step that failed.
    func run<Result>(_ body: () throws -> Result) throws(PreparationError) -> Result {
        do { return try body() } catch { throw PreparationError(step: self, reason: error) }
    }
}

/// The reason why a configuration cannot be used.
struct PreparationError: Error, CustomStringConvertible {
    var step: PreparationStep
    var reason: any Error

    var description: String { "\(reason)" }
}
