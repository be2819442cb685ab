/// All functions of PromQL 3.x.
package enum FunctionTable {
    /// The function called `name`, which is case-sensitive.
    package static func lookup(_ name: String) -> FunctionSignature? { byName[name] }

    /// All functions, sorted by name.
    package static var all: [FunctionSignature] { byName.values.sorted { $0.name < $1.name } }

    private static let byName: [String: FunctionSignature] = Dictionary(
        (ofVector + ofRange + others + experimental).map { ($0.name, $0) }, uniquingKeysWith: { $1 })

    private static let ofVector: [FunctionSignature] =
        [
            "abs", "absent", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp",
            "floor", "histogram_avg", "histogram_count", "histogram_stddev", "histogram_stdvar", "histogram_sum", "ln",
            "log10", "log2", "rad", "sgn", "sin", "sinh", "sort", "sort_desc", "sqrt", "tan", "tanh", "timestamp",
        ].map { FunctionSignature($0, [.vector]) }
        + ["day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year"].map {
            FunctionSignature($0, [.vector], variadic: 1)
        }

    private static let ofRange: [FunctionSignature] =
        [
            "absent_over_time", "avg_over_time", "changes", "count_over_time", "delta", "deriv", "first_over_time",
            "idelta", "increase", "irate", "last_over_time", "max_over_time", "min_over_time", "present_over_time",
            "rate", "resets", "stddev_over_time", "stdvar_over_time", "sum_over_time",
        ].map { FunctionSignature($0, [.matrix]) }

    private static let others: [FunctionSignature] = [
        FunctionSignature("clamp", [.vector, .scalar, .scalar]),
        FunctionSignature("clamp_max", [.vector, .scalar]),
        FunctionSignature("clamp_min", [.vector, .scalar]),
        FunctionSignature("histogram_fraction", [.scalar, .scalar, .vector]),
        FunctionSignature("histogram_quantile", [.scalar, .vector]),
        FunctionSignature("label_join", [.vector, .string, .string, .string], variadic: -1),
        FunctionSignature("label_replace", [.vector, .string, .string, .string, .string]),
        FunctionSignature("pi", [], result: .scalar),
        FunctionSignature("predict_linear", [.matrix, .scalar]),
        FunctionSignature("quantile_over_time", [.scalar, .matrix]),
        FunctionSignature("round", [.vector, .scalar], variadic: 1),
        FunctionSignature("scalar", [.vector], result: .scalar),
        FunctionSignature("time", [], result: .scalar),
        FunctionSignature("vector", [.scalar]),
    ]

    private static let experimental: [FunctionSignature] =
        [
            FunctionSignature("double_exponential_smoothing", [.matrix, .scalar, .scalar]),
            FunctionSignature("histogram_quantiles", [.vector, .string, .scalar], variadic: 10),
            FunctionSignature("info", [.vector, .vector], variadic: 1),
            FunctionSignature("mad_over_time", [.matrix]),
            FunctionSignature("sort_by_label", [.vector, .string], variadic: -1),
            FunctionSignature("sort_by_label_desc", [.vector, .string], variadic: -1),
            FunctionSignature("ts_of_first_over_time", [.matrix]),
            FunctionSignature("ts_of_last_over_time", [.matrix]),
            FunctionSignature("ts_of_max_over_time", [.matrix]),
            FunctionSignature("ts_of_min_over_time", [.matrix]),
            FunctionSignature("start_timestamp", [.vector]),
            FunctionSignature("start", [], result: .scalar),
            FunctionSignature("end", [], result: .scalar),
            FunctionSignature("range", [], result: .scalar),
            FunctionSignature("step", [], result: .scalar),
            FunctionSignature("min_of", [.scalar, .scalar], result: .scalar),
            FunctionSignature("max_of", [.scalar, .scalar], result: .scalar),
        ].map {
            var function = $0
            function.isExperimental = true
            return function
        }

    /// Argument counts that a call may have; `most` is nil without a limit.
    static func argumentCounts(_ function: FunctionSignature) -> (least: Int, most: Int?) {
        let n = function.arguments.count
        if function.name == "histogram_quantiles" { return (3, 12) }
        if function.variadic == 0 { return (n, n) }
        if function.variadic < 0 { return (n - 1, nil) }
        return (n - 1, n - 1 + function.variadic)
    }
}
