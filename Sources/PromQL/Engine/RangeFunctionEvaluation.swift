import Glibc
import GoCompatibility
import Model

extension Evaluator {
    /// Whether a call is a function of range vectors that works series by series.
    static func isRangeFunction(_ call: Call) -> Bool { if case .range = call.function.kernel { true } else { false } }

    /// The range argument and the scalar ones of a range function.
    private func split(_ call: Call) -> (range: Expression, scalars: [Expression])? {
        guard let range = call.arguments.first(where: { $0.type == .matrix }) else { return nil }
        return (range, call.arguments.filter { $0.type == .scalar })
    }

    /// Evaluates a range function for each series over all steps.
    func rangeFunction(_ function: RangeFunction, _ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        guard let (range, scalars) = split(call) else {
            throw QueryError.execution("\(call.function.name) has no range")
        }
        let traits = call.function.traits
        var parameters: [[Double]] = []
        for expression in scalars { parameters.append(try scalar(expression, grid)) }
        try checkParameters(function, parameters, call)
        let plan = WindowPlan(
            evaluator: self, function: function, range: range, grid: grid, length: windowLength(range))
        let name = Self.metricName(range)
        var seen: Set<Labels> = []
        /// What is done with each result.
        func finish(
            _ series: Metric, _ values: UnsafeBufferPointer<Double>, _ histograms: [HistogramBox?]
        ) throws {
            let result = traits.contains(.keepsName) ? series : nameless(series)
            // Series of one metric differ in other labels than the name, but perhaps only in type and unit.
            if !traits.contains(.keepsName), name.isEmpty || options.typeAndUnitLabels {
                try guardian.memory.charge(result.labels.bytes.count &+ Self.bytesPerSeenSeries)
                guard seen.insert(result.labels).inserted else {
                    throw QueryError.execution("vector cannot contain metrics with the same labelset")
                }
            }
            if function == .quantile { remarkQuantile(values, parameters[0], call.arguments[0].range) }
            if traits.contains(.expectsCounter), values.contains(where: Column.isFloat) {
                remarkCounter(series, name.isEmpty ? series.labels.metricName : name, remarkPlace(call, range))
            }
            try sink(result, values, histograms)
        }
        func finishApart(
            _ series: Metric, _ samples: borrowing SampleColumns, _ extended: RangeExtension?
        ) throws {
            var out = [Double](repeating: Column.absent, count: grid.count)
            var histograms: [HistogramBox?] = []
            if samples.histograms.isEmpty {
                try rangeWithStarts(remarkPlace(call, range), metric: series.labels.metricName, samples, plan, &out)
            } else {
                histograms = try rangeWithHistograms(
                    call, remarkPlace(call, range), metric: series.labels.metricName, samples, plan, extended, &out,
                    parameters)
            }
            guard out.contains(where: Column.isPresent) else { return }
            try out.withUnsafeBufferPointer { try finish(series, $0, histograms) }
        }
        if let matrix = Self.plainMatrix(range) {
            let seesStarts = options.usesStartTimes && traits.contains(.startTimes)
            return try matrixFunction(matrix, plan, parameters, seesStarts: seesStarts, finish, finishApart)
        }
        var out = [Double](repeating: Column.absent, count: grid.count)
        var resets: [Int32] = []
        try rangeInput(range, grid) { series, samples, extended in
            if !samples.histograms.isEmpty { return try finishApart(series, samples, extended) }
            if let extended {
                try ExtendedRange.evaluate(
                    function, extended, samples, plan, lookback: self.options.lookbackDelta, into: &out)
                self.countExtended(samples, plan, extended)
            } else {
                let table = WindowTable(samples, plan)
                try out.withUnsafeMutableBufferPointer {
                    try FloatWindows.evaluate(samples, plan, table, parameters, &resets, $0)
                }
                self.guardian.count(table.counted)
                self.guardian.perStep?.add(samples, plan)
            }
            guard out.contains(where: Column.isPresent) else { return }
            try out.withUnsafeBufferPointer { try finish(series, $0, []) }
        }
    }

