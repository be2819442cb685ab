import Model

/// The range functions that see start timestamps, on all windows of one series of floats that has some
/// (`--enable-feature=use-start-timestamps`).
///
/// A counter that began anew between two samples is known to have, even if its value did not fall; and one that began
/// within the window was 0 then, which no extrapolation has to guess.
struct StartTimeWindows {
    /// Two samples of which the later one says that it began before the earlier one, and not when that one did.
    private(set) var hasOverlap = false

    static func has(_ function: RangeFunction) -> Bool {
        switch function {
        case .rate, .increase, .irate, .resets: true
        default: false
        }
    }

    /// Fills `out` with the function's value for each window.
    mutating func evaluate(
        _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ table: WindowTable, _ out: inout [Double]
    ) {
        let starts = (0..<samples.count).map { samples.starts.start(at: samples.timestamps[$0]) }
        for i in 0..<plan.grid.count {
            let low = Int(table.bounds[i].low)
            let window = Window(samples, plan, table, i)
            out[i] =
                window.count == 0
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
            if starts[first + i] != 0, starts[first + i] < w.times[i - 1], starts[first + i] != starts[first + i - 1] {
                hasOverlap = true
            }
            if isReset(i) { increase += w.values[i - 1] }
        }
        let start = starts[first]
        let isRate = function == .rate
        guard w.start < start, start < w.times[0] else {
            guard w.count >= 2 else { return Column.absent }
            return RateWindow(w.times, w.count, w.start, w.end, isRate: isRate).extrapolated(w.values[0], increase)
        }
        increase += w.values[0]
        return RateWindow(w.times, w.count, w.start, w.end, isRate: isRate, from: start).extrapolated(increase)
    }

    /// Whether a counter began anew between two samples, by what they say of when they began.
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
}
