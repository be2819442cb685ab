import Glibc
import GoCompatibility
import Model

extension Evaluator {
    /// Evaluates an aggregation over all steps.
    func aggregate(_ e: Aggregation, _ grid: StepGrid) throws -> [Column] {
        switch e.op {
        case .sum, .avg, .min, .max, .count, .group, .stddev, .stdvar: return try fold(e, grid)
        case .quantile: return try quantile(e, grid)
        case .topk, .bottomk, .limitk, .limitRatio: return try choose(e, grid)
        case .countValues: return try countValues(e, grid)
        }
    }

    /// Aggregations that fold each series into its group as it comes.
    private func fold(_ e: Aggregation, _ grid: StepGrid) throws -> [Column] {
        var grouping = Grouping(e.grouping, isWithout: e.isWithout)
        var folds: [GroupFold] = []
        var drops: [Bool] = []
        var sums = HistogramGroups(isAverage: e.op == .avg, range: e.expression.range, annotations: annotations)
        try stream(e.expression, grid) { metric, values, histograms in
            let group = grouping.index(of: metric)
            if group == folds.count {
                try budget.reserve(
                    grid.count, bytes: grid.count &* GroupFold.bytesPerStep(e.op) &+ QueryBudget.columnOverhead)
                drops.append(false)
                folds.append(GroupFold(e.op, steps: grid.count))
            }
            if metric.dropsName { drops[group] = true }
            folds[group].add(values)
            if !histograms.isEmpty {
                if e.op == .sum || e.op == .avg {
                    sums.add(histograms, values, metric: metric.labels.metricName, to: group)
                } else if e.op == .count || e.op == .group {
                    folds[group].addHistograms(values)
                } else if values.contains(where: Column.isHistogram) {
                    annotations.info("ignored histogram in \(e.op.rawValue) aggregation", at: e.expression.range)
                }
            }
        }
        var columns = zip(grouping.groups, folds).map { Column(labels: $0, values: $1.result()) }
        for group in columns.indices {
            columns[group].dropsName = drops[group]
            sums.finish(group, &columns[group])
        }
        return columns.filter { !$0.isEmpty }
    }

    private func quantile(_ e: Aggregation, _ grid: StepGrid) throws -> [Column] {
        guard let parameter = e.parameter else { return [] }
        let q = try scalar(parameter, grid)
        // A set of bit patterns: NaN equals no NaN, so a set of numbers would keep, and compare, every one of them.
        for value in Set(q.lazy.map(\.bitPattern)).map(Double.init(bitPattern:)) where !(value >= 0 && value <= 1) {
            annotations.warn(
                "quantile value should be between 0 and 1, got \(FloatText.general(value))", at: parameter.range)
        }
        let input = try vector(e.expression, grid)
        var grouping = Grouping(e.grouping, isWithout: e.isWithout)
        var members: [[Int]] = []
        for (index, column) in input.enumerated() {
            let group = grouping.index(of: column.labels)
            if group == members.count { members.append([]) }
            members[group].append(index)
            if column.values.contains(where: Column.isHistogram) {
                annotations.info("ignored histogram in quantile aggregation", at: e.expression.range)
            }
        }
        var result: [Column] = []
        var scratch: [Double] = []
        for (labels, indices) in zip(grouping.groups, members) {
            try budget.check()
            try budget.reserve(grid.count)
            var out = [Double](repeating: Column.absent, count: grid.count)
            for i in 0..<grid.count {
                scratch.removeAll(keepingCapacity: true)
                for index in indices where Column.isFloat(input[index].values[i]) {
                    scratch.append(input[index].values[i])
                }
                if !scratch.isEmpty { out[i] = LinearQuantile.of(q[i], &scratch) }
            }
            result.append(
                Column(labels: labels, values: out, dropsName: indices.contains { input[$0].dropsName }))
        }
        return result.filter { !$0.isEmpty }
    }

    /// `topk`, `bottomk`, `limitk` and `limit_ratio`: choose series and keep them as they are.
    private func choose(_ e: Aggregation, _ grid: StepGrid) throws -> [Column] {
        guard let parameter = e.parameter else { return [] }
        let k = try scalar(parameter, grid)
        try checkChoice(e, k)
        let input = try vector(e.expression, grid)
        var grouping = Grouping(e.grouping, isWithout: e.isWithout)
        var members: [[Int]] = []
        for (index, column) in input.enumerated() {
            let group = grouping.index(of: column.labels)
            if group == members.count { members.append([]) }
            members[group].append(index)
            if e.op == .topk || e.op == .bottomk, column.values.contains(where: Column.isHistogram) {
                annotations.info("ignored histogram in \(e.op.rawValue) aggregation", at: e.range)
            }
        }
        var out = try input.map {
            try budget.reserve(grid.count)
            return Column(
                labels: $0.labels, values: [Double](repeating: Column.absent, count: grid.count),
                histograms: $0.histograms, dropsName: $0.dropsName)
        }
        var order: [Int] = []
        for indices in members {
            try budget.checkNow()
            for i in 0..<grid.count {
                let chosen = Self.chosen(e.op, k[i], indices, input, i)
                for index in chosen { out[index].values[i] = input[index].values[i] }
                if isInstant { order += chosen }
            }
        }
        // An instant query gives each group's best first; a range query is sorted by labels later.
        let kept = isInstant && grid.count == 1 ? order.map { out[$0] } : out
        return kept.filter { !$0.isEmpty }
    }

