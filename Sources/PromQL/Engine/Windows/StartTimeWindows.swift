import Model

/// The range functions that see start timestamps, on the windows of the floats of a series that has some
/// (`--enable-feature=use-start-timestamps`).
///
/// A counter that began again between two samples is known to have, even if its value did not fall; and one that began
/// within the window was 0 then, which no extrapolation has to guess.
struct StartTimeWindows {
    /// Two samples of which the later one says that it began before the earlier one, and not when that one did.
    private(set) var hasOverlap = false

    static func overlapWarning(_ metric: String) -> String {
        "sample has start time that overlaps with previous sample timestamp for metric \(Quoted.text(metric))"
    }

    /// Fills `out` with the function's value for each window.
    ///
    /// - Parameter isWanted: Says of each window, in ascending order, whether it is looked at; the others have no value.
    mutating func evaluate(
        _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ table: WindowTable, _ out: inout [Double],
        where isWanted: (Int) -> Bool = { _ in true }
    ) throws(QueryError) {
        var checks = SampleChecks(plan.budget)
        let starts = (0..<samples.count).map { samples.starts.start(at: samples.timestamps[$0]) }
        for i in 0..<plan.grid.count {
            let low = Int(table.bounds[i].low)
            let window = Window(samples, plan, table, i)
            try checks.add(window.count)
            out[i] =
                !isWanted(i) || window.count == 0
                ? Column.absent : value(window, starts[low..<(low &+ window.count)], plan.function)
        }
    }

    private mutating func value(_ w: Window, _ starts: ArraySlice<Int64>, _ function: RangeFunction) -> Double {
        let first = starts.startIndex
        func isReset(_ i: Int) -> Bool {
            w.values[i] < w.values[i - 1]
                || Self.isReset(starts[first + i - 1], w.times[i - 1], starts[first + i], w.times[i])
        }
        switch function {
        case .resets: return Double((1..<max(1, w.count)).filter(isReset).count)
        case .irate:
            return WindowKernel.instant(w, isRate: true, isReset: w.count >= 2 && isReset(w.count - 1))
        default: break
        }
        var increase = w.values[w.count - 1] - w.values[0]
        for i in 1..<max(1, w.count) {
            if Self.isOverlap(starts[first + i - 1], w.times[i - 1], starts[first + i]) { hasOverlap = true }
            if isReset(i) { increase += w.values[i - 1] }
        }
        let isRate = function == .rate
        guard let start = Self.begin(starts[first], of: w.times[0], after: w.start) else {
            guard w.count >= 2 else { return Column.absent }
            return RateWindow(w.times, w.count, w.start, w.end, isRate: isRate).extrapolated(w.values[0], increase)
        }
        increase += w.values[0]
        return RateWindow(w.times, w.count, w.start, w.end, isRate: isRate, from: start).extrapolated(increase)
    }

    /// Whether a counter began again between two samples, by what they say of when they began.
    ///
    /// - Parameters:
    ///   - before: The earlier sample's start timestamp, ms; 0 if it says none.
    ///   - time: The earlier sample's time.
    ///   - start: The later sample's start timestamp.
    ///   - now: The later sample's time.
    static func isReset(_ before: Int64, _ time: Int64, _ start: Int64, _ now: Int64) -> Bool {
        guard start != 0, start < now, start >= time else { return false }
        // One that begins where the sample before lies is a delta, if that one has a beginning of its own. If it has
        // none, or just its own time, the sender knows only since when it looks.
        return start > time || before <= time && before != 0 && before != time
    }

    /// When a counter began, ms, if its first sample in a window says that it was within the window.
    ///
    /// - Parameters:
    ///   - start: What the sample says; 0 if it says nothing.
    ///   - time: The sample's time.
    ///   - edge: The open start of the window.
    static func begin(_ start: Int64, of time: Int64, after edge: Int64) -> Int64? {
        start != 0 && edge < start && start < time ? start : nil
    }

    /// Whether a sample says that it began before the one before it, at `time`, and not when that one did.
    static func isOverlap(_ before: Int64, _ time: Int64, _ start: Int64) -> Bool {
        start != 0 && start < time && start != before
    }
}

extension StartTimes {
    /// When a counter began, ms, if its first sample in a window, at `time`, says that it was within the window.
    func begin(of time: Int64, after edge: Int64) -> Int64? {
        isEmpty ? nil : StartTimeWindows.begin(start(at: time), of: time, after: edge)
    }

    /// Whether the counter began again between two neighbours, by what the samples at these times say.
    func hasReset(between before: Int64, and now: Int64) -> Bool {
        !isEmpty && StartTimeWindows.isReset(start(at: before), before, start(at: now), now)
    }

    /// Whether the later of two neighbours says that it began before the earlier one, and not when that one did.
    func overlap(between before: Int64, and now: Int64) -> Bool {
        !isEmpty && StartTimeWindows.isOverlap(start(at: before), before, start(at: now))
    }
}
