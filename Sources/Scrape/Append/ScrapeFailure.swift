/// Why a scrape as a whole is worth nothing.
struct ScrapeFailure: Error, CustomStringConvertible {
    /// What the failure is counted as.
    enum Kind {
        case network, status, contentType, syntax, bodySizeLimit, sampleLimit, labelLimit, targetLimit, labels
        case bucketLimit, store
        /// Scraping ends: nothing of the page is stored, nor that it was not.
        case cancelled
    }
    var kind: Kind
    var description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
