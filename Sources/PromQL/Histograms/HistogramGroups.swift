import Model

/// The histograms of an aggregation's groups, for `sum` and `avg`.
struct HistogramGroups {
    let isAverage: Bool
    /// The range of the aggregated expression, for annotations.
    let range: TextRange
    let annotations: Annotations
    /// The accumulators by group and step; groups without histograms have none.
    private var groups: [Int: [HistogramAccumulator?]] = [:]
    private let work: HistogramWork

    init(isAverage: Bool, range: TextRange, _ context: EvaluationContext) {
        self.isAverage = isAverage
        self.range = range
        annotations = context.annotations
        work = HistogramWork(context.budget)
    }

    func release() { work.release() }

    /// Adds the histograms of one series to a group.
    mutating func add(
        _ histograms: [HistogramBox?], _ values: UnsafeBufferPointer<Double>, metric: String, to group: Int
    ) throws {
        var steps = groups.removeValue(forKey: group) ?? [HistogramAccumulator?](repeating: nil, count: values.count)
        for i in 0..<values.count where Column.isHistogram(values[i]) {
            guard let box = histograms[i] else { continue }
            // The accumulator is removed while it changes, so that its buckets are not copied.
            var accumulator = steps[i] ?? HistogramAccumulator(isAverage: isAverage)
            steps[i] = nil
            try work.look(at: box.histogram)
            let before = accumulator.heldBytes
            // The first sum needs at most the memory of its histogram, which is charged before.
            if before == 0 { try work.hold(HistogramSum.bytes(of: box.histogram)) }
            do throws(HistogramSum.IncompatibleLayouts) {
                if try accumulator.add(box.histogram).contains(.boundsReconciled) {
                    annotations.info(HistogramAnnotation.boundsReconciled(.aggregation), at: range)
                }
            } catch {
                annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
            }
            let grown = accumulator.heldBytes &- before
            if before > 0, grown > 0 { try work.hold(grown) }
            steps[i] = accumulator
        }
        groups[group] = steps
    }

    /// Adds a group's histograms to its floats; a step with both has neither.
    mutating func finish(_ group: Int, _ column: inout Column) throws {
        guard let steps = groups[group] else { return }
        var histograms = [HistogramBox?](repeating: nil, count: steps.count)
        for i in steps.indices {
            guard let accumulator = steps[i] else { continue }
            if accumulator.hasResetCollision {
                annotations.warn(HistogramAnnotation.resetCollision(.aggregation), at: range)
            }
            if Column.isFloat(column.values[i]) {
                annotations.warn(HistogramAnnotation.mixedFloatsInAggregation, at: range)
                column.values[i] = Column.absent
            } else if let result = accumulator.result {
                try work.make(from: result)
                column.values[i] = Column.histogramMark
                histograms[i] = HistogramBox(result)
            }
        }
        column.histograms = histograms
    }
}
