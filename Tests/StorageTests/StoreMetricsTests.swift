import Model
import Platform
import Telemetry
import TestSupport
import Testing

@testable import Storage

/// The store's metrics say what happened to it.
@Suite("Store metrics")
struct StoreMetricsTests {
    private func values(_ store: TimeSeriesStore) -> [String: Double] {
        var values: [String: Double] = [:]
        for family in store.metricFamilies() {
            for sample in family.samples {
                let type = sample.labels.first { $0.name == "type" }.map { "{" + $0.value + "}" } ?? ""
                let name = family.name.dropFirst("prometheus_tsdb_".count) + sample.suffix + type
                if !sample.labels.contains(where: { $0.name == "le" || $0.name == "quantile" }) {
                    values[String(name)] = sample.value
                }
            }
        }
        return values
    }

    private func commit(_ store: TimeSeriesStore, _ series: Int, at time: Int64, _ value: Double = 1) throws {
        let group = store.openGroup("g")
        var batch = SampleBatch(timestamp: time)
        for number in 0..<series {
            let labels = TimeSeriesStoreTests.labels(["__name__": "m\(number % 3)", "i": "\(number)"])
            batch.append(try store.resolve(labels, in: group), value)
        }
        _ = try store.commit(batch, in: group, durability: .synced)
    }

    @Test("the limits are those of the last reload")
    func limits() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        var settings = store.settings
        settings.retentionTime = 7_200_000
        settings.retentionSize = 1 << 30
        settings.maxExemplars = 5
        store.change(settings)
        let now = values(store)
        #expect(now["retention_limit_seconds"] == 7200)
        #expect(now["retention_limit_bytes"] == Double(1 << 30))
        #expect(now["exemplar_max_exemplars"] == 5)
        try store.close()
    }

    @Test("samples, series, chunks, blocks and the log are counted")
    func counts() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        #expect(values(store)["clean_start"] == 1)
        #expect(values(store)["head_min_time"] == Double(Int64.max))
        for minute in 0..<30 { try commit(store, 10, at: Int64(minute) * 60_000, Double(minute)) }
        // An older sample, and one with another value at the newest time, which is no number of the store's.
        try commit(store, 1, at: 29 * 60_000 - 1)
        try commit(store, 1, at: 29 * 60_000, 77)
        var now = values(store)
        #expect(now["head_samples_appended_total{float}"] == 300)
        #expect(now["head_samples_appended_total{histogram}"] == 0)
        #expect(now["out_of_order_samples_total{float}"] == 1)
        #expect(now["head_series"] == 10 && now["head_series_created_total"] == 10)
        #expect(now["head_max_time"] == Double(29 * 60_000))
        #expect(now["head_chunks"] == (now["head_chunks_created_total"] ?? 0) - (now["head_chunks_removed_total"] ?? 0))
        #expect((now["head_chunks"] ?? 0) >= 30)
        #expect((now["wal_fsync_duration_seconds_count"] ?? 0) >= 30)
        #expect((now["wal_segment_current"] ?? 0) >= 1 && (now["wal_storage_size_bytes"] ?? 0) > 0)
        #expect(now["head_active_appenders"] == 0 && now["head_appenders_created_total"] == 32)
        let chunks = now["head_chunks"] ?? 0
        store.runMaintenance()
        now = values(store)
        #expect((now["compactions_total"] ?? 0) >= 1 && now["compactions_failed_total"] == 0)
        #expect((now["compaction_duration_seconds_count"] ?? 0) == now["compactions_total"])
        #expect((now["blocks_loaded"] ?? 0) >= 1 && (now["storage_blocks_bytes"] ?? 0) > 0)
        #expect((now["symbol_table_size_bytes"] ?? 0) > 0)
        #expect((now["head_chunks"] ?? 0) < chunks && (now["head_chunks_removed_total"] ?? 0) > 0)
        #expect(now["head_chunks"] == (now["head_chunks_created_total"] ?? 0) - (now["head_chunks_removed_total"] ?? 0))
        #expect((now["head_gc_duration_seconds_count"] ?? 0) >= 1)
        #expect(now["lowest_timestamp"] == 0)
        #expect((now["checkpoint_creations_total"] ?? 0) >= 1 && (now["wal_truncate_duration_seconds_count"] ?? 0) >= 1)
        try store.close()

        // After a clean end nothing is left to read; after a kill there is.
        let second = try TimeSeriesStoreTests.open(directory.path)
        #expect(values(second)["clean_start"] == 1)
        #expect(values(second)["head_series_created_total"] == values(second)["head_series"])
        try commit(second, 10, at: 40 * 60_000)
        second.abandon()
        let third = try TimeSeriesStoreTests.open(directory.path)
        now = values(third)
        #expect(now["clean_start"] == 0)
        #expect(now["head_chunks"] == (now["head_chunks_created_total"] ?? 0) - (now["head_chunks_removed_total"] ?? 0))
        try third.close()
    }

    @Test("labels are counted as Prometheus counts them, and the lists hold the largest")
    func labels() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        try commit(store, 9, at: 1000)
        try commit(store, 10, at: 2000)
        let statistics = store.statistics(limit: 2)
        #expect(statistics.labelPairs == 13)
        #expect(statistics.seriesByMetric.map(\.name) == ["m0", "m1"])
        #expect(statistics.seriesByMetric.map(\.value) == [4, 3])
        #expect(statistics.valuesByLabel.map(\.name) == ["i", "__name__"])
        #expect(statistics.valuesByLabel.map(\.value) == [10, 3])
        // Names and values with the byte of their length: 10 × (9 + 3) and 10 × (2 + 2).
        #expect(statistics.bytesByLabel.map(\.value) == [120, 40])
        #expect(statistics.seriesByPair.first?.name == "__name__=m0")
        try store.close()
    }

    @Test("a list of the largest keeps them, whatever the order in which they come")
    func topList() {
        let seed = SeededRandom.runSeed
        var generator = SeededRandom(seed: seed)
        func random(_ below: Int) -> Int { Int.random(in: 0..<below, using: &generator) }
        for _ in 0..<200 {
            let numbers = (0..<random(60)).map { _ in random(20) }
            let limit = random(10)
            var list = TopList(limit)
            for (at, number) in numbers.enumerated() { list.add(number) { "\(at)" } }
            #expect(list.entries.map(\.value) == numbers.sorted(by: >).prefix(limit).map { $0 }, "seed \(seed)")
        }
    }
}
