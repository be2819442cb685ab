import Model

/// The windows of a range expression over a grid.
struct WindowPlan {
    let function: RangeFunction
    let grid: StepGrid
    /// The length of the windows, ms.
    let length: Int64
    private let at: Int64?
    private let offset: Int64
    /// The limits of the query, which are also checked within a series: many long windows take much longer than a
    /// series.
    private(set) var budget: QueryBudget?

    init(function: RangeFunction, range: RangeVectorNode, _ context: EvaluationContext) {
        let grid = context.grid
        self.function = function
        self.grid = grid
        length = range.length
        let first = range.end.time(0, of: grid)
        let isFixed = grid.count > 1 && range.end.time(1, of: grid) == first
        at = isFixed ? first : nil
        offset = grid.start &- first
        budget = context.budget
    }

    private init(function: RangeFunction, grid: StepGrid, length: Int64, at: Int64?, offset: Int64) {
        self.function = function
        self.grid = grid
        self.length = length
        self.at = at
        self.offset = offset
    }

    /// The windows with all samples that an `anchored` or `smoothed` range uses.
    func extended(by lookback: Int64, _ kind: RangeExtension) -> WindowPlan {
        let after = kind == .smoothed ? lookback : 0
        return WindowPlan(
            function: .present, grid: grid, length: length &+ lookback &+ after, at: at.map { $0 &+ after },
            offset: offset &- after)
    }

    /// Windows that end at the steps themselves.
    init(function: RangeFunction, grid: StepGrid, length: Int64) {
        self.function = function
        self.grid = grid
        self.length = length
        (at, offset) = (nil, 0)
    }

    /// The inclusive end of the window of step `index`, ms.
    @inline(__always)
    func end(_ index: Int) -> Int64 { at ?? (grid.time(index) &- offset) }
}
