import Model

/// Whether the last scrape of a target worked.
package enum TargetHealth: String, Sendable {
    case unknown
    /// Sample `up` is 1.
    case up
    /// Sample `up` is 0.
    case down
}

/// What is known about a target, for the API.
package struct TargetStatus: Sendable {
    /// The job's name.
    package var pool: String
    /// All labels before relabelling.
    package var discoveredLabels: Labels
    /// The labels of its samples.
    package var labels: Labels
    package var url: String
    package var health = TargetHealth.unknown
    /// Why the last scrape failed; empty if it did not.
    package var lastError = ""
    /// When the last scrape began, ms since the epoch; 0 if there was none.
    package var lastScrape: Int64 = 0
    /// Seconds from the request to the commit.
    package var lastScrapeDuration = 0.0
    /// ms.
    package var interval: Int64
    /// ms.
    package var timeout: Int64
    /// Sample lines of the last scrape.
    package var samplesScraped = 0
    /// Bytes of the last page after decompression.
    package var bodySize = 0
}

/// A target that relabelling dropped.
package struct DroppedTarget: Sendable {
    package var pool: String
    package var discoveredLabels: Labels
}

/// What one target says about one metric family.
package struct TargetMetadata: Sendable {
    /// The labels of the target.
    package var target: Labels
    package var metric: String
    package var metadata: MetricMetadata
}
