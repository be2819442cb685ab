import Glibc
import GoCompatibility
import Model

/// What an expression evaluates to over the steps of a grid.
enum Evaluation {
    case scalar([Double])
    case string(String)
    case vector([Column])
}

/// Evaluates a prepared expression per series, over all steps at once.
///
/// A node that can produce its series one at a time streams them (``stream(_:_:_:)``), so that an aggregation holds
/// groups × steps and not series × steps; the others make a whole vector (``vector(_:_:)``).
final class Evaluator {
    static let tooManySamples = "query processing would load too many samples into memory in query execution"

    let source: any SeriesSource
    let options: EngineOptions
    let queryGrid: StepGrid
    let isInstant: Bool
    let budget: QueryBudget
    let annotations = Annotations()
    let text: String
    /// This thread's place in the trace of an `explain=analyze`; nil for all other queries.
    let trace: TraceCursor?
    let workers: WorkerPool
    let plan: QueryPlan
    private let sharedParts: SharedParts?
    /// What was selected, if the query asks for the same again.
    private var selected: [SelectRequestKey: any SeriesSet] = [:]
    /// Bytes that will be held for each series that is selected next; 0 where nobody holds every series.
    var bytesPerSeries = 0
    /// Bytes that the caller will make of each sample of the whole query's result; 0 once that result is begun.
    private var bytesPerResultSample = 0

    init(
        source: any SeriesSource, options: EngineOptions, queryGrid: StepGrid, isInstant: Bool, budget: QueryBudget,
        text: String, plan: QueryPlan, trace: TraceCursor?, workers: WorkerPool
    ) {
        self.source = source
        self.options = options
        self.queryGrid = queryGrid
        self.isInstant = isInstant
        self.budget = budget
        self.text = text
        self.trace = trace
        self.workers = workers
        self.plan = plan
        sharedParts = plan.shared.isEmpty ? nil : SharedParts(plan)
    }

    /// The value of the whole query.
    ///
    /// - Parameter bytesPerSample: What the caller will make of each sample, to refuse early what cannot fit.
    func result(of expression: Expression, bytesPerSample: Int = 0) throws -> QueryValue {
        bytesPerResultSample = bytesPerSample
        switch expression.type {
        case .matrix: return .ranges(try rangeSeries(expression))
        case .string: return .string(try string(expression))
        case .scalar:
            let values = try scalar(expression, queryGrid)
            return isInstant ? .scalar(values[0]) : .matrix([Column(labels: .empty, values: values)])
        case .vector, .none:
            var columns = try vector(expression, queryGrid)
            if options.delayedNameRemoval { columns = try removeMarkedNames(columns) }
            if isInstant { return .vector(columns.filter { Column.isPresent($0.values[0]) }) }
            columns.removeAll { $0.isEmpty }
            columns.sort { $0.labels < $1.labels }
            return .matrix(columns)
        }
    }

    private func removeMarkedNames(_ columns: [Column]) throws -> [Column] {
        guard columns.contains(where: \.dropsName) else { return columns }
        var cleaned = columns
        for i in cleaned.indices where cleaned[i].dropsName { cleaned[i].labels = cleaned[i].labels.withoutMetadata }
        return try mergeEqualLabels(cleaned)
    }

    // MARK: By type

    func evaluate(_ expression: Expression, _ grid: StepGrid) throws -> Evaluation {
        switch expression.type {
        case .scalar: .scalar(try scalar(expression, grid))
        case .string: .string(try string(expression))
        default: .vector(try vector(expression, grid))
        }
    }

    /// The bytes of a string literal that is no UTF-8; nil for all others.
    func invalidBytes(_ expression: Expression) -> [UInt8]? {
        switch expression {
        case .string(let e): e.invalidBytes
        case .parentheses(let e): invalidBytes(e.expression)
        default: nil
        }
    }

    func string(_ expression: Expression) throws -> String {
        if let bytes = invalidBytes(expression) {
            throw QueryError.execution("string argument \(GoQuote.quote(bytes: bytes)) is no UTF-8")
        }
        switch expression {
        case .string(let e): return e.value
        case .parentheses(let e): return try string(e.expression)
        default: throw QueryError.execution("not a string: \(expression.type.rawValue)")
        }
    }

