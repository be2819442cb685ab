import Glibc
import Model

/// Computes the parts of a query that do not depend on the data before the evaluation: durations, `start()` and `end()`
/// after `@`, and functions for parameters of the query.
struct Preparation {
    let grid: StepGrid
    /// The requested end, ms; it may be after the last step.
    let end: Int64
    let isInstant: Bool
    let text: [UInt8]
    /// Whether the expression is inside a function that needs only counts and sums of histograms.
    var detectsResets = false

    func prepare(_ expression: Expression) throws(QueryError) -> Expression {
        switch expression {
        case .number, .string: return expression
        case .selector(let e): return .selector(try prepare(e))
        case .matrix(var e):
            e.selector = try prepare(e.selector)
            if let window = e.windowExpression { e.window = try milliseconds(window, positive: true) }
            return .matrix(e)
        case .subquery(var e):
            var inner = self
            inner.detectsResets = false
            e.expression = try inner.prepare(e.expression)
            if let window = e.windowExpression { e.window = try milliseconds(window, positive: true) }
            if let step = e.stepExpression { e.step = try milliseconds(step, positive: true) }
            if let offset = e.offsetExpression { e.offset = try milliseconds(offset, positive: false) }
            e.at = fixed(e.at)
            return .subquery(e)
        case .unary(var e):
            e.operand = try prepare(e.operand)
            return .unary(e)
        case .binary(var e):
            var inner = self
            // Trimming a histogram needs its buckets.
            if e.op == .trimUpper || e.op == .trimLower { inner.detectsResets = false }
            e.left = try inner.prepare(e.left)
            e.right = try inner.prepare(e.right)
            return .binary(e)
        case .aggregation(var e):
            e.expression = try prepare(e.expression)
            if let parameter = e.parameter { e.parameter = try prepare(parameter) }
            return .aggregation(e)
        case .parentheses(var e):
            e.expression = try prepare(e.expression)
            return .parentheses(e)
        case .call(var e):
            if case .parameter(let value) = e.function.kernel {
                return .number(NumberLiteral(value: value(self), range: e.range))
            }
            try checkExtension(e)
            var inner = self
            if e.function.traits.contains(.needsNoBuckets) { inner.detectsResets = true }
            if e.function.traits.contains(.needsBuckets) { inner.detectsResets = false }
            var arguments: [Expression] = []
            for argument in e.arguments { arguments.append(try inner.prepare(argument)) }
            e.arguments = arguments
            return .call(e)
        }
    }

    /// Checks that the function accepts the `anchored` or `smoothed` ranges of its arguments.
    private func checkExtension(_ e: Call) throws(QueryError) {
        for case .matrix(let matrix) in e.arguments {
            let (word, trait): (String, FunctionTraits) =
                switch matrix.selector.rangeExtension {
                case .anchored: ("anchored", .anchored)
                case .smoothed: ("smoothed", .smoothed)
                case nil: ("", [])
                }
            guard !e.function.traits.contains(trait) else { continue }
            let names = FunctionRegistry.all.filter { $0.traits.contains(trait) }.map(\.name)
            throw .execution(
                "\(word) modifier can only be used with: \(names.joined(separator: ", ")) - not with "
                    + e.function.name)
        }
    }

    private func prepare(_ selector: VectorSelector) throws(QueryError) -> VectorSelector {
        var selector = selector
        if let offset = selector.offsetExpression { selector.offset = try milliseconds(offset, positive: false) }
        selector.at = fixed(selector.at)
        selector.detectsResets = detectsResets
        return selector
    }

    private func fixed(_ at: AtModifier?) -> AtModifier? {
        switch at {
        case .start: .time(grid.start)
        case .end: .time(end)
        // There are no samples outside of these times.
        case .time(let time): .time(min(max(time, QueryEngine.times.lowerBound), QueryEngine.times.upperBound))
        case nil: nil
        }
    }

    private var stepSeconds: Double { isInstant || grid.count == 1 && grid.step == 1 ? 0 : Double(grid.step) / 1000 }
    var rangeSeconds: Double { Double(end - grid.start) / 1000 }
    var startSeconds: Double { Double(grid.start) / 1000 }
    var endSeconds: Double { Double(end) / 1000 }
    /// The value of `step()`.
    var stepParameter: Double { grid.start == end ? 0 : stepSeconds }

    private func milliseconds(_ duration: DurationExpression, positive: Bool) throws(QueryError) -> Int64 {
        let seconds = try seconds(duration)
        // Prometheus reports the first and the last byte here, not line and column.
        let place = "\(duration.range.start):\(duration.range.end): "
        guard seconds.isFinite else { throw .parse(place + "duration is NaN or infinite") }
        // A literal such as 1.001 s is exact; the result of operators is truncated.
        var milliseconds = seconds * 1000
        if case .literal = duration { milliseconds = (seconds * 1e9).rounded() / 1e6 }
        milliseconds = milliseconds.rounded(.towardZero)
        guard milliseconds.magnitude <= Double(Int64.max / 1_000_000) else {
            throw .parse(place + "duration is out of range")
        }
        if positive, milliseconds <= 0 { throw .parse(place + "duration must be greater than 0") }
        return Int64(milliseconds)
    }

    private func seconds(_ duration: DurationExpression) throws(QueryError) -> Double {
        switch duration {
        case .literal(let value, _): return value
        case .step: return stepSeconds
        case .range: return rangeSeconds
        case .negate(let inner, _): return -(try seconds(inner))
        case .plus(let inner, _), .parentheses(let inner, _): return try seconds(inner)
        case .minOf(let a, let b, _): return min(try seconds(a), try seconds(b))
        case .maxOf(let a, let b, _): return max(try seconds(a), try seconds(b))
        case .binary(let op, let left, let right, _):
            let (a, b) = (try seconds(left), try seconds(right))
            if b == 0, op == .divide { throw .execution("division by zero") }
            if b == 0, op == .modulo { throw .execution("modulo by zero") }
            return Arithmetic.apply(op, a, b)
        }
    }
}
