/// The reason why a scrape fails as a whole.
struct ScrapeFailure: Error, CustomStringConvertible {
    /// The counter of the failure.
    enum Kind {
        case network, status, contentType, syntax, bodySizeLimit, sampleLimit, labelLimit, targetLimit, labels
        case bucketLimit, store
        /// Scraping ends: neither the samples nor the failure are stored.
        case cancelled
    }
    var kind: Kind
    var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
