import Glibc
import Model

extension Evaluator {
    /// A vector and a scalar.
    func scale(_ e: Binary, _ grid: StepGrid, _ sink: Sink) throws {
        let vectorIsLeft = e.left.type == .vector
        let scalars = try scalar(vectorIsLeft ? e.right : e.left, grid)
        let isFilter = e.op.isComparison && !e.returnsBool
        let keepsName = isFilter || e.op == .trimUpper || e.op == .trimLower
        var out = [Double](repeating: 0, count: grid.count)
        let histogramOperator = HistogramOperator(op: e.op, range: e.range, annotations: annotations)
        try stream(vectorIsLeft ? e.left : e.right, grid) { metric, values, histograms in
            var results: [HistogramBox?] = []
            for i in 0..<grid.count {
                let value = values[i]
                guard Column.isFloat(value) else {
                    out[i] = Column.absent
                    guard Column.isHistogram(value), !histograms.isEmpty, let box = histograms[i] else { continue }
                    let (vector, scalar) = (SampleValue.histogram(box.histogram), SampleValue.float(scalars[i]))
                    let outcome = histogramOperator.apply(
                        vectorIsLeft ? vector : scalar, vectorIsLeft ? scalar : vector)
                    if case .histogram(let result) = outcome {
                        if results.isEmpty { results = [HistogramBox?](repeating: nil, count: grid.count) }
                        out[i] = Column.histogramMark
                        results[i] = HistogramBox(result)
                    }
                    continue
                }
                let result =
                    vectorIsLeft ? Arithmetic.apply(e.op, value, scalars[i]) : Arithmetic.apply(e.op, scalars[i], value)
                out[i] = isFilter ? (result != 0 ? value : Column.absent) : result
                if e.op == .trimUpper || e.op == .trimLower {
                    out[i] = Column.absent
                    histogramOperator.annotateFloats()
                }
            }
            try out.withUnsafeBufferPointer { try sink(keepsName ? metric : nameless(metric), $0, results) }
        }
    }

    /// Two vectors: sides are joined once by the labels that must match, then computed as columns.
    func join(_ e: Binary, _ grid: StepGrid) throws -> [Column] {
        let matching = e.matching ?? VectorMatching()
        let signature = Signature(matching)
        if e.op == .or { return try union(operands(e), signature, grid) }
        let left = try vector(e.left, grid)
        let right = try vector(e.right, grid)
        if e.op.isSetOperator { return try combine(e.op, left, right, signature, grid) }
        let join = VectorJoin(
            e: e, matching: matching, signature: signature, grid: grid, annotations: annotations, budget: budget,
            delaysNameRemoval: options.delayedNameRemoval)
        return try mergeEqualLabels(try join.run(left, right))
    }

    /// The operands of a chain of `or` that match alike, from left to right.
    ///
    /// Taken one by one, each `or` would look at all that those before it have found: a chain of thousands, as generated
    /// rules have it, would take the square of its length.
    private func operands(_ e: Binary) -> [Expression] {
        var operands = [e.right]
        var left = e.left
        // A trace tells of each node, and what stands in several places is evaluated by itself.
        while trace == nil, plan.sharedAt[left.range] == nil, case .binary(let inner) = left, inner.op == .or,
            inner.matching?.isOn == e.matching?.isOn, inner.matching?.labels == e.matching?.labels
        {
            operands.append(inner.right)
            left = inner.left
        }
        operands.append(left)
        return operands.reversed()
    }

    /// `or`: of each operand what no operand before it has, per step and signature.
    private func union(_ operands: [Expression], _ signature: Signature, _ grid: StepGrid) throws -> [Column] {
        var columns: [Column] = []
        var there: [Labels: [Bool]] = [:]
        for (at, operand) in operands.enumerated() {
            let mark = budget.mark()
            var next = try vector(operand, grid)
            if at > 0 {
                next = try kept(next, there, whenThere: false, signature, grid)
                budget.settle(mark, result: next, steps: grid.count)
            }
            if at + 1 < operands.count { try addPresence(next, to: &there, signature, grid) }
            columns += next
        }
        return joinEqual(columns)
    }

    /// `and`, `unless`: presence per step of a signature on the other side.
    private func combine(
        _ op: BinaryOperator, _ left: [Column], _ right: [Column], _ signature: Signature, _ grid: StepGrid
    ) throws -> [Column] {
        var there: [Labels: [Bool]] = [:]
        try addPresence(right, to: &there, signature, grid)
        return try kept(left, there, whenThere: op == .and, signature, grid)
    }

    /// Notes at which steps there are elements of each signature.
    private func addPresence(
        _ columns: [Column], to result: inout [Labels: [Bool]], _ signature: Signature, _ grid: StepGrid
    ) throws {
        for column in columns {
            try budget.check()
            let key = signature.of(column.labels)
            if result[key] == nil { try budget.reserve(0, bytes: grid.count &+ QueryBudget.columnOverhead) }
            var there = result[key] ?? [Bool](repeating: false, count: grid.count)
            for i in 0..<grid.count where Column.isPresent(column.values[i]) { there[i] = true }
            result[key] = there
        }
    }

    /// The columns at the steps at which their signature is there, or is not.
    private func kept(
        _ columns: [Column], _ other: [Labels: [Bool]], whenThere: Bool, _ signature: Signature, _ grid: StepGrid
    ) throws -> [Column] {
        try columns.compactMap { column in
            try budget.check()
            try budget.reserve(grid.count)
            let there = other[signature.of(column.labels)]
            var result = column
            for i in 0..<grid.count where (there?[i] ?? false) != whenThere { result.values[i] = Column.absent }
            return result.isEmpty ? nil : result
        }
    }

