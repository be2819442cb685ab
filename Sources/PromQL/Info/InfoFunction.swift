import Model

/// The series of info metrics, and the steps at which they have samples.
private struct InfoSeries {
    var labels: Labels
    /// The time of its sample by step, ms; nil if there is none.
    var times: [Int64?]
}

/// The arguments of `info`.
private struct InfoRequest {
    static let identifying = ["instance", "job"]

    var nameMatchers: [Matcher] = []
    var dataMatchers: [Matcher] = []

    /// Reads the second argument of `info`.
    init(_ selector: Expression?) {
        if case .selector(let e)? = selector {
            nameMatchers = e.matchers.filter { $0.name == Labels.nameLabel }
            dataMatchers = e.matchers.filter { $0.name != Labels.nameLabel }
        }
        if nameMatchers.isEmpty {
            nameMatchers = [Matcher(name: Labels.nameLabel, equals: "target_info")]
        } else if nameMatchers.allSatisfy({ $0.kind == .notEqual || $0.kind == .notRegex }),
            let any = try? Matcher(Labels.nameLabel, .regex, ".+_info")
        {
            nameMatchers.append(any)
        }
    }

    /// Whether a series is itself an info metric.
    func isInfo(_ labels: Labels) -> Bool { nameMatchers.allSatisfy { $0.matches(labels) } }

    /// The label values that join series and info metrics.
    static func identity(_ labels: Labels) -> Labels { labels.keeping(identifying) }

    /// Whether a label of an info metric may be added.
    func adds(_ name: String) -> Bool {
        name != Labels.nameLabel && (dataMatchers.isEmpty || dataMatchers.contains { $0.name.isExactly(name) })
    }

    /// The matchers for the info metrics of these series; nil if no series can have any.
    ///
    /// - Parameter regexes: The limits of the query's regular expressions.
    func matchers(for labels: [Labels], _ regexes: SyntaxBudget) throws -> [Matcher]? {
        var result = nameMatchers + dataMatchers
        var isIdentified = false
        for name in Self.identifying {
            let values = Set(labels.compactMap { $0[name].map { ExactText($0) } })
            guard !values.isEmpty else { continue }
            isIdentified = true
            let list = values.sorted().map { Self.quotedForRegex($0.text) }.joined(separator: "|")
            do {
                result.append(try Matcher(name, .regex, list, budget: regexes))
            } catch {
                throw regexes.failure ?? error
            }
        }
        return isIdentified ? result : nil
    }

    private static func quotedForRegex(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            if "\\.+*?()|[]{}^$".unicodeScalars.contains(scalar) { result += "\\" }
            result.unicodeScalars.append(scalar)
        }
        return result
    }
}

/// `info`.
struct InfoFunction {
    private let call: Call
    private let context: EvaluationContext

    init(_ call: Call, _ context: EvaluationContext) {
        self.call = call
        self.context = context
    }

    private var grid: StepGrid { context.grid }
    private var budget: QueryBudget { context.budget }

    /// Adds the labels of info metrics with the same `instance` and `job`.
    func columns() throws -> [Column] {
        let base = try Evaluator.columns(call.arguments[0], context)
        let request = InfoRequest(call.arguments.count > 1 ? call.arguments[1] : nil)
        let enriched = base.map(\.labels).filter { !request.isInfo($0) }
        var infos: [Labels: [[InfoSeries]]] = [:]
        if let matchers = try request.matchers(for: enriched, context.query.regexes) {
            infos = try infoSeries(matchers)
        }
        var result: [Column] = []
        var index: [Labels: Int] = [:]
        for column in base {
            try budget.check()
            if request.isInfo(column.labels) {
                index[column.labels] = result.count
                result.append(column)
                continue
            }
            let candidates = infos[InfoRequest.identity(column.labels)] ?? []
            let isOptional = request.dataMatchers.allSatisfy(\.matchesEmpty)
            var known: [[Int]: Labels] = [:]
            for i in 0..<grid.count where Column.isPresent(column.values[i]) {
                let chosen = try candidates.map { try newest($0, i) ?? -1 }
                if !isOptional, chosen.allSatisfy({ $0 < 0 }) { continue }
                let labels: Labels
                if let seen = known[chosen] {
                    labels = seen
                } else {
                    let winners = zip(candidates, chosen).compactMap { $1 < 0 ? nil : $0[$1].labels }
                    labels = try merge(column.labels, winners, request)
                    known[chosen] = labels
                }
                let at = index[labels] ?? result.count
                if at == result.count {
                    try budget.reserve(grid.count)
                    index[labels] = at
                    var new = Column(labels: labels, values: [Double](repeating: Column.absent, count: grid.count))
                    if !column.histograms.isEmpty {
                        new.histograms = [HistogramBox?](repeating: nil, count: grid.count)
                    }
                    new.dropsName = column.dropsName
                    result.append(new)
                }
                guard !Column.isPresent(result[at].values[i]) else {
                    throw QueryError.repeatedLabels
                }
                result[at].values[i] = column.values[i]
                if !column.histograms.isEmpty, let box = column.histograms[i] {
                    if result[at].histograms.isEmpty {
                        result[at].histograms = [HistogramBox?](repeating: nil, count: grid.count)
                    }
                    result[at].histograms[i] = box
                }
            }
        }
        return result
    }

