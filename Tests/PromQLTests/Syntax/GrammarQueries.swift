import TestSupport

/// Writes random expressions over the whole grammar that have correct types.
struct GrammarQueries {
    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func next() -> String { Bool.random(using: &random) ? vector(3) : scalar(3) }

    private mutating func pick(_ choices: [String]) -> String {
        choices[Int.random(in: 0..<choices.count, using: &random)]
    }

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    private mutating func list(_ counts: ClosedRange<Int>, _ item: (inout Self) -> String) -> String {
        (0..<Int.random(in: counts, using: &random)).map { _ in item(&self) }.joined(separator: pick([",", ", "]))
    }

    /// Space, a new line or a comment, where any may stand.
    private mutating func gap() -> String { pick([" ", " ", " ", " ", "  ", "\n", "\t", " # why\n"]) }

    // MARK: Pieces

    private mutating func number() -> String {
        pick(["0", "1", "2.5", ".5", "1e3", "1E-2", "0x1F", "017", "1_000", "Inf", "NaN", "5m", "1h30m", "500ms", "1y"])
    }

    private mutating func string() -> String {
        pick([
            #""a""#, "'b'", "`c\\d`", #""""#, #""q\"q""#, #"'\'x\n\t\\'"#, #""\u00e4\x41\101""#, "\"ä😀\"", #""$1""#,
            "`$1-\"x\"`",
        ])
    }

    private mutating func label() -> String {
        pick([
            "a", "b", "job", "instance", "_x1", "by", "sum", "on", "\"a.b\"", "'näme'", "\"with space\"", "bool",
            "offset",
        ])
    }

    private mutating func labels() -> String { "(" + list(0...3) { $0.label() } + (chance(9) ? "" : "") + ")" }

    private mutating func matcher() -> String {
        if chance(3) {
            return label() + pick(["=~", "!~"]) + pick(["\"a|b\"", "'.*'", "`x\\d+`", "\"\"", "\"(a|b)c?\""])
        }
        return pick(["a", "job", "\"a.b\"", "'näme'", "instance"]) + pick(["=", "!="]) + string()
    }

    private mutating func selector() -> String {
        let name = pick([
            "up", "a:b:c", "x_total", "sum", "start", "by", "and", "offset", "fill", "anchored", "step", "",
        ])
        if name.isEmpty {
            return "{" + pick(["\"näme.x\"", "__name__=\"x\"", "job!=\"\"", "__name__=~\"a.+\""])
                + (chance(2) ? "," + matcher() : "") + pick(["", ","]) + "}"
        }
        return name + pick(["", "", "{}", gap() + "{" + list(1...3) { $0.matcher() } + pick(["", ","]) + "}"])
    }

