import Model

/// An instant selector: at each step the newest sample of the lookback window, which is open on the left.
struct InstantColumns: ColumnMaker {
    let set: any SeriesSet
    let grid: StepGrid
    /// The time that an `@` names, without the offset.
    let at: Int64?
    /// ms.
    let offset: Int64
    let lookback: Int64

    func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn {
        try set.read(index, into: &scratch.samples)
        scratch.index = index
        if scratch.samples.count == 0 { return .nothing(read: 0) }
        if !scratch.samples.histograms.isEmpty { return .apart }
        let found = pick(scratch.samples, out)
        return found > 0
            ? .values(
                read: scratch.samples.count,
                counted: SampleCount(looked: found, new: at == nil ? found : min(1, found)))
            : .nothing(read: scratch.samples.count)
    }

    /// Writes the value of each step; returns how many there are.
    func pick(_ samples: borrowing SampleColumns, _ out: UnsafeMutablePointer<Double>) -> Int {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var (next, found) = (0, 0)
        for i in 0..<grid.count {
            let time = (at ?? grid.time(i)) &- offset
            while next < count, times[next] <= time { next &+= 1 }
            if next > 0, times[next &- 1] > time &- lookback, !Staleness.isMarker(values[next &- 1]) {
                out[i] = values[next &- 1]
                found &+= 1
            } else {
                out[i] = Column.absent
            }
        }
        return found
    }
}

/// A range function of the samples of a matrix selector.
struct RangeColumns: ColumnMaker {
    let set: any SeriesSet
    let plan: WindowPlan
    let parameters: [[Double]]
    /// Whether the function sees start timestamps.
    let seesStarts: Bool
    /// Where samples are counted by step, if anybody asks.
    let perStep: SamplesPerStep?

    func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn {
        try read(index, scratch)
        let read = scratch.samples.count
        if read == 0 { return .nothing(read: 0) }
        if !scratch.samples.histograms.isEmpty || (seesStarts && !scratch.samples.starts.isEmpty) { return .apart }
        var tables = scratch.tables ?? WindowTables(plan)
        scratch.tables = nil
        let table = tables.table(scratch.samples)
        scratch.tables = tables
        let target = UnsafeMutableBufferPointer(start: out, count: plan.grid.count)
        perStep?.add(scratch.samples, plan)
        try FloatWindows.evaluate(scratch.samples, plan, table, parameters, &scratch.resets, target)
        return target.contains(where: Column.isPresent)
            ? .values(read: read, counted: table.counted) : .nothing(read: read, counted: table.counted)
    }

    /// Reads a series without its staleness markers.
    func read(_ index: Int, _ scratch: ColumnScratch) throws {
        try set.read(index, into: &scratch.samples)
        RangeWindows.removeStale(&scratch.samples)
        scratch.index = index
    }
}
