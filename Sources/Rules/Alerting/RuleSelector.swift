import Model
import PromQL

/// A selector of a rule's expression.
struct RuleSelector: Sendable {
    /// The selector as the expression has it.
    let text: String
    /// An expression whose result has the selector's series that are there and have not ended.
    let present: RuleExpression
    /// An expression whose result has the series from which the rule's expression can have a result.
    let used: RuleExpression
    let matchers: [Matcher]
    /// ms.
    let offset: Int64

    /// The labels that all series of the selector have, without the name of the metric.
    var labels: Labels {
        Labels(
            matchers.filter { $0.kind == .equal && $0.name != Labels.nameLabel }.map { ($0.name, $0.value) })
    }

    /// All selectors of an expression, in any order, each once.
    static func all(of expression: Expression) -> [RuleSelector] {
        var found: [RuleSelector] = []
        var waiting: [(expression: Expression, needsTwo: Bool)] = [(expression, false)]
        while let (next, needsTwo) = waiting.popLast() {
            switch next {
            case .selector(let selector): found.append(RuleSelector(selector))
            case .matrix(let matrix): found.append(RuleSelector(matrix, needsTwo: needsTwo))
            case .call(let call):
                let needsTwo = functionsOfTwo.contains(call.function.name)
                waiting += call.arguments.map { ($0, needsTwo) }
            default: waiting += next.children.map { ($0, false) }
            }
        }
        var texts: Set<ExactText> = []
        return found.filter { texts.insert(ExactText($0.text)).inserted }
    }

    /// The functions without a result for a series with a single sample in the range.
    private static let functionsOfTwo: Set<String> = [
        "delta", "deriv", "double_exponential_smoothing", "holt_winters", "idelta", "increase", "irate",
        "predict_linear", "rate",
    ]

    private init(_ selector: VectorSelector) {
        let expression = Expression.selector(selector)
        text = expression.description
        present = RuleExpression(text: text, syntax: expression)
        used = present
        matchers = selector.matchers
        offset = selector.offset
    }

    private init(_ matrix: MatrixSelector, needsTwo: Bool) {
        var matrix = matrix
        text = Expression.matrix(matrix).description
        matrix.selector.rangeExtension = nil
        let selector = Expression.selector(matrix.selector)
        matchers = matrix.selector.matchers
        offset = matrix.selector.offset
        let plain = RuleExpression(text: selector.description, syntax: selector)
        let range = Expression.matrix(matrix).description
        used = Self.parse("present_over_time(\(range))") ?? plain
        var conditions = [selector.description]
        if needsTwo {
            // A rate falls while the last samples leave the range, and ends before the last one has left it.
            conditions.append("count_over_time(\(range)) >= 2")
            if matrix.window > 0, matrix.windowExpression == nil, matrix.selector.at == nil,
                matrix.selector.offsetExpression == nil
            {
                let age = Double(matrix.window / 2 + offset) / 1000
                conditions.append("timestamp(\(selector.description)) >= time() - (\(age))")
            }
        }
        present = Self.parse(conditions.joined(separator: " and ")) ?? plain
    }

    private static func parse(_ text: String) -> RuleExpression? {
        try? PromQLParser.parse(text, options: .all) { RuleExpression(text: $0.description, syntax: $0) }
    }
}

/// The series of selectors at the times of an evaluation; each selector is asked once for a time.
struct RuleSelectorResults {
    private struct Key: Hashable {
        var text: ExactText
        var time: Int64
    }

    private let group: RuleGroupDefinition
    private let environment: RuleEnvironment
    private var known: [Key: ElementIndex] = [:]

    init(_ group: RuleGroupDefinition, _ environment: RuleEnvironment) {
        self.group = group
        self.environment = environment
    }

    /// The series of an expression of a selector in an evaluation for the time `time`.
    private mutating func series(_ expression: RuleExpression, at time: Int64) throws(RuleError) -> ElementIndex {
        let key = Key(text: ExactText(expression.text), time: time)
        if let index = known[key] { return index }
        let index: ElementIndex
        do {
            let result = try environment.query(expression, time - group.queryOffset, group.place)
            index = ElementIndex(try result.samples().map(\.labels))
        } catch {
            throw RuleError("series of \(expression.text): \(error)")
        }
        known[key] = index
        return index
    }

    /// Whether `selector` has any series at `time`.
    mutating func hasSeries(_ selector: RuleSelector, at time: Int64) throws(RuleError) -> Bool {
        try !series(selector.present, at: time).isEmpty
    }

    /// Whether `selector` has a series at `time` that contributes to the element `element`.
    mutating func has(_ element: Labels, _ selector: RuleSelector, at time: Int64) throws(RuleError) -> Bool {
        try contributes(element, selector.present, at: time)
    }

    /// Whether the expression can have had a result at `time` for `element` from the series of `selector`.
    mutating func used(_ element: Labels, _ selector: RuleSelector, at time: Int64) throws(RuleError) -> Bool {
        try contributes(element, selector.used, at: time)
    }

    private mutating func contributes(
        _ element: Labels, _ expression: RuleExpression, at time: Int64
    ) throws(RuleError) -> Bool {
        var index = try series(expression, at: time)
        let key = Key(text: ExactText(expression.text), time: time)
        known[key] = nil
        defer { known[key] = index }
        return index.has(element)
    }

    /// The time of the last sample that `selector` has of the series of `element` until `time`; nil if there is none
    /// since `start`.
    func lastSample(of element: Labels, _ selector: RuleSelector, from start: Int64, to time: Int64) -> Int64? {
        guard let source = environment.source else { return nil }
        let shift = group.queryOffset + selector.offset
        let request = SelectRequest(
            matchers: selector.matchers, minTime: start - shift, maxTime: time - shift)
        var last: Int64?
        var columns = SampleColumns()
        guard let series = try? source.select(request) else { return nil }
        for index in 0..<series.count {
            var one = ElementIndex([series.labels(index)])
            guard one.has(element), (try? series.read(index, into: &columns)) != nil else { continue }
            for position in (0..<columns.count).reversed()
            where !Staleness.isMarker(columns.values[position]) {
                last = max(last ?? .min, columns.timestamps[position])
                break
            }
        }
        return last
    }
}

/// Series by the labels that they share with elements of a result.
struct ElementIndex {
    private let series: [Labels]
    /// The series reduced to the names of an element's labels, by these names and by the names that a series has.
    private var byNames: [[ExactText]: [[ExactText]: Set<Labels>]] = [:]

    init(_ series: [Labels]) { self.series = series }

    var isEmpty: Bool { series.isEmpty }

    /// Whether a series contributes to `element`: each label that both have has the same value.
    mutating func has(_ element: Labels) -> Bool {
        if series.isEmpty { return false }
        let names = element.pairs.map { ExactText($0.name) }
        if names.isEmpty { return true }
        let sets = byNames[names] ?? reduced(to: names)
        byNames[names] = sets
        return sets.contains { shared, reduced in reduced.contains(element.keeping(shared.map(\.text))) }
    }

    private func reduced(to names: [ExactText]) -> [[ExactText]: Set<Labels>] {
        let texts = names.map(\.text)
        var sets: [[ExactText]: Set<Labels>] = [:]
        for labels in series {
            let shared = labels.keeping(texts)
            sets[shared.pairs.map { ExactText($0.name) }, default: []].insert(shared)
        }
        return sets
    }
}