    /// One value per step.
    func scalar(_ expression: Expression, _ grid: StepGrid) throws -> [Double] {
        guard let trace else { return try untracedScalar(expression, grid) }
        let frame = trace.enter(expression.range)
        defer { trace.leave(frame) }
        trace.made(frame, series: 0, points: grid.count)
        return try untracedScalar(expression, grid)
    }

    private func untracedScalar(_ expression: Expression, _ grid: StepGrid) throws -> [Double] {
        switch expression {
        case .number(let e): return [Double](repeating: e.value, count: grid.count)
        case .parentheses(let e): return try scalar(e.expression, grid)
        case .unary(let e):
            let values = try scalar(e.operand, grid)
            return e.isNegative ? values.map { -$0 } : values
        case .binary(let e):
            if e.op == .trimUpper || e.op == .trimLower {
                throw QueryError.execution("operator \(GoQuote.quote(e.op.rawValue)) not allowed for Scalar operations")
            }
            let (left, right) = (try scalar(e.left, grid), try scalar(e.right, grid))
            return zip(left, right).map { Arithmetic.apply(e.op, $0, $1) }
        case .call(let e): return try scalarCall(e, grid)
        default: throw QueryError.execution("not a scalar: \(expression.type.rawValue)")
        }
    }

    private func scalarCall(_ call: Call, _ grid: StepGrid) throws -> [Double] {
        guard case .scalar(let kernel) = call.function.kernel else {
            throw QueryError.execution("\(call.function.name) is no scalar")
        }
        return try kernel(self, call, grid)
    }

    /// `scalar`: the value of the only series at each step.
    func onlyValue(_ call: Call, _ grid: StepGrid) throws -> [Double] {
        var counts = [Int](repeating: 0, count: grid.count)
        var values = [Double](repeating: .nan, count: grid.count)
        let outer = bytesPerSeries
        bytesPerSeries = 0
        defer { bytesPerSeries = outer }
        try stream(call.arguments[0], grid) { _, column, _ in
            for i in 0..<grid.count where Column.isFloat(column[i]) {
                counts[i] += 1
                values[i] = column[i]
            }
        }
        for i in 0..<grid.count where counts[i] != 1 { values[i] = .nan }
        return values
    }

    /// `min_of` and `max_of`; NaN if one of the numbers is.
    func lesser(_ call: Call, _ grid: StepGrid, by choose: (Double, Double) -> Double) throws -> [Double] {
        let (a, b) = (try scalar(call.arguments[0], grid), try scalar(call.arguments[1], grid))
        return zip(a, b).map { x, y in x.isNaN || y.isNaN ? .nan : choose(x, y) }
    }

    // MARK: Vectors

    /// All series with their values over the grid; they are charged, and nothing else that was needed for them is any
    /// more.
    func vector(_ expression: Expression, _ grid: StepGrid) throws -> [Column] {
        let mark = budget.mark()
        let frame = trace?.enter(expression.range)
        do {
            let columns = try sharedVector(expression, grid)
            if let frame, let trace {
                trace.made(frame, series: columns.count, points: columns.count * grid.count)
                trace.leave(frame)
            }
            budget.settle(mark, result: columns, steps: grid.count)
            return columns
        } catch let excess as MemoryLimitExceeded {
            throw QueryError.execution(MemoryLimitText.message(excess, at: expression.range, in: text))
        }
    }

    /// The value of an expression, taken from where it stands for the first time if it stands in several places.
    private func sharedVector(_ expression: Expression, _ grid: StepGrid) throws -> [Column] {
        guard let sharedParts, let number = plan.sharedAt[expression.range] else {
            return try evaluatedVector(expression, grid)
        }
        return try sharedParts.columns(number, at: expression.range, steps: grid.count, budget, annotations) {
            try evaluatedVector(expression, grid)
        }
    }

