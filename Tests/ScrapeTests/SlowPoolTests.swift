import Config
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Scrape

/// Jobs with so many targets, or such large ones, that making them takes long.
@Suite("Pools that change slowly")
struct SlowPoolTests {
    /// A store that makes no group of the job `slow` until it is let.
    private final class HoldingStore: SampleStore {
        let stored = ArrayStore()
        let entered = TimedSemaphore(value: 0)
        let go = TimedSemaphore(value: 0)

        func openGroup(_ name: String) -> SeriesGroup {
            if name.hasPrefix("slow ") {
                entered.signal()
                _ = go.wait(milliseconds: 60_000)
            }
            return stored.openGroup(name)
        }
        func closeGroup(_ group: SeriesGroup) { stored.closeGroup(group) }
        func find(_ labels: Labels) -> SeriesRef? { stored.find(labels) }
        func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef {
            try stored.resolve(labels, in: group)
        }
        func commit(
            _ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability
        ) throws -> CommitOutcome { try stored.commit(batch, in: group, durability: durability) }
        func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {}
    }

    private static func configuration(_ jobs: [String]) throws -> Configuration {
        let text =
            "scrape_configs:\n"
            + jobs.map { "- {job_name: \($0), scrape_interval: 1d, static_configs: [{targets: ['\($0):1']}]}\n" }
            .joined()
        return try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
    }

    @Test("while a job's targets are made, other jobs, the lists and the metrics do not wait")
    func others() async throws {
        let store = HoldingStore()
        let metrics = MetricRegistry()
        let manager = ScrapeManager(store: store, clock: StandingClock(1_000_000), metrics: metrics)
        defer { manager.shutdown() }
        manager.apply(try Self.configuration(["a"]))
        let both = try Self.configuration(["a", "slow"])
        let slow = BlockingCall.task { manager.apply(both) }
        #expect(store.entered.wait(milliseconds: 60_000))
        // None of these returns before the end of the test if it waits for the slow job.
        #expect(manager.targets().map(\.pool) == ["a"])
        #expect(manager.pools() == ["a", "slow"])
        #expect(manager.metadata().isEmpty && manager.droppedTargets().targets.isEmpty)
        #expect(metrics.families().contains { $0.name == "prometheus_target_metadata_cache_entries" })
        manager.apply(try Self.configuration(["a", "slow", "b"]))
        #expect(manager.targets().map(\.pool) == ["a", "b"])
        store.go.signal()
        await slow.value
        #expect(manager.targets().map(\.pool) == ["a", "b", "slow"])
    }

    @Test("a job that is removed while its targets are made leaves none behind")
    func removed() async throws {
        let store = HoldingStore()
        let manager = ScrapeManager(store: store, clock: StandingClock(1_000_000), metrics: MetricRegistry())
        defer { manager.shutdown() }
        let configuration = try Self.configuration(["slow"])
        let slow = BlockingCall.task { manager.apply(configuration) }
        #expect(store.entered.wait(milliseconds: 60_000))
        let removal = BlockingCall.task { manager.apply(Configuration()) }
        while !manager.pools().isEmpty { await Task.yield() }
        #expect(manager.targets().isEmpty)
        store.go.signal()
        await slow.value
        await removal.value
        #expect(manager.targets().isEmpty)
    }

    @Test("a target with very many labels is made in linear time")
    func manyLabels() throws {
        let labels = (0..<40_000).map { "__meta_l\(40_000 - $0): v, __param_p\($0): v" }.joined(separator: ", ")
        let rules = "[{action: labelmap, regex: __meta_(.*9)}, {action: labeldrop, regex: '.*99'}]"
        let time = try ContinuousClock().measure {
            let manager = try TargetTests.manager(
                "  static_configs: [{targets: ['a:1'], labels: {\(labels)}}]\n  relabel_configs: \(rules)")
            defer { manager.shutdown() }
            let found = try #require(manager.targets().first)
            #expect(found.labels.count == 2 + 3600)
        }
        #expect(time < .seconds(60))
    }

    @Test("targets that cannot be made are counted, and the first of them are logged")
    func failures() throws {
        let metrics = MetricRegistry()
        let targets = Array(repeating: "'a:1'", count: 1000).joined(separator: ",")
        let manager = try TargetTests.manager(
            "  static_configs: [{targets: [\(targets)]}]\n"
                + "  relabel_configs: [{target_label: __address__, replacement: a/b}]", registry: metrics)
        defer { manager.shutdown() }
        let failed = metrics.families().first { $0.name == "prometheus_target_sync_failed_total" }
        #expect(failed?.samples.first?.value == 1000)
    }
}
