import Model

/// The windows of a grid over one sequence of timestamps; all series with the same timestamps share them.
final class WindowTable {
    /// The positions of the samples in each window; `high` is exclusive.
    private(set) var bounds: [(low: Int32, high: Int32)] = []
    /// The extrapolations of `rate` and `increase`; empty for other functions.
    private(set) var rates: [RateWindow] = []
    /// The number of samples in all windows, and of those that are new in a window.
    private(set) var counted = SampleCount()

    var heldBytes: Int { bounds.capacity &* 8 &+ rates.capacity &* MemoryLayout<RateWindow>.stride }

    init(_ samples: borrowing SampleColumns, _ plan: WindowPlan) {
        let (times, count) = (samples.timestamps, samples.count)
        let steps = plan.grid.count
        let isRate = plan.function == .rate
        let extrapolates = isRate || plan.function == .increase
        bounds.reserveCapacity(steps)
        if extrapolates { rates.reserveCapacity(steps) }
        var (low, high, seen) = (0, 0, 0)
        for i in 0..<steps {
            let end = plan.end(i)
            let start = end &- plan.length
            while high < count, times[high] <= end { high &+= 1 }
            while low < high, times[low] <= start { low &+= 1 }
            bounds.append((Int32(truncatingIfNeeded: low), Int32(truncatingIfNeeded: high)))
            counted.looked &+= high &- low
            counted.new &+= high &- max(low, seen)
            seen = max(seen, high)
            if extrapolates {
                rates.append(
                    RateWindow(UnsafePointer(times + low), high &- low, start, end, isRate: isRate))
            }
        }
    }
}

/// The extrapolation of a counter's increase within one window to the window's edges, as far as it depends only on
/// times.
struct RateWindow {
    /// The seconds from the window's start to the first sample, between the first and the last sample, and to the
    /// window's end.
    ///
    /// The distance to an edge is limited: if it is 1.1 times the mean distance of samples or more, it is half the mean
    /// distance.
    private var toStart = 0.0
    private var sampled = 0.0
    private var toEnd = 0.0
    /// The seconds of the window, by which a rate is divided; an increase does not use them.
    private var seconds = 1.0
    private var isRate = false
    /// The factor for a counter that was not near zero at the window's start.
    private var factor = 0.0

    /// - Parameter begin: The time within the window when the counter started, ms; nil if it is not known. If it is
    ///   known, one sample suffices, and nothing is extrapolated before it.
    init(
        _ times: UnsafePointer<Int64>, _ count: Int, _ start: Int64, _ end: Int64, isRate: Bool,
        from begin: Int64? = nil
    ) {
        guard count >= 2 || begin != nil else { return }
        toEnd = Double(end - times[count - 1]) / 1000
        seconds = Double(end - start) / 1000
        let between = Double(times[count - 1] - times[0]) / 1000
        if let begin {
            sampled = Double(times[count - 1] - begin) / 1000
        } else {
            sampled = between
            toStart = Double(times[0] - start) / 1000
        }
        self.isRate = isRate
        let average = between / Double(max(1, count - 1))
        let threshold = average * 1.1
        if toStart >= threshold { toStart = average / 2 }
        if toEnd >= threshold { toEnd = average / 2 }
        factor = extrapolation(toStart)
    }

    @inline(__always)
    private func extrapolation(_ toStart: Double) -> Double {
        let factor = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled
        return isRate ? factor / seconds : factor
    }

    /// The delta of a gauge that changed by `difference`, or the rate or increase of a counter whose start is known.
    func extrapolated(_ difference: Double) -> Double { difference * factor }

    /// The rate or increase of a counter whose first value in the window is `first`, and which grew by `increase`.
    @inline(__always)
    func extrapolated(_ first: Double, _ increase: Double) -> Double {
        guard increase > 0, first >= 0 else { return increase * factor }
        // If the extrapolated counter reaches zero clearly before the edge, this is known without a division. The
        // margin and the lower limit ensure that rounding does not change the decision.
        if first * sampled > toStart * increase * 1.000001, increase > 1e-280 {
            return increase * factor
        }
        let toZero = sampled * (first / increase)
        return toZero < toStart ? increase * extrapolation(toZero) : increase * factor
    }
}

/// The tables of the sequences of timestamps that were used last, of one thread.
///
/// It is a class, so that no table is copied when it is used for the next series.
final class WindowTables {
    private let plan: WindowPlan
    private var tables: [(key: UInt64, count: Int, table: WindowTable)] = []
    private var next = 0
    private var last = 0
    private let capacity: Int

    init(_ plan: WindowPlan) {
        self.plan = plan
        // About 2 MiB.
        capacity = max(2, min(64, 40_000 / max(1, plan.grid.count)))
    }

    /// The approximate bytes of all tables, which have the same size.
    var heldBytes: Int { tables.count &* (tables.first?.table.heldBytes ?? 0) }

    /// The table of the windows over the times of `samples`.
    func table(_ samples: borrowing SampleColumns) -> WindowTable {
        let (key, count) = (samples.timestampKey, samples.count)
        guard key != 0 else { return WindowTable(samples, plan) }
        // Most series have the same timestamps as the previous series.
        if last < tables.count, tables[last].key == key, tables[last].count == count {
            return tables[last].table
        }
        for i in tables.indices where tables[i].key == key && tables[i].count == count {
            last = i
            return tables[i].table
        }
        let table = WindowTable(samples, plan)
        if tables.count < capacity {
            last = tables.count
            tables.append((key, count, table))
        } else {
            last = next
            tables[next] = (key, count, table)
            next = (next + 1) % capacity
        }
        return table
    }
}