    private func merge(_ base: Labels, _ infos: [Labels], _ request: InfoRequest) throws -> Labels {
        var added: [ExactText: String] = [:]
        for labels in infos {
            for label in labels.pairs where request.adds(label.name) && base[label.name] == nil {
                if let other = added[ExactText(label.name)], !other.isExactly(label.value) {
                    throw QueryError.execution("conflicting label: \(label.name)")
                }
                added[ExactText(label.name)] = label.value
            }
        }
        guard !added.isEmpty else { return base }
        var builder = LabelsBuilder(base)
        for (name, value) in added { builder.set(name.text, value) }
        return builder.labels()
    }

    /// The series of one info metric and one identity with the newest sample.
    private func newest(_ series: [InfoSeries], _ step: Int) throws -> Int? {
        var best: Int?
        for (index, candidate) in series.enumerated() {
            guard let time = candidate.times[step] else { continue }
            guard let current = best, let other = series[current].times[step] else {
                best = index
                continue
            }
            if time == other {
                throw QueryError.execution(
                    "found duplicate series for info metric: existing \(series[current].labels.metricDescription) @ \(other), new \(candidate.labels.metricDescription) @ \(time)"
                )
            }
            if time > other { best = index }
        }
        return best
    }

    /// The info series by identity, then by metric name.
    private func infoSeries(_ matchers: [Matcher]) throws -> [Labels: [[InfoSeries]]] {
        let times = InfoTimes(call, grid)
        let lookback = context.options.lookbackDelta
        let (oldest, newest) = (times.read.lowerBound &- lookback &+ 1, times.read.upperBound)
        let set = try context.query.source.select(
            context.query.limited(SelectRequest(matchers: matchers, minTime: oldest, maxTime: newest)))
        var result: [Labels: [[InfoSeries]]] = [:]
        var samples = SampleColumns()
        for index in 0..<set.count {
            try budget.check()
            let labels = set.labels(index)
            try set.read(index, into: &samples)
            let histograms = Set(samples.histograms.map(\.index))
            let stale = Set(samples.histograms.filter { Staleness.isMarker($0.histogram.sum) }.map(\.index))
            var seen = [Int64?](repeating: nil, count: grid.count)
            var position = -1
            for i in 0..<grid.count {
                let time = times.asked[i]
                while position + 1 < samples.count, samples.timestamps[position + 1] <= min(time, newest) {
                    position += 1
                }
                guard position >= 0, samples.timestamps[position] > max(time &- lookback, oldest &- 1),
                    !Staleness.isMarker(samples.values[position]), !stale.contains(position)
                else { continue }
                if histograms.contains(position) {
                    throw QueryError.execution(
                        "this should be an info metric, with float samples: \(labels.metricDescription)")
                }
                seen[i] = samples.timestamps[position]
                context.count(SampleCount(looked: 1, new: 1), at: i)
            }
            let series = InfoSeries(labels: labels, times: seen)
            let identity = InfoRequest.identity(labels)
            var groups = result[identity] ?? []
            if let at = groups.firstIndex(where: { $0.first?.labels.metricName == labels.metricName }) {
                groups[at].append(series)
            } else {
                groups.append([series])
            }
            result[identity] = groups
        }
        return result
    }
}

/// The times at which info metrics are read: those of the first selector in the argument.
private struct InfoTimes {
    /// The time by step, ms, whose newest sample is used.
    var asked: [Int64]
    /// The first and the last time of the samples that are read, without the lookback.
    var read: ClosedRange<Int64>

    init(_ call: Call, _ grid: StepGrid) {
        let path = Self.firstSelector(call.arguments[0]) ?? []
        func shifted(_ time: Int64) -> Int64 {
            path.reduce(time) { time, shift in
                if case .time(let fixed)? = shift.at { return fixed &- shift.offset }
                return time &- shift.offset
            }
        }
        asked = (0..<max(1, grid.count)).map { shifted(grid.time($0)) }
        let (start, end) = (shifted(grid.start), shifted(grid.end))
        read = min(start, end)...max(start, end)
    }

    /// One `@` and offset around a selector.
    private typealias TimeShift = (at: AtModifier?, offset: Int64)

    /// The shifts of the first selector in an expression, those of its outer subqueries first.
    private static func firstSelector(_ expression: Expression) -> [TimeShift]? {
        switch expression {
        case .number, .string: return nil
        case .selector(let e): return [(e.at, e.offset)]
        case .matrix(let e): return [(e.selector.at, e.selector.offset)]
        case .subquery(let e): return firstSelector(e.expression).map { [(e.at, e.offset)] + $0 }
        case .unary(let e): return firstSelector(e.operand)
        case .binary(let e): return firstSelector(e.left) ?? firstSelector(e.right)
        case .aggregation(let e): return firstSelector(e.expression) ?? e.parameter.flatMap(firstSelector)
        case .call(let e):
            for argument in e.arguments {
                if let found = firstSelector(argument) { return found }
            }
            return nil
        case .parentheses(let e): return firstSelector(e.expression)
        }
    }
}
