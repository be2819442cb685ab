import Model

/// An operator on two vectors: series are matched once by their labels, then computed as columns.
struct JoinNode {
    let binary: Binary

    func columns(_ context: EvaluationContext) throws -> [Column] {
        let left = try Evaluator.columns(binary.left, context)
        let right = try Evaluator.columns(binary.right, context)
        return try Column.merged(try VectorJoin(binary, context).run(left, right), context.budget)
    }
}

/// The join of two vectors.
private struct VectorJoin {
    private let binary: Binary
    private let matching: VectorMatching
    private let signature: Signature
    private let grid: StepGrid
    private let budget: QueryBudget
    private let delaysNameRemoval: Bool
    private let histogramOperator: HistogramOperator
    private let work: HistogramWork

    init(_ binary: Binary, _ context: EvaluationContext) {
        self.binary = binary
        matching = binary.matching ?? VectorMatching()
        signature = Signature(matching)
        grid = context.grid
        budget = context.budget
        delaysNameRemoval = context.options.delayedNameRemoval
        histogramOperator = HistogramOperator(op: binary.op, range: binary.range, annotations: context.annotations)
        work = HistogramWork(context.budget)
    }

    /// Matches the series of both sides and computes the results.
    ///
    /// The "many" side is the left one, or the right one with `group_right`.
    func run(_ left: [Column], _ right: [Column]) throws -> [Column] {
        defer { work.release() }
        let isSwapped = matching.cardinality == .oneToMany
        let (many, one) = isSwapped ? (right, left) : (left, right)
        // As in Prometheus, `group_right` exchanges the sides, but not their fill values.
        let (fillOne, fillMany) = (matching.fillRight, matching.fillLeft)
        var ones: [Labels: [Int]] = [:]
        for (index, column) in one.enumerated() { ones[signature.of(column.labels), default: []].append(index) }
        try checkDuplicates(ones, one, many, isSwapped, fillMany)
        var result: [Column] = []
        /// The steps that were matched: by signature for one-to-one, by result labels for groups.
        var used: [Labels: [Bool]] = [:]
        var matchedOnes: [Labels: [Bool]] = [:]
        for column in many {
            let key = signature.of(column.labels)
            let partners = ones[key] ?? []
            if partners.isEmpty, fillOne == nil { continue }
            // Different series may have the same signature, at different steps.
            for partner in partners {
                try budget.check()
                try budget.reserve(grid.count)
                let other = one[partner]
                let labels = resultLabels(column.labels, other.labels)
                var out = [Double](repeating: Column.absent, count: grid.count)
                var histograms: [HistogramBox?] = []
                var seen = used[usedKey(key, labels)] ?? [Bool](repeating: false, count: grid.count)
                var matched = matchedOnes[key] ?? [Bool](repeating: false, count: grid.count)
                for i in 0..<grid.count where Column.isPresent(column.values[i]) && Column.isPresent(other.values[i]) {
                    if seen[i] { throw duplicateMatch }
                    seen[i] = true
                    matched[i] = true
                    out[i] = try compute(column, other, i, isSwapped, &histograms)
                }
                used[usedKey(key, labels)] = seen
                matchedOnes[key] = matched
                append(
                    labels, out, &result, histograms: histograms, dropsName: column.dropsName)
            }
            if let fillOne {
                try budget.reserve(grid.count)
                let labels = resultLabels(column.labels, key)
                let filler = Column(labels: key, values: [Double](repeating: fillOne, count: grid.count))
                var out = [Double](repeating: Column.absent, count: grid.count)
                var histograms: [HistogramBox?] = []
                var seen = used[usedKey(key, labels)] ?? [Bool](repeating: false, count: grid.count)
                for i in 0..<grid.count where Column.isPresent(column.values[i]) {
                    if partners.contains(where: { Column.isPresent(one[$0].values[i]) }) { continue }
                    if seen[i] { throw duplicateMatch }
                    seen[i] = true
                    out[i] = try compute(column, filler, i, isSwapped, &histograms)
                }
                used[usedKey(key, labels)] = seen
                append(labels, out, &result, histograms: histograms, dropsName: column.dropsName)
            }
        }
        if let fillMany { try fill(one, fillMany, matchedOnes, isSwapped, &result) }
        return result
    }

    /// Adds the elements of the "one" side without a match, computed with the fill value.
    private func fill(
        _ one: [Column], _ value: Double, _ matched: [Labels: [Bool]], _ isSwapped: Bool, _ result: inout [Column]
    ) throws {
        let filler = Column(labels: .empty, values: [Double](repeating: value, count: grid.count))
        for column in one {
            try budget.reserve(grid.count)
            let key = signature.of(column.labels)
            let labels = resultLabels(key, column.labels)
            var out = [Double](repeating: Column.absent, count: grid.count)
            var histograms: [HistogramBox?] = []
            for i in 0..<grid.count where Column.isPresent(column.values[i]) && !(matched[key]?[i] ?? false) {
                out[i] = try compute(filler, column, i, isSwapped, &histograms)
            }
            append(labels, out, &result, histograms: histograms, dropsName: column.dropsName)
        }
    }

