import Glibc
import Model

/// A function of range vectors that works series by series.
struct RangeFunctionNode {
    let call: Call
    let function: RangeFunction

    func stream(_ context: EvaluationContext, _ sink: SeriesSink) throws {
        guard let argument = call.arguments.first(where: { $0.type == .matrix }) else {
            throw QueryError.execution("\(call.function.name) has no range")
        }
        let range = RangeVectorNode(argument)
        let parameters = try parameters(context)
        let run = RangeFunctionRun(
            call, range, WindowPlan(function: function, range: range, context), parameters, context)
        defer { run.work.release() }
        if let matrix = range.plainMatrix { return try matrix.evaluate(run, sink) }
        try range.series(context) { series, samples, extended in
            if samples.histograms.isEmpty {
                try run.evaluateFloats(series, samples, extended, sink)
            } else {
                try run.evaluateMixed(series, samples, extended, sink)
            }
        }
    }

    /// The values of the scalar arguments by step.
    private func parameters(_ context: EvaluationContext) throws -> [[Double]] {
        var parameters: [[Double]] = []
        for argument in call.arguments where argument.type == .scalar {
            parameters.append(try Evaluator.scalar(argument, context))
        }
        guard function == .smoothing else { return parameters }
        for sf in parameters[0] where sf <= 0 || sf >= 1 {
            throw QueryError.execution(
                "invalid smoothing factor. Expected: 0 < sf < 1, got: \(Self.sixDecimals(sf))")
        }
        for tf in parameters[1] where tf <= 0 || tf >= 1 {
            throw QueryError.execution("invalid trend factor. Expected: 0 < tf < 1, got: \(Self.sixDecimals(tf))")
        }
        return parameters
    }

    /// A number in the format of Go's `%f`.
    private static func sixDecimals(_ value: Double) -> String {
        guard value.isFinite else { return FloatText.fixed(value) }
        var buffer = [CChar](repeating: 0, count: 400)
        withVaList([value]) { _ = vsnprintf(&buffer, buffer.count, "%f", $0) }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
