import Model

/// The windows of a grid over one stream of timestamps; all series that have the stream share them.
final class WindowTable {
    /// Positions of the samples in each window.
    private(set) var bounds: [(low: Int32, high: Int32)] = []
    /// What `rate` and `increase` extrapolate by; empty for other functions.
    private(set) var rates: [RateWindow] = []
    /// Samples in all windows, and those that are new in a window.
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

/// What extrapolates a counter's increase within one window to the window's edges, as far as it depends on times only.
struct RateWindow {
    /// Seconds from the window's start to the first sample, those between first and last, those to the window's end;
    /// half the mean distance of samples where an edge is further away than a sample usually is.
    private var toStart = 0.0
    private var sampled = 0.0
    private var toEnd = 0.0
    /// Seconds of the window for a rate; 1 for an increase, which is not divided by it.
    private var seconds = 1.0
    private var isRate = false
    /// The factor of a counter that was well above zero.
    private var factor = 0.0

    /// - Parameter begin: Where the counter is known to have begun within the window, ms, if it is; one sample is enough
    ///   then, and nothing is guessed before it.
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

    /// The delta of a gauge, or the rate or increase of a counter whose begin is known, that changed by `difference`.
    func extrapolated(_ difference: Double) -> Double { difference * factor }

    /// The rate or increase of a counter that began the window at `first` and grew by `increase`.
    @inline(__always)
    func extrapolated(_ first: Double, _ increase: Double) -> Double {
        guard increase > 0, first >= 0 else { return increase * factor }
        // Where the counter reaches zero well before the edge, no division is needed to know it; the margin and the
        // bound keep what is rounded here from deciding otherwise.
        if first * sampled > toStart * increase * 1.000001, increase > 1e-280 {
            return increase * factor
        }
        let toZero = sampled * (first / increase)
        return toZero < toStart ? increase * extrapolation(toZero) : increase * factor
    }
}

/// The tables of the streams that were met last.
struct WindowTables {
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

    /// About the bytes of all tables: they are of one size.
    var heldBytes: Int { tables.count &* (tables.first?.table.heldBytes ?? 0) }

    /// The windows over the times of `samples`.
    mutating func table(_ samples: borrowing SampleColumns) -> WindowTable {
        let (key, count) = (samples.timestampKey, samples.count)
        guard key != 0 else { return WindowTable(samples, plan) }
        // Most series have the stream of the one before.
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