    private func append(
        _ labels: Labels, _ values: [Double], _ result: inout [Column], histograms: [HistogramBox?],
        dropsName: Bool
    ) {
        let column = Column(
            labels: labels, values: values, histograms: histograms,
            dropsName: keepsName ? dropsName : delaysNameRemoval && binary.returnsBool)
        if !column.isEmpty { result.append(column) }
    }

    private func usedKey(_ signature: Labels, _ labels: Labels) -> Labels {
        matching.cardinality == .oneToOne ? signature : labels
    }

    private var duplicateMatch: QueryError {
        matching.cardinality == .oneToOne
            ? .execution("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")
            : .execution("multiple matches for labels: grouping labels must ensure unique matches")
    }

    /// Throws if two series of the "one" side have the same signature at the same step, and the other side has any
    /// series there.
    private func checkDuplicates(
        _ ones: [Labels: [Int]], _ one: [Column], _ many: [Column], _ isSwapped: Bool, _ fillMany: Double?
    ) throws {
        guard ones.contains(where: { $0.value.count > 1 }) else { return }
        var manyThere = [Bool](repeating: fillMany != nil, count: grid.count)
        for column in many { for i in 0..<grid.count where Column.isPresent(column.values[i]) { manyThere[i] = true } }
        let repeated = ones.values.filter { $0.count > 1 }
        for i in 0..<grid.count where manyThere[i] {
            let pairs = repeated.compactMap { indices in
                let present = Array(indices.lazy.filter { Column.isPresent(one[$0].values[i]) }.prefix(2))
                return present.count == 2 ? (first: present[0], second: present[1]) : nil
            }
            guard let pair = pairs.min(by: { $0.second < $1.second }) else { continue }
            let (known, found) = (one[pair.first].labels, one[pair.second].labels)
            let names = [found.description, known.description].sorted()
            throw QueryError.execution(
                "found duplicate series for the match group \(signature.of(found)) on the \(isSwapped ? "left" : "right") hand-side of the operation: [\(names.joined(separator: ", "))];many-to-many matching not allowed: matching labels must be unique on one side"
            )
        }
    }

    /// Computes one pair at step `i`, with the operands in the order of the query; a histogram is stored in
    /// `histograms`.
    private func compute(
        _ many: Column, _ one: Column, _ i: Int, _ isSwapped: Bool, _ histograms: inout [HistogramBox?]
    ) throws -> Double {
        let (left, right) = isSwapped ? (one.values[i], many.values[i]) : (many.values[i], one.values[i])
        if Column.isHistogram(left) || Column.isHistogram(right) {
            let (l, r) = isSwapped ? (one, many) : (many, one)
            return try computeHistogram(l, r, i, &histograms)
        }
        if binary.op.isTrim {
            histogramOperator.annotateFloats()
            return Column.absent
        }
        let value = Arithmetic.apply(binary.op, left, right)
        if binary.op.isComparison, !binary.returnsBool { return value != 0 ? left : Column.absent }
        return value
    }

    private func computeHistogram(
        _ left: Column, _ right: Column, _ i: Int, _ histograms: inout [HistogramBox?]
    ) throws -> Double {
        func keep(_ box: HistogramBox) -> Double {
            if histograms.isEmpty { histograms = [HistogramBox?](repeating: nil, count: grid.count) }
            histograms[i] = box
            return Column.histogramMark
        }
        let (first, second) = (left.sample(i), right.sample(i))
        for case .histogram(let histogram) in [first, second] {
            // A comparison makes no new histogram.
            if binary.op.isComparison { try work.look(at: histogram) } else { try work.make(from: histogram) }
        }
        switch histogramOperator.apply(first, second) {
        case .none: return Column.absent
        case .histogram(let result): return keep(HistogramBox(result))
        case .comparison(let isTrue):
            if binary.returnsBool { return isTrue ? 1 : 0 }
            guard isTrue, !left.histograms.isEmpty, let box = left.histograms[i] else { return Column.absent }
            return keep(box)
        }
    }

    private var keepsName: Bool {
        (binary.op.isComparison && !binary.returnsBool) || binary.op.isTrim
    }

    private func resultLabels(_ many: Labels, _ one: Labels) -> Labels {
        var labels = many
        // Arithmetic never delays the removal, because its result belongs to no metric.
        if !keepsName, !delaysNameRemoval || !binary.returnsBool { labels = labels.withoutMetadata }
        if matching.cardinality == .oneToOne {
            labels = matching.isOn ? labels.keeping(matching.labels) : labels.removing(matching.labels)
        }
        guard !matching.include.isEmpty else { return labels }
        var builder = LabelsBuilder(labels)
        for name in matching.include { builder.set(name, one[name] ?? "") }
        return builder.labels()
    }
}
