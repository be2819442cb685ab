import Model

/// Whether the last scrape of a target succeeded.
package enum TargetHealth: String, Sendable {
    case unknown
    /// The sample `up` is 1.
    case up
    /// The sample `up` is 0.
    case down
}

/// The state of a target for the API.
package struct TargetStatus: Sendable {
    /// The job's name.
    package var pool: String
    /// All labels before relabelling.
    package var discoveredLabels: Labels
    /// The labels of its samples.
    package var labels: Labels
    package var url: String
    package var health = TargetHealth.unknown
    /// The error of the last scrape; empty if it succeeded.
    package var lastError = ""
    /// The time when the last scrape began, ms since the epoch; 0 if there was none.
    package var lastScrape: Int64 = 0
    /// The seconds from the request to the commit.
    package var lastScrapeDuration = 0.0
    /// ms.
    package var interval: Int64
    /// ms.
    package var timeout: Int64
    /// The number of sample lines of the last scrape.
    package var samplesScraped = 0
    /// The bytes of the last scrape body after decompression.
    package var bodySize = 0
}

/// A target that relabelling dropped.
package struct DroppedTarget: Sendable {
    package var pool: String
    package var discoveredLabels: Labels
}

/// The metadata of one metric family from one target.
package struct TargetMetadata: Sendable {
    /// The labels of the target.
    package var target: Labels
    package var metric: String
    package var metadata: MetricMetadata
}
