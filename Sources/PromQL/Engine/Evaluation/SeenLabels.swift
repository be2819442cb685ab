import Model

/// Label sets without names, and the steps at which each has a sample.
struct SeenLabels {
    /// The bytes that a set of label sets needs for each, besides the labels themselves.
    static let bytesPerSeries = 64

    private let steps: Int
    private var positions: [Labels: Int] = [:]
    /// One bit per step; the words of each label set are contiguous.
    private var present: [UInt64] = []

    private var words: Int { (steps &+ 63) / 64 }

    init(steps: Int) { self.steps = steps }

    /// Adds a series; throws if another series with equal labels has a sample at one of its steps.
    mutating func add(_ labels: Labels, _ values: UnsafeBufferPointer<Double>, _ budget: QueryBudget) throws {
        let known = positions[labels]
        let position = known ?? present.count
        if known == nil {
            try budget.memory.charge(labels.bytes.count &+ Self.bytesPerSeries &+ words &* 8)
            positions[labels] = position
            present.append(contentsOf: repeatElement(0, count: words))
        }
        for i in 0..<steps where Column.isPresent(values[i]) {
            let (word, bit) = (position &+ i / 64, UInt64(1) << UInt64(i % 64))
            guard known == nil || present[word] & bit == 0 else { throw QueryError.repeatedLabels }
            present[word] |= bit
        }
    }
}
