import Model

/// The functions that return a number per step.
struct ScalarFunctions {
    let call: Call
    let context: EvaluationContext

    init(_ call: Call, _ context: EvaluationContext) {
        self.call = call
        self.context = context
    }

    /// `time`.
    func times() -> [Double] { (0..<context.grid.count).map { Double(context.grid.time($0)) / 1000 } }

    /// `scalar`: the value of the only series at each step.
    func onlyValue() throws -> [Double] {
        let steps = context.grid.count
        var counts = [Int](repeating: 0, count: steps)
        var values = [Double](repeating: .nan, count: steps)
        try Evaluator.stream(call.arguments[0], context.holding(bytesPerSeries: 0)) { _, column, _ in
            for i in 0..<steps where Column.isFloat(column[i]) {
                counts[i] += 1
                values[i] = column[i]
            }
        }
        for i in 0..<steps where counts[i] != 1 { values[i] = .nan }
        return values
    }

    /// `min_of` and `max_of`; NaN if one of the numbers is NaN.
    func chosen(by choose: (Double, Double) -> Double) throws -> [Double] {
        let a = try Evaluator.scalar(call.arguments[0], context)
        let b = try Evaluator.scalar(call.arguments[1], context)
        return zip(a, b).map { x, y in x.isNaN || y.isNaN ? .nan : choose(x, y) }
    }
}
