import GoCompatibility
import Model

/// The syntax tree as the JSON of `/api/v1/parse_query`, members in alphabetical order.
package struct ExpressionJSON {
    private var bytes: [UInt8] = []

    /// The JSON text of an expression.
    package static func encode(_ expression: Expression) -> [UInt8] {
        var json = ExpressionJSON()
        json.expression(expression)
        return json.bytes
    }

    // MARK: Values

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Writes a string with Go's escapes, which leave no HTML in JSON.
    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": raw("\\\"")
            case "\\": raw("\\\\")
            case "\n": raw("\\n")
            case "\r": raw("\\r")
            case "\t": raw("\\t")
            case "\u{08}": raw("\\b")
            case "\u{0C}": raw("\\f")
            case "<", ">", "&", "\u{2028}", "\u{2029}", "\0"..."\u{1F}":
                raw("\\u" + scalar.value.zeroPadded(4, radix: 16))
            default: raw(String(scalar))
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func list<T>(_ elements: [T], _ write: (inout ExpressionJSON, T) -> Void) {
        raw("[")
        for (index, element) in elements.enumerated() {
            if index > 0 { raw(",") }
            write(&self, element)
        }
        raw("]")
    }

    private mutating func strings(_ elements: [String]) { list(elements) { $0.string($1) } }

    /// Begins a member; the first of an object has no comma before it.
    private mutating func member(_ name: String, isFirst: Bool = false) {
        raw(isFirst ? "{\"\(name)\":" : ",\"\(name)\":")
    }

    private mutating func end(type: String) { raw(",\"type\":\"\(type)\"}") }

    // MARK: Nodes

    private mutating func expression(_ expression: Expression) {
        switch expression {
        case .number(let e): number(e.value, isDuration: e.isDuration)
        case .string(let e):
            raw("{\"type\":\"stringLiteral\",\"val\":")
            string(e.value)
            raw("}")
        case .selector(let e): selector(e, window: nil)
        case .matrix(let e): selector(e.selector, window: e)
        case .subquery(let e): subquery(e)
        case .unary(let e):
            member("expr", isFirst: true)
            self.expression(e.operand)
            raw(",\"op\":\"\(e.isNegative ? "-" : "+")\"")
            end(type: "unaryExpr")
        case .binary(let e): binary(e)
        case .aggregation(let e):
            member("expr", isFirst: true)
            self.expression(e.expression)
            member("grouping")
            strings(e.grouping)
            raw(",\"op\":\"\(e.op.rawValue)\"")
            member("param")
            if let parameter = e.parameter { self.expression(parameter) } else { raw("null") }
            raw(",\"type\":\"aggregation\",\"without\":\(e.isWithout)}")
        case .call(let e): call(e)
        case .parentheses(let e):
            member("expr", isFirst: true)
            self.expression(e.expression)
            end(type: "parenExpr")
        }
    }

    private mutating func number(_ value: Double, isDuration: Bool) {
        raw("{")
        if isDuration { raw("\"duration\":true,") }
        raw("\"type\":\"numberLiteral\",\"val\":\"\(FloatText.fixed(value))\"}")
    }

    private mutating func call(_ call: Call) {
        member("args", isFirst: true)
        list(call.arguments) { $0.expression($1) }
        member("func")
        member("argTypes", isFirst: true)
        strings(call.function.arguments.map(\.rawValue))
        raw(",\"name\":\"\(call.function.name)\",\"returnType\":\"\(call.function.result.rawValue)\"")
        raw(",\"variadic\":\(call.function.variadic)}")
        end(type: "call")
    }

    private mutating func binary(_ binary: Binary) {
        raw("{\"bool\":\(binary.returnsBool)")
        member("lhs")
        expression(binary.left)
        member("matching")
        if let matching = binary.matching {
            raw("{\"card\":\"\(matching.cardinality.rawValue)\",\"fillValues\":{\"lhs\":")
            fill(matching.fillLeft)
            raw(",\"rhs\":")
            fill(matching.fillRight)
            raw("}")
            member("include")
            strings(matching.include)
            member("labels")
            strings(matching.labels)
            raw(",\"on\":\(matching.isOn)}")
        } else {
            raw("null")
        }
        member("op")
        string(binary.op.rawValue)
        member("rhs")
        expression(binary.right)
        end(type: "binaryExpr")
    }

    /// A fill value; JSON has no infinities and no NaN.
    private mutating func fill(_ value: Double?) {
        raw(value.map { $0.isFinite ? FloatText.api($0) : "\"\(FloatText.fixed($0))\"" } ?? "null")
    }

    private mutating func selector(_ selector: VectorSelector, window: MatrixSelector?) {
        raw("{\"anchored\":\(selector.rangeExtension == .anchored)")
        member("matchers")
        list(selector.matchers) { json, matcher in
            json.member("name", isFirst: true)
            json.string(matcher.name)
            json.raw(",\"type\":\"\(matcher.kind.rawValue)\"")
            json.member("value")
            json.string(matcher.value)
            json.raw("}")
        }
        member("name")
        string(selector.name)
        offset(selector.offset, selector.offsetExpression)
        if let window {
            raw(",\"range\":\(window.window)")
            member("rangeExpr")
            duration(window.windowExpression)
        }
        raw(",\"smoothed\":\(selector.rangeExtension == .smoothed)")
        startOrEnd(selector.at)
        timestamp(selector.at)
        end(type: window == nil ? "vectorSelector" : "matrixSelector")
    }

    private mutating func subquery(_ subquery: Subquery) {
        member("expr", isFirst: true)
        expression(subquery.expression)
        offset(subquery.offset, subquery.offsetExpression)
        raw(",\"range\":\(subquery.window)")
        member("rangeExpr")
        duration(subquery.windowExpression)
        startOrEnd(subquery.at)
        raw(",\"step\":\(subquery.step)")
        member("stepExpr")
        duration(subquery.stepExpression)
        timestamp(subquery.at)
        end(type: "subquery")
    }

    private mutating func offset(_ milliseconds: Int64, _ expression: DurationExpression?) {
        raw(",\"offset\":\(milliseconds)")
        member("offsetExpr")
        duration(expression)
    }

    private mutating func startOrEnd(_ at: AtModifier?) {
        member("startOrEnd")
        switch at {
        case .start: raw("\"start\"")
        case .end: raw("\"end\"")
        case .time, nil: raw("null")
        }
    }

    private mutating func timestamp(_ at: AtModifier?) {
        member("timestamp")
        if case .time(let milliseconds) = at { raw("\(milliseconds)") } else { raw("null") }
    }

    // MARK: Durations

    private mutating func duration(_ expression: DurationExpression?, isWrapped: Bool = false) {
        switch expression {
        case nil: raw("null")
        case .literal(let seconds, _): number(seconds, isDuration: true)
        case .step: operation("step", nil, nil, isWrapped)
        case .range: operation("range", nil, nil, isWrapped)
        case .negate(let inner, _): operation("-", nil, inner, isWrapped)
        case .plus(let inner, _): operation("+", nil, inner, isWrapped)
        case .binary(let op, let left, let right, _): operation(op.rawValue, left, right, isWrapped)
        case .minOf(let left, let right, _): operation("min_of", left, right, isWrapped)
        case .maxOf(let left, let right, _): operation("max_of", left, right, isWrapped)
        case .parentheses(let inner, _): duration(inner, isWrapped: true)
        }
    }

    private mutating func operation(
        _ op: String, _ left: DurationExpression?, _ right: DurationExpression?, _ isWrapped: Bool
    ) {
        member("lhs", isFirst: true)
        duration(left)
        raw(",\"op\":\"\(op)\"")
        member("rhs")
        duration(right)
        raw(",\"type\":\"durationExpr\",\"wrapped\":\(isWrapped)}")
    }
}