    private mutating func duration(_ depth: Int) -> String {
        if depth <= 0 || chance(2) {
            return pick(["5m", "1h", "30s", "90", "1.5", "1d12h", "100ms", "step()", "range()"])
        }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return "(" + duration(depth - 1) + ")"
        case 1: return pick(["min_of", "max_of"]) + "(" + duration(depth - 1) + "," + duration(depth - 1) + ")"
        case 2: return "-" + "(" + duration(depth - 1) + ")"
        default:
            return duration(depth - 1) + pick([" + ", " - ", " * ", " / ", " % ", " ^ ", "+", "*"])
                + duration(depth - 1)
        }
    }

    private mutating func offset() -> String {
        let word = gap() + pick(["offset", "OFFSET"]) + " "
        return word
            + pick(["5m", "-1h", "+30s", "90", "-1.5", "step()", "-range()", "(\(duration(2)))", "-(\(duration(1)))"])
    }

    private mutating func at() -> String {
        gap() + "@" + gap() + pick(["0", "1609746000.5", "-5", "+3", "start()", "end()", "1h", "1e3"])
    }

    /// `@` and `offset`, each perhaps, in either order.
    private mutating func shift() -> String {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: at()
        case 1: offset()
        case 2: at() + offset()
        case 3: offset() + at()
        default: ""
        }
    }

    // MARK: Expressions

    private mutating func scalar(_ depth: Int) -> String {
        if depth <= 0 || chance(3) { return number() }
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return "(" + scalar(depth - 1) + ")"
        case 1: return pick(["-", "+"]) + scalar(depth - 1)
        case 2:
            return pick(["time()", "pi()", "scalar(\(vector(depth - 1)))", "step()", "min_of(\(scalar(depth - 1)), 2)"])
        case 3:
            return scalar(depth - 1) + gap() + pick(["==", "!=", "<", ">", "<=", ">="]) + " bool " + scalar(depth - 1)
        default:
            return scalar(depth - 1) + gap() + pick(["+", "-", "*", "/", "%", "^", "atan2", "ATAN2"]) + gap()
                + scalar(depth - 1)
        }
    }

    private mutating func matrix(_ depth: Int) -> String {
        if depth > 0, chance(3) {
            return "(\(vector(depth - 1)))[\(duration(2)):\(chance(2) ? "" : duration(1))]" + shift()
        }
        return selector() + "[" + duration(2) + "]" + pick(["", "", "", " anchored", " smoothed"]) + shift()
    }

    private mutating func vector(_ depth: Int) -> String {
        guard depth > 0 else { return selector() + pick(["", "", "", " smoothed"]) + shift() }
        switch Int.random(in: 0..<11, using: &random) {
        case 0: return selector() + shift()
        case 1: return "(" + vector(depth - 1) + ")"
        case 2: return pick(["-", "+"]) + vector(depth - 1)
        case 3, 4: return call(depth)
        case 5, 6: return aggregation(depth)
        case 7:
            let op = pick(["+", "-", "*", "/", "%", "^", "==", "> bool", "<", "</", ">/", "atan2"])
            let (left, right) = ("(\(vector(depth - 1)))", "(\(scalar(depth - 1)))")
            return chance(2) ? left + gap() + op + gap() + right : right + gap() + op + gap() + left
        default:
            // Operators that bind tighter would take an operand away from one with modifiers.
            let op = join()
            let (left, right) = (vector(depth - 1), vector(depth - 1))
            return op.contains("(") ? "(\(left)) \(op) (\(right))" : left + gap() + op + gap() + right
        }
    }

    private mutating func join() -> String {
        let matching = pick(["", "on\(labels())", "ignoring \(labels())", "ON (a)"])
        if chance(4) { return pick(["and", "or", "unless", "AND"]) + " " + matching }
        let op = pick(["+", "-", "*", "/", "%", "^", "==", "!=", "<", ">=", "== bool", "> bool", "</", ">/", "atan2"])
        let group = matching.isEmpty ? "" : pick(["", "", "group_left ()", "group_right()", "group_left(x, \"y.z\")"])
        let fill = pick(["", "", "", "fill(0)", "fill_left(-1)", "fill_right(5)", "fill_left(1) fill_right(2)"])
        return [op, matching, group, fill].joined(separator: " ")
    }

    private mutating func aggregation(_ depth: Int) -> String {
        let op = pick([
            "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "quantile", "limitk",
            "limit_ratio", "count_values", "SUM",
        ])
        let body: String
        switch op {
        case "topk", "bottomk", "quantile", "limitk", "limit_ratio":
            body = "(\(scalar(depth - 1)), \(vector(depth - 1)))"
        case "count_values": body = "(\(string()), \(vector(depth - 1)))"
        default: body = "(\(vector(depth - 1)))"
        }
        switch Int.random(in: 0..<3, using: &random) {
        case 0: return op + body
        case 1: return op + " " + pick(["by", "without"]) + labels() + body
        default: return op + body + gap() + pick(["by", "without"]) + " " + labels()
        }
    }

    private mutating func call(_ depth: Int) -> String {
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1:
            let name = pick([
                "rate", "increase", "delta", "sum_over_time", "last_over_time", "changes", "deriv", "absent_over_time",
                "mad_over_time", "ts_of_max_over_time", "first_over_time",
            ])
            return "\(name)(\(matrix(depth - 1)))"
        case 2: return pick(["abs", "sgn", "sort", "timestamp", "histogram_avg", "hour"]) + "(\(vector(depth - 1)))"
        case 3: return "histogram_quantile(\(scalar(depth - 1)), \(vector(depth - 1)))"
        case 4: return "label_replace(\(vector(depth - 1)), \(string()), \(string()), \(string()), \"(.*)\")"
        case 5: return "label_join(\(vector(depth - 1)), \(list(2...4) { $0.string() }))"
        case 6: return pick(["vector(\(scalar(depth - 1)))", "hour()", "round(\(vector(depth - 1)), 5)"])
        case 7: return "info(\(vector(depth - 1)), {\(matcher())})"
        default: return "quantile_over_time(\(scalar(depth - 1)), \(matrix(depth - 1)))"
        }
    }
}
