import GoCompatibility
import Model

/// A binary operator with a scalar on at least one side.
struct BinaryNode {
    let binary: Binary

    /// Computes the operator on two scalars.
    func scalar(_ context: EvaluationContext) throws -> [Double] {
        if binary.op.isTrim {
            throw QueryError.execution(
                "operator \(GoQuote.quote(binary.op.rawValue)) not allowed for Scalar operations")
        }
        let left = try Evaluator.scalar(binary.left, context)
        let right = try Evaluator.scalar(binary.right, context)
        return zip(left, right).map { Arithmetic.apply(binary.op, $0, $1) }
    }

    /// Computes the operator on a vector and a scalar.
    func stream(_ context: EvaluationContext, _ sink: SeriesSink) throws {
        let op = binary.op
        let vectorIsLeft = binary.left.type == .vector
        let scalars = try Evaluator.scalar(vectorIsLeft ? binary.right : binary.left, context)
        let isFilter = op.isComparison && !binary.returnsBool
        let keepsName = isFilter || op.isTrim
        var out = [Double](repeating: 0, count: context.grid.count)
        let histogramOperator = HistogramOperator(op: op, range: binary.range, annotations: context.annotations)
        let work = HistogramWork(context.budget)
        defer { work.release() }
        try Evaluator.stream(vectorIsLeft ? binary.left : binary.right, context) { metric, values, histograms in
            var results: [HistogramBox?] = []
            work.beginSeries()
            for i in 0..<out.count {
                let value = values[i]
                guard Column.isFloat(value) else {
                    out[i] = Column.absent
                    guard Column.isHistogram(value), !histograms.isEmpty, let box = histograms[i] else { continue }
                    try work.make(from: box.histogram)
                    let (vector, scalar) = (SampleValue.histogram(box.histogram), SampleValue.float(scalars[i]))
                    let outcome = histogramOperator.apply(
                        vectorIsLeft ? vector : scalar, vectorIsLeft ? scalar : vector)
                    if case .histogram(let result) = outcome {
                        if results.isEmpty { results = [HistogramBox?](repeating: nil, count: out.count) }
                        out[i] = Column.histogramMark
                        results[i] = HistogramBox(result)
                    }
                    continue
                }
                let result =
                    vectorIsLeft ? Arithmetic.apply(op, value, scalars[i]) : Arithmetic.apply(op, scalars[i], value)
                out[i] = isFilter ? (result != 0 ? value : Column.absent) : result
                if op.isTrim {
                    out[i] = Column.absent
                    histogramOperator.annotateFloats()
                }
            }
            try out.withUnsafeBufferPointer {
                try sink(keepsName ? metric : context.nameless(metric), $0, results)
            }
        }
    }
}

extension Binary {
    /// Whether both operands are vectors.
    var joinsVectors: Bool { left.type == .vector && right.type == .vector }

    /// Whether one operand is a scalar, and the other is not.
    var scalesVector: Bool { (left.type == .scalar) != (right.type == .scalar) }
}

extension BinaryOperator {
    /// Whether it removes the buckets of a histogram above or below a number.
    var isTrim: Bool { self == .trimUpper || self == .trimLower }
}
