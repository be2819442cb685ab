import GoCompatibility
import Model
import Synchronization

/// The explanation of a query, node by node: its plan, and the figures of its run with `explain=analyze`.
package struct QueryExplanation: Sendable {
    /// The figures of one node; only with `explain=analyze`.
    package struct Figures: Sendable {
        /// The number of evaluations; 0 for a part whose value was made for another occurrence.
        package var evaluations = 0
        /// The number of series that it passed to the node around it, and of their points.
        package var series = 0
        package var points = 0
        /// The number of samples that a selector read, and the cost of reading them.
        package var samples = 0
        package var read = ReadCost()
        /// The most bytes that the node and the nodes below it held at once.
        package var peakMemory = 0
        /// The seconds of the query's own thread in the node itself.
        package var ownTime = 0.0
        /// The seconds of the query's own thread in the node and the nodes below it.
        package var totalTime = 0.0
        /// The seconds of query workers that read and computed for the node, in parallel with the query's own thread.
        package var workerTime = 0.0
    }

    /// One node of the query, with the nodes below it.
    package struct Node: Sendable {
        /// The kind of the node: `selector`, `range selector`, `aggregation` and so on.
        package var kind: String
        /// The node's part of the query.
        package var text: String
        package var line: Int
        package var column: Int
        /// The decisions of the plan about the node.
        package var notes: [String]
        package var figures: Figures?
        package var children: [Node]
    }

    package var root: Node
    /// The type of the query's value: `vector`, `matrix`, `scalar` or `string`.
    package var resultType: String
}

/// Makes an explanation of a plan and, if it was run, of its trace.
struct Explainer {
    let query: [UInt8]
    let plan: QueryPlan
    let grid: StepGrid
    let options: EngineOptions
    let trace: QueryTrace?

    func explain(isInstant: Bool) -> QueryExplanation {
        let type = plan.expression.type
        let name = type == .scalar || type == .vector ? (isInstant ? type.rawValue : "matrix") : type.rawValue
        return QueryExplanation(root: node(plan.expression, grid), resultType: name)
    }

    private func node(_ expression: Expression, _ grid: StepGrid) -> QueryExplanation.Node {
        let range = expression.range
        let place = TextRange.position(of: range.start, in: query)
        let text = query[min(range.start, query.count)..<min(max(range.start, range.end), query.count)]
        var inner = grid
        if case .subquery(let e) = expression { inner = subqueryGrid(e, grid) }
        var notes = notes(expression, grid, inner)
        if plan.folded.contains(range) { notes.append("computed before the query runs") }
        if let number = plan.sharedAt[range] {
            let others = plan.shared[number].filter { $0 != range }.map { other in
                let place = TextRange.position(of: other.start, in: query)
                return "\(place.line):\(place.column)"
            }
            notes.append("evaluated once, for here and \(others.joined(separator: ", "))")
        }
        var children = expression.children.map { node($0, inner) }
        // Literals need no explanation.
        children.removeAll { $0.kind == "constant" || $0.kind == "string" }
        var result = QueryExplanation.Node(
            kind: kind(expression), text: String(decoding: text, as: UTF8.self), line: place.line,
            column: place.column, notes: notes, figures: nil, children: children)
        if let node = trace?.node(at: range) { result.figures = figures(node, children) }
        return result
    }

    private func figures(
        _ node: QueryTrace.Node, _ children: [QueryExplanation.Node]
    ) -> QueryExplanation.Figures {
        var figures = QueryExplanation.Figures()
        figures.evaluations = node.evaluations.load(ordering: .relaxed)
        figures.series = node.series.load(ordering: .relaxed)
        figures.points = node.points.load(ordering: .relaxed)
        figures.samples = node.samples.load(ordering: .relaxed)
        figures.read.chunks = node.chunks.load(ordering: .relaxed)
        figures.read.bytes = node.bytes.load(ordering: .relaxed)
        figures.read.cacheHits = node.cacheHits.load(ordering: .relaxed)
        figures.read.cacheMisses = node.cacheMisses.load(ordering: .relaxed)
        figures.peakMemory = node.peakMemory.load(ordering: .relaxed)
        figures.ownTime = Double(node.ownTime.load(ordering: .relaxed)) / 1e9
        figures.workerTime = Double(node.workerTime.load(ordering: .relaxed)) / 1e9
        figures.totalTime = children.reduce(figures.ownTime) { $0 + ($1.figures?.totalTime ?? 0) }
        return figures
    }

