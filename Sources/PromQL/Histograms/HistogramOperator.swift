import Model

/// Binary operators where at least one operand is a histogram.
struct HistogramOperator {
    let op: BinaryOperator
    /// The range of the operation, for annotations.
    let range: TextRange
    let annotations: Annotations

    /// The result of an operator for two samples.
    enum Outcome {
        case none
        /// An arithmetic result.
        case histogram(FloatHistogram)
        /// A comparison; the caller keeps or removes the sample, or makes it a number.
        case comparison(Bool)
    }

    /// Applies the operator to a pair with at least one histogram.
    func apply(_ left: SampleValue, _ right: SampleValue) -> Outcome {
        switch (left, right) {
        case (.float, .float): return .none
        case (.float(let x), .histogram(let h)):
            guard op == .multiply else { return incompatible(false, true) }
            return scaled(h) { $0.multiply(by: x) }
        case (.histogram(let h), .float(let x)):
            switch op {
            case .multiply: return scaled(h) { $0.multiply(by: x) }
            case .divide: return scaled(h) { $0.divide(by: x) }
            case .trimUpper where x.isNaN, .trimLower where x.isNaN: return .histogram(Self.nothing(of: h))
            case .trimUpper: return .histogram(h.trimmed(.below, x))
            case .trimLower: return .histogram(h.trimmed(.above, x))
            default: return incompatible(true, false)
            }
        case (.histogram(let a), .histogram(let b)):
            switch op {
            case .add: return combine(.addition) { () throws(HistogramSum.IncompatibleLayouts) in try a.adding(b) }
            case .subtract:
                return combine(.subtraction) { () throws(HistogramSum.IncompatibleLayouts) in
                    var (difference, notes) = try a.subtracting(b)
                    difference.resetHint = .gauge
                    return (difference, notes)
                }
            case .equal: return .comparison(a == b)
            case .notEqual: return .comparison(!(a == b))
            default: return incompatible(true, true)
            }
        }
    }

    /// The result of trimming a histogram at NaN.
    private static func nothing(of histogram: FloatHistogram) -> FloatHistogram {
        // An unknown fraction of the zero bucket is left, and nothing of the others.
        let share = histogram.zeroCount == 0 ? 0 : Double.nan
        return FloatHistogram(
            resetHint: histogram.resetHint, schema: histogram.schema, zeroThreshold: histogram.zeroThreshold,
            count: share, sum: share, customBounds: histogram.customBounds)
    }

    /// A trim of two floats has no result.
    func annotateFloats() { _ = incompatible(false, false) }

    private func scaled(_ histogram: FloatHistogram, _ change: (inout FloatHistogram) -> Void) -> Outcome {
        var result = histogram
        change(&result)
        result.compact()
        return .histogram(result)
    }

    private func combine(
        _ operation: HistogramAnnotation.Operation,
        _ body: () throws(HistogramSum.IncompatibleLayouts) -> (FloatHistogram, HistogramSum.Notes)
    ) -> Outcome {
        do throws(HistogramSum.IncompatibleLayouts) {
            let (result, notes) = try body()
            if notes.contains(.counterResetCollision) {
                annotations.warn(HistogramAnnotation.resetCollision(operation), at: range)
            }
            if notes.contains(.boundsReconciled) {
                annotations.info(HistogramAnnotation.boundsReconciled(operation), at: range)
            }
            return .histogram(result.compacted())
        } catch {
            annotations.warn(HistogramAnnotation.incompatibleLayouts(op), at: range)
            return .none
        }
    }

    private func incompatible(_ left: Bool, _ right: Bool) -> Outcome {
        annotations.info(
            HistogramAnnotation.incompatibleTypes(op, leftIsHistogram: left, rightIsHistogram: right), at: range)
        return .none
    }
}
