/// The shared state while one configuration is read: the file's directory, and the settings that are not supported yet.
package final class LoadingContext {
    /// The path of the file as it was given.
    let file: String
    /// The file's directory, ending with a slash; empty for the current one.
    private(set) var directory: String
    /// The features of Prometheus that are not supported yet, in the order of the file.
    private(set) var missing: [ConfigError] = []
    /// The templates whose syntax Alertmanager checks with the file.
    var checkedTemplates: [TemplateText] = []
    /// The notation of matchers, and the names of labels, in a file of Alertmanager.
    var matcherMode = AlertMatchers.Mode.fallback
    /// The errors of the file.
    let problems = ConfigProblems()
    /// The environment, for `external_labels`.
    let environment: @Sendable (String) -> String?

    /// The default of `extra_scrape_metrics`.
    let extraScrapeMetrics: Bool

    package init(
        file: String, extraScrapeMetrics: Bool = false, environment: @escaping @Sendable (String) -> String?
    ) {
        self.file = file
        self.extraScrapeMetrics = extraScrapeMetrics
        directory = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        self.environment = environment
    }

    /// A path relative to the configuration's directory; empty and absolute ones stay.
    func resolve(_ path: String) -> String {
        path.isEmpty || path.hasPrefix("/") ? path : directory + path
    }

    /// Reads a section whose relative paths start at the working directory.
    func inWorkingDirectory<T>(_ body: () throws(ConfigError) -> T) throws(ConfigError) -> T {
        let own = directory
        directory = ""
        defer { directory = own }
        return try body()
    }

    /// Removes what was recorded after the first `count` missing features.
    func takeMissing(after count: Int) -> [ConfigError] {
        defer { missing.removeLast(missing.count - count) }
        return Array(missing.dropFirst(count))
    }

    /// Records that `key` needs a feature that is not supported yet.
    func unsupported(_ key: String, at place: ConfigPlace) {
        missing.append(place.error("not supported yet: \(key)"))
    }
}
