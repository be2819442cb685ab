import Model
import Platform
import PromQL
import Telemetry

/// One element of an expression's result.
package struct RuleSample: Sendable {
    /// The labels with the metric name.
    package var labels: Labels
    /// The value; NaN if ``histogram`` is set.
    package var value: Double
    package var histogram: FloatHistogram?

    package init(labels: Labels, value: Double, histogram: FloatHistogram? = nil) {
        self.labels = labels
        self.value = value
        self.histogram = histogram
        // Results of queries count as computed, even those of plain selectors.
        self.histogram?.hasFloatCounts = true
    }
}

/// The result of an expression.
package enum RuleQueryResult: Sendable {
    case vector([RuleSample])
    case scalar(Double)
    /// A matrix or a string, which rules cannot use.
    case other

    /// The result of an instant query.
    package init(_ value: QueryValue) {
        switch value {
        case .scalar(let value): self = .scalar(value)
        case .vector(let columns):
            self = .vector(
                columns.compactMap { column in
                    guard let value = column.values.first, Column.isPresent(value) else { return nil }
                    if Column.isHistogram(value), let box = column.histograms.first, let box {
                        return RuleSample(labels: column.labels, value: .nan, histogram: box.histogram)
                    }
                    return RuleSample(labels: column.labels, value: value)
                })
        case .string, .matrix, .ranges: self = .other
        }
    }

    /// The samples for a template: in the order of labels, as in Prometheus's storage, unless the query orders its
    /// result.
    package func samples(forTemplate expression: Expression) throws(RuleError) -> [RuleSample] {
        let samples = try samples()
        return expression.choosesOrder ? samples : samples.sorted { $0.labels < $1.labels }
    }

    package func samples() throws(RuleError) -> [RuleSample] {
        switch self {
        case .vector(let samples): return samples
        case .scalar(let value): return [RuleSample(labels: .empty, value: value)]
        case .other: throw RuleError("rule result is not a vector or scalar")
        }
    }
}

/// The reason why a rule could not be evaluated.
package struct RuleError: Error, CustomStringConvertible, Sendable, Equatable {
    package var description: String

    package init(_ description: String) { self.description = description }
}

/// The file and the name of a group.
package struct RuleGroupPlace: Sendable, Hashable {
    @Exact package var file: String
    @Exact package var name: String
}

/// The functions and settings that the evaluation of rules needs from other parts.
package struct RuleEnvironment: Sendable {
    /// Evaluates an expression of a group's rule at a time in ms.
    package var query:
        @Sendable (_ expression: RuleExpression, _ time: Int64, _ group: RuleGroupPlace) throws -> RuleQueryResult
    /// Evaluates a text for a template; only vectors and scalars.
    package var queryText: @Sendable (_ text: String, _ time: Int64) throws -> [RuleSample]
    /// Prints a histogram for `{{ $value }}`.
    package var histogramText: @Sendable (FloatHistogram) -> String
    /// The storage of the results.
    package var store: any SampleStore
    /// The source of `ALERTS_FOR_STATE` for ``RuleRestorer``; nil if nothing has to be restored.
    package var source: (any SeriesSource)?
    /// The receiver of alerts; nil drops them.
    package var alerts: (any AlertSink)?
    package var clock: any Clock
    /// The labels of `global.external_labels`, for templates.
    package var externalLabels: Labels
    package var externalURL: String
    /// The interval at which a firing alert is sent again, ms.
    package var resendDelay: Int64
    /// The longest outage over which the `for` state is restored, ms.
    package var outageTolerance: Int64
    /// The shortest remaining wait of a restored pending alert, ms; shorter `for`s are not restored.
    package var forGracePeriod: Int64
    /// Evaluates independent rules of a group at the same time; nil to evaluate them one after the other.
    package var concurrent: Workers?
    let templateCounts = TemplateCounts()

    package init(
        query: @escaping @Sendable (RuleExpression, Int64, RuleGroupPlace) throws -> RuleQueryResult,
        queryText: @escaping @Sendable (String, Int64) throws -> [RuleSample],
        histogramText: @escaping @Sendable (FloatHistogram) -> String = { "{count:\($0.count), sum:\($0.sum)}" },
        store: any SampleStore, source: (any SeriesSource)? = nil, alerts: (any AlertSink)? = nil, clock: any Clock,
        externalLabels: Labels = .empty, externalURL: String = "", resendDelay: Int64 = 60_000,
        outageTolerance: Int64 = 3_600_000, forGracePeriod: Int64 = 600_000
    ) {
        self.query = query
        self.queryText = queryText
        self.histogramText = histogramText
        self.store = store
        self.source = source
        self.alerts = alerts
        self.clock = clock
        self.externalLabels = externalLabels
        self.externalURL = externalURL
        self.resendDelay = resendDelay
        self.outageTolerance = outageTolerance
        self.forGracePeriod = forGracePeriod
    }
}

extension Workers {
    /// Threads that evaluate independent rules at the same time, beside the groups' own threads.
    package static func rules(limit: Int) -> Workers {
        Workers("rule", limit: limit, stackSize: PromQLParser.stackSize)
    }
}
