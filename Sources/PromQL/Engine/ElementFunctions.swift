import Glibc
import GoCompatibility
import Model

/// Functions of each sample of a vector by itself.
enum ElementFunction {
    private static let unary: [String: @Sendable (Double) -> Double] = [
        "abs": { abs($0) }, "ceil": { ceil($0) }, "floor": { floor($0) }, "exp": { exp($0) },
        "sqrt": { $0.squareRoot() },
        "ln": { GoMath.log($0) }, "log2": { log2($0) }, "log10": { GoMath.log10($0) }, "sin": { sin($0) },
        "cos": { cos($0) },
        "tan": { tan($0) }, "asin": { asin($0) }, "acos": { acos($0) }, "atan": { atan($0) }, "sinh": { sinh($0) },
        "cosh": { cosh($0) }, "tanh": { tanh($0) }, "asinh": { asinh($0) }, "acosh": { acosh($0) },
        "atanh": { atanh($0) }, "deg": { $0 * 180 / .pi }, "rad": { $0 * .pi / 180 },
        "sgn": { $0 < 0 ? -1 : $0 > 0 ? 1 : $0 },
    ]
    private static let others: Set<String> = [
        "round", "clamp", "clamp_min", "clamp_max", "vector", "timestamp", "start_timestamp", "minute", "hour",
        "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year", "histogram_count",
        "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar",
    ]

    static func exists(_ name: String) -> Bool { unary[name] != nil || others.contains(name) }

    static func function(_ name: String) -> (@Sendable (Double) -> Double)? { unary[name] }

    /// A part of the date and time that a value in Unix seconds stands for, in UTC.
    static func datePart(_ name: String) -> ((Double) -> Double)? {
        func part(_ body: @escaping (Int64, Int64) -> Int64) -> (Double) -> Double {
            { value in
                guard value.isFinite, value.magnitude < 1e15 else { return .nan }
                let seconds = Int64(value)
                let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
                return Double(body(day, seconds - day * 86_400))
            }
        }
        switch name {
        case "minute": return part { _, second in second / 60 % 60 }
        case "hour": return part { _, second in second / 3600 }
        case "day_of_week": return part { day, _ in ((day + 4) % 7 + 7) % 7 }
        case "day_of_month": return part { day, _ in CivilTime.date(daysSinceEpoch: day).day }
        case "day_of_year":
            return part { day, _ in
                day - CivilTime.daysSinceEpoch(CivilTime.date(daysSinceEpoch: day).year, 1, 1) + 1
            }
        case "days_in_month":
            return part { day, _ in
                let date = CivilTime.date(daysSinceEpoch: day)
                let next = date.month == 12 ? (date.year + 1, Int64(1)) : (date.year, date.month + 1)
                return CivilTime.daysSinceEpoch(next.0, next.1, 1) - CivilTime.daysSinceEpoch(date.year, date.month, 1)
            }
        case "month": return part { day, _ in CivilTime.date(daysSinceEpoch: day).month }
        case "year": return part { day, _ in CivilTime.date(daysSinceEpoch: day).year }
        default: return nil
        }
    }
}

extension Evaluator {
    /// Evaluates a function that works sample by sample.
    func elementFunction(_ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        let name = call.function.name
        if let function = ElementFunction.function(name) {
            return try mapped(call.arguments[0], grid, sink) { value, _ in function(value) }
        }
        if let part = ElementFunction.datePart(name) {
            guard let argument = call.arguments.first else {
                let values = (0..<grid.count).map { part(Double(grid.time($0)) / 1000) }
                return try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
            }
            return try mapped(argument, grid, sink) { value, _ in part(value) }
        }
        switch name {
        case "vector":
            let values = try scalar(call.arguments[0], grid)
            try values.withUnsafeBufferPointer { try sink(Metric(.empty), $0, []) }
        case "round":
            let nearest = call.arguments.count > 1 ? try scalar(call.arguments[1], grid) : nil
            try mapped(call.arguments[0], grid, sink) { value, step in
                let inverse = 1 / (nearest?[step] ?? 1)
                return floor(value * inverse + 0.5) / inverse
            }
        case "clamp", "clamp_min", "clamp_max": try clamp(call, grid, sink)
        case "timestamp": try timestamp(call.arguments[0], grid, isStart: false, sink)
        case "start_timestamp":
            if options.usesStartTimes { try timestamp(call.arguments[0], grid, isStart: true, sink) }
        case "histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar":
            try histogramNumber(call, grid, sink)
        default: throw QueryError.execution("not supported yet: \(name)")
        }
    }

    private func clamp(_ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        let first = try scalar(call.arguments[1], grid)
        let low = call.function.name == "clamp_max" ? [Double](repeating: -.infinity, count: grid.count) : first
        let high =
            call.function.name == "clamp"
            ? try scalar(call.arguments[2], grid)
            : call.function.name == "clamp_max" ? first : [Double](repeating: .infinity, count: grid.count)
        try mapped(call.arguments[0], grid, sink) { value, step in
            high[step] < low[step]
                ? Column.absent : GoMath.greater(low[step], GoMath.lesser(high[step], value))
        }
    }

    /// The time of the sample that a selector finds; the step's time for any other expression.
    ///
    /// - Parameter isStart: Whether the start timestamp is asked for, which only samples of selectors have.
    private func timestamp(_ argument: Expression, _ grid: StepGrid, isStart: Bool, _ sink: Sink) throws {
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
            try guardian.check()
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

    private func histogramNumber(_ call: Call, _ grid: StepGrid, _ sink: Sink) throws {
        var out = [Double](repeating: 0, count: grid.count)
        try stream(call.arguments[0], grid) { metric, values, histograms in
            for i in 0..<grid.count {
                guard Column.isHistogram(values[i]), !histograms.isEmpty, let histogram = histograms[i]?.histogram
                else {
                    out[i] = Column.absent
                    continue
                }
                switch call.function.name {
                case "histogram_count": out[i] = histogram.count
                case "histogram_sum": out[i] = histogram.sum
                case "histogram_stddev": out[i] = histogram.standardDeviation
                case "histogram_stdvar": out[i] = histogram.variance
                default: out[i] = histogram.sum / histogram.count
                }
            }
            // As in Prometheus, type and unit stay unless the removal is delayed.
            let result = options.delayedNameRemoval ? nameless(metric) : metric.withoutName
            try out.withUnsafeBufferPointer { try sink(result, $0, []) }
        }
    }
}
