import Glibc
import GoCompatibility
import Model

/// All functions of PromQL 3.x, one row each.
///
/// A new function needs a row here, and its kernel, unless that is a closure in the row.
package enum FunctionRegistry {
    /// The function with the name `name`, which is case-sensitive.
    package static func lookup(_ name: String) -> Function? { byName[name] }

    /// All functions, sorted by name.
    package static let all: [Function] =
        (rangeFunctions + numberFunctions + dateFunctions + histogramFunctions + vectorFunctions + scalarFunctions)
        .sorted { $0.name < $1.name }

    private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { $1 })

    // MARK: Functions of range vectors

    private static let rangeFunctions: [Function] = [
        Function(
            "rate", [.matrix], .range(.rate),
            traits: [.histograms, .anchored, .smoothed, .startTimes, .expectsCounter],
            "increase per second of a counter over the window"),
        Function(
            "increase", [.matrix], .range(.increase),
            traits: [.histograms, .anchored, .smoothed, .startTimes, .expectsCounter],
            "increase of a counter over the window"),
        Function(
            "delta", [.matrix], .range(.delta), traits: [.histograms, .anchored, .smoothed],
            "difference of a gauge between the ends of the window"),
        Function(
            "irate", [.matrix], .range(.irate), traits: [.histograms, .startTimes],
            "increase per second between the last two samples of a counter"),
        Function("idelta", [.matrix], .range(.idelta), traits: .histograms, "difference of the last two samples"),
        Function(
            "resets", [.matrix], .range(.resets), traits: [.histograms, .anchored, .startTimes],
            "number of resets of a counter"),
        Function(
            "changes", [.matrix], .range(.changes), traits: [.histograms, .anchored, .seesEmptyBuckets],
            "number of changes of the value"),
        Function("deriv", [.matrix], .range(.deriv), "slope of the line that fits the samples best, per second"),
        Function(
            "predict_linear", [.matrix, .scalar], .range(.predictLinear), traits: .variesWithTime,
            "value on that line so many seconds later"),
        Function("quantile_over_time", [.scalar, .matrix], .range(.quantile), "quantile of the values"),
        Function(
            "double_exponential_smoothing", [.matrix, .scalar, .scalar], .range(.smoothing),
            "smoothed value, by a smoothing and a trend factor"
        ).experimental,
        Function("sum_over_time", [.matrix], .range(.sum), traits: .histograms, "sum of the values"),
        Function("avg_over_time", [.matrix], .range(.avg), traits: .histograms, "average of the values"),
        Function("min_over_time", [.matrix], .range(.min), "least value"),
        Function("max_over_time", [.matrix], .range(.max), "greatest value"),
        Function("count_over_time", [.matrix], .range(.count), traits: .histograms, "number of samples"),
        Function(
            "last_over_time", [.matrix], .range(.last), traits: [.histograms, .keepsName, .passesEmptyBuckets],
            "newest sample"),
        Function(
            "first_over_time", [.matrix], .range(.first), traits: [.histograms, .keepsName, .passesEmptyBuckets],
            "oldest sample"),
        Function("present_over_time", [.matrix], .range(.present), traits: .histograms, "1 where there is a sample"),
        Function("stddev_over_time", [.matrix], .range(.stddev), "standard deviation of the values"),
        Function("stdvar_over_time", [.matrix], .range(.stdvar), "variance of the values"),
        Function("mad_over_time", [.matrix], .range(.mad), "median of the distances from the median").experimental,
        Function("ts_of_min_over_time", [.matrix], .range(.tsOfMin), "time of the last sample with the least value")
            .experimental,
        Function("ts_of_max_over_time", [.matrix], .range(.tsOfMax), "time of the last sample with the greatest value")
            .experimental,
        Function(
            "ts_of_first_over_time", [.matrix], .range(.tsOfFirst), traits: .histograms, "time of the oldest sample"
        )
        .experimental,
        Function("ts_of_last_over_time", [.matrix], .range(.tsOfLast), traits: .histograms, "time of the newest sample")
            .experimental,
        Function(
            "absent_over_time", [.matrix],
            .whole { try AbsentFunctions(argument: $0.arguments[0], context: $1).ofRange() },
            traits: [.histograms, .holdsNoSeries], "1 where no series has a sample in the window"),
    ]

    // MARK: Functions of each value

    private static let numberFunctions: [Function] = [
        Function("abs", [.vector], .number { abs($0) }, "absolute value"),
        Function("ceil", [.vector], .number { ceil($0) }, "next integer above"),
        Function("floor", [.vector], .number { floor($0) }, "next integer below"),
        Function("exp", [.vector], .number { exp($0) }, "e to the power of the value"),
        Function("sqrt", [.vector], .number { $0.squareRoot() }, "square root"),
        Function("ln", [.vector], .number { GoMath.log($0) }, "natural logarithm"),
        Function("log2", [.vector], .number { log2($0) }, "binary logarithm"),
        Function("log10", [.vector], .number { GoMath.log10($0) }, "decimal logarithm"),
        Function("sgn", [.vector], .number { $0 < 0 ? -1 : $0 > 0 ? 1 : $0 }, "−1, 0 or 1 by the sign"),
        Function("deg", [.vector], .number { $0 * 180 / .pi }, "radians to degrees"),
        Function("rad", [.vector], .number { $0 * .pi / 180 }, "degrees to radians"),
        Function("sin", [.vector], .number { sin($0) }, "sine"),
        Function("cos", [.vector], .number { cos($0) }, "cosine"),
        Function("tan", [.vector], .number { tan($0) }, "tangent"),
        Function("asin", [.vector], .number { asin($0) }, "arcsine"),
        Function("acos", [.vector], .number { acos($0) }, "arccosine"),
        Function("atan", [.vector], .number { atan($0) }, "arctangent"),
        Function("sinh", [.vector], .number { sinh($0) }, "hyperbolic sine"),
        Function("cosh", [.vector], .number { cosh($0) }, "hyperbolic cosine"),
        Function("tanh", [.vector], .number { tanh($0) }, "hyperbolic tangent"),
        Function("asinh", [.vector], .number { asinh($0) }, "inverse hyperbolic sine"),
        Function("acosh", [.vector], .number { acosh($0) }, "inverse hyperbolic cosine"),
        Function("atanh", [.vector], .number { atanh($0) }, "inverse hyperbolic tangent"),
        Function(
            "round", [.vector, .scalar], variadic: 1, .stream { try ElementFunctions($0, $1).round($2) },
            "nearest multiple of the second argument, 1 by default"),
        Function(
            "clamp", [.vector, .scalar, .scalar], .stream { try ElementFunctions($0, $1).clamp(low: 1, high: 2, $2) },
            "value, limited at both ends"),
        Function(
            "clamp_min", [.vector, .scalar], .stream { try ElementFunctions($0, $1).clamp(low: 1, high: nil, $2) },
            "value, limited from below"),
        Function(
            "clamp_max", [.vector, .scalar], .stream { try ElementFunctions($0, $1).clamp(low: nil, high: 1, $2) },
            "value, limited from above"),
        Function(
            "timestamp", [.vector],
            .stream { try TimestampFunctions(argument: $0.arguments[0], context: $1, isStart: false).stream($2) },
            traits: .variesWithTime, "time of the sample, in Unix seconds"),
        Function(
            "start_timestamp", [.vector],
            .stream {
                guard $1.options.usesStartTimes else { return }
                try TimestampFunctions(argument: $0.arguments[0], context: $1, isStart: true).stream($2)
            }, "start timestamp of the sample, in Unix seconds"
        ).experimental,
    ]

    // MARK: Parts of dates

    private static let dateFunctions: [Function] = [
        Function("minute", [.vector], variadic: 1, .datePart(DatePart.minute), "minute of the hour, 0 to 59"),
        Function("hour", [.vector], variadic: 1, .datePart(DatePart.hour), "hour of the day, 0 to 23"),
        Function("day_of_week", [.vector], variadic: 1, .datePart(DatePart.dayOfWeek), "0 (Sunday) to 6"),
        Function("day_of_month", [.vector], variadic: 1, .datePart(DatePart.dayOfMonth), "1 to 31"),
        Function("day_of_year", [.vector], variadic: 1, .datePart(DatePart.dayOfYear), "1 to 366"),
        Function("days_in_month", [.vector], variadic: 1, .datePart(DatePart.daysInMonth), "28 to 31"),
        Function("month", [.vector], variadic: 1, .datePart(DatePart.month), "1 to 12"),
        Function("year", [.vector], variadic: 1, .datePart(DatePart.year), "the year"),
    ]

    // MARK: Functions of histograms

    private static let histogramFunctions: [Function] = [
        Function(
            "histogram_count", [.vector], .histogram { $0.count }, traits: .needsNoBuckets,
            "number of observations of a native histogram"),
        Function(
            "histogram_sum", [.vector], .histogram { $0.sum }, traits: .needsNoBuckets,
            "sum of the observations of a native histogram"),
        Function(
            "histogram_avg", [.vector], .histogram { $0.sum / $0.count }, traits: .needsNoBuckets,
            "average of the observations of a native histogram"),
        Function(
            "histogram_stddev", [.vector], .histogram { $0.standardDeviation },
            "estimated standard deviation of a native histogram"),
        Function(
            "histogram_stdvar", [.vector], .histogram { $0.variance }, "estimated variance of a native histogram"),
        Function(
            "histogram_quantile", [.scalar, .vector], .whole { try HistogramEstimates($0, $1).quantile() },
            traits: .needsBuckets, "estimated quantile of classic and native histograms"),
        Function(
            "histogram_quantiles", [.vector, .string, .scalar], variadic: 10,
            .whole { try HistogramEstimates($0, $1).quantiles() }, traits: .needsBuckets,
            "several estimated quantiles, each with a label"
        ).limited(toArguments: 12).experimental,
        Function(
            "histogram_fraction", [.scalar, .scalar, .vector], .whole { try HistogramEstimates($0, $1).fraction() },
            traits: .needsBuckets, "estimated share of the observations between two values"),
    ]

    // MARK: Functions of whole vectors

    private static let vectorFunctions: [Function] = [
        Function(
            "absent", [.vector], .whole { try AbsentFunctions(argument: $0.arguments[0], context: $1).ofVector() },
            traits: .holdsNoSeries, "1 where there is no series"),
        Function(
            "sort", [.vector], .whole { try SortFunctions($0, $1, descends: false).byValue() }, traits: .ordersResult,
            "series by ascending values"),
        Function(
            "sort_desc", [.vector], .whole { try SortFunctions($0, $1, descends: true).byValue() },
            traits: .ordersResult,
            "series by descending values"),
        Function(
            "sort_by_label", [.vector, .string], variadic: -1,
            .whole { try SortFunctions($0, $1, descends: false).byLabel() },
            traits: [.passesEmptyBuckets, .ordersResult],
            "series by ascending values of labels"
        ).experimental,
        Function(
            "sort_by_label_desc", [.vector, .string], variadic: -1,
            .whole { try SortFunctions($0, $1, descends: true).byLabel() },
            traits: [.passesEmptyBuckets, .ordersResult],
            "series by descending values of labels"
        ).experimental,
        Function(
            "label_replace", [.vector, .string, .string, .string, .string],
            .whole { try LabelFunctions($0, $1).replace() },
            traits: .passesEmptyBuckets, "series with a label made by a regular expression"),
        Function(
            "label_join", [.vector, .string, .string, .string], variadic: -1,
            .whole { try LabelFunctions($0, $1).join() },
            traits: .passesEmptyBuckets, "series with a label made of others"),
        Function(
            "info", [.vector, .vector], variadic: 1, .whole { try InfoFunction($0, $1).columns() },
            traits: .passesEmptyBuckets,
            "series with the labels of their info metrics"
        ).experimental,
        Function(
            "vector", [.scalar], .stream { try ElementFunctions($0, $1).vector($2) }, "one series without labels"),
    ]

    // MARK: Functions that return scalars

    private static let scalarFunctions: [Function] = [
        Function(
            "pi", [], .scalar { _, context in [Double](repeating: .pi, count: context.grid.count) }, "π"
        ).scalar,
        Function(
            "time", [], .scalar { ScalarFunctions($0, $1).times() }, traits: .variesWithTime,
            "time of the step, in Unix seconds"
        ).scalar,
        Function(
            "scalar", [.vector], .scalar { try ScalarFunctions($0, $1).onlyValue() },
            "value of the only series; NaN if there is not exactly one"
        ).scalar,
        Function(
            "min_of", [.scalar, .scalar], .scalar { try ScalarFunctions($0, $1).chosen(by: min) }, "lesser number"
        ).scalar.experimental,
        Function(
            "max_of", [.scalar, .scalar], .scalar { try ScalarFunctions($0, $1).chosen(by: max) }, "greater number"
        ).scalar.experimental,
        Function("start", [], .parameter { $0.startSeconds }, "start of the query, in Unix seconds").scalar
            .experimental,
        Function("end", [], .parameter { $0.endSeconds }, "end of the query, in Unix seconds").scalar
            .experimental,
        Function("range", [], .parameter { $0.rangeSeconds }, "seconds between them").scalar.experimental,
        Function("step", [], .parameter { $0.stepParameter }, "seconds between the steps of the query").scalar
            .experimental,
    ]
}
