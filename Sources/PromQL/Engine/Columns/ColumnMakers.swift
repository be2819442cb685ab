import Model

/// The columns of an instant selector: at each step the newest sample of the lookback window, which is open on the
/// left.
struct InstantColumns: ColumnMaker {
    let set: any SeriesSet
    let grid: StepGrid
    /// The `@` and `offset` of the selector.
    let shift: TimeShift
    /// The lookback, ms.
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
                counted: SampleCount(looked: found, new: shift.isFixed ? min(1, found) : found))
            : .nothing(read: scratch.samples.count)
    }

    /// Writes the value of each step; returns the number of steps with a sample.
    func pick(_ samples: borrowing SampleColumns, _ out: UnsafeMutablePointer<Double>) -> Int {
        let (times, values, count) = (samples.timestamps, samples.values, samples.count)
        var (next, found) = (0, 0)
        for i in 0..<grid.count {
            let time = shift.time(i, of: grid)
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

    /// The histograms by step of a series that has some; `out` marks their steps, and keeps its floats.
    func pickHistograms(_ samples: borrowing SampleColumns, into out: inout [Double]) -> [HistogramBox?] {
        var boxes: [Int: HistogramBox] = [:]
        for entry in samples.histograms { boxes[entry.index] = HistogramBox(entry.histogram) }
        var result = [HistogramBox?](repeating: nil, count: grid.count)
        var position = -1
        for i in 0..<grid.count {
            let time = shift.time(i, of: grid)
            while position + 1 < samples.count, samples.timestamps[position + 1] <= time { position += 1 }
            guard position >= 0, samples.timestamps[position] > time &- lookback, let box = boxes[position] else {
                continue
            }
            if Staleness.isMarker(box.histogram.sum) {
                out[i] = Column.absent
            } else {
                out[i] = Column.histogramMark
                result[i] = box
            }
        }
        return result
    }
}

/// The columns of a range function of a range selector.
struct RangeColumns: ColumnMaker {
    let set: any SeriesSet
    let plan: WindowPlan
    let parameters: [[Double]]
    /// Whether the function uses start timestamps.
    let seesStarts: Bool
    /// The counter of samples by step; nil if they are not counted.
    let perStep: SamplesPerStep?

    func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn {
        try read(index, scratch)
        let read = scratch.samples.count
        if read == 0 { return .nothing(read: 0) }
        if !scratch.samples.histograms.isEmpty || (seesStarts && !scratch.samples.starts.isEmpty) { return .apart }
        let tables = scratch.tables ?? WindowTables(plan)
        scratch.tables = tables
        let table = tables.table(scratch.samples)
        let target = UnsafeMutableBufferPointer(start: out, count: plan.grid.count)
        perStep?.add(scratch.samples, plan)
        try FloatWindows.evaluate(scratch.samples, plan, table, parameters, &scratch.resets, target)
        return target.contains(where: Column.isPresent)
            ? .values(read: read, counted: table.counted) : .nothing(read: read, counted: table.counted)
    }

    /// Reads a series without its stale markers.
    func read(_ index: Int, _ scratch: ColumnScratch) throws {
        try set.read(index, into: &scratch.samples)
        RangeWindows.removeStale(&scratch.samples)
        scratch.index = index
    }
}
