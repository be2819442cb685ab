import Model
import Storage
import Telemetry

/// Metrics about the content of the storage, and about the samples that it rejects.
enum StorageMetrics {
    static func register(_ registry: MetricRegistry, _ store: TimeSeriesStore) {
        registry.addCollector { [weak store] in store?.metricFamilies() ?? [] }
        registry.addCollector { [weak store] in
            guard let store else { return [] }
            return refusals(store) + [
                MetricFamily(
                    name: "martlet_storage_healthy", help: "Whether the store accepts samples.", kind: .gauge,
                    samples: [.init(value: store.isHealthy ? 1 : 0)]),
                MetricFamily(
                    name: "martlet_storage_unlogged_samples",
                    help: "Samples that are in memory only, because the disk accepts no writes.", kind: .gauge,
                    samples: [.init(value: Double(store.unloggedSamples.inMemory))]),
                MetricFamily(
                    name: "martlet_storage_memory_bytes", help: "Memory of the head by content.", kind: .gauge,
                    samples: store.memory.map { .init(labels: [("part", $0.name)], value: Double($0.value)) }),
            ]
        }
    }

    private static func refusals(_ store: TimeSeriesStore) -> [MetricFamily] {
        func counter(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
            MetricFamily(name: name, help: help, kind: .counter, samples: [.init(value: Double(value))])
        }
        return [
            MetricFamily(
                name: "martlet_storage_rejected_samples_total",
                help: "Samples that were out of order, duplicates of others or too old.", kind: .counter,
                samples: store.rejectedCounts.map {
                    .init(labels: [("job", $0.job), ("reason", $0.reason.rawValue)], value: Double($0.count))
                }),
            counter(
                "martlet_storage_refused_samples_total",
                "Samples that were refused because the disk accepted no writes.",
                store.unloggedSamples.refused),
            counter(
                "martlet_storage_histograms_left_out_total",
                "Native histograms in the store's files that were skipped when they were read, because their "
                    + "parts contradict each other.", TimeSeriesStore.histogramsLeftOut),
            counter(
                "martlet_storage_refused_series_total",
                "Series that were not created because their labels are too long.", store.seriesRefused),
            counter(
                "martlet_storage_refused_metadata_total",
                "Metadata of metrics that was not stored because too much is stored already.",
                store.metadataRefused),
        ]
    }
}
