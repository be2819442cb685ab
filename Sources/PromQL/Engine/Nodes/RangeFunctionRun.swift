import GoCompatibility
import Model

/// One evaluation of a range function: its windows and parameters, and the checks of each result.
final class RangeFunctionRun {
    let call: Call
    let plan: WindowPlan
    /// The values of the scalar arguments by step.
    let parameters: [[Double]]
    let context: EvaluationContext
    /// The checks and charges for histograms.
    let work: HistogramWork
    /// The range of annotations about samples: the first argument if it is a scalar, or else the range argument.
    let place: TextRange
    /// The metric name that the range selects; empty if there is none.
    private let name: String
    private let traits: FunctionTraits
    /// Whether different series may have the same result labels.
    private let mayRepeat: Bool
    /// Whether each series may be remarked to be no counter; it depends on the name, which most ranges select.
    private let checksCounters: Bool
    /// The labels of the results so far, if some may be equal.
    private var seen: Set<Labels> = []
    /// Memory that is reused for each series of floats.
    private var floats: [Double]
    private var resets: [Int32] = []

    init(
        _ call: Call, _ range: RangeVectorNode, _ plan: WindowPlan, _ parameters: [[Double]],
        _ context: EvaluationContext
    ) {
        self.call = call
        self.plan = plan
        self.parameters = parameters
        self.context = context
        work = HistogramWork(context.budget)
        name = range.metricName
        traits = call.function.traits
        let hasTypes = context.query.options.typeAndUnitLabels
        mayRepeat = !traits.contains(.keepsName) && (name.isEmpty || hasTypes)
        checksCounters = traits.contains(.expectsCounter) && (hasTypes || !Self.isCounter(name))
        floats = [Double](repeating: Column.absent, count: plan.grid.count)
        if let first = call.arguments.first, first.type == .scalar {
            place = first.range
        } else {
            // The samples of a subquery have no position in the text.
            place = range.isSubquery ? .nowhere : range.expression.range
        }
    }

    /// Whether the function uses the start timestamps of samples.
    var seesStarts: Bool { context.query.options.usesStartTimes && traits.contains(.startTimes) }

    // MARK: Series

    /// Evaluates the function for a series of floats.
    func evaluateFloats(
        _ series: Metric, _ samples: borrowing SampleColumns, _ extended: RangeExtension?, _ sink: SeriesSink
    ) throws {
        if let extended {
            let lookback = context.query.options.lookbackDelta
            try ExtendedRange(plan, extended, lookback: lookback).evaluate(samples, into: &floats)
            // The samples outside of the windows that are used for their edges also count.
            let wide = plan.extended(by: lookback, extended)
            context.count(samples, in: WindowTable(samples, wide), wide)
        } else {
            let table = WindowTable(samples, plan)
            try floats.withUnsafeMutableBufferPointer {
                try FloatWindows.evaluate(samples, plan, table, parameters, &resets, $0)
            }
            context.count(samples, in: table, plan)
        }
        try finish(series, floats, [], sink)
    }

    /// Evaluates the function for a series that has histograms, or start timestamps that the function uses.
    func evaluateMixed(
        _ series: Metric, _ samples: borrowing SampleColumns, _ extended: RangeExtension?, _ sink: SeriesSink
    ) throws {
        var out = [Double](repeating: Column.absent, count: plan.grid.count)
        var histograms: [HistogramBox?] = []
        let metric = series.labels.metricName
        if samples.histograms.isEmpty {
            try evaluateStarts(samples, metric: metric, &out)
        } else {
            histograms = try evaluateHistograms(samples, metric: metric, extended, &out)
        }
        try finish(series, out, histograms, sink)
    }

    /// Evaluates the function for a series of floats whose start timestamps it uses.
    private func evaluateStarts(
        _ samples: borrowing SampleColumns, metric: String, _ out: inout [Double]
    ) throws(QueryError) {
        var windows = StartTimeWindows()
        let table = WindowTable(samples, plan)
        try windows.evaluate(samples, plan, table, &out)
        context.count(samples, in: table, plan)
        if windows.hasOverlap {
            context.annotations.warn(StartTimeWindows.overlapWarning(metric), at: place)
        }
    }

    // MARK: Results

    private func finish(
        _ series: Metric, _ out: [Double], _ histograms: [HistogramBox?], _ sink: SeriesSink
    ) throws {
        guard out.contains(where: Column.isPresent) else { return }
        try out.withUnsafeBufferPointer { try finish(series, $0, histograms, sink) }
    }

    /// Passes the result of a series to `sink`, after the checks of its labels and its samples.
    func finish(
        _ series: Metric, _ values: UnsafeBufferPointer<Double>, _ histograms: [HistogramBox?], _ sink: SeriesSink
    ) throws {
        let result = traits.contains(.keepsName) ? series : context.nameless(series)
        // Series with the same name differ in other labels, but perhaps only in type and unit.
        if mayRepeat {
            try context.budget.memory.charge(result.labels.bytes.count &+ SeenLabels.bytesPerSeries)
            guard seen.insert(result.labels).inserted else { throw QueryError.repeatedLabels }
        }
        if plan.function == .quantile { annotateQuantile(values) }
        if checksCounters, values.contains(where: Column.isFloat) {
            annotateCounter(series, name.isEmpty ? series.labels.metricName : name)
        }
        try sink(result, values, histograms)
    }

    private func annotateQuantile(_ values: UnsafeBufferPointer<Double>) {
        let q = parameters[0]
        for i in values.indices where Column.isFloat(values[i]) && !(q[i] >= 0 && q[i] <= 1) {
            context.annotations.warn(
                "quantile value should be between 0 and 1, got \(FloatText.general(q[i]))",
                at: call.arguments[0].range)
        }
    }

    /// Whether a metric is a counter by its name.
    private static func isCounter(_ name: String) -> Bool {
        ["_total", "_sum", "_count", "_bucket"].contains(where: name.hasSuffix)
    }

    private func annotateCounter(_ series: Metric, _ name: String) {
        guard !name.isEmpty else { return }
        if context.query.options.typeAndUnitLabels {
            let type = series.labels[Labels.typeLabel] ?? ""
            guard type != MetricType.counter.rawValue, type != MetricType.histogram.rawValue else { return }
            return context.annotations.info(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got "
                    + "\(GoQuote.quote(type)): \(GoQuote.quote(name))", at: place)
        }
        guard !Self.isCounter(name) else { return }
        context.annotations.info(
            "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \(GoQuote.quote(name))",
            at: place)
    }
}
