import Glibc
import GoCompatibility
import Model

/// The functions with parameters that process each sample of a vector separately.
struct ElementFunctions {
    let call: Call
    let context: EvaluationContext

    init(_ call: Call, _ context: EvaluationContext) {
        self.call = call
        self.context = context
    }

    private var operand: ElementwiseNode { ElementwiseNode(operand: call.arguments[0]) }

    /// `vector`.
    func vector(_ sink: SeriesSink) throws {
        let values = try Evaluator.scalar(call.arguments[0], context)
        try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
    }

    /// `round`.
    func round(_ sink: SeriesSink) throws {
        let nearest = call.arguments.count > 1 ? try Evaluator.scalar(call.arguments[1], context) : nil
        try operand.stream(context, sink) { value, step in
            let inverse = 1 / (nearest?[step] ?? 1)
            return floor(value * inverse + 0.5) / inverse
        }
    }

    /// `clamp`, `clamp_min` and `clamp_max`.
    ///
    /// - Parameters:
    ///   - low: The argument of the lower limit, if there is one.
    ///   - high: The argument of the upper limit, if there is one.
    func clamp(low: Int?, high: Int?, _ sink: SeriesSink) throws {
        let lows = try limit(low, or: -.infinity)
        let highs = try limit(high, or: .infinity)
        try operand.stream(context, sink) { value, step in
            highs[step] < lows[step]
                ? Column.absent : GoMath.greater(lows[step], GoMath.lesser(highs[step], value))
        }
    }

    private func limit(_ argument: Int?, or none: Double) throws -> [Double] {
        guard let argument else { return [Double](repeating: none, count: context.grid.count) }
        return try Evaluator.scalar(call.arguments[argument], context)
    }
}
