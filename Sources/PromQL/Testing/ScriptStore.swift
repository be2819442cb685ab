import Model
import Synchronization

/// The series that a test script has loaded.
///
/// Histograms get the reset hints of Prometheus's storage: a later histogram in a chunk is "not reset"; the hint of the
/// first in a chunk is unknown, even if it begins because of a reset.
package final class ScriptStore: SeriesSource {
    struct Sample {
        var time: Int64
        var value: SeriesNotation.Value
        /// The start timestamp, ms; 0 if it has none.
        var start: Int64 = 0
    }

    private let series = Mutex<[Labels: [Sample]]>([:])

    package init() {}

    /// Adds a sample; one at an existing time replaces the old one.
    package func append(_ labels: Labels, _ time: Int64, _ value: SeriesNotation.Value) {
        series.withLock { series in
            var samples = series[labels, default: []]
            let at = samples.firstIndex { $0.time >= time } ?? samples.count
            if at < samples.count, samples[at].time == time {
                samples[at].value = value
            } else {
                samples.insert(Sample(time: time, value: value), at: at)
            }
            series[labels] = samples
        }
    }

    /// Adds values with a distance of `gap` ms, the first at 0.
    ///
    /// - Parameter starts: The distance of each value's start timestamp from its time, ms; empty if there are none.
    package func append(
        _ labels: Labels, _ values: [SeriesNotation.Value?], gap: Int64, starts: [Int64?] = []
    ) {
        series.withLock { series in
            var samples = series[labels] ?? []
            for (index, value) in values.enumerated() {
                guard let value else { continue }
                let time = Int64(index) &* gap
                let offset = index < starts.count ? starts[index] : nil
                let sample = Sample(time: time, value: value, start: offset.map { time &+ $0 } ?? 0)
                if let last = samples.last, last.time >= time {
                    let at = samples.firstIndex { $0.time >= time } ?? samples.count
                    if samples[at].time == time { samples.remove(at: at) }
                    samples.insert(sample, at: at)
                } else {
                    samples.append(sample)
                }
            }
            series[labels] = samples
        }
    }

    private func matching(_ matchers: [Matcher]) -> [(Labels, [Sample])] {
        series.withLock { series in
            series.filter { entry in matchers.allSatisfy { $0.matches(entry.key) } }
                .map { ($0.key, Self.hinted($0.value)) }
        }
    }

    package func select(_ request: SelectRequest) throws -> any SeriesSet {
        var found: [ScriptSeriesSet.Series] = []
        for (labels, samples) in matching(request.matchers) {
            let inside = samples.filter { $0.time >= request.minTime && $0.time <= request.maxTime }
            if !inside.isEmpty { found.append(.init(labels: labels, samples: inside)) }
        }
        found.sort { $0.labels < $1.labels }
        if request.limit > 0, found.count > request.limit { found.removeSubrange(request.limit...) }
        return ScriptSeriesSet(found)
    }

    package func labelNames(_ request: SelectRequest) throws -> [String] {
        let names = Set(matching(request.matchers).flatMap { $0.0.pairs.map { ExactText($0.name) } })
        return names.sorted().map(\.text)
    }

    package func labelValues(_ name: String, _ request: SelectRequest) throws -> [String] {
        let values = Set(matching(request.matchers).compactMap { $0.0[name].map { ExactText($0) } })
        return values.sorted().map(\.text)
    }

    /// The samples with the hints of a storage with chunks.
    private static func hinted(_ samples: [Sample]) -> [Sample] {
        var samples = samples
        var hints = ChunkHints()
        for i in samples.indices {
            guard case .histogram(let histogram) = samples[i].value else {
                hints.meetFloat()
                continue
            }
            samples[i].value = .histogram(hints.hinted(histogram))
        }
        return samples
    }
}

/// The series of one read.
private final class ScriptSeriesSet: SeriesSet {
    struct Series: Sendable {
        var labels: Labels
        var samples: [ScriptStore.Sample]
    }

    private let series: [Series]

    init(_ series: [Series]) { self.series = series }

    var count: Int { series.count }

    func labels(_ index: Int) -> Labels { series[index].labels }

    func read(_ index: Int, into columns: inout SampleColumns) throws {
        columns.removeAll()
        for sample in series[index].samples {
            columns.starts.append(sample.start, from: sample.time)
            switch sample.value {
            case .float(let value): columns.append(sample.time, value)
            case .histogram(let histogram): columns.append(sample.time, histogram)
            }
        }
    }
}
