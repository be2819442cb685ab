import Model
import Synchronization

/// A number of processed samples.
struct SampleCount: Sendable {
    /// The count with repetitions: a sample counts at each step that uses it.
    var looked = 0
    /// The count without repetitions: a sample of a window counts once, when it comes into the window.
    ///
    /// The samples of instant selectors count at each step.
    var new = 0

    static func += (a: inout SampleCount, b: SampleCount) {
        a.looked &+= b.looked
        a.new &+= b.new
    }
}

/// The numbers of processed samples for each step of a query; only counted with `stats=all`.
final class SamplesPerStep: Sendable {
    private let grid: StepGrid
    private let counts: Mutex<[SampleCount]>

    init(_ grid: StepGrid) {
        self.grid = grid
        counts = Mutex([SampleCount](repeating: SampleCount(), count: grid.count))
    }

    var values: (looked: [Int], new: [Int]) { counts.withLock { ($0.map(\.looked), $0.map(\.new)) } }

    /// Counts the samples of one series of an instant selector.
    ///
    /// - Parameters:
    ///   - grid: The steps of the column, which may be those of a subquery.
    ///   - isFixed: Whether all steps have the same time because of `@`.
    func add(
        _ column: UnsafeBufferPointer<Double>, _ histograms: [HistogramBox?], _ grid: StepGrid, isFixed: Bool
    ) {
        counts.withLock { counts in
            for i in 0..<min(column.count, grid.count) {
                var found = Column.isFloat(column[i]) ? 1 : 0
                if i < histograms.count, let box = histograms[i] { found &+= box.histogram.sampleCost }
                add(SampleCount(looked: found, new: isFixed && i > 0 ? 0 : found), at: i, of: grid, &counts)
            }
        }
    }

    /// Counts the samples in the window of a series at one step of `grid`.
    func add(_ count: SampleCount, at step: Int, of grid: StepGrid) {
        counts.withLock { add(count, at: step, of: grid, &$0) }
    }

    /// Counts the samples in the windows of a series.
    func add(_ samples: borrowing SampleColumns, _ plan: WindowPlan) {
        let times = samples.timestamps
        let count = samples.count
        counts.withLock { counts in
            var (low, high, seen) = (0, 0, 0)
            for i in 0..<plan.grid.count {
                let end = plan.end(i)
                while high < count, times[high] <= end { high &+= 1 }
                while low < high, times[low] <= end &- plan.length { low &+= 1 }
                add(SampleCount(looked: high &- low, new: high &- max(low, seen)), at: i, of: plan.grid, &counts)
                seen = max(seen, high)
            }
        }
    }

    /// Adds a count to a step of the query.
    ///
    /// The steps of a subquery are not steps of the query. Only its new samples are counted, at the first step of the
    /// query that is not before them.
    private func add(_ count: SampleCount, at step: Int, of other: StepGrid, _ counts: inout [SampleCount]) {
        if other.start == grid.start, other.step == grid.step, other.count == grid.count {
            counts[step] += count
            return
        }
        let (distance, overflow) = other.time(step).subtractingReportingOverflow(grid.start)
        let index = overflow || distance <= 0 ? 0 : (distance - 1) / grid.step + 1
        counts[Int(min(index, Int64(grid.count - 1)))].new &+= count.new
    }
}