    private func checkChoice(_ e: Aggregation, _ k: [Double]) throws {
        for value in k {
            if value.isNaN {
                throw QueryError.execution(
                    e.op == .limitRatio ? "Ratio value is NaN" : "Parameter value is NaN")
            }
            if e.op == .limitRatio {
                if abs(value) > 1 {
                    annotations.warn(
                        "ratio value should be between -1 and 1, got \(FloatText.general(value)), capping to \(value > 0 ? 1 : -1)",
                        at: e.parameter?.range ?? e.range)
                }
            } else if value >= 0x1p63 {
                throw QueryError.execution("Scalar value \(FloatText.general(value)) overflows int64")
            }
        }
    }

    private static func chosen(
        _ op: AggregationOperator, _ k: Double, _ indices: [Int], _ input: [Column], _ step: Int
    ) -> [Int] {
        if op == .limitRatio {
            let ratio = Swift.max(-1, Swift.min(1, k))
            return indices.filter { index in
                guard Column.isPresent(input[index].values[step]) else { return false }
                let offset = Double(input[index].labels.stableHash) / 0x1p64
                return ratio >= 0 ? offset < ratio : offset >= 1 + ratio
            }
        }
        guard k >= 1 else { return [] }
        let count = Int(Swift.min(k, 1e9))
        if op == .limitk {
            return Array(indices.lazy.filter { Column.isPresent(input[$0].values[step]) }.prefix(count))
        }
        let isTop = op == .topk
        /// NaN is worse than any number; of equals the earlier wins.
        func isBetter(_ x: Double, _ y: Double) -> Bool {
            if x.isNaN || y.isNaN { return !x.isNaN }
            return isTop ? x > y : x < y
        }
        func value(_ index: Int) -> Double { input[index].values[step] }
        if count > 32 {
            let ranked = indices.filter { Column.isFloat(value($0)) }.sorted { a, b in
                let (x, y) = (value(a), value(b))
                return isBetter(x, y) && !isBetter(y, x) || (!isBetter(x, y) && !isBetter(y, x) && a < b)
            }
            return Array(ranked.prefix(count))
        }
        // The best so far in order; for few of them cheaper than sorting all.
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

    private func countValues(_ e: Aggregation, _ grid: StepGrid) throws -> [Column] {
        guard let parameter = e.parameter else { return [] }
        if let bytes = invalidBytes(parameter) {
            throw QueryError.execution("invalid label name \(GoQuote.quote(bytes: bytes))")
        }
        let label = try string(parameter)
        guard !label.isEmpty else { throw QueryError.execution("invalid label name \(GoQuote.quote(label))") }
        // The new label always counts for `by`.
        var grouping = Grouping(e.isWithout ? e.grouping : e.grouping + [label], isWithout: e.isWithout)
        var counts: [[Double]] = []
        var drops: [Bool] = []
        try stream(e.expression, grid) { metric, values, histograms in
            var last: (value: UInt64, group: Int)?
            for i in 0..<grid.count where Column.isPresent(values[i]) {
                let histogram = Column.isHistogram(values[i]) && !histograms.isEmpty ? histograms[i]?.histogram : nil
                var group = 0
                if let known = last, known.value == values[i].bitPattern, histogram == nil {
                    group = known.group
                } else {
                    var builder = LabelsBuilder(metric.labels)
                    builder.set(label, histogram?.description ?? FloatText.fixed(values[i]))
                    group = grouping.index(of: builder.labels())
                    last = (values[i].bitPattern, group)
                }
                if group == counts.count {
                    try budget.reserve(grid.count)
                    try budget.reserve(0, bytes: grouping.groups[group].bytes.count)
                    counts.append([Double](repeating: Column.absent, count: grid.count))
                    drops.append(false)
                }
                if metric.dropsName { drops[group] = true }
                counts[group][i] = Column.isPresent(counts[group][i]) ? counts[group][i] + 1 : 1
            }
        }
        return grouping.groups.indices.map {
            Column(labels: grouping.groups[$0], values: counts[$0], dropsName: drops[$0])
        }
    }
}

/// The running aggregate of one group over all steps.
private struct GroupFold {
    private let op: AggregationOperator
    /// The sum, mean, extreme or count; absent until the first sample of a step.
    private var first: [Double]
    /// The compensation of a sum, or the sum of squares of a variance.
    private var second: [Double]
    private var counts: [Double]
    private var averages: [AverageState?]

