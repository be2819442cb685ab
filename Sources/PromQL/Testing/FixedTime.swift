/// Rewrites a query so that its result does not depend on the evaluation time: selectors get `@`.
enum FixedTime {
    /// The functions whose result depends on the evaluation time.
    private static let moving: Set<String> = [
        "days_in_month", "day_of_month", "day_of_week", "day_of_year", "hour", "minute", "month", "year",
        "predict_linear", "time", "timestamp", "start", "end", "range", "step",
    ]

    /// Whether a query uses the times of the query itself.
    static func dependsOnRange(_ query: String) -> Bool {
        ["start()", "end()", "range()", "step()"].contains { query.contains($0) }
    }

    /// The query fixed to `time`, with other evaluation times; empty if its result depends on them.
    static func variants(_ query: String, at time: Int64) -> [(query: String, time: Int64)] {
        guard let tree = try? PromQLParser.parse(query, options: .all), var fixed = fix(tree, time) else { return [] }
        // A bare string or number does not depend on the time.
        while case .parentheses(let inner) = fixed { fixed = inner.expression }
        switch fixed {
        case .string, .number: return []
        default: break
        }
        guard let text = fix(tree, time)?.description else { return [] }
        let times = time == 0 ? [-1_000_000, 1_000_000] : [-10 &* time, 0, time / 5, 10 &* time]
        return times.map { (text, $0) }
    }

    /// The fixed expression; nil if a function depends on the evaluation time.
    private static func fix(_ expression: Expression, _ time: Int64) -> Expression? {
        switch expression {
        case .number, .string: return expression
        case .selector(var e):
            if e.at == nil { e.at = .time(time) }
            return .selector(e)
        case .matrix(var e):
            if e.selector.at == nil { e.selector.at = .time(time) }
            return .matrix(e)
        case .subquery(var e):
            if isMoving(e.expression) { return nil }
            if e.at == nil { e.at = .time(time) }
            return .subquery(e)
        case .unary(var e):
            guard let operand = fix(e.operand, time) else { return nil }
            e.operand = operand
            return .unary(e)
        case .binary(var e):
            guard let left = fix(e.left, time), let right = fix(e.right, time) else { return nil }
            e.left = left
            e.right = right
            return .binary(e)
        case .aggregation(var e):
            guard let inner = fix(e.expression, time) else { return nil }
            e.expression = inner
            if let parameter = e.parameter {
                guard let fixed = fix(parameter, time) else { return nil }
                e.parameter = fixed
            }
            return .aggregation(e)
        case .call(var e):
            guard !moving.contains(e.function.name) else { return nil }
            for index in e.arguments.indices {
                // The second argument of info() is only a list of matchers.
                if e.function.name == "info", index == 1 { continue }
                guard let argument = fix(e.arguments[index], time) else { return nil }
                e.arguments[index] = argument
            }
            return .call(e)
        case .parentheses(var e):
            guard let inner = fix(e.expression, time) else { return nil }
            e.expression = inner
            return .parentheses(e)
        }
    }

    private static func isMoving(_ expression: Expression) -> Bool { fix(expression, 0) == nil }
}
