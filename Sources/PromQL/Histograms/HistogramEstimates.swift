import Model

/// The histograms of a vector: classic series grouped by histogram, and native ones.
private struct HistogramInput {
    struct Classic {
        /// The labels without `le`, with the metric name.
        var labels: Labels
        var members: [(bound: Double, column: Int)] = []
        /// The native column with the same labels.
        var native: Int?
    }

    var columns: [Column]
    var classic: [Classic] = []
    /// The columns with native histograms.
    var natives: [Int] = []
}

/// `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`.
struct HistogramEstimates {
    private let call: Call
    private let context: EvaluationContext

    init(_ call: Call, _ context: EvaluationContext) {
        self.call = call
        self.context = context
    }

    private var grid: StepGrid { context.grid }
    private var budget: QueryBudget { context.budget }
    private var annotations: Annotations { context.annotations }

    /// `histogram_quantile`.
    func quantile() throws -> [Column] {
        let phi = try Evaluator.scalar(call.arguments[0], context)
        checkQuantiles(phi, at: call.arguments[0].range)
        return try estimate(call.arguments[1], outputs: [{ $0 }]) { buckets, _, step in
            buckets.quantile(phi[step])
        } native: { histogram, _, step in
            histogram.quantile(phi[step])
        }
    }

    /// `histogram_quantiles`: several quantiles at once, which a label distinguishes.
    func quantiles() throws -> [Column] {
        let label = try Evaluator.string(call.arguments[1])
        guard !label.isEmpty else { throw QueryError.execution("invalid label name \(Quoted.text(label))") }
        var phis: [[Double]] = []
        for argument in call.arguments.dropFirst(2) {
            let phi = try Evaluator.scalar(argument, context)
            checkQuantiles(phi, at: argument.range)
            phis.append(phi)
        }
        let outputs: [(Labels) -> Labels] = phis.map { phi in
            let text = OpenMetricsNumber.text(phi.first ?? .nan)
            return { labels in
                var builder = LabelsBuilder(labels)
                builder.set(label, text)
                return builder.labels()
            }
        }
        return try estimate(call.arguments[0], outputs: outputs) {
            buckets, output, step in
            buckets.quantile(phis[output][step])
        } native: { histogram, output, step in
            histogram.quantile(phis[output][step])
        }
    }

    /// `histogram_fraction`.
    func fraction() throws -> [Column] {
        let lower = try Evaluator.scalar(call.arguments[0], context)
        let upper = try Evaluator.scalar(call.arguments[1], context)
        return try estimate(call.arguments[2], outputs: [{ $0 }]) { buckets, _, step in
            (buckets.fraction(lower[step], upper[step]), ClassicBuckets.Fix())
        } native: { histogram, _, step in
            histogram.fraction(lower[step], upper[step])
        }
    }

    /// The name in annotations about a histogram; empty if it is removed before the end of the query.
    private func annotationName(_ labels: Labels) -> String {
        context.options.delayedNameRemoval ? labels.metricName : ""
    }

    private func checkQuantiles(_ phi: [Double], at range: TextRange) {
        var last: Double?
        for value in phi where !(value >= 0 && value <= 1) && value.bitPattern != last?.bitPattern {
            annotations.warn("quantile value should be between 0 and 1, got \(FloatText.general(value))", at: range)
            last = value
        }
    }

    private func histogramInput(_ argument: Expression) throws -> HistogramInput {
        var input = HistogramInput(columns: try Evaluator.columns(argument, context))
        var index: [Labels: Int] = [:]
        for (at, column) in input.columns.enumerated() {
            if column.values.contains(where: Column.isHistogram) { input.natives.append(at) }
            guard column.values.contains(where: Column.isFloat) else { continue }
            let text = column.labels["le"] ?? ""
            guard let bound = ClassicBuckets.bound(text) else {
                let name = annotationName(column.labels)
                annotations.warn(
                    "bucket label \"le\" is missing or has a malformed value of \(Quoted.text(text))"
                        + (name.isEmpty ? "" : " for metric name \(Quoted.text(name))"), at: argument.range)
                continue
            }
            let key = column.labels.removing(["le"])
            let group = index[key] ?? input.classic.count
            if group == input.classic.count {
                index[key] = group
                input.classic.append(.init(labels: key))
            }
            input.classic[group].members.append((bound, at))
        }
        for at in input.natives {
            if let group = index[input.columns[at].labels] { input.classic[group].native = at }
        }
        return input
    }