    init(_ op: AggregationOperator, steps: Int) {
        self.op = op
        first = [Double](repeating: Column.absent, count: steps)
        let needsSecond = op == .sum || op == .stddev || op == .stdvar
        second = needsSecond ? [Double](repeating: 0, count: steps) : []
        counts = op == .stddev || op == .stdvar ? [Double](repeating: 0, count: steps) : []
        averages = op == .avg ? [AverageState?](repeating: nil, count: steps) : []
    }

    /// Bytes that a group takes for each step, its result included.
    static func bytesPerStep(_ op: AggregationOperator) -> Int {
        switch op {
        case .avg: MemoryLayout<AverageState?>.stride + 8
        case .stddev, .stdvar: 32
        case .sum: 24
        default: 16
        }
    }

    mutating func add(_ values: UnsafeBufferPointer<Double>) {
        switch op {
        case .sum:
            first.withUnsafeMutableBufferPointer { sums in
                second.withUnsafeMutableBufferPointer { Self.add(values, sums, $0) }
            }
        case .avg:
            for i in 0..<values.count where Column.isFloat(values[i]) {
                if averages[i] == nil { averages[i] = AverageState(values[i]) } else { averages[i]?.add(values[i]) }
            }
        case .min:
            for i in 0..<values.count where Column.isFloat(values[i]) {
                if !Column.isPresent(first[i]) || values[i] < first[i] || first[i].isNaN { first[i] = values[i] }
            }
        case .max:
            for i in 0..<values.count where Column.isFloat(values[i]) {
                if !Column.isPresent(first[i]) || values[i] > first[i] || first[i].isNaN { first[i] = values[i] }
            }
        case .count:
            for i in 0..<values.count where Column.isFloat(values[i]) {
                first[i] = Column.isPresent(first[i]) ? first[i] + 1 : 1
            }
        case .group:
            for i in 0..<values.count where Column.isFloat(values[i]) { first[i] = 1 }
        default:
            // Welford's algorithm.
            for i in 0..<values.count where Column.isFloat(values[i]) {
                let x = values[i]
                counts[i] += 1
                if counts[i] == 1 {
                    first[i] = x
                    second[i] = x.isFinite ? 0 : .nan
                } else {
                    let delta = x - first[i]
                    first[i] += delta / counts[i]
                    second[i] += delta * (x - first[i])
                }
            }
        }
    }

    /// A step of Kahan's summation in Neumaier's form at each place, without branches, so that several go at once.
    private static func add(
        _ values: UnsafeBufferPointer<Double>, _ sums: UnsafeMutableBufferPointer<Double>,
        _ compensations: UnsafeMutableBufferPointer<Double>
    ) {
        guard let x = values.baseAddress, let sum = sums.baseAddress, let c = compensations.baseAddress
        else { return }
        for i in 0..<min(values.count, sums.count, compensations.count) {
            let (value, old) = (x[i], sum[i])
            let new = old + value
            let lost = abs(old) >= abs(value) ? (old - new) + value : (value - new) + old
            let isFirst = !Column.isPresent(old)
            let isFloat = Column.isFloat(value)
            let compensation = new.isInfinite ? 0 : c[i] + lost
            sum[i] = isFloat ? (isFirst ? value : new) : old
            c[i] = isFloat && !isFirst ? compensation : c[i]
        }
    }

    /// Histograms count as elements for `count` and `group`.
    mutating func addHistograms(_ values: UnsafeBufferPointer<Double>) {
        for i in 0..<values.count where Column.isHistogram(values[i]) {
            first[i] = op == .group ? 1 : Column.isPresent(first[i]) ? first[i] + 1 : 1
        }
    }

    func result() -> [Double] {
        switch op {
        case .sum: first.indices.map { Column.isPresent(first[$0]) ? first[$0] + second[$0] : Column.absent }
        case .avg: averages.map { $0?.result ?? Column.absent }
        case .stdvar: first.indices.map { counts[$0] > 0 ? second[$0] / counts[$0] : Column.absent }
        case .stddev: first.indices.map { counts[$0] > 0 ? (second[$0] / counts[$0]).squareRoot() : Column.absent }
        default: first
        }
    }
}