    /// Counts the samples in windows that reach beyond their edges by the lookback.
    private func countExtended(_ samples: borrowing SampleColumns, _ plan: WindowPlan, _ kind: RangeExtension) {
        let wide = plan.extended(by: options.lookbackDelta, kind)
        guardian.count(WindowTable(samples, wide).counted)
        guardian.perStep?.add(samples, wide)
    }

    /// The matrix selector that a range expression is, unless its windows are extended.
    static func plainMatrix(_ range: Expression) -> MatrixSelector? {
        switch range {
        case .parentheses(let e): plainMatrix(e.expression)
        case .matrix(let e) where e.selector.rangeExtension == nil: e
        default: nil
        }
    }

    /// A range function of a matrix selector, which several threads may work on.
    private func matrixFunction(
        _ matrix: MatrixSelector, _ plan: WindowPlan, _ parameters: [[Double]], seesStarts: Bool,
        _ finish: (Metric, UnsafeBufferPointer<Double>, [HistogramBox?]) throws -> Void,
        _ finishApart: (Metric, borrowing SampleColumns, RangeExtension?) throws -> Void
    ) throws {
        let frame = trace?.enter(matrix.range)
        defer { if let frame { trace?.leave(frame) } }
        let selector = matrix.selector
        let (first, last) = bounds(selector.at, selector.offset, plan.grid)
        let request = SelectRequest(
            matchers: selector.matchers, minTime: first &- matrix.window &+ 1, maxTime: last, isSorted: false)
        let series = try select(request)
        try expect(series)
        let layouts = selector.showsEmptyBuckets ? ChunkLayouts(self, request) : nil
        let maker = RangeColumns(
            set: series, plan: plan, parameters: parameters,
            seesStarts: seesStarts, perStep: guardian.perStep)
        let span = last &- first &+ matrix.window
        try produce(maker, matrix.range, count: series.count, steps: plan.grid.count, span: span) {
            index, made, values, scratch in
            try guardian.check()
            switch made {
            case .nothing(let read, let counted):
                try guardian.probe(read)
                guardian.count(counted)
                if read > 0 { trace?.read(matrix.range, samples: read) }
            case .values(let read, let counted):
                try guardian.probe(read)
                trace?.read(matrix.range, samples: read)
                guardian.count(counted)
                try outside(frame) { try finish(Metric(series, index), values, []) }
            case .apart, .failed:
                if scratch.index != index { try maker.read(index, scratch) }
                scratch.index = -1
                if selector.detectsResets {
                    ResetHints.detect(&scratch.samples, plan)
                } else {
                    try layouts?.widen(&scratch.samples, of: series.labels(index))
                }
                try guardian.probe(QueryGuard.samples(of: scratch.samples))
                trace?.read(matrix.range, samples: scratch.samples.count)
                try outside(frame) { try finishApart(Metric(series, index), scratch.samples, nil) }
            }
        }
    }

    /// A range function of a series of floats whose start timestamps it sees.
    private func rangeWithStarts(
        _ argument: TextRange, metric: String, _ samples: borrowing SampleColumns, _ plan: WindowPlan,
        _ out: inout [Double]
    ) throws {
        var windows = StartTimeWindows()
        let table = WindowTable(samples, plan)
        try windows.evaluate(samples, plan, table, &out)
        guardian.count(table.counted)
        guardian.perStep?.add(samples, plan)
        if windows.hasOverlap {
            annotations.warn(StartTimeWindows.overlapRemark(metric), at: argument)
        }
    }

    private func remarkQuantile(_ values: UnsafeBufferPointer<Double>, _ q: [Double], _ range: TextRange) {
        for i in values.indices where Column.isFloat(values[i]) && !(q[i] >= 0 && q[i] <= 1) {
            annotations.warn(
                "quantile value should be between 0 and 1, got \(FloatText.general(q[i]))", at: range)
        }
    }

    /// Where remarks about a function's samples point to: its first argument, or the range.
    ///
    /// A subquery's samples have no place in the text.
    private func remarkPlace(_ call: Call, _ range: Expression) -> TextRange {
        if call.arguments.first?.type == .scalar { return call.arguments[0].range }
        return Self.isSubquery(range) ? .nowhere : range.range
    }

