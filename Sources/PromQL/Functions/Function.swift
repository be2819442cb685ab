import Model

/// A function of PromQL: how it is called, how it is computed, and what the engine must know of it.
///
/// ``FunctionRegistry`` has one row for each.
package struct Function: Sendable {
    package let name: String
    package let arguments: [ValueType]
    /// 0: exactly ``arguments``; n > 0: up to n of the last may be missing; negative: the last may be repeated.
    package let variadic: Int
    package private(set) var result = ValueType.vector
    /// Needs `--enable-feature=promql-experimental-functions`.
    package private(set) var isExperimental = false
    let kernel: FunctionKernel
    let traits: FunctionTraits
    /// Most arguments, where ``variadic`` does not say it; Prometheus checks `histogram_quantiles` apart.
    private var most: Int?
    /// What it returns, in one phrase, for the documentation.
    package let summary: String

    init(
        _ name: String, _ arguments: [ValueType], variadic: Int = 0, _ kernel: FunctionKernel,
        traits: FunctionTraits = [], _ summary: String
    ) {
        self.name = name
        self.arguments = arguments
        self.variadic = variadic
        self.kernel = kernel
        self.traits = traits
        self.summary = summary
    }

    /// The same function, which needs the feature of experimental functions.
    var experimental: Function {
        var function = self
        function.isExperimental = true
        return function
    }

    /// The same function, which returns a scalar.
    var scalar: Function {
        var function = self
        function.result = .scalar
        return function
    }

    /// The same function with at most `count` arguments.
    func limited(toArguments count: Int) -> Function {
        var function = self
        function.most = count
        return function
    }

    /// Argument counts that a call may have; `most` is nil without a limit.
    var argumentCounts: (least: Int, most: Int?) {
        let count = arguments.count
        if let most { return (count, most) }
        if variadic == 0 { return (count, count) }
        if variadic < 0 { return (count - 1, nil) }
        return (count - 1, count - 1 + variadic)
    }
}

/// How a function is computed; which case it is decides whether its series can be streamed.
enum FunctionKernel: Sendable {
    typealias Scalar = @Sendable (Call, EvaluationContext) throws -> [Double]
    typealias Stream = @Sendable (Call, EvaluationContext, SeriesSink) throws -> Void
    typealias Whole = @Sendable (Call, EvaluationContext) throws -> [Column]

    /// A number that is known before anything is evaluated.
    case parameter(@Sendable (Preparation) -> Double)
    /// A number per step.
    case scalar(Scalar)
    /// Each float by itself.
    case number(@Sendable (Double) -> Double)
    /// Each float by itself, as Unix seconds; of the step's time without an argument.
    case datePart(@Sendable (Double) -> Double)
    /// Each native histogram by itself.
    case histogram(@Sendable (FloatHistogram) -> Double)
    /// Series by series, in its own way.
    case stream(Stream)
    /// Each window of each series.
    case range(RangeFunction)
    /// All series at once.
    case whole(Whole)
}

/// What the engine must know of a function besides its kernel.
struct FunctionTraits: OptionSet, Sendable {
    let rawValue: Int

    /// Results keep the name of the metric.
    static let keepsName = FunctionTraits(rawValue: 1)
    /// Takes ranges that are `anchored`.
    static let anchored = FunctionTraits(rawValue: 1 << 1)
    /// Takes ranges that are `smoothed`.
    static let smoothed = FunctionTraits(rawValue: 1 << 2)
    /// Takes the native histograms of a window; the other functions of ranges see only its floats.
    static let histograms = FunctionTraits(rawValue: 1 << 3)
    /// With `use-start-timestamps`, takes a start timestamp for a reset.
    static let startTimes = FunctionTraits(rawValue: 1 << 4)
    /// Returns an information when the metric's name is not that of a counter.
    static let expectsCounter = FunctionTraits(rawValue: 1 << 5)
    /// Shows the empty buckets of its operand if its own are shown (see ``ChunkLayouts``).
    static let passesEmptyBuckets = FunctionTraits(rawValue: 1 << 6)
    /// Depends on the empty buckets of its operand.
    static let seesEmptyBuckets = FunctionTraits(rawValue: 1 << 7)
    /// Asks only for counts and sums of histograms, for which Prometheus reads no buckets.
    static let needsNoBuckets = FunctionTraits(rawValue: 1 << 8)
    /// Asks for buckets, also within a function that does not.
    static let needsBuckets = FunctionTraits(rawValue: 1 << 9)
    /// Changes from step to step even if what it selects is fixed by `@`.
    static let variesWithTime = FunctionTraits(rawValue: 1 << 10)
    /// Has a result where nothing was selected, and so holds no series.
    static let holdsNoSeries = FunctionTraits(rawValue: 1 << 11)
    /// The order of an instant query's result is that of the function.
    static let ordersResult = FunctionTraits(rawValue: 1 << 12)
}
