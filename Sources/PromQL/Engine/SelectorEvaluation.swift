import Model

extension Evaluator {
    /// The time a selector looks at, for step `index`.
    @inline(__always)
    func reference(_ at: AtModifier?, _ offset: Int64, _ grid: StepGrid, _ index: Int) -> Int64 {
        if case .time(let fixed)? = at { return fixed &- offset }
        return grid.time(index) &- offset
    }

    /// An instant selector: at each step the newest sample of the lookback window, which is open on the left.
    func select(_ selector: VectorSelector, _ grid: StepGrid, _ sink: Sink) throws {
        if selector.rangeExtension == .smoothed { return try smoothedSelect(selector, grid, sink) }
        let lookback = options.lookbackDelta
        let (first, last) = bounds(selector.at, selector.offset, grid)
        let isSingle = grid.count == 1 || first == last
        let request = SelectRequest(
            matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last,
            newestOnly: isSingle && !selector.detectsResets, isSorted: false)
        let series = try select(request)
        try expect(series)
        let layouts = selector.showsEmptyBuckets ? ChunkLayouts(self, request) : nil
        var fixed: Int64?
        if case .time(let time)? = selector.at { fixed = time }
        let maker = InstantColumns(set: series, grid: grid, at: fixed, offset: selector.offset, lookback: lookback)
        let span = isSingle ? 0 : last &- first &+ lookback
        try produce(maker, selector.range, count: series.count, steps: grid.count, span: span) {
            index, made, values, scratch in
            try guardian.check()
            switch made {
            case .nothing(let read, _): if read > 0 { trace?.read(selector.range, samples: read) }
            case .values(let read, let counted):
                trace?.read(selector.range, samples: read)
                guardian.count(counted)
                guardian.perStep?.add(values, [], grid, isFixed: fixed != nil)
                try sink(Metric(series, index), values, [])
            case .apart, .failed:
                if scratch.index != index { try series.read(index, into: &scratch.samples) }
                scratch.index = -1
                trace?.read(selector.range, samples: scratch.samples.count)
                if selector.detectsResets {
                    ResetHints.detect(&scratch.samples)
                } else {
                    try layouts?.widen(&scratch.samples, of: series.labels(index))
                }
                var out = [Double](repeating: Column.absent, count: grid.count)
                let found = out.withUnsafeMutableBufferPointer { buffer in
                    buffer.baseAddress.map { maker.pick(scratch.samples, $0) } ?? 0
                }
                guard found > 0 else { return }
                let histograms = pick(scratch.samples, into: &out, selector.at, selector.offset, grid, lookback)
                let costs = histograms.map { $0.map { $0.histogram.sampleCost - 1 } ?? 0 }
                let looked = found + costs.reduce(0, +)
                guardian.count(
                    SampleCount(looked: looked, new: fixed == nil ? looked : 1 + (costs.first ?? 0)))
                out.withUnsafeBufferPointer { guardian.perStep?.add($0, histograms, grid, isFixed: fixed != nil) }
                try out.withUnsafeBufferPointer { try sink(Metric(series, index), $0, histograms) }
            }
        }
    }

    /// First and last time that a selector looks at.
    func bounds(_ at: AtModifier?, _ offset: Int64, _ grid: StepGrid) -> (Int64, Int64) {
        (reference(at, offset, grid, 0), reference(at, offset, grid, max(0, grid.count - 1)))
    }