    private func kind(_ expression: Expression) -> String {
        switch expression {
        case .number: "constant"
        case .string: "string"
        case .selector: "selector"
        case .matrix: "range selector"
        case .subquery: "subquery"
        case .unary: "sign"
        case .binary(let e):
            e.joinsVectors
                ? (e.op.isSetOperator ? "set operation" : "join") : "arithmetic"
        case .aggregation: "aggregation"
        case .call(let e): e.isRangeFunction ? "range function" : "function"
        case .parentheses: "parentheses"
        }
    }

    // MARK: Notes

    private func notes(_ expression: Expression, _ grid: StepGrid, _ inner: StepGrid) -> [String] {
        switch expression {
        case .selector(let e): selectorNotes(e, grid, back: options.lookbackDelta, isRange: false)
        case .matrix(let e): selectorNotes(e.selector, grid, back: e.window, isRange: true)
        case .subquery(let e):
            [
                "window \(DurationText.format(e.window))",
                "\(Self.counted(inner.count, "step")) of \(DurationText.format(inner.step))",
            ]
        case .aggregation(let e):
            [
                e.op.needsAllSeries
                    ? "holds all series"
                    : "folds each series as it comes: holds groups × \(Self.counted(grid.count, "step"))"
            ]
        case .binary(let e) where e.joinsVectors:
            ["holds both sides", matching(e)]
        case .call where QueryPlan.makesVector(expression): ["holds all series"]
        case .call(let e) where e.isRangeFunction:
            [grid.count == 1 ? "series by series" : "series by series, all \(grid.count) windows at once"]
        default: []
        }
    }

    private static func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

    private func matching(_ e: Binary) -> String {
        let matching = e.matching ?? VectorMatching()
        let labels = matching.labels.joined(separator: ", ")
        if labels.isEmpty { return matching.isOn ? "by no label: one series on one side at most" : "by all labels" }
        return (matching.isOn ? "by " : "by all labels but ") + labels
    }

    private func selectorNotes(_ e: VectorSelector, _ grid: StepGrid, back: Int64, isRange: Bool) -> [String] {
        let (first, last) = e.timeShift.bounds(grid)
        var notes = [
            "samples after \(RFC3339.text(first &- back)) up to \(RFC3339.text(last))"
        ]
        if !isRange, first == last, e.rangeExtension == nil { notes.append("newest sample of each series only") }
        for matcher in e.matchers {
            if let note = Self.note(matcher) { notes.append(note) }
        }
        return notes
    }

    /// The note about the search in the index for a regular expression; nil for other matchers.
    private static func note(_ matcher: Matcher) -> String? {
        guard let shape = matcher.pattern?.shape else { return nil }
        let text = matcher.description
        switch shape {
        case .literals(let list): return "\(text): \(counted(list.count, "value")), each looked up"
        case .prefix: return "\(text): values with this beginning"
        case .suffix: return "\(text): values with this end"
        case .any: return "\(text): accepts everything"
        case .nonEmpty: return "\(text): any value"
        case .other: return "\(text): asked for each value of the label"
        }
    }

    private func subqueryGrid(_ e: Subquery, _ grid: StepGrid) -> StepGrid {
        let (first, last) = e.timeShift.bounds(grid)
        let found = try? e.grid(first: first, last: last, defaultStep: options.defaultSubqueryStep)
        return found ?? StepGrid(start: grid.start, step: max(1, e.step), count: 0)
    }
}
