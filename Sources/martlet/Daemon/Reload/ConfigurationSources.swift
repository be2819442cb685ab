import Config
import HTTP
import Notify

/// The contents of the main files of a configuration, before any file that they name is read.
struct ConfigurationSources: Sendable {
    var configuration: Configuration
    /// The settings of the built-in notifier; nil without it.
    var notifier: NotifierSettings?
    var heartbeats = HeartbeatConfig()
    /// The hash of the files before they were read; nil if they are not watched.
    var sum: ConfigurationSum?

    /// Reads the files of the first configuration, which may be a pipe.
    static func readFirst(_ options: DaemonOptions) throws(PreparationError) -> ConfigurationSources {
        let path = options.files.configuration
        let text = try PreparationStep.configuration.run {
            ConfigFile.isReadOnce(path) ? try ConfigFile.readOnce(path) : nil
        }
        return try read(options, text: text)
    }

    /// Reads the main files.
    ///
    /// - Parameter text: The content of the configuration file if it was read before.
    static func read(_ options: DaemonOptions, text: [UInt8]? = nil) throws(PreparationError) -> ConfigurationSources {
        var sum: ConfigurationSum?
        let configuration = try PreparationStep.configuration.run {
            let first = try Self.configuration(options, text: text)
            guard options.files.autoReloadInterval != nil, text == nil else { return first }
            // The hash is older than the content, so that the next check notices a change between the two.
            sum = ConfigurationSum(first, options.files)
            return try Self.configuration(options)
        }
        let notifier = try PreparationStep.notifier.run { try Self.notifier(options) }
        let path = options.files.heartbeats
        let heartbeats = try PreparationStep.heartbeats.run {
            path.isEmpty ? HeartbeatConfig() : try HeartbeatConfig.load(path: path)
        }
        return ConfigurationSources(
            configuration: configuration, notifier: notifier, heartbeats: heartbeats, sum: sum)
    }

    /// Reads the configuration file, and refuses settings that are not supported yet.
    ///
    /// - Parameter text: The file's content if it was read before.
    private static func configuration(
        _ options: DaemonOptions, text: [UInt8]? = nil
    ) throws(ConfigError) -> Configuration {
        let path = options.files.configuration
        let configuration: Configuration
        do throws(ConfigError) {
            configuration = try ConfigurationLoader.load(
                path: path, text: text, extraScrapeMetrics: options.features.contains(.extraScrapeMetrics))
        } catch {
            guard error.file == path, error.line == 0, !options.files.isConfigurationGiven else { throw error }
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
    private static func notifier(_ options: DaemonOptions) throws -> NotifierSettings? {
        let path = options.files.alerting
        if path.isEmpty { return nil }
        return try NotifierSettings(try AlertmanagerConfigLoader.load(path: path)) { try HTTPTransport($0) }
    }
}