    /// Histograms by step for a series that has some; floats stay in `out`.
    private func pick(
        _ samples: borrowing SampleColumns, into out: inout [Double], _ at: AtModifier?, _ offset: Int64,
        _ grid: StepGrid, _ lookback: Int64
    ) -> [HistogramBox?] {
        var boxes: [Int: HistogramBox] = [:]
        for entry in samples.histograms { boxes[entry.index] = HistogramBox(entry.histogram) }
        var result = [HistogramBox?](repeating: nil, count: grid.count)
        var position = -1
        for i in 0..<grid.count {
            let time = reference(at, offset, grid, i)
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

    /// `smoothed` on an instant selector: interpolation between neighbours within the lookback on both sides.
    private func smoothedSelect(_ selector: VectorSelector, _ grid: StepGrid, _ sink: Sink) throws {
        let lookback = options.lookbackDelta
        let (first, last) = bounds(selector.at, selector.offset, grid)
        let series = try select(
            SelectRequest(
                matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last &+ lookback,
                isSorted: false))
        try expect(series)
        var samples = SampleColumns()
        var room = MemoryRoom(guardian)
        defer { room.release() }
        var out = [Double](repeating: Column.absent, count: grid.count)
        for index in 0..<series.count {
            try guardian.check()
            try series.read(index, into: &samples)
            try room.charge(samples.heldBytes)
            guard samples.count > 0 else { continue }
            RangeWindows.removeStale(&samples)
            if !samples.histograms.isEmpty {
                let histograms = try smoothedHistograms(selector, series.labels(index).metricName, grid, samples, &out)
                try out.withUnsafeBufferPointer { try sink(Metric(series, index), $0, histograms) }
                continue
            }
            var position = -1
            for i in 0..<grid.count {
                let time = reference(selector.at, selector.offset, grid, i)
                while position + 1 < samples.count, samples.timestamps[position + 1] <= time { position += 1 }
                out[i] = Column.absent
                guard position >= 0, samples.timestamps[position] > time &- lookback else { continue }
                let (t1, y1) = (samples.timestamps[position], samples.values[position])
                if t1 == time || position + 1 >= samples.count || samples.timestamps[position + 1] > time &+ lookback {
                    out[i] = y1
                } else {
                    let (t2, y2) = (samples.timestamps[position + 1], samples.values[position + 1])
                    out[i] = y1 + (y2 - y1) * Double(time - t1) / Double(t2 - t1)
                }
            }
            try out.withUnsafeBufferPointer { try sink(Metric(series, index), $0, []) }
        }
    }

    /// `smoothed` on a series that has histograms.
    private func smoothedHistograms(
        _ selector: VectorSelector, _ metric: String, _ grid: StepGrid, _ samples: borrowing SampleColumns,
        _ out: inout [Double]
    ) throws(QueryError) -> [HistogramBox?] {
        var checks = SampleChecks(guardian)
        let lookback = options.lookbackDelta
        let range = ExtendedHistogramRange(
            function: MixedRangeFunction(
                function: .delta, metric: metric, range: selector.range, annotations: annotations),
            kind: .smoothed, lookback: lookback)
        let series = MixedSeries(samples)
        var cursor = MixedSeries.Cursor()
        var result = [HistogramBox?](repeating: nil, count: grid.count)
        for i in 0..<grid.count {
            let time = reference(selector.at, selector.offset, grid, i)
            let near = series.window(time &- lookback, time &+ lookback, &cursor).merged
            try checks.add(near.count)
            out[i] = Column.absent
            guard let sample = range.sample(near, at: time) else { continue }
            switch sample {
            case .float(let value): out[i] = value
            case .histogram(let histogram):
                out[i] = Column.histogramMark
                result[i] = HistogramBox(histogram)
            }
        }
        return result
    }

    /// A range vector as the result of an instant query, sorted by labels.
    func rangeSeries(_ expression: Expression) throws -> [RangeSeries] {
        var result: [RangeSeries] = []
        // What a subquery looked at inside is what it counts as.
        let isSubquery = Self.isSubquery(expression)
        try rangeInput(expression, queryGrid, countsInside: isSubquery) { metric, samples, _ in
            let labels = metric.dropsName ? metric.labels.withoutMetadata : metric.labels
            let time = self.windowEnd(expression, self.queryGrid, 0)
            let window = self.windowLength(expression)
            let wanted = (0..<samples.count).reduce(0) {
                $0 + (samples.timestamps[$1] > time &- window && samples.timestamps[$1] <= time ? 1 : 0)
            }
            guard wanted > 0 else { return }
            let cost = samples.histograms.reduce(wanted) { $0 + $1.histogram.sampleCost - 1 }
            try self.guardian.hold(
                cost, bytes: wanted * 16 + samples.histograms.capacity * 512 + QueryGuard.columnOverhead)
            if !isSubquery {
                self.guardian.count(SampleCount(looked: cost, new: cost))
                self.guardian.perStep?.add(SampleCount(looked: cost, new: cost), at: 0, of: self.queryGrid)
            }
            var series = RangeSeries(labels: labels, timestamps: [], values: [], histograms: [])
            series.timestamps.reserveCapacity(wanted)
            series.values.reserveCapacity(wanted)
            var histogram = 0
            for i in 0..<samples.count {
                while histogram < samples.histograms.count, samples.histograms[histogram].index < i { histogram += 1 }
                guard samples.timestamps[i] > time &- window, samples.timestamps[i] <= time else { continue }
                if histogram < samples.histograms.count, samples.histograms[histogram].index == i {
                    series.histograms.append((series.values.count, samples.histograms[histogram].histogram))
                }
                series.timestamps.append(samples.timestamps[i])
                series.values.append(samples.values[i])
            }
            result.append(series)
        }
        return result.sorted { $0.labels < $1.labels }
    }

    /// The length of a range expression's window, ms.
    func windowLength(_ expression: Expression) -> Int64 {
        switch expression {
        case .matrix(let e): e.window
        case .subquery(let e): e.window
        case .parentheses(let e): windowLength(e.expression)
        default: 0
        }
    }

    /// The end of a range expression's window at step `index`.
    func windowEnd(_ expression: Expression, _ grid: StepGrid, _ index: Int) -> Int64 {
        switch expression {
        case .matrix(let e): reference(e.selector.at, e.selector.offset, grid, index)
        case .subquery(let e): reference(e.at, e.offset, grid, index)
        case .parentheses(let e): windowEnd(e.expression, grid, index)
        default: grid.time(index)
        }
    }

    /// Gives the samples of each series of a range expression, staleness markers taken out, over all windows at once.
    ///
    /// - Parameters:
    ///   - countsInside: Whether the samples that a subquery looks at are counted, instead of its points by the caller.
    ///   - body: Labels, samples, and whether `extended` windows need samples outside.
    func rangeInput(
        _ expression: Expression, _ grid: StepGrid, countsInside: Bool = false,
        _ body: (Metric, inout SampleColumns, RangeExtension?) throws -> Void
    ) throws {
        switch expression {
        case .parentheses(let e): try rangeInput(e.expression, grid, countsInside: countsInside, body)
        case .matrix(let e):
            let frame = trace?.enter(e.range)
            defer { if let frame { trace?.leave(frame) } }
            let selector = e.selector
            let (first, last) = bounds(selector.at, selector.offset, grid)
            let before = selector.rangeExtension == nil ? 0 : options.lookbackDelta
            let after = selector.rangeExtension == .smoothed ? options.lookbackDelta : 0
            let request = SelectRequest(
                matchers: selector.matchers, minTime: first &- e.window &- before &+ 1, maxTime: last &+ after,
                isSorted: false)
            let series = try select(request)
            try expect(series)
            let layouts = selector.showsEmptyBuckets ? ChunkLayouts(self, request) : nil
            var samples = SampleColumns()
            var room = MemoryRoom(guardian)
            defer { room.release() }
            for index in 0..<series.count {
                try guardian.check()
                try series.read(index, into: &samples)
                try room.charge(samples.heldBytes)
                RangeWindows.removeStale(&samples)
                guard samples.count > 0 else { continue }
                if selector.detectsResets {
                    ResetHints.detect(&samples)
                } else {
                    try layouts?.widen(&samples, of: series.labels(index))
                }
                try guardian.probe(QueryGuard.samples(of: samples))
                trace?.read(e.range, samples: samples.count)
                try outside(frame) { try body(Metric(series, index), &samples, selector.rangeExtension) }
            }
            trace?.read(e.range, cost: samples.cost)
        case .subquery(let e): try subqueryInput(e, grid, countsInside: countsInside, body)
        default: throw QueryError.execution("not a range vector: \(expression.type.rawValue)")
        }
    }

    private func subqueryInput(
        _ e: Subquery, _ grid: StepGrid, countsInside: Bool,
        _ body: (Metric, inout SampleColumns, RangeExtension?) throws -> Void
    ) throws {
        let (first, last) = bounds(e.at, e.offset, grid)
        guard let inner = try e.grid(first: first, last: last, defaultStep: options.defaultSubqueryStep) else { return }
        // A row of values per node that streams, and the samples below.
        let rows = inner.count &* (8 &* e.expression.nodeCount &+ 16)
        try guardian.memory.charge(rows)
        // What is looked at inside counts as read only; the points of the windows count.
        let looked = guardian.totalSamples
        let columns = try vector(e.expression, inner)
        if !countsInside { guardian.setTotalSamples(looked) }
        defer {
            guardian.drop(columns, steps: inner.count)
            guardian.memory.release(rows)
        }
        var samples = SampleColumns(capacity: inner.count)
        for column in columns.sorted(by: { $0.labels < $1.labels }) {
            try guardian.check()
            samples.removeAll()
            for i in 0..<inner.count {
                let value = column.values[i]
                if Column.isFloat(value) {
                    samples.append(inner.time(i), value)
                } else if Column.isHistogram(value), let box = column.histograms.isEmpty ? nil : column.histograms[i] {
                    var histogram = box.histogram
                    if histogram.resetHint == .reset || histogram.resetHint == .notReset {
                        histogram.resetHint = .unknown
                    }
                    samples.append(inner.time(i), histogram)
                }
            }
            if samples.count > 0 { try body(Metric(column.labels, dropsName: column.dropsName), &samples, nil) }
        }
    }
}

/// Windows over the samples of one series.
enum RangeWindows {
    /// Takes staleness markers out, in place.
    static func removeStale(_ samples: inout SampleColumns) {
        let (times, values) = (samples.timestamps, samples.values)
        if samples.histograms.isEmpty {
            // Most series have none: looking for any is several values at once.
            var found: UInt64 = 0
            for i in 0..<samples.count { found |= Staleness.isMarker(values[i]) ? 1 : 0 }
            if found == 0 { return }
            var kept = 0
            for i in 0..<samples.count where !Staleness.isMarker(values[i]) {
                if kept != i {
                    times[kept] = times[i]
                    values[kept] = values[i]
                }
                kept &+= 1
            }
            if kept != samples.count { samples.timestampKey = 0 }
            samples.count = kept
            return
        }
        var kept = 0
        var histogram = 0
        var keptHistograms: [(index: Int, histogram: FloatHistogram)] = []
        for i in 0..<samples.count {
            var isStale = Staleness.isMarker(values[i])
            if histogram < samples.histograms.count, samples.histograms[histogram].index == i {
                isStale = Staleness.isMarker(samples.histograms[histogram].histogram.sum)
                if !isStale { keptHistograms.append((kept, samples.histograms[histogram].histogram)) }
                histogram += 1
            }
            if isStale { continue }
            times[kept] = times[i]
            values[kept] = values[i]
            kept += 1
        }
        samples.count = kept
        samples.histograms = keptHistograms
        samples.timestampKey = 0
    }
}

extension Subquery {
    /// The times at which its expression is evaluated: the multiples of the step in all windows; nil if there are none.
    ///
    /// - Parameters:
    ///   - first: The end of the first window, ms.
    ///   - last: The end of the last window, ms.
    ///   - defaultStep: The step if the subquery names none, ms.
    func grid(first: Int64, last: Int64, defaultStep: Int64) throws(QueryError) -> StepGrid? {
        let step = step > 0 ? step : defaultStep
        // The first multiple of the step after the window's open left end.
        let left = first &- window
        var start = step &* (left / step)
        if start <= left { start = start &+ step }
        guard last >= start else { return nil }
        let count = (last &- start) / step + 1
        guard count < 50_000_000 else { throw QueryError.execution(Evaluator.tooManySamples) }
        return StepGrid(start: start, step: step, count: Int(count))
    }
}
