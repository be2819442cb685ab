import Glibc
import Model

extension Evaluator {
    /// Whether a call is a function of range vectors that works series by series.
    static func isRangeFunction(_ call: Call) -> Bool { RangeFunction(call.function.name) != nil }

    /// The range argument and the scalar ones of a range function.
    private func split(_ call: Call) -> (range: Expression, scalars: [Expression])? {
        guard let range = call.arguments.first(where: { $0.type == .matrix }) else { return nil }
        return (range, call.arguments.filter { $0.type == .scalar })
    }

    /// Evaluates a range function for each series over all steps.
    func rangeFunction(_ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        guard let function = RangeFunction(call.function.name), let (range, scalars) = split(call) else {
            throw QueryError.execution("not supported yet: \(call.function.name)")
        }
        // Prometheus 3.12 looks for the samples of a fixed subquery at the step's time and finds none.
        if function == .predictLinear, case .subquery(let subquery) = range, subquery.at != nil { return }
        var parameters: [[Double]] = []
        for expression in scalars { parameters.append(try scalar(expression, grid)) }
        try checkParameters(function, parameters, call)
        let length = windowLength(range)
        let plan = WindowPlan(evaluator: self, range: range, grid: grid, length: length)
        var seen: Set<Labels> = []
        let checksDuplicates = !function.keepsName
        var out = [Double](repeating: Column.absent, count: grid.count)
        let name = Self.metricName(range)
        var resets: [Int32] = []
        try rangeInput(range, grid) { series, samples, extended in
            let labels = series.labels
            var histograms: [HistogramBox?] = []
            let metric = name.isEmpty ? labels.metricName : name
            if !samples.histograms.isEmpty {
                histograms = try self.rangeWithHistograms(
                    function, call, self.remarkPlace(call, range), metric: labels.metricName, samples, plan, extended,
                    &out, parameters)
            } else if let extended {
                ExtendedRange.evaluate(
                    function, extended, samples, plan, lookback: self.options.lookbackDelta, into: &out)
            } else {
                resets.removeAll(keepingCapacity: true)
                if function == .rate || function == .increase {
                    for i in 1..<max(1, samples.count) where samples.values[i] < samples.values[i - 1] {
                        resets.append(Int32(truncatingIfNeeded: i))
                    }
                }
                let counted = try self.evaluateWindows(function, samples, plan, parameters, resets, &out)
                self.guardian.count(counted)
            }
            guard out.contains(where: Column.isPresent) else { return }
            let result = function.keepsName ? series : self.nameless(series)
            if checksDuplicates, !seen.insert(result.labels).inserted {
                throw QueryError.execution("vector cannot contain metrics with the same labelset")
            }
            if function == .quantile {
                for i in out.indices where Column.isFloat(out[i]) && !(parameters[0][i] >= 0 && parameters[0][i] <= 1) {
                    self.annotations.warn(
                        "quantile value should be between 0 and 1, got \(FloatText.general(parameters[0][i]))",
                        at: call.arguments[0].range)
                }
            }
            if out.contains(where: Column.isFloat) { self.remarkCounter(function, metric, call.arguments[0].range) }
            try out.withUnsafeBufferPointer { try sink(result, $0, histograms) }
        }
    }

    /// Where remarks about a function's samples point to: its first argument in Prometheus 3.12, the range later on.
    private func remarkPlace(_ call: Call, _ range: Expression) -> TextRange {
        call.function.name == "quantile_over_time" ? call.arguments[0].range : range.range
    }

    private func checkParameters(_ function: RangeFunction, _ parameters: [[Double]], _ call: Call) throws {
        switch function {
        case .smoothing:
            for sf in parameters[0] where sf <= 0 || sf >= 1 {
                throw QueryError.execution(
                    "invalid smoothing factor. Expected: 0 < sf < 1, got: \(Self.sixDecimals(sf))")
            }
            for tf in parameters[1] where tf <= 0 || tf >= 1 {
                throw QueryError.execution("invalid trend factor. Expected: 0 < tf < 1, got: \(Self.sixDecimals(tf))")
            }
        default: break
        }
    }

