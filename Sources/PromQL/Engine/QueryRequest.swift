import Model

/// A query with its source, times and limits.
struct QueryRequest {
    let expression: Expression
    /// The query's text, for positions in annotations and errors.
    let text: String
    let source: any SeriesSource
    let times: QueryTimes
    let limits: QueryLimits
    /// The time when the query began, ns; nil if its text was parsed before.
    var began: Int64?
}

/// The times of a query.
struct QueryTimes: Sendable {
    let grid: StepGrid
    /// The requested end, ms; it may be after the last step.
    let end: Int64
    let isInstant: Bool

    init(grid: StepGrid, end: Int64, isInstant: Bool) {
        self.grid = grid
        self.end = end
        self.isInstant = isInstant
    }

    /// The times of an instant query: one time, ms.
    init(at time: Int64) { self.init(grid: StepGrid(start: time, step: 1, count: 1), end: time, isInstant: true) }
}

/// The times at which an expression is evaluated.
struct StepGrid: Sendable {
    /// The first time, ms.
    var start: Int64
    /// The distance of the times, ms; positive.
    var step: Int64
    var count: Int

    func time(_ index: Int) -> Int64 { start &+ Int64(index) &* step }
    var end: Int64 { time(max(0, count - 1)) }
}
