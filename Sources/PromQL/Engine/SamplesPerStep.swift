import Model
import Synchronization

/// How many samples a query looked at for each of its steps; only counted with `stats=all`.
final class SamplesPerStep: Sendable {
    private let steps: Int
    private let counts: Mutex<[Int]>

    init(steps: Int) {
        self.steps = steps
        counts = Mutex([Int](repeating: 0, count: steps))
    }

    var values: [Int] { counts.withLock { $0 } }

    /// Counts the samples of an instant selector's series; a subquery's own steps are none of the query's.
    func add(_ column: UnsafeBufferPointer<Double>, _ histograms: [HistogramBox?] = []) {
        guard column.count == steps else { return }
        counts.withLock { counts in
            for i in 0..<steps {
                if Column.isFloat(column[i]) { counts[i] += 1 }
                if i < histograms.count, let box = histograms[i] { counts[i] += box.histogram.sampleCost }
            }
        }
    }

    /// Counts what a window of a series holds at one of `count` steps.
    func add(_ samples: Int, at step: Int, of count: Int) {
        if count == steps { counts.withLock { $0[step] += samples } }
    }

    /// Counts the samples in the windows of a series.
    func add(_ samples: borrowing SampleColumns, _ plan: WindowPlan) {
        guard plan.grid.count == steps else { return }
        let times = samples.timestamps
        let count = samples.count
        counts.withLock { counts in
            var (low, high) = (0, 0)
            for i in 0..<steps {
                let end = plan.end(i)
                while high < count, times[high] <= end { high &+= 1 }
                while low < high, times[low] <= end &- plan.length { low &+= 1 }
                counts[i] += high &- low
            }
        }
    }
}
