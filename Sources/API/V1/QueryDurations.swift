import PromQL
import Telemetry

/// The metrics of queries and of rules, under Prometheus's names.
final class QueryDurations: Sendable {
    /// One part of a query's time.
    private struct Slice {
        let summary: SummaryMetric
        let histogram: HistogramMetric

        init(_ name: String, _ metrics: MetricRegistry) {
            summary = metrics.summary(
                "prometheus_engine_query_duration_seconds", "Query timings", ["slice": name])
            histogram = metrics.histogram(
                "prometheus_engine_query_duration_histogram_seconds",
                "The duration of various parts of PromQL query execution.", bounds: [0.01, 0.1, 1, 10],
                ["slice": name])
        }

        func observe(_ seconds: Double) {
            summary.observe(seconds)
            histogram.observe(seconds)
        }
    }

    private let queue: Slice
    private let prepare: Slice
    private let inner: Slice
    private let samples: Counter

    init(_ metrics: MetricRegistry) {
        queue = Slice("queue_time", metrics)
        prepare = Slice("prepare_time", metrics)
        inner = Slice("inner_eval", metrics)
        // Results are computed in their order, so nothing is ever observed for this one.
        _ = Slice("result_sort", metrics)
        samples = metrics.counter(
            "prometheus_engine_query_samples_total", "The total number of samples loaded by all queries.")
    }

    func observe(_ record: QueryRecord) {
        let statistics = record.statistics
        queue.observe(statistics.queueTime)
        // A query that was not evaluated has no other times.
        guard record.error == nil else { return }
        prepare.observe(statistics.preparationTime)
        inner.observe(statistics.evaluationTime)
        samples.increment(by: statistics.totalSamples)
    }
}