    /// Go's `%f`.
    static func sixDecimals(_ value: Double) -> String {
        guard value.isFinite else { return FloatText.fixed(value) }
        var buffer = [CChar](repeating: 0, count: 400)
        withVaList([value]) { _ = vsnprintf(&buffer, buffer.count, "%f", $0) }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The name that a range expression selects, if it names one.
    static func metricName(_ expression: Expression) -> String {
        switch expression {
        case .matrix(let e): e.selector.name
        case .parentheses(let e): metricName(e.expression)
        default: ""
        }
    }

    private func remarkCounter(_ function: RangeFunction, _ name: String, _ range: TextRange) {
        guard function == .rate || function == .increase, !name.isEmpty else { return }
        guard !["_total", "_sum", "_count", "_bucket"].contains(where: name.hasSuffix) else { return }
        annotations.info(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \(GoQuote.quote(name))",
            at: range)
    }

    /// Fills `out` with the function's value for each window; returns how many samples were in the windows.
    func evaluateWindows(
        _ function: RangeFunction, _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ parameters: [[Double]],
        _ resets: [Int32], _ out: inout [Double]
    ) throws -> Int {
        if function == .rate || function == .increase {
            return Self.rates(isRate: function == .rate, samples, plan, resets, &out)
        }
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var (low, high, total) = (0, 0, 0)
        var scratch: [Double] = []
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let start = end &- plan.length
            while high < count, times[high] <= end { high &+= 1 }
            while low < high, times[low] <= start { low &+= 1 }
            let window = Window(
                times: UnsafePointer(times + low), values: UnsafePointer(values + low), count: high &- low,
                start: start,
                end: end, step: plan.grid.time(i))
            total &+= window.count
            if window.count == 0 {
                out[i] = Column.absent
                continue
            }
            switch function {
            case .rate, .increase: break
            case .delta:
                out[i] = WindowKernel.extrapolated(
                    window, isCounter: false, isRate: false, resets: UnsafeBufferPointer(start: nil, count: 0),
                    base: low)
            case .irate: out[i] = WindowKernel.instant(window, isRate: true)
            case .idelta: out[i] = WindowKernel.instant(window, isRate: false)
            case .resets: out[i] = WindowKernel.resets(window)
            case .changes: out[i] = WindowKernel.changes(window)
            case .deriv:
                out[i] =
                    window.count < 2 ? Column.absent : WindowKernel.regression(window, origin: times[low]).slope
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
                out[i] = Self.medianDeviation(&scratch)
            case .tsOfMin: out[i] = WindowKernel.timeOfExtreme(window, isMax: false)
            case .tsOfMax: out[i] = WindowKernel.timeOfExtreme(window, isMax: true)
            case .tsOfFirst: out[i] = Double(window.times[0]) / 1000
            case .tsOfLast: out[i] = Double(window.times[window.count - 1]) / 1000
            }
        }
        return total
    }

    /// `rate` and `increase`, the functions that are used most, in a loop of their own.
    private static func rates(
        isRate: Bool, _ samples: borrowing SampleColumns, _ plan: WindowPlan, _ resets: [Int32], _ out: inout [Double]
    ) -> Int {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var (low, high, total) = (0, 0, 0)
        var (resetLow, resetHigh) = (0, 0)
        out.withUnsafeMutableBufferPointer { out in
            resets.withUnsafeBufferPointer { resets in
                for i in 0..<min(plan.grid.count, out.count) {
                    let end = plan.end(i)
                    let start = end &- plan.length
                    while high < count, times[high] <= end { high &+= 1 }
                    while low < high, times[low] <= start { low &+= 1 }
                    while resetHigh < resets.count, Int(resets[resetHigh]) < high { resetHigh &+= 1 }
                    while resetLow < resetHigh, Int(resets[resetLow]) <= low { resetLow &+= 1 }
                    total &+= high &- low
                    let window = Window(
                        times: UnsafePointer(times + low), values: UnsafePointer(values + low), count: high &- low,
                        start: start, end: end, step: end)
                    out[i] = WindowKernel.extrapolated(
                        window, isCounter: true, isRate: isRate,
                        resets: UnsafeBufferPointer(rebasing: resets[resetLow..<resetHigh]), base: low)
                }
            }
        }
        return total
    }

    private static func medianDeviation(_ values: inout [Double]) -> Double {
        if values.contains(where: \.isNaN) { return .nan }
        let median = LinearQuantile.of(0.5, &values)
        for i in values.indices { values[i] = abs(values[i] - median) }
        return LinearQuantile.of(0.5, &values)
    }