    static func isSubquery(_ expression: Expression) -> Bool {
        switch expression {
        case .parentheses(let e): isSubquery(e.expression)
        case .subquery: true
        default: false
        }
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

    private func remarkCounter(_ series: Metric, _ name: String, _ range: TextRange) {
        guard !name.isEmpty else { return }
        if options.typeAndUnitLabels {
            let type = series.labels[Labels.typeLabel] ?? ""
            guard type != MetricType.counter.rawValue, type != MetricType.histogram.rawValue else { return }
            return annotations.info(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got "
                    + "\(GoQuote.quote(type)): \(GoQuote.quote(name))", at: range)
        }
        guard !["_total", "_sum", "_count", "_bucket"].contains(where: name.hasSuffix) else { return }
        annotations.info(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \(GoQuote.quote(name))",
            at: range)
    }

    /// `absent_over_time`: 1 at each step where no series has a sample in the window.
    func absentOverTime(_ call: Call, _ grid: StepGrid) throws -> [Column] {
        let range = call.arguments[0]
        let length = windowLength(range)
        var isThere = [Bool](repeating: false, count: grid.count)
        let plan = WindowPlan(evaluator: self, function: .present, range: range, grid: grid, length: length)
        try rangeInput(range, grid) { _, samples, _ in
            let table = WindowTable(samples, plan)
            self.guardian.count(table.counted)
            self.guardian.perStep?.add(samples, plan)
            for i in 0..<grid.count where table.bounds[i].high > table.bounds[i].low { isThere[i] = true }
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
        var count: [ExactText: Int] = [:]
        for matcher in matchers { count[ExactText(matcher.name), default: 0] += 1 }
        return Labels(
            matchers.filter {
                $0.name != Labels.nameLabel && $0.kind == .equal && !$0.value.isEmpty && count[ExactText($0.name)] == 1
            }.map { ($0.name, $0.value) })
    }
}

/// The windows of a range expression over a grid.
struct WindowPlan {
    let function: RangeFunction
    let grid: StepGrid
    /// ms.
    let length: Int64
    private let at: Int64?
    private let offset: Int64
    /// Asked in the middle of a series, too: many long windows take much longer than a series.
    private(set) var guardian: QueryGuard?

    init(
        evaluator: Evaluator, function: RangeFunction, range: Expression, grid: StepGrid, length: Int64
    ) {
        self.function = function
        self.grid = grid
        self.length = length
        let first = evaluator.windowEnd(range, grid, 0)
        let isFixed = grid.count > 1 && evaluator.windowEnd(range, grid, 1) == first
        at = isFixed ? first : nil
        offset = grid.start &- first
        guardian = evaluator.guardian
    }

    private init(function: RangeFunction, grid: StepGrid, length: Int64, at: Int64?, offset: Int64) {
        self.function = function
        self.grid = grid
        self.length = length
        self.at = at
        self.offset = offset
    }

    /// The windows that an `anchored` or `smoothed` range looks at.
    func extended(by lookback: Int64, _ kind: RangeExtension) -> WindowPlan {
        let after = kind == .smoothed ? lookback : 0
        return WindowPlan(
            function: .present, grid: grid, length: length &+ lookback &+ after, at: at.map { $0 &+ after },
            offset: offset &- after)
    }

    /// Windows that end at the steps themselves.
    init(function: RangeFunction, grid: StepGrid, length: Int64) {
        self.function = function
        self.grid = grid
        self.length = length
        (at, offset) = (nil, 0)
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
    ) throws(QueryError) {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var checks = SampleChecks(plan.guardian)
        var inside: [Double] = []
        // Edges only move forward.
        var (low, high, firstInside, endInside) = (0, 0, 0, 0)
        for i in 0..<plan.grid.count {
            out[i] = Column.absent
            let end = plan.end(i)
            let start = end &- plan.length
            // The samples that may be looked at: from the lookback before the window to, when smoothed, that after it.
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