    /// The steps with a classic histogram of the same labels, by native column.
    private func clashes(in input: HistogramInput, at range: TextRange) -> [Int: [Bool]] {
        var clashes: [Int: [Bool]] = [:]
        for group in input.classic {
            guard let at = group.native else { continue }
            var clash = [Bool](repeating: false, count: grid.count)
            for i in 0..<grid.count where Column.isHistogram(input.columns[at].values[i]) {
                clash[i] = group.members.contains { Column.isFloat(input.columns[$0.column].values[i]) }
            }
            if clash.contains(true) {
                annotations.warn(
                    HistogramAnnotation.mixedClassicAndNative(annotationName(group.labels)), at: range)
            }
            clashes[at] = clash
        }
        return clashes
    }

    /// Computes estimates from each histogram of a vector, over all steps.
    ///
    /// - Parameters:
    ///   - outputs: One per result of a histogram: the labels of that result.
    ///   - classic: The result with the given number at a step from classic buckets, and their repairs.
    ///   - native: The result from a native histogram.
    private func estimate(
        _ argument: Expression, outputs: [(Labels) -> Labels],
        classic: (inout ClassicBuckets, Int, Int) -> (Double, ClassicBuckets.Fix),
        native: (FloatHistogram, Int, Int) -> (value: Double, note: FloatHistogram.EstimateNote?)
    ) throws -> [Column] {
        let input = try histogramInput(argument)
        let empty = [Double](repeating: Column.absent, count: grid.count)
        var result: [Column] = []
        let clashes = clashes(in: input, at: argument.range)
        let work = HistogramWork(budget)
        defer { work.release() }
        for at in input.natives {
            try budget.check()
            let column = input.columns[at]
            let metric = annotationName(column.labels)
            let named = context.nameless(Metric(column.labels))
            for output in outputs.indices {
                try budget.reserve(grid.count)
                var out = empty
                for i in 0..<grid.count where !(clashes[at]?[i] ?? false) {
                    guard case .histogram(let histogram) = column.sample(i) else { continue }
                    try work.look(at: histogram)
                    let (value, note) = native(histogram, output, i)
                    out[i] = value
                    if let note {
                        annotations.info(HistogramAnnotation.estimate(note, metric), at: argument.range)
                    }
                }
                result.append(Column(labels: outputs[output](named.labels), values: out, dropsName: named.dropsName))
            }
        }
        var buckets = ClassicBuckets()
        // There is one annotation for all histograms of a name, because its text contains their number.
        var fixes: [ExactText: (fix: ClassicBuckets.Fix, byStep: [Int])] = [:]
        for group in input.classic {
            try budget.check()
            let name = ExactText(annotationName(group.labels))
            let named = context.nameless(Metric(group.labels))
            let clash = group.native.flatMap { clashes[$0] }
            for output in outputs.indices {
                try budget.reserve(grid.count)
                var out = empty
                for i in 0..<grid.count where !(clash?[i] ?? false) {
                    try work.look(at: group.members.count)
                    buckets.buckets.removeAll(keepingCapacity: true)
                    for member in group.members where Column.isFloat(input.columns[member.column].values[i]) {
                        buckets.buckets.append(
                            .init(bound: member.bound, count: input.columns[member.column].values[i]))
                    }
                    guard !buckets.buckets.isEmpty else { continue }
                    let (value, fix) = classic(&buckets, output, i)
                    out[i] = value
                    guard fix.isSet else { continue }
                    var known = fixes[name] ?? (ClassicBuckets.Fix(), [Int](repeating: 0, count: grid.count))
                    known.fix.widen(by: fix)
                    known.byStep[i] += 1
                    fixes[name] = known
                }
                result.append(Column(labels: outputs[output](named.labels), values: out, dropsName: named.dropsName))
            }
        }
        for (name, known) in fixes.sorted(by: { $0.key < $1.key }) {
            annotations.infoOfRepair(known.fix, known.byStep, grid, name: name.text, at: argument.range)
        }
        return try Column.merged(result.filter { !$0.isEmpty }, budget)
    }
}

/// Numbers in OpenMetrics labels: always with a point or an exponent.
private enum OpenMetricsNumber {
    static func text(_ value: Double) -> String {
        let text = FloatText.general(value)
        guard value.isFinite, !text.contains("."), !text.contains("e") else { return text }
        return text + ".0"
    }
}