    /// The series of a request; asked of the source once if the query asks several times.
    func select(_ request: SelectRequest) throws -> any SeriesSet {
        let key = plan.repeatsSelectors ? SelectRequestKey(request) : nil
        if let key, let known = selected[key] { return known }
        var request = request
        let reservation = SeriesSetReservation(budget.memory)
        request.charge = { try reservation.charge($0) }
        request.check = { [budget] in try budget.checkNow() }
        request.warn = { [warnings = budget.sourceWarnings] in warnings.add($0) }
        let series = try source.select(request)
        try reservation.settle(series.heldBytes)
        if let key {
            budget.retain(charged: series.heldBytes)
            selected[key] = series
        }
        return series
    }

    private func evaluatedVector(_ expression: Expression, _ grid: StepGrid) throws -> [Column] {
        if case .parentheses(let e) = expression { return try vector(e.expression, grid) }
        let bytesPerResultSample = bytesPerResultSample
        self.bytesPerResultSample = 0
        switch expression {
        case .aggregation(let e):
            let columns = try aggregate(e, grid)
            return dropsName(expression) ? try mergeEqualLabels(columns) : columns
        case .binary(let e) where e.left.type == .vector && e.right.type == .vector: return try join(e, grid)
        case .call(let e):
            if case .whole(let kernel) = e.function.kernel { return try kernel(self, e, grid) }
        default: break
        }
        let outer = bytesPerSeries
        defer { bytesPerSeries = outer }
        bytesPerSeries =
            keepsEverySeries(expression)
            ? grid.count &* (8 &+ bytesPerResultSample) &+ QueryBudget.columnOverhead : 0
        var columns: [Column] = []
        try untracedStream(expression, grid) { metric, values, histograms in
            guard values.contains(where: Column.isPresent) else { return }
            try budget.reserve(
                grid.count &+ QueryBudget.extraSamples(of: histograms),
                bytes: grid.count &* 8 &+ QueryBudget.columnOverhead)
            columns.append(
                Column(
                    labels: metric.labels, values: Array(values), histograms: histograms, dropsName: metric.dropsName))
        }
        return dropsName(expression) ? try mergeEqualLabels(columns) : columns
    }

    /// Whether an expression makes a series of every series that it selects, as far as anybody can tell before.
    private func keepsEverySeries(_ expression: Expression) -> Bool {
        switch expression {
        case .parentheses(let e): keepsEverySeries(e.expression)
        case .selector: true
        case .unary(let e): keepsEverySeries(e.operand)
        case .binary(let e):
            (!e.op.isComparison || e.returnsBool) && !e.op.isSetOperator
                && (e.left.type == .scalar || e.right.type == .scalar)
                && keepsEverySeries(e.left.type == .scalar ? e.right : e.left)
        case .call(let e):
            Self.isRangeFunction(e) && e.arguments.contains { if case .matrix = $0 { true } else { false } }
        default: false
        }
    }

    /// Ends the query before anything is read if what will be held of the selected series is far beyond the budget.
    ///
    /// A quarter more is let pass: some series may turn out to have nothing to show.
    func expect(_ series: any SeriesSet) throws {
        let (bytes, overflow) = series.count.multipliedReportingOverflow(by: bytesPerSeries)
        try budget.memory.probe(overflow ? .max : bytes &- bytes / 5)
    }

    /// What receives a series: labels, a value per step, histograms (empty or one entry per step).
    typealias Sink = (Metric, UnsafeBufferPointer<Double>, [HistogramBox?]) throws -> Void

    /// Gives each series to `sink`, in order; the values are only there during the call.
    func stream(_ expression: Expression, _ grid: StepGrid, _ sink: Sink) throws {
        guard let trace else { return try streamChecked(expression, grid, sink) }
        let frame = trace.enter(expression.range)
        defer { trace.leave(frame) }
        try streamChecked(expression, grid) { metric, values, histograms in
            trace.made(frame, points: grid.count)
            try trace.outside(frame) { try sink(metric, values, histograms) }
        }
    }

