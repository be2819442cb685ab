import Config
import Discovery
import Glibc
import GoCompatibility
import HTTP
import Model
import Notify
import Scrape

/// Checks the files of a configuration except rules, as promtool does: files of credentials and TLS, and targets.
enum ConfigurationCheck {
    /// The files of rules.
    ///
    /// - Throws: ``ConfigError`` for the first one that is missing and has a name without a wildcard.
    static func ruleFiles(_ configuration: Configuration) throws(ConfigError) -> [String] {
        var files: [String] = []
        for (index, pattern) in configuration.ruleFiles.enumerated() {
            let found = try FileGlob.expand(pattern)
            if found.isEmpty, !GoGlob.hasWildcard(pattern) {
                let message = "\(GoQuote.quote(pattern)) does not point to an existing file"
                throw configuration.ruleFilePlaces.indices.contains(index)
                    ? configuration.ruleFilePlaces[index].error(message) : ConfigError(file: pattern, message: message)
            }
            files += found
        }
        return files
    }

    /// Checks that files of credentials and TLS exist, and reads those of targets.
    ///
    /// - Throws: ``ConfigError`` for the first required file that is missing, or the first file that cannot be read.
    static func files(_ configuration: Configuration) throws(ConfigError) {
        for job in configuration.scrapeConfigs {
            let name = "job \(GoQuote.quote(job.jobName))"
            try check(job.client, of: name, at: job.place)
            for discovery in job.httpDiscovery { try check(discovery.client, of: "http_sd of \(name)", at: job.place) }
        }
        for entry in configuration.alerting.alertmanagers {
            let name = "an Alertmanager"
            try check(entry.client, of: name, at: entry.place)
            for discovery in entry.httpDiscovery {
                try check(discovery.client, of: "http_sd of \(name)", at: entry.place)
            }
            try targetFiles(entry)
        }
        for job in configuration.scrapeConfigs {
            for pattern in job.fileDiscovery.flatMap(\.files) {
                let files = try FileGlob.expand(pattern)
                if files.isEmpty {
                    print(
                        "  WARNING: file \(GoQuote.quote(pattern)) for file_sd in scrape job "
                            + "\(GoQuote.quote(job.jobName)) does not exist")
                }
                for file in files {
                    for group in try FileDiscoverer.groups(file) {
                        try check(group, of: job) { _ in ConfigPlace(file: file, line: 0, column: 0) }
                    }
                }
            }
        }
    }

    /// Reads the files of an entry of Alertmanagers.
    private static func targetFiles(_ entry: AlertmanagerEndpointConfig) throws(ConfigError) {
        for pattern in entry.fileDiscovery.flatMap(\.files) {
            let files = try FileGlob.expand(pattern)
            if files.isEmpty {
                print("  WARNING: file \(GoQuote.quote(pattern)) for file_sd in alertmanager config does not exist")
            }
            for file in files {
                for group in try FileDiscoverer.groups(file) {
                    if let mistake = AlertmanagerEntry.mistakes(group, entry).first {
                        throw ConfigError(file: file, message: mistake)
                    }
                }
            }
        }
    }

    /// Builds the static targets of the configuration.
    ///
    /// - Throws: ``ConfigError`` for the first one that cannot be built.
    static func targets(_ configuration: Configuration) throws(ConfigError) {
        for job in configuration.scrapeConfigs {
            for (index, config) in job.staticConfigs.enumerated() {
                let places = job.targetPlaces.indices.contains(index) ? job.targetPlaces[index] : []
                try check(TargetGroup(config, source: "\(index)"), of: job) {
                    places.indices.contains($0) ? places[$0] : job.place
                }
            }
        }
        if let problem = AlertmanagerEntry.problem(configuration.alerting) { throw problem }
    }

    /// Builds the targets of a group as a scrape does; `place` returns the place of a target.
    private static func check(
        _ group: TargetGroup, of job: ScrapeConfig, place: (Int) -> ConfigPlace
    ) throws(ConfigError) {
        for finding in TargetCheck.findings(group, of: job) {
            let name = "instance \(finding.index) in group \(group.source)"
            guard finding.isScraped else { throw place(finding.index).error("\(name): \(finding.reason)") }
            print("  WARNING: \(place(finding.index).error("\(name): \(finding.reason)"))")
        }
    }

    /// The names, in messages, of the files that must exist at the start.
    ///
    /// Other files are read for each request and may be created later.
    private static let required = [
        "credentials_file": "authorization credentials or bearer token", "ca_file": "CA", "cert_file": "client cert",
        "key_file": "client key",
    ]

    private static func check(
        _ client: HTTPClientConfig, of owner: String, at place: ConfigPlace?
    ) throws(ConfigError) {
        for file in client.files where access(file.path, R_OK) != 0 {
            let (name, reason) = (GoQuote.quote(file.path), String(cString: strerror(errno)))
            if let what = required[file.key] {
                let message = "error checking \(what) file \(name) of \(owner): \(reason)"
                throw place?.error(message) ?? ConfigError(file: file.path, message: message)
            }
            print("  WARNING: file \(name) of \(owner) cannot be read: \(reason)")
        }
    }
}
