import Glibc
import GoCompatibility
import Model
import Platform

/// Reads Prometheus's configuration.
package enum ConfigurationLoader {
    /// Reads the file at `path`, and the files of `scrape_config_files`.
    ///
    /// - Parameters:
    ///   - text: The file's content if it was read before.
    ///   - extraScrapeMetrics: The default of `extra_scrape_metrics`.
    package static func load(
        path: String, text: [UInt8]? = nil, extraScrapeMetrics: Bool = false
    ) throws(ConfigError) -> Configuration {
        let content: [UInt8]
        if let text { content = text } else { content = try ConfigFile.read(path) }
        return try parse(text: content, path: path, readsFurtherFiles: true, extraScrapeMetrics: extraScrapeMetrics)
    }

    /// Reads a configuration from text.
    ///
    /// `path` names it in errors and is the base of relative paths.
    ///
    /// - Parameter readsFurtherFiles: Whether `scrape_config_files` are read too.
    package static func parse(
        text: [UInt8], path: String, readsFurtherFiles: Bool = false, extraScrapeMetrics: Bool = false,
        environment: @escaping @Sendable (String) -> String? = { getenv($0).map { String(cString: $0) } }
    ) throws(ConfigError) -> Configuration {
        let loading = LoadingContext(
            file: path, extraScrapeMetrics: extraScrapeMetrics, environment: environment)
        var configuration = Configuration()
        configuration.global.extraScrapeMetrics = extraScrapeMetrics
        guard let root = try YAMLParser.parse(text, file: path) else { return configuration }
        let problems = loading.problems
        let reader = try MappingReader(root, "config.plain", problems)
        if let global = try reader.mapping("global", "config.plain") {
            problems.collect { () throws(ConfigError) in try GlobalConfig(global, loading) }.map {
                configuration.global = $0
            }
        }
        if let runtime = try reader.mapping("runtime", "config.RuntimeConfig") {
            let goGC = try runtime.integer("gogc") ?? 0
            if goGC != 0 { configuration.goGC = goGC }
            runtime.finish()
        }
        configuration.ruleFiles = try globs(reader, "rule_files", loading)
        configuration.ruleFilePlaces = (reader.node("rule_files")?.elements ?? []).map(\.place)
        configuration.scrapeConfigFiles = try globs(reader, "scrape_config_files", loading)
        let global = configuration.global
        for node in try reader.list("scrape_configs", empty: "empty or null scrape config section") {
            let job = problems.collect { () throws(ConfigError) in try ScrapeConfig(node, global, loading) }
            if let job { configuration.scrapeConfigs.append(job) }
        }
        configuration.ownJobs = configuration.scrapeConfigs.count
        if let alerting = try reader.mapping("alerting", "config.AlertingConfig") {
            problems.collect { () throws(ConfigError) in try AlertingConfig(alerting, loading) }.map {
                configuration.alerting = $0
            }
        }
        if let storage = try reader.mapping("storage", "config.StorageConfig") {
            problems.collect { () throws(ConfigError) in try StorageConfig(storage, loading) }.map {
                configuration.storage = $0
            }
        }
        try RemoteConfig.check(reader, loading)
        reader.finish()
        try problems.check()
        if readsFurtherFiles { try readScrapeConfigFiles(into: &configuration, loading) }
        try checkJobNames(configuration.scrapeConfigs)
        configuration.unsupported = loading.missing
        return configuration
    }

    private static func globs(
        _ reader: MappingReader, _ key: String, _ loading: LoadingContext
    ) throws(ConfigError) -> [String] {
        let patterns = try reader.strings(key) ?? []
        for pattern in patterns where !GoGlob.isWellFormed(pattern) {
            throw reader.place(of: key).error("\(key) \(GoQuote.quote(pattern)): \(FileGlob.syntaxError)")
        }
        for pattern in patterns where !GoGlob.hasStarsInLastPartOnly(pattern) {
            throw reader.place(of: key).error(
                "invalid \(key == "rule_files" ? "rule" : "scrape config") file path \(GoQuote.quote(pattern))")
        }
        return patterns.map(loading.resolve)
    }

    private static func readScrapeConfigFiles(
        into configuration: inout Configuration, _ loading: LoadingContext
    ) throws(ConfigError) {
        for pattern in configuration.scrapeConfigFiles {
            for file in try FileGlob.expand(pattern) {
                let inner = LoadingContext(file: file, environment: loading.environment)
                guard let root = try YAMLParser.parse(try ConfigFile.read(file), file: file) else { continue }
                let reader = try MappingReader(root, "config.ScrapeConfigs", inner.problems)
                let global = configuration.global
                for node in try reader.list("scrape_configs", empty: "empty or null scrape config section") {
                    let job = inner.problems.collect { () throws(ConfigError) in
                        try ScrapeConfig(node, global, inner)
                    }
                    if let job { configuration.scrapeConfigs.append(job) }
                }
                reader.finish()
                try inner.problems.check()
                configuration.unsupported += inner.missing
            }
        }
    }

    private static func checkJobNames(_ jobs: [ScrapeConfig]) throws(ConfigError) {
        var seen: Set<ExactText> = []
        for job in jobs where !seen.insert(ExactText(job.jobName)).inserted {
            throw job.place.error("found multiple scrape configs with job name \(GoQuote.quote(job.jobName))")
        }
    }
}
