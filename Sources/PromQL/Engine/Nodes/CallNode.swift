import Model

/// The call of a function that returns a vector.
struct CallNode {
    let call: Call

    func stream(_ context: EvaluationContext, _ sink: SeriesSink) throws {
        switch call.function.kernel {
        case .range(let function): try RangeFunctionNode(call: call, function: function).stream(context, sink)
        case .number(let number):
            try ElementwiseNode(operand: call.arguments[0]).stream(context, sink) { value, _ in number(value) }
        case .datePart(let part): try datePart(part, context, sink)
        case .histogram(let number): try histogramNumber(number, context, sink)
        case .stream(let kernel): try kernel(call, context, sink)
        case .whole, .scalar, .parameter: try Evaluator.streamColumns(.call(call), context, sink)
        }
    }

    /// Computes a part of the date of each value, or of each step's time without an argument.
    private func datePart(_ part: (Double) -> Double, _ context: EvaluationContext, _ sink: SeriesSink) throws {
        guard let argument = call.arguments.first else {
            let grid = context.grid
            let values = (0..<grid.count).map { part(Double(grid.time($0)) / 1000) }
            return try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
        }
        try ElementwiseNode(operand: argument).stream(context, sink) { value, _ in part(value) }
    }

    /// Computes a number from each native histogram.
    private func histogramNumber(
        _ number: (FloatHistogram) -> Double, _ context: EvaluationContext, _ sink: SeriesSink
    ) throws {
        let delaysRemoval = context.options.delayedNameRemoval
        var out = [Double](repeating: 0, count: context.grid.count)
        let work = HistogramWork(context.budget)
        defer { work.release() }
        try Evaluator.stream(call.arguments[0], context) { metric, values, histograms in
            for i in 0..<out.count {
                guard Column.isHistogram(values[i]), !histograms.isEmpty, let histogram = histograms[i]?.histogram
                else {
                    out[i] = Column.absent
                    continue
                }
                try work.look(at: histogram)
                out[i] = number(histogram)
            }
            // As in Prometheus, type and unit stay unless the removal is delayed.
            let result = delaysRemoval ? context.nameless(metric) : metric.withoutName
            try out.withUnsafeBufferPointer { try sink(result, $0, []) }
        }
    }
}
