import Model

/// The running aggregate of one group over all steps.
struct GroupFold {
    private let op: AggregationOperator
    /// The sum, mean, minimum, maximum or count; absent until the first sample of a step.
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

    /// The bytes of a group for each step, with its result.
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

    /// Adds a value per step with Kahan's summation in Neumaier's form; without branches, so that several steps are
    /// processed at once.
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

    /// Counts histograms as elements, for `count` and `group`.
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
