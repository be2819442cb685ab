import Model
import PromQL
import Synchronization

/// A storage in memory for rule unit tests and small tools: stores batches and returns series.
///
/// Histograms get the reset hints of a storage with chunks. Out-of-order samples are rejected; a batch of the daemon's
/// own, with a delay, replaces the samples after it.
package final class ArrayStore: SampleStore, SeriesSource {
    private struct Series: Sendable {
        var labels: Labels
        var timestamps: [Int64] = []
        var values: [Double] = []
        var histograms: [Int: FloatHistogram] = [:]

        mutating func removeAll(from time: Int64) {
            let kept = timestamps.firstIndex { $0 >= time } ?? timestamps.count
            timestamps.removeLast(timestamps.count - kept)
            values.removeLast(values.count - kept)
            histograms = histograms.filter { $0.key < kept }
        }
    }

    private struct State: Sendable {
        var series: [Series] = []
        var byLabels: [Labels: Int] = [:]
        var selects = 0
    }

    /// The number of times that series were selected.
    package var selects: Int { state.withLock { $0.selects } }

    private let state = Mutex(State())

    package init() {}

    package func openGroup(_ name: String) -> SeriesGroup { SeriesGroup(raw: 0) }
    package func closeGroup(_ group: SeriesGroup) {}
    package func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {}

    package func resolve(_ labels: Labels, in group: SeriesGroup) -> SeriesRef {
        state.withLock { state in
            if let index = state.byLabels[labels] { return SeriesRef(raw: UInt64(index) + 1) }
            state.series.append(Series(labels: labels))
            state.byLabels[labels] = state.series.count - 1
            return SeriesRef(raw: UInt64(state.series.count))
        }
    }

    package func find(_ labels: Labels) -> SeriesRef? {
        state.withLock { $0.byLabels[labels] }.map { SeriesRef(raw: UInt64($0) + 1) }
    }

    package func commit(
        _ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability
    ) throws -> CommitOutcome {
        var outcome = CommitOutcome()
        let histograms = [Int: FloatHistogram](batch.histograms.map { ($0.index, $0.histogram) }) { $1 }
        for index in 0..<batch.count {
            let time = batch.timestamps.isEmpty ? batch.timestamp : batch.timestamps[index]
            let rejection = append(
                batch.refs[index], batch.values[index], histograms[index], at: time,
                isOwn: batch.delay != nil && time == batch.timestamp)
            if let rejection {
                outcome.rejected.append((index, rejection))
            } else {
                outcome.appended += 1
            }
        }
        return outcome
    }

    private func append(
        _ ref: SeriesRef, _ value: Double, _ histogram: FloatHistogram?, at time: Int64, isOwn: Bool
    ) -> SampleRejection? {
        state.withLock { state in
            guard ref.raw > 0, ref.raw <= state.series.count else { return .unknownSeries }
            let at = Int(ref.raw) - 1
            // The wall clock was set back: the daemon's own samples start again.
            if isOwn, let last = state.series[at].timestamps.last, time < last {
                state.series[at].removeAll(from: time)
            }
            if let last = state.series[at].timestamps.last {
                if time < last { return .outOfOrder }
                if time == last {
                    let count = state.series[at].values.count
                    let isSame =
                        histogram == nil && state.series[at].histograms[count - 1] == nil
                        && state.series[at].values[count - 1].bitPattern == value.bitPattern
                    return isSame ? nil : .duplicate
                }
            }
            if let histogram { state.series[at].histograms[state.series[at].values.count] = histogram }
            state.series[at].timestamps.append(time)
            state.series[at].values.append(histogram == nil ? value : .nan)
            return nil
        }
    }

    // MARK: Reading

    private final class Selection: SeriesSet {
        let series: [Series]
        let request: SelectRequest

        init(_ series: [Series], _ request: SelectRequest) {
            self.series = series
            self.request = request
        }

        var count: Int { series.count }
        func labels(_ index: Int) -> Labels { series[index].labels }

        func read(_ index: Int, into columns: inout SampleColumns) {
            columns.removeAll()
            let series = series[index]
            var hints = ChunkHints()
            for position in series.timestamps.indices {
                let time = series.timestamps[position]
                guard time <= request.maxTime else { return }
                let histogram = series.histograms[position].map { hints.hinted($0) }
                if histogram == nil, !series.histograms.isEmpty { hints.meetFloat() }
                guard time >= request.minTime else { continue }
                if let histogram {
                    columns.append(time, histogram)
                } else {
                    columns.append(time, series.values[position])
                }
            }
        }
    }

    package func select(_ request: SelectRequest) -> any SeriesSet {
        let all = state.withLock { state in
            state.selects += 1
            return state.series
        }
        var matching = all.filter { series in
            series.timestamps.contains { $0 >= request.minTime && $0 <= request.maxTime }
                && request.matchers.allSatisfy { $0.matches(series.labels) }
        }
        matching.sort { $0.labels < $1.labels }
        if request.limit > 0 { matching = Array(matching.prefix(request.limit)) }
        return Selection(matching, request)
    }

    package func labelNames(_ request: SelectRequest) -> [String] {
        let series = select(request)
        let names = (0..<series.count).flatMap { series.labels($0).pairs.map(\.name) }
        return Set(names).sorted { $0.isExactlyBefore($1) }
    }

    package func labelValues(_ name: String, _ request: SelectRequest) -> [String] {
        let series = select(request)
        let values = (0..<series.count).compactMap { series.labels($0)[name] }
        return Set(values).sorted { $0.isExactlyBefore($1) }
    }
}
