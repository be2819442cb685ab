import Model

/// The range functions that use start timestamps, on the windows of the floats of a series that has some
/// (`--enable-feature=use-start-timestamps`).
///
/// Start timestamps show that a counter was reset between two samples, even if its value did not decrease. They also
/// show that a counter started within the window. It was 0 then, so that nothing has to be extrapolated before that
/// time.
struct StartTimeWindows {
    /// Whether there were two samples whose start timestamps overlap (see ``isOverlap(_:_:_:)``).
    private(set) var hasOverlap = false

    static func overlapWarning(_ metric: String) -> String {
        "sample has start time that overlaps with previous sample timestamp for metric \(Quoted.text(metric))"
    }

    /// Fills `out` with the function's value for each window.
    ///
    /// - Parameter isWanted: Returns whether a window is evaluated; it is called for the windows in ascending order.
    ///   All other windows have no value.
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

    /// Whether a counter was reset between two samples, by their start timestamps.
    ///
    /// - Parameters:
    ///   - before: The earlier sample's start timestamp, ms; 0 if it has none.
    ///   - time: The earlier sample's time.
    ///   - start: The later sample's start timestamp.
    ///   - now: The later sample's time.
    static func isReset(_ before: Int64, _ time: Int64, _ start: Int64, _ now: Int64) -> Bool {
        guard start != 0, start < now, start >= time else { return false }
        // If the later sample starts at the time of the earlier one, it is a delta, provided that the earlier one
        // started before its own time. If the earlier one has no start timestamp, or one equal to its own time, the
        // sender only knows when it began to observe the counter.
        return start > time || before <= time && before != 0 && before != time
    }

    /// The time when a counter started, ms, by its first sample in a window; nil unless it is within the window.
    ///
    /// - Parameters:
    ///   - start: The start timestamp of the sample; 0 if it has none.
    ///   - time: The sample's time.
    ///   - edge: The exclusive start of the window.
    static func begin(_ start: Int64, of time: Int64, after edge: Int64) -> Int64? {
        start != 0 && edge < start && start < time ? start : nil
    }

    /// Whether a sample starts before the time of the previous sample, and not at the start of the previous sample.
    ///
    /// - Parameters:
    ///   - before: The start timestamp of the previous sample, ms.
    ///   - time: The time of the previous sample, ms.
    ///   - start: The start timestamp of the sample, ms; 0 if it has none.
    static func isOverlap(_ before: Int64, _ time: Int64, _ start: Int64) -> Bool {
        start != 0 && start < time && start != before
    }
}

extension StartTimes {
    /// The time when a counter started, ms, by its first sample in a window, which is at `time`; nil unless it is
    /// within the window.
    func begin(of time: Int64, after edge: Int64) -> Int64? {
        isEmpty ? nil : StartTimeWindows.begin(start(at: time), of: time, after: edge)
    }

    /// Whether the counter was reset between two neighbours, by the start timestamps of the samples at these times.
    func hasReset(between before: Int64, and now: Int64) -> Bool {
        !isEmpty && StartTimeWindows.isReset(start(at: before), before, start(at: now), now)
    }

    /// Whether the start timestamps of two neighbours overlap (see ``StartTimeWindows/isOverlap(_:_:_:)``).
    func overlap(between before: Int64, and now: Int64) -> Bool {
        !isEmpty && StartTimeWindows.isOverlap(start(at: before), before, start(at: now))
    }
}
