import Model

/// A function of PromQL: its arguments, its computation, and its properties for the engine.
///
/// ``FunctionRegistry`` has one row for each.
package struct Function: Sendable {
    package let name: String
    package let arguments: [ValueType]
    /// The number of optional arguments.
    ///
    /// 0: exactly ``arguments``; n > 0: up to n of the last may be missing; negative: the last may be repeated.
    package let variadic: Int
    package private(set) var result = ValueType.vector
    /// Whether it needs `--enable-feature=promql-experimental-functions`.
    package private(set) var isExperimental = false
    let kernel: FunctionKernel
    let traits: FunctionTraits
    /// The most arguments, if they do not follow from ``variadic``; Prometheus checks `histogram_quantiles` separately.
    private var most: Int?
    /// The result in one phrase, for the documentation.
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

    /// A copy that needs the feature of experimental functions.
    var experimental: Function {
        var function = self
        function.isExperimental = true
        return function
    }

    /// A copy that returns a scalar.
    var scalar: Function {
        var function = self
        function.result = .scalar
        return function
    }

    /// A copy with at most `count` arguments.
    func limited(toArguments count: Int) -> Function {
        var function = self
        function.most = count
        return function
    }

    /// The numbers of arguments that a call may have; `most` is nil without a limit.
    var argumentCounts: (least: Int, most: Int?) {
        let count = arguments.count
        if let most { return (count, most) }
        if variadic == 0 { return (count, count) }
        if variadic < 0 { return (count - 1, nil) }
        return (count - 1, count - 1 + variadic)
    }
}

/// The computation of a function; its case determines whether its series can be streamed.
enum FunctionKernel: Sendable {
    typealias Scalar = @Sendable (Call, EvaluationContext) throws -> [Double]
    typealias Stream = @Sendable (Call, EvaluationContext, SeriesSink) throws -> Void
    typealias Whole = @Sendable (Call, EvaluationContext) throws -> [Column]

    /// A number that is known before the evaluation.
    case parameter(@Sendable (Preparation) -> Double)
    /// A number per step.
    case scalar(Scalar)
    /// A function of each float.
    case number(@Sendable (Double) -> Double)
    /// A function of each float as Unix seconds, or of the step's time without an argument.
    case datePart(@Sendable (Double) -> Double)
    /// A function of each native histogram.
    case histogram(@Sendable (FloatHistogram) -> Double)
    /// A function of each series.
    case stream(Stream)
    /// A function of each window of each series.
    case range(RangeFunction)
    /// A function of all series at once.
    case whole(Whole)
}

/// The properties of a function for the engine, beside its kernel.
struct FunctionTraits: OptionSet, Sendable {
    let rawValue: Int

    /// The results keep the name of the metric.
    static let keepsName = FunctionTraits(rawValue: 1)
    /// It accepts `anchored` ranges.
    static let anchored = FunctionTraits(rawValue: 1 << 1)
    /// It accepts `smoothed` ranges.
    static let smoothed = FunctionTraits(rawValue: 1 << 2)
    /// It uses the native histograms of a window; the other functions of ranges use only its floats.
    static let histograms = FunctionTraits(rawValue: 1 << 3)
    /// With `use-start-timestamps`, it uses start timestamps to detect resets.
    static let startTimes = FunctionTraits(rawValue: 1 << 4)
    /// It adds an information when the metric's name is not that of a counter.
    static let expectsCounter = FunctionTraits(rawValue: 1 << 5)
    /// It shows the empty buckets of its operand if its own are shown (see ``ChunkLayouts``).
    static let passesEmptyBuckets = FunctionTraits(rawValue: 1 << 6)
    /// It depends on the empty buckets of its operand.
    static let seesEmptyBuckets = FunctionTraits(rawValue: 1 << 7)
    /// It needs only counts and sums of histograms, for which Prometheus reads no buckets.
    static let needsNoBuckets = FunctionTraits(rawValue: 1 << 8)
    /// It needs buckets, also within a function that does not.
    static let needsBuckets = FunctionTraits(rawValue: 1 << 9)
    /// It changes from step to step even if its selectors are fixed by `@`.
    static let variesWithTime = FunctionTraits(rawValue: 1 << 10)
    /// It has a result even if no series was selected, and so holds no series.
    static let holdsNoSeries = FunctionTraits(rawValue: 1 << 11)
    /// The order of an instant query's result is that of the function.
    static let ordersResult = FunctionTraits(rawValue: 1 << 12)
}
