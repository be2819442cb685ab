import Model
import Synchronization

/// A store that keeps every sample in arrays, and rejects what a real one would.
final class ArrayStore: SampleStore {
    struct Stored: Equatable {
        var time: Int64
        var value: Double
        /// The start timestamp; 0 if there is none.
        var start: Int64 = 0
        static func == (a: Stored, b: Stored) -> Bool {
            a.time == b.time && a.value.bitPattern == b.value.bitPattern
        }
    }
    struct State {
        var byLabels: [Labels: Int] = [:]
        var series: [(labels: Labels, samples: [Stored])] = []
        var forgotten: Set<UInt64> = []
        var resolved = 0
        /// The most series; more do not fit.
        var mostSeries = Int.max
        var commits: [Int] = []
        var exemplars: [(Labels, Exemplar)] = []
        var metadata: [String: MetricMetadata] = [:]
        var groups: [String] = []
        var closed: Set<UInt32> = []
        var decimals: [(Int64, Int8, Double)] = []
        /// Whether commits fail.
        var isBroken = false
    }
    let state = Mutex(State())

    func openGroup(_ name: String) -> SeriesGroup {
        state.withLock { state in
            state.groups.append(name)
            return SeriesGroup(raw: UInt32(state.groups.count))
        }
    }

    func closeGroup(_ group: SeriesGroup) { state.withLock { _ = $0.closed.insert(group.raw) } }

    func find(_ labels: Labels) -> SeriesRef? {
        state.withLock { $0.byLabels[labels] }.map { SeriesRef(raw: UInt64($0) + 1) }
    }

    struct ClosedGroup: Error {}
    struct Broken: Error {}

    func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef {
        try state.withLock { state in
            state.resolved += 1
            let index = state.byLabels[labels] ?? state.series.count
            if index == state.series.count {
                guard index < state.mostSeries else { throw StoreFull(description: "limit reached: some series") }
                state.series.append((labels, []))
                state.byLabels[labels] = index
            }
            state.forgotten.remove(UInt64(index + 1))
            return SeriesRef(raw: UInt64(index + 1))
        }
    }

    func commit(_ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability) throws -> CommitOutcome {
        let batch = copy batch
        return try state.withLock { state in
            if state.closed.contains(group.raw) { throw ClosedGroup() }
            if state.isBroken { throw Broken() }
            var outcome = CommitOutcome()
            state.commits.append(batch.count)
            for i in 0..<batch.count {
                let ref = batch.refs[i].raw
                guard ref > 0, ref <= state.series.count, !state.forgotten.contains(ref) else {
                    outcome.rejected.append((i, .unknownSeries))
                    continue
                }
                let index = Int(ref) - 1
                let sample = Stored(
                    time: batch.timestamps.isEmpty ? batch.timestamp : batch.timestamps[i], value: batch.values[i],
                    start: batch.starts.first { $0.index == i }?.start ?? 0)
                if let last = state.series[index].samples.last, last.time >= sample.time {
                    if batch.optional.contains(i) { continue }
                    if last == sample {
                        outcome.appended += 1
                    } else {
                        outcome.rejected.append((i, last.time == sample.time ? .duplicate : .outOfOrder))
                    }
                    continue
                }
                if batch.scales[i] != SampleBatch.notDecimal {
                    state.decimals.append((batch.mantissas[i], batch.scales[i], batch.values[i]))
                }
                state.series[index].samples.append(sample)
                outcome.appended += 1
            }
            for (ref, exemplar) in batch.exemplars where ref.raw > 0 && ref.raw <= state.series.count {
                state.exemplars.append((state.series[Int(ref.raw) - 1].labels, exemplar))
            }
            return outcome
        }
    }

    func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {
        state.withLock { state in
            for (metric, value) in metadata { state.metadata[metric] = value }
        }
    }

    /// Makes the store forget all its series.
    func forgetAll() {
        state.withLock { state in state.forgotten = Set((0..<state.series.count).map { UInt64($0 + 1) }) }
    }

    /// All samples by the printed labels.
    var samples: [String: [Stored]] {
        state.withLock { state in
            Dictionary(state.series.map { ($0.labels.metricDescription, $0.samples) }, uniquingKeysWith: { $1 })
        }
    }

    /// The start timestamps of one series in order.
    func starts(_ series: String) -> [Int64] { (samples[series] ?? []).map(\.start) }

    /// The values of one series in order; a staleness marker is nil.
    func values(_ series: String) -> [Double?] {
        (samples[series] ?? []).map { Staleness.isMarker($0.value) ? nil : $0.value }
    }
}
