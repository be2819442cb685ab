import Model

/// Evaluates range functions on all windows of one series of floats.
enum FloatWindows {
    /// Fills `out` with the function's value for each window.
    ///
    /// - Parameter resets: Memory that is reused.
    static func evaluate(
        _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ table: WindowTable, _ parameters: [[Double]],
        _ resets: inout [Int32], _ out: UnsafeMutableBufferPointer<Double>
    ) throws(QueryError) {
        if plan.function == .rate || plan.function == .increase {
            findResets(samples, &resets)
            rates(samples, table, resets, out)
        } else {
            try windows(samples, plan, table, parameters, out)
        }
    }

    private static func windows(
        _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ table: WindowTable, _ parameters: [[Double]],
        _ out: UnsafeMutableBufferPointer<Double>
    ) throws(QueryError) {
        var scratch: [Double] = []
        var checks = SampleChecks(plan.budget)
        for i in 0..<plan.grid.count {
            let window = Window(samples, plan, table, i)
            try checks.add(window.count)
            if window.count == 0 {
                out[i] = Column.absent
                continue
            }
            switch plan.function {
            case .rate, .increase: break
            case .delta: out[i] = WindowKernel.delta(window)
            case .irate: out[i] = WindowKernel.instant(window, isRate: true)
            case .idelta: out[i] = WindowKernel.instant(window, isRate: false)
            case .resets: out[i] = WindowKernel.resets(window)
            case .changes: out[i] = WindowKernel.changes(window)
            case .deriv:
                out[i] =
                    window.count < 2 ? Column.absent : WindowKernel.regression(window, origin: window.times[0]).slope
            case .predictLinear:
                if window.count < 2 {
                    out[i] = Column.absent
                } else {
                    let line = WindowKernel.regression(window, origin: window.step)
                    out[i] = line.slope * parameters[0][i] + line.intercept
                }
            case .quantile:
                scratch.removeAll(keepingCapacity: true)
                scratch.append(contentsOf: UnsafeBufferPointer(start: window.values, count: window.count))
                out[i] = LinearQuantile.of(parameters[0][i], &scratch)
            case .smoothing: out[i] = WindowKernel.smoothing(window, parameters[0][i], parameters[1][i])
            case .sum: out[i] = WindowKernel.sum(window)
            case .avg: out[i] = WindowKernel.average(window)
            case .min: out[i] = WindowKernel.minimum(window)
            case .max: out[i] = WindowKernel.maximum(window)
            case .count: out[i] = Double(window.count)
            case .last: out[i] = window.values[window.count - 1]
            case .first: out[i] = window.values[0]
            case .present: out[i] = 1
            case .stdvar: out[i] = WindowKernel.variance(window)
            case .stddev: out[i] = WindowKernel.variance(window).squareRoot()
            case .mad:
                scratch.removeAll(keepingCapacity: true)
                scratch.append(contentsOf: UnsafeBufferPointer(start: window.values, count: window.count))
                out[i] = medianDeviation(&scratch)
            case .tsOfMin: out[i] = WindowKernel.timeOfExtreme(window, isMax: false)
            case .tsOfMax: out[i] = WindowKernel.timeOfExtreme(window, isMax: true)
            case .tsOfFirst: out[i] = Double(window.times[0]) / 1000
            case .tsOfLast: out[i] = Double(window.times[window.count - 1]) / 1000
            }
        }
    }

    /// Finds the positions of values that are below the previous value.
    private static func findResets(_ samples: borrowing SampleColumns, _ resets: inout [Int32]) {
        resets.removeAll(keepingCapacity: true)
        let (values, count) = (samples.values, samples.count)
        // Most counters have no resets. This loop has no branches, so that it processes several values at once.
        var found: UInt64 = 0
        for i in 1..<max(1, count) { found |= values[i] < values[i &- 1] ? 1 : 0 }
        if found == 0 { return }
        for i in 1..<max(1, count) where values[i] < values[i &- 1] { resets.append(Int32(truncatingIfNeeded: i)) }
    }

    /// Evaluates `rate` and `increase` in a separate loop, because they are the most frequent functions.
    private static func rates(
        _ samples: borrowing SampleColumns, _ table: WindowTable, _ resets: [Int32],
        _ out: UnsafeMutableBufferPointer<Double>
    ) {
        let values = samples.values
        var (resetLow, resetHigh) = (0, 0)
        table.bounds.withUnsafeBufferPointer { bounds in
            table.rates.withUnsafeBufferPointer { windows in
                for i in 0..<min(bounds.count, windows.count, out.count) {
                    let (low, high) = (Int(bounds[i].low), Int(bounds[i].high))
                    guard high &- low >= 2 else {
                        out[i] = Column.absent
                        continue
                    }
                    let first = values[low]
                    var increase = values[high &- 1] - first
                    if !resets.isEmpty {
                        while resetHigh < resets.count, Int(resets[resetHigh]) < high { resetHigh &+= 1 }
                        while resetLow < resetHigh, Int(resets[resetLow]) <= low { resetLow &+= 1 }
                        for reset in resets[resetLow..<resetHigh] { increase += values[Int(reset) &- 1] }
                    }
                    out[i] = windows[i].extrapolated(first, increase)
                }
            }
        }
    }

    private static func medianDeviation(_ values: inout [Double]) -> Double {
        if values.contains(where: \.isNaN) { return .nan }
        let median = LinearQuantile.of(0.5, &values)
        for i in values.indices { values[i] = abs(values[i] - median) }
        return LinearQuantile.of(0.5, &values)
    }
}