    func untracedStream(_ expression: Expression, _ grid: StepGrid, _ sink: Sink) throws {
        switch expression {
        case .parentheses(let e): try stream(e.expression, grid, sink)
        case .selector(let e): try select(e, grid, sink)
        case .unary(let e):
            guard e.isNegative else { return try stream(e.operand, grid, sink) }
            try mapped(e.operand, grid, sink, histogram: { $0.multiply(by: -1) }) { value, _ in
                -value
            }
        case .binary(let e) where (e.left.type == .scalar) != (e.right.type == .scalar): try scale(e, grid, sink)
        case .call(let e):
            switch e.function.kernel {
            case .range(let function): try rangeFunction(function, e, grid, sink)
            case .number(let number): try mapped(e.arguments[0], grid, sink) { value, _ in number(value) }
            case .datePart(let part): try datePart(e, grid, sink, part)
            case .histogram(let number): try histogramNumber(e, grid, sink, number)
            case .stream(let kernel): try kernel(self, e, grid, sink)
            case .whole, .scalar, .parameter: try made(expression, grid, sink)
            }
        default: try made(expression, grid, sink)
        }
    }

    /// Gives away the series of an expression that makes them all before.
    private func made(_ expression: Expression, _ grid: StepGrid, _ sink: Sink) throws {
        let mark = budget.mark()
        let columns = try sharedVector(expression, grid)
        budget.settle(mark, result: columns, steps: grid.count)
        defer { budget.release(columns, steps: grid.count) }
        for column in columns {
            try column.values.withUnsafeBufferPointer {
                try sink(Metric(column.labels, dropsName: column.dropsName), $0, column.histograms)
            }
        }
    }

    /// Runs what the node around the one of `frame` does with a series.
    @inline(__always)
    func outside(_ frame: TraceCursor.Frame?, _ body: () throws -> Void) rethrows {
        guard let frame, let trace else { return try body() }
        try trace.outside(frame, body)
    }

    /// Applies `change` to each float of each series, and drops the names.
    func mapped(
        _ expression: Expression, _ grid: StepGrid, _ sink: Sink,
        histogram: ((inout FloatHistogram) -> Void)? = nil, _ change: (Double, Int) -> Double
    ) throws {
        var out = [Double](repeating: 0, count: grid.count)
        try stream(expression, grid) { metric, values, histograms in
            var changed: [HistogramBox?] = []
            if !histograms.isEmpty, let histogram {
                changed = histograms.map {
                    $0.map { box in
                        var result = box.histogram
                        histogram(&result)
                        return HistogramBox(result)
                    }
                }
            }
            for i in 0..<grid.count {
                let value = values[i]
                out[i] =
                    Column.isFloat(value)
                    ? change(value, i) : Column.isHistogram(value) && !changed.isEmpty ? value : Column.absent
            }
            try out.withUnsafeBufferPointer { try sink(nameless(metric), $0, changed) }
        }
    }

    /// A series whose name, type and unit go: at once, or with delayed name removal when the query is done.
    func nameless(_ metric: Metric) -> Metric {
        options.delayedNameRemoval ? Metric(metric.labels, dropsName: true) : metric.withoutMetadata
    }

    /// Joins series of equal labels whose samples never coincide; an error if any two do.
    func mergeEqualLabels(_ columns: [Column]) throws -> [Column] {
        var index: [Labels: Int] = [:]
        index.reserveCapacity(columns.count)
        var merged: [Column] = []
        for column in columns {
            try budget.check()
            guard let at = index[column.labels] else {
                index[column.labels] = merged.count
                merged.append(column)
                continue
            }
            for i in column.values.indices where Column.isPresent(column.values[i]) {
                guard !Column.isPresent(merged[at].values[i]) else {
                    throw QueryError.execution("vector cannot contain metrics with the same labelset")
                }
                merged[at].values[i] = column.values[i]
                if !column.histograms.isEmpty {
                    if merged[at].histograms.isEmpty {
                        merged[at].histograms = [HistogramBox?](repeating: nil, count: column.values.count)
                    }
                    merged[at].histograms[i] = column.histograms[i]
                }
            }
        }
        return merged
    }
}

/// What makes two requests the same.
private struct SelectRequestKey: Hashable {
    private let matchers: [Matcher]
    private let times: ClosedRange<Int64>
    private let newestOnly: Bool

    init(_ request: SelectRequest) {
        matchers = request.matchers
        times = min(request.minTime, request.maxTime)...request.maxTime
        newestOnly = request.newestOnly
    }
}
