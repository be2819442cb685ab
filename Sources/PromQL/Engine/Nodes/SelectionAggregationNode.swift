import GoCompatibility
import Model

/// `topk`, `bottomk`, `limitk` and `limit_ratio`: they select series of each group, and do not change them.
struct SelectionAggregationNode {
    let aggregation: Aggregation

    private var op: AggregationOperator { aggregation.op }

    func columns(_ context: EvaluationContext) throws -> [Column] {
        guard let parameter = aggregation.parameter else { return [] }
        let (budget, steps) = (context.budget, context.grid.count)
        let isInstant = context.query.times.isInstant
        let k = try Evaluator.scalar(parameter, context)
        try check(k, context.annotations)
        let input = try Evaluator.columns(aggregation.expression, context)
        if op == .topk || op == .bottomk, input.contains(where: { $0.values.contains(where: Column.isHistogram) }) {
            context.annotations.info(HistogramAnnotation.ignored(in: op.rawValue), at: aggregation.range)
        }
        var out = try input.map {
            try budget.reserve(steps)
            return Column(
                labels: $0.labels, values: [Double](repeating: Column.absent, count: steps),
                histograms: $0.histograms, dropsName: $0.dropsName)
        }
        var order: [Int] = []
        for indices in aggregation.groups(of: input).members {
            try budget.checkNow()
            for i in 0..<steps {
                let chosen = chosen(k[i], indices, input, i)
                for index in chosen { out[index].values[i] = input[index].values[i] }
                if isInstant { order += chosen }
            }
        }
        // An instant query returns the best series of each group first; a range query is sorted by labels later.
        let kept = isInstant && steps == 1 ? order.map { out[$0] } : out
        return kept.filter { !$0.isEmpty }
    }

    private func check(_ k: [Double], _ annotations: Annotations) throws {
        for value in k {
            if value.isNaN {
                throw QueryError.execution(op == .limitRatio ? "Ratio value is NaN" : "Parameter value is NaN")
            }
            if op == .limitRatio {
                if abs(value) > 1 {
                    annotations.warn(
                        "ratio value should be between -1 and 1, got \(FloatText.general(value)), capping to \(value > 0 ? 1 : -1)",
                        at: aggregation.parameter?.range ?? aggregation.range)
                }
            } else if value >= 0x1p63 {
                throw QueryError.execution("Scalar value \(FloatText.general(value)) overflows int64")
            }
        }
    }

    /// The indices of the columns of a group that are selected at one step.
    private func chosen(_ k: Double, _ indices: [Int], _ input: [Column], _ step: Int) -> [Int] {
        if op == .limitRatio {
            let ratio = max(-1, min(1, k))
            return indices.filter { index in
                guard Column.isPresent(input[index].values[step]) else { return false }
                let offset = Double(input[index].labels.stableHash) / 0x1p64
                return ratio >= 0 ? offset < ratio : offset >= 1 + ratio
            }
        }
        guard k >= 1 else { return [] }
        let count = Int(min(k, 1e9))
        if op == .limitk {
            return Array(indices.lazy.filter { Column.isPresent(input[$0].values[step]) }.prefix(count))
        }
        return best(count, indices, input, step)
    }

    /// The indices of the columns with the best values, the best first.
    private func best(_ count: Int, _ indices: [Int], _ input: [Column], _ step: Int) -> [Int] {
        let isTop = op == .topk
        func value(_ index: Int) -> Double { input[index].values[step] }
        /// Whether `x` is better than `y`; NaN is worse than any number, and of equal values the earlier one is kept.
        func isBetter(_ x: Double, _ y: Double) -> Bool {
            if x.isNaN || y.isNaN { return !x.isNaN }
            return isTop ? x > y : x < y
        }
        if count > 32 {
            let ranked = indices.filter { Column.isFloat(value($0)) }.sorted { a, b in
                let (x, y) = (value(a), value(b))
                return isBetter(x, y) && !isBetter(y, x) || (!isBetter(x, y) && !isBetter(y, x) && a < b)
            }
            return Array(ranked.prefix(count))
        }
        // The list has the best columns so far in order; for a small count this is faster than to sort all.
        var best: [Int] = []
        for index in indices {
            let x = value(index)
            guard Column.isFloat(x) else { continue }
            if best.count == count {
                guard let worst = best.last, isBetter(x, value(worst)) else { continue }
                best.removeLast()
            }
            var at = best.count
            while at > 0, isBetter(x, value(best[at - 1])) { at -= 1 }
            best.insert(index, at: at)
        }
        return best
    }
}
