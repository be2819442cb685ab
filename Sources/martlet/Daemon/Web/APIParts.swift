import API
import Config
import JSON
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

extension Notifier: NotificationOverview {
    package func matchers(_ filters: [String]) throws(NotificationQueryError) -> [Matcher] {
        var matchers: [Matcher] = []
        for filter in filters {
            do throws(ConfigError) {
                matchers += try AlertMatchers.parse(filter, ConfigPlace(file: "", line: 0, column: 0))
            } catch {
                throw NotificationQueryError("filter", error.message)
            }
        }
        return matchers
    }

    package func deliveries(_ query: NotificationQuery) throws(NotificationQueryError) -> [JSONValue] {
        var asked = DeliveryQuery()
        (asked.matchers, asked.receiver) = (query.matchers, query.receiver)
        (asked.since, asked.until, asked.limit) = (query.since, query.until, query.limit)
        if let text = query.fingerprint {
            guard text.utf8.count == 16, let raw = UInt64(text, radix: 16) else {
                throw NotificationQueryError("fingerprint", "it must have 16 hexadecimal digits")
            }
            asked.fingerprint = Fingerprint(raw: raw)
        }
        switch query.outcome {
        case nil: break
        case "delivered": asked.outcome = .delivered
        case "failed": asked.outcome = .failed
        default: throw NotificationQueryError("outcome", "it must be delivered or failed")
        }
        return deliveries(asked).map(\.json)
    }

    package func explanations(of matchers: [Matcher], limit: Int) -> [ExplainedAlert] {
        let explained: [AlertExplanation] = explanations(of: matchers, limit: limit)
        return explained.map { alert in
            ExplainedAlert(
                labels: alert.labels, members: alert.members,
                steps: alert.steps.map { ExplainedAlert.Step($0.kind.rawValue, $0.sentence, $0.details) })
        }
    }
}

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