    /// Joins columns of equal labels; where both have a sample the first wins, which `or` has made sure cannot be.
    private func joinEqual(_ columns: [Column]) -> [Column] {
        (try? mergeEqualLabels(columns)) ?? columns
    }
}

/// The labels by which elements find each other.
struct Signature {
    private let names: [[UInt8]]
    private let isOn: Bool

    init(_ matching: VectorMatching) {
        isOn = matching.isOn
        names = (matching.isOn ? matching.labels : matching.labels + [Labels.nameLabel]).map { Array($0.utf8) }
    }

    func of(_ labels: Labels) -> Labels {
        labels.filter { name in names.contains { $0.withUnsafeBufferPointer { Labels.equal($0, name) } } == isOn }
    }
}

/// One join of two vectors.
private struct VectorJoin {
    let e: Binary
    let matching: VectorMatching
    let signature: Signature
    let grid: StepGrid
    let annotations: Annotations
    let budget: QueryBudget
    let delaysNameRemoval: Bool

    /// Pairs the sides and computes.
    ///
    /// "Many" is the left side unless `group_right` says otherwise.
    func run(_ left: [Column], _ right: [Column]) throws -> [Column] {
        let isSwapped = matching.cardinality == .oneToMany
        let (many, one) = isSwapped ? (right, left) : (left, right)
        // As Prometheus does: the sides are exchanged for `group_right`, what fills them is not.
        let (fillOne, fillMany) = (matching.fillRight, matching.fillLeft)
        var ones: [Labels: [Int]] = [:]
        for (index, column) in one.enumerated() { ones[signature.of(column.labels), default: []].append(index) }
        try checkDuplicates(ones, one, many, isSwapped, fillMany)
        var result: [Column] = []
        /// For one-to-one: which steps of a signature have been matched; for groups, per result labels.
        var used: [Labels: [Bool]] = [:]
        var matchedOnes: [Labels: [Bool]] = [:]
        for column in many {
            let key = signature.of(column.labels)
            let partners = ones[key] ?? []
            if partners.isEmpty, fillOne == nil { continue }
            // A signature may be served by different series at different steps.
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
                    out[i] = compute(column, other, i, isSwapped, &histograms)
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
                    out[i] = compute(column, filler, i, isSwapped, &histograms)
                }
                used[usedKey(key, labels)] = seen
                append(labels, out, &result, histograms: histograms, dropsName: column.dropsName)
            }
        }
        if let fillMany { try fill(one, fillMany, matchedOnes, isSwapped, &result) }
        return result
    }

    /// Elements of the "one" side that found nobody, paired with the fill value.
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
                out[i] = compute(filler, column, i, isSwapped, &histograms)
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
            dropsName: keepsName ? dropsName : delaysNameRemoval && e.returnsBool)
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

    /// Two series of the "one" side with the same signature at the same step are an error, if the other side has any.
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

    /// One pair at step `i`, operands in the order they were written; a histogram goes to `histograms`.
    private func compute(
        _ many: Column, _ one: Column, _ i: Int, _ isSwapped: Bool, _ histograms: inout [HistogramBox?]
    ) -> Double {
        let (left, right) = isSwapped ? (one.values[i], many.values[i]) : (many.values[i], one.values[i])
        if Column.isHistogram(left) || Column.isHistogram(right) {
            let (l, r) = isSwapped ? (one, many) : (many, one)
            return computeHistogram(l, r, i, &histograms)
        }
        if e.op == .trimUpper || e.op == .trimLower {
            histogramOperator.annotateFloats()
            return Column.absent
        }
        let value = Arithmetic.apply(e.op, left, right)
        if e.op.isComparison, !e.returnsBool { return value != 0 ? left : Column.absent }
        return value
    }

    private var histogramOperator: HistogramOperator {
        HistogramOperator(op: e.op, range: e.range, annotations: annotations)
    }

    private func computeHistogram(
        _ left: Column, _ right: Column, _ i: Int, _ histograms: inout [HistogramBox?]
    ) -> Double {
        func keep(_ box: HistogramBox) -> Double {
            if histograms.isEmpty { histograms = [HistogramBox?](repeating: nil, count: grid.count) }
            histograms[i] = box
            return Column.histogramMark
        }
        switch histogramOperator.apply(left.sample(i), right.sample(i)) {
        case .none: return Column.absent
        case .histogram(let result): return keep(HistogramBox(result))
        case .comparison(let isTrue):
            if e.returnsBool { return isTrue ? 1 : 0 }
            guard isTrue, !left.histograms.isEmpty, let box = left.histograms[i] else { return Column.absent }
            return keep(box)
        }
    }

    private var keepsName: Bool {
        (e.op.isComparison && !e.returnsBool) || e.op == .trimUpper || e.op == .trimLower
    }

    private func resultLabels(_ many: Labels, _ one: Labels) -> Labels {
        var labels = many
        // Arithmetic never delays the removal; what it makes is of no metric.
        if !keepsName, !delaysNameRemoval || !e.returnsBool { labels = labels.withoutMetadata }
        if matching.cardinality == .oneToOne {
            labels = matching.isOn ? labels.keeping(matching.labels) : labels.removing(matching.labels)
        }
        guard !matching.include.isEmpty else { return labels }
        var builder = LabelsBuilder(labels)
        for name in matching.include { builder.set(name, one[name] ?? "") }
        return builder.labels()
    }
}
