import Glibc
import GoCompatibility
import Model

/// Functions of each sample of a vector by itself.
extension Evaluator {
    /// A part of the date of each value, or of each step.
    func datePart(_ call: Call, _ grid: StepGrid, _ sink: Sink, _ part: (Double) -> Double) throws {
        guard let argument = call.arguments.first else {
            let values = (0..<grid.count).map { part(Double(grid.time($0)) / 1000) }
            return try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
        }
        try mapped(argument, grid, sink) { value, _ in part(value) }
    }

    /// `vector`.
    func vector(of call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        let values = try scalar(call.arguments[0], grid)
        try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
    }

    func round(_ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        let nearest = call.arguments.count > 1 ? try scalar(call.arguments[1], grid) : nil
        try mapped(call.arguments[0], grid, sink) { value, step in
            let inverse = 1 / (nearest?[step] ?? 1)
            return floor(value * inverse + 0.5) / inverse
        }
    }

    /// `clamp`, `clamp_min` and `clamp_max`.
    ///
    /// - Parameters:
    ///   - low: Which argument is the lower limit, if any is.
    ///   - high: Which argument is the upper limit, if any is.
    func clamp(_ call: Call, _ grid: StepGrid, low: Int?, high: Int?, _ sink: Sink) throws {
        func limit(_ argument: Int?, _ none: Double) throws -> [Double] {
            guard let argument else { return [Double](repeating: none, count: grid.count) }
            return try scalar(call.arguments[argument], grid)
        }
        let (lows, highs) = (try limit(low, -.infinity), try limit(high, .infinity))
        try mapped(call.arguments[0], grid, sink) { value, step in
            highs[step] < lows[step]
                ? Column.absent : GoMath.greater(lows[step], GoMath.lesser(highs[step], value))
        }
    }

    /// The time of the sample that a selector finds; the step's time for any other expression.
    ///
    /// - Parameter isStart: Whether the start timestamp is asked for, which only samples of selectors have.
    func timestamp(_ argument: Expression, _ grid: StepGrid, isStart: Bool, _ sink: Sink) throws {
        var plain = argument
        while case .parentheses(let e) = plain { plain = e.expression }
        guard case .selector(let selector) = plain else {
            if isStart { return }
            var out = [Double](repeating: 0, count: grid.count)
            return try stream(argument, grid) { metric, values, _ in
                for i in 0..<grid.count {
                    out[i] = Column.isPresent(values[i]) ? Double(grid.time(i)) / 1000 : Column.absent
                }
                try out.withUnsafeBufferPointer { try sink(nameless(metric), $0, []) }
            }
        }
        let lookback = options.lookbackDelta
        let (first, last) = bounds(selector.at, selector.offset, grid)
        let series = try select(
            SelectRequest(
                matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last, isSorted: false))
        try expect(series)
        var samples = SampleColumns()
        var out = [Double](repeating: 0, count: grid.count)
        for index in 0..<series.count {
            try budget.check()
            try series.read(index, into: &samples)
            let stale = Set(samples.histograms.filter { Staleness.isMarker($0.histogram.sum) }.map(\.index))
            var position = -1
            for i in 0..<grid.count {
                let time = reference(selector.at, selector.offset, grid, i)
                while position + 1 < samples.count, samples.timestamps[position + 1] <= time { position += 1 }
                let isThere =
                    position >= 0 && samples.timestamps[position] > time &- lookback
                    && !Staleness.isMarker(samples.values[position]) && !stale.contains(position)
                guard isThere else {
                    out[i] = Column.absent
                    continue
                }
                let found = samples.timestamps[position]
                out[i] = Double(isStart ? samples.starts.start(at: found) : found) / 1000
            }
            try out.withUnsafeBufferPointer { try sink(nameless(Metric(series, index)), $0, []) }
        }
    }

    /// A number of each native histogram.
    func histogramNumber(
        _ call: Call, _ grid: StepGrid, _ sink: Sink, _ number: (FloatHistogram) -> Double
    ) throws {
        var out = [Double](repeating: 0, count: grid.count)
        try stream(call.arguments[0], grid) { metric, values, histograms in
            for i in 0..<grid.count {
                guard Column.isHistogram(values[i]), !histograms.isEmpty, let histogram = histograms[i]?.histogram
                else {
                    out[i] = Column.absent
                    continue
                }
                out[i] = number(histogram)
            }
            // As in Prometheus, type and unit stay unless the removal is delayed.
            let result = options.delayedNameRemoval ? nameless(metric) : metric.withoutName
            try out.withUnsafeBufferPointer { try sink(result, $0, []) }
        }
    }
}
