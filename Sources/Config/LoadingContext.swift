/// What is shared while one configuration is read: the file's directory, and what is not supported yet.
package final class LoadingContext {
    /// The file as it was named.
    let file: String
    /// The file's directory, ending with a slash; empty for the current one.
    let directory: String
    /// Features of Prometheus that are not there yet, in the order met.
    private(set) var missing: [ConfigError] = []
    /// What is wrong with the file.
    let problems = ConfigProblems()
    /// The environment, for `external_labels`.
    let environment: @Sendable (String) -> String?

    /// Whether `extra_scrape_metrics` is on where the file does not say.
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

    /// Notes that `key` asks for something that is not there yet.
    func unsupported(_ key: String, at place: ConfigPlace) {
        missing.append(place.error("not supported yet: \(key)"))
    }
}
