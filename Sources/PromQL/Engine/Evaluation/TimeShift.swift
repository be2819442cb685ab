/// The `@` and `offset` of a selector or subquery, which determine the time that is read for each step.
struct TimeShift {
    /// The time of `@` before the offset is subtracted, ms; nil without `@`.
    private let fixed: Int64?
    /// The offset, ms.
    private let offset: Int64

    init(_ at: AtModifier?, _ offset: Int64) {
        if case .time(let time)? = at { fixed = time } else { fixed = nil }
        self.offset = offset
    }

    /// Whether all steps have the same time because of `@`.
    var isFixed: Bool { fixed != nil }

    /// The time for step `index` of `grid`, ms.
    @inline(__always)
    func time(_ index: Int, of grid: StepGrid) -> Int64 { (fixed ?? grid.time(index)) &- offset }

    /// The times for the first and the last step of `grid`, ms.
    func bounds(_ grid: StepGrid) -> (first: Int64, last: Int64) {
        (time(0, of: grid), time(max(0, grid.count - 1), of: grid))
    }
}

extension VectorSelector {
    var timeShift: TimeShift { TimeShift(at, offset) }
}

extension Subquery {
    var timeShift: TimeShift { TimeShift(at, offset) }
}
