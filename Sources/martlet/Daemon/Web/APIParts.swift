import API
import Model
import Notify
import Rules
import Scrape
import Storage

// The connections of the API to the parts.

extension ScrapeManager: TargetOverview {}

extension RuleManager: RuleOverview {}

extension Heartbeats: HeartbeatInput {}

extension AlertmanagerClient: AlertmanagerOverview {}

extension TimeSeriesStore: StoreAdministration {
    package var missingParts: [String] { leftOut.map(\.description) }

    package var retentionText: String {
        let settings = settings
        var parts: [String] = []
        if settings.retentionTime > 0 { parts.append(DurationText.format(settings.retentionTime)) }
        if settings.retentionSize > 0 { parts.append(ByteSize.format(settings.retentionSize)) }
        return parts.joined(separator: " or ")
    }

    package func figures(limit: Int) -> StoreFigures { StoreFigures(statistics(limit: limit)) }
}

extension StoreFigures {
    init(_ statistics: StoreStatistics) {
        self.init()
        series = statistics.series
        labelPairs = statistics.labelPairs
        chunks = statistics.chunks
        minTime = statistics.minTime
        maxTime = statistics.maxTime
        seriesByMetric = statistics.seriesByMetric
        valuesByLabel = statistics.valuesByLabel
        bytesByLabel = statistics.bytesByLabel
        seriesByPair = statistics.seriesByPair
    }
}
