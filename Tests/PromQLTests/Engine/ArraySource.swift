import Model
import Synchronization

/// Series in an array, for tests of the engine.
final class ArraySource: SeriesSource {
    struct Series {
        var labels: Labels
        var samples: [(time: Int64, value: Double)]
        var histograms: [(time: Int64, value: FloatHistogram)] = []
        /// Start timestamps by the times of the samples.
        var starts = StartTimes()
    }

    let series: [Series]
    private let read = Atomic<Int>(0)
    /// How often a series was read.
    var reads: Int { read.load(ordering: .relaxed) }

    init(_ series: [Series]) { self.series = series.sorted { $0.labels < $1.labels } }

    func matching(_ matchers: [Matcher]) -> [Series] {
        series.filter { series in matchers.allSatisfy { $0.matches(series.labels) } }
    }

    func select(_ request: SelectRequest) -> any SeriesSet {
        ArraySet(
            matching(request.matchers).map { series in
                Series(
                    labels: series.labels,
                    samples: series.samples.filter { $0.time >= request.minTime && $0.time <= request.maxTime },
                    histograms: series.histograms.filter { $0.time >= request.minTime && $0.time <= request.maxTime },
                    starts: series.starts)
            }.filter { !$0.samples.isEmpty || !$0.histograms.isEmpty }
        ) { self.read.wrappingAdd(1, ordering: .relaxed) }
    }

    func labelNames(_ request: SelectRequest) -> [String] { [] }

    func labelValues(_ name: String, _ request: SelectRequest) -> [String] { [] }
}

private final class ArraySet: SeriesSet {
    private let series: [ArraySource.Series]
    private let didRead: @Sendable () -> Void

    init(_ series: [ArraySource.Series], didRead: @escaping @Sendable () -> Void) {
        self.series = series
        self.didRead = didRead
    }

    var count: Int { series.count }

    func labels(_ index: Int) -> Labels { series[index].labels }

    func read(_ index: Int, into columns: inout SampleColumns) {
        didRead()
        columns.removeAll()
        columns.starts = series[index].starts
        var rest = series[index].histograms[...]
        func appendHistograms(before time: Int64) {
            while let next = rest.first, next.time < time { columns.append(next.time, rest.removeFirst().value) }
        }
        for sample in series[index].samples {
            appendHistograms(before: sample.time)
            columns.append(sample.time, sample.value)
        }
        appendHistograms(before: .max)
    }
}
