import Model

/// The functions of `anchored` and `smoothed` ranges, which compute the exact change between the window's edges,
/// without extrapolation.
struct ExtendedRange {
    private let plan: WindowPlan
    private let kind: RangeExtension
    /// The longest distance of a neighbour outside of the window, ms.
    private let lookback: Int64
    private let isCounter: Bool

    init(_ plan: WindowPlan, _ kind: RangeExtension, lookback: Int64) {
        self.plan = plan
        self.kind = kind
        self.lookback = lookback
        isCounter = plan.function == .rate || plan.function == .increase
    }

    /// Fills `out` with the function's value for each window.
    func evaluate(_ samples: borrowing SampleColumns, into out: inout [Double]) throws(QueryError) {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var checks = SampleChecks(plan.budget)
        var inside: [Double] = []
        // The edges of the windows never decrease.
        var (low, high, firstInside, endInside) = (0, 0, 0, 0)
        for i in 0..<plan.grid.count {
            out[i] = Column.absent
            let end = plan.end(i)
            let start = end &- plan.length
            // The samples that may be used: from the lookback before the window to its end, or for `smoothed` to the
            // lookback after its end.
            let upTo = kind == .smoothed ? end &+ lookback : end
            while low < count, times[low] <= start &- lookback { low += 1 }
            high = max(high, low)
            while high < count, times[high] <= upTo { high += 1 }
            guard high > low else { continue }
            try checks.add(high &- low)
            firstInside = max(firstInside, low)
            while firstInside < high, times[firstInside] <= start { firstInside += 1 }
            endInside = max(endInside, firstInside)
            while endInside < high, times[endInside] <= end { endInside += 1 }
            inside.removeAll(keepingCapacity: true)
            if kind == .anchored {
                guard endInside > firstInside else { continue }
                inside.append(firstInside > low ? values[firstInside - 1] : values[firstInside])
                for k in firstInside..<endInside { inside.append(values[k]) }
            } else {
                guard firstInside < high, times[low] <= end else { continue }
                let left = edge(start, after: firstInside, low..<high, samples)
                let right = edge(end, after: endInside, low..<high, samples)
                guard let left, let right else { continue }
                inside.append(left)
                for k in firstInside..<endInside { inside.append(values[k]) }
                inside.append(right)
            }
            out[i] = Self.value(plan.function, inside, seconds: Double(plan.length) / 1000)
        }
    }

    /// The value at `time`, interpolated between its neighbours; the value of one neighbour if the other is missing.
    ///
    /// - Parameters:
    ///   - after: The first sample after `time`.
    ///   - near: The samples that may be used.
    private func edge(
        _ time: Int64, after: Int, _ near: Range<Int>, _ samples: borrowing SampleColumns
    ) -> Double? {
        let (times, values, before) = (samples.timestamps, samples.values, after - 1)
        if before >= near.lowerBound, times[before] == time { return values[before] }
        guard before >= near.lowerBound else { return after < near.upperBound ? values[after] : nil }
        guard after < near.upperBound else { return values[before] }
        let (t1, t2, y2) = (times[before], times[after], values[after])
        var y1 = values[before]
        if isCounter, y2 < y1 { y1 = 0 }
        return y1 + (y2 - y1) * Double(time - t1) / Double(t2 - t1)
    }

    private static func value(_ function: RangeFunction, _ values: [Double], seconds: Double) -> Double {
        guard let first = values.first, let last = values.last else { return Column.absent }
        switch function {
        case .rate, .increase:
            var result = last - first
            for i in 1..<max(1, values.count) where values[i] < values[i - 1] { result += values[i - 1] }
            return function == .rate ? result / seconds : result
        case .delta: return last - first
        case .resets:
            return Double((1..<max(1, values.count)).count { values[$0] < values[$0 - 1] })
        case .changes:
            return Double(
                (1..<max(1, values.count)).count { i in
                    values[i] != values[i - 1] && !(values[i].isNaN && values[i - 1].isNaN)
                })
        default: return Column.absent
        }
    }
}