    /// `absent_over_time`: 1 at each step where no series has a sample in the window.
    func absentOverTime(_ call: Call, _ grid: StepGrid) throws -> [Column] {
        let range = call.arguments[0]
        let length = windowLength(range)
        var isThere = [Bool](repeating: false, count: grid.count)
        try rangeInput(range, grid) { _, samples, _ in
            var (low, high) = (0, 0)
            for i in 0..<grid.count {
                let end = self.windowEnd(range, grid, i)
                while high < samples.count, samples.timestamps[high] <= end { high += 1 }
                while low < high, samples.timestamps[low] <= end &- length { low += 1 }
                if high > low { isThere[i] = true }
            }
        }
        return [Column(labels: Self.absentLabels(range), values: isThere.map { $0 ? Column.absent : 1 })]
    }

    /// The labels that `absent` gives: what the selector's `=` matchers say, unless a label is named twice.
    static func absentLabels(_ expression: Expression) -> Labels {
        let matchers: [Matcher]
        switch expression {
        case .selector(let e): matchers = e.matchers
        case .matrix(let e): matchers = e.selector.matchers
        case .parentheses(let e): return absentLabels(e.expression)
        default: return .empty
        }
        var builder = LabelsBuilder()
        for matcher in matchers where matcher.name != Labels.nameLabel && matcher.kind == .equal {
            if matchers.filter({ $0.name == matcher.name }).count == 1 { builder.set(matcher.name, matcher.value) }
        }
        return builder.labels()
    }
}

/// The windows of a range expression over a grid.
struct WindowPlan {
    let grid: StepGrid
    /// ms.
    let length: Int64
    private let at: Int64?
    private let offset: Int64

    init(evaluator: Evaluator, range: Expression, grid: StepGrid, length: Int64) {
        self.grid = grid
        self.length = length
        let first = evaluator.windowEnd(range, grid, 0)
        let isFixed = grid.count > 1 && evaluator.windowEnd(range, grid, 1) == first
        at = isFixed ? first : nil
        offset = grid.start &- first
    }

    /// The closed end of the window of step `index`, ms.
    @inline(__always)
    func end(_ index: Int) -> Int64 { at ?? (grid.time(index) &- offset) }
}

/// `anchored` and `smoothed` ranges: what happened between the window's edges exactly, without extrapolation.
enum ExtendedRange {
    static func evaluate(
        _ function: RangeFunction, _ kind: RangeExtension, _ samples: borrowing SampleColumns, _ plan: WindowPlan,
        lookback: Int64, into out: inout [Double]
    ) {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var inside: [Double] = []
        for i in 0..<plan.grid.count {
            out[i] = Column.absent
            let end = plan.end(i)
            let start = end &- plan.length
            // The samples that may be looked at: from the lookback before the window to, when smoothed, that after it.
            let upTo = kind == .smoothed ? end &+ lookback : end
            var (low, high) = (0, 0)
            while low < count, times[low] <= start &- lookback { low += 1 }
            high = low
            while high < count, times[high] <= upTo { high += 1 }
            guard high > low else { continue }
            var firstInside = low
            while firstInside < high, times[firstInside] <= start { firstInside += 1 }
            var endInside = firstInside
            while endInside < high, times[endInside] <= end { endInside += 1 }
            let isCounter = function == .rate || function == .increase
            inside.removeAll(keepingCapacity: true)
            if kind == .anchored {
                guard endInside > firstInside else { continue }
                inside.append(firstInside > low ? values[firstInside - 1] : values[firstInside])
                for k in firstInside..<endInside { inside.append(values[k]) }
            } else {
                guard firstInside < high, times[low] <= end else { continue }
                let left = edge(start, before: firstInside - 1, after: firstInside, low, high, times, values, isCounter)
                let right = edge(end, before: endInside - 1, after: endInside, low, high, times, values, isCounter)
                guard let left, let right else { continue }
                inside.append(left)
                for k in firstInside..<endInside { inside.append(values[k]) }
                inside.append(right)
            }
            out[i] = value(function, inside, seconds: Double(plan.length) / 1000)
        }
    }

    /// The value at `time`, interpolated between its neighbours; the nearer one alone where the other is missing.
    private static func edge(
        _ time: Int64, before: Int, after: Int, _ low: Int, _ high: Int, _ times: UnsafeMutablePointer<Int64>,
        _ values: UnsafeMutablePointer<Double>, _ isCounter: Bool
    ) -> Double? {
        if before >= low, times[before] == time { return values[before] }
        guard before >= low else { return after < high ? values[after] : nil }
        guard after < high else { return values[before] }
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
