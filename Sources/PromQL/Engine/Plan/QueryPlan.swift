import Model

/// The plan of a query, which is made before any data is read.
struct QueryPlan {
    /// The query with folded constants.
    var expression: Expression
    /// The ranges of the folded constants.
    var folded: Set<TextRange> = []
    /// The parts that occur several times and are evaluated once; the ranges of each, in order of evaluation.
    var shared: [[TextRange]] = []
    /// The index in ``shared`` of the part at a range.
    var sharedAt: [TextRange: Int] = [:]
    /// Whether two selectors request the same samples from the source.
    var repeatsSelectors = false

    /// Plans a prepared expression.
    init(_ prepared: Expression) {
        expression = prepared
        Self.fold(&expression, &folded)
        expression.markEmptyBuckets()
        findRepeated()
    }

    // MARK: Constants

    /// Replaces expressions that depend neither on data nor on time by their values, which keep the ranges of the
    /// expressions.
    private static func fold(_ expression: inout Expression, _ folded: inout Set<TextRange>) {
        expression.updateChildren { fold(&$0, &folded) }
        guard let value = constant(expression) else { return }
        folded.insert(expression.range)
        expression = .number(NumberLiteral(value: value, range: expression.range))
    }

    /// The value of an expression whose operands are numbers; nil for all others.
    private static func constant(_ expression: Expression) -> Double? {
        func number(_ expression: Expression) -> Double? {
            if case .number(let e) = expression { e.value } else { nil }
        }
        switch expression {
        case .parentheses(let e): return number(e.expression)
        case .unary(let e): return number(e.operand).map { e.isNegative ? -$0 : $0 }
        case .binary(let e) where e.op != .trimUpper && e.op != .trimLower:
            guard let left = number(e.left), let right = number(e.right) else { return nil }
            return Arithmetic.apply(e.op, left, right)
        case .call(let e) where e.function.name == "pi": return .pi
        default: return nil
        }
    }

    // MARK: Parts that occur several times

    /// The properties in which equal parts agree: the tree's text, the positions of its nodes, the use of buckets by
    /// its selectors, and the grid.
    ///
    /// Because the positions in the parts are equal, an annotation about one part is also true of the other part, with
    /// its position moved.
    private struct PartKey: Hashable {
        var text: ExactText
        var places: [Int]
        /// The property of each selector in the part; a selector below `histogram_count` does not show buckets as
        /// others do.
        var detectsResets: [Bool]
        var subquery: TextRange?
    }

    private struct SelectorKey: Hashable {
        var matchers: [Matcher]
        var window: Int64
        var offset: Int64
        var time: Int64?
        var subquery: TextRange?
    }

    /// The most nodes of a query whose parts are all compared, and the most nodes of a compared part of a longer query.
    private static let (longQuery, smallPart) = (1000, 50)

    private mutating func findRepeated() {
        var selectors: [SelectorKey: Int] = [:]
        Self.count(expression, in: nil, &selectors)
        // Parts can only be equal if two selectors are equal.
        guard selectors.contains(where: { $0.value > 1 }) else { return }
        repeatsSelectors = true
        // Only small parts of a long query are compared, so that the work is proportional to its length and not to the
        // square.
        let most = expression.nodeCount <= Self.longQuery ? Int.max : Self.smallPart
        var counts: [PartKey: Int] = [:]
        Self.visit(expression, isHeld: true, in: nil) { part, subquery in
            guard part.hasNodes(atMost: most) else { return true }
            counts[Self.key(part, subquery), default: 0] += 1
            return true
        }
        var numbers: [PartKey: Int] = [:]
        var places: [[TextRange]] = []
        Self.visit(expression, isHeld: true, in: nil) { part, subquery in
            guard part.hasNodes(atMost: most) else { return true }
            let key = Self.key(part, subquery)
            guard counts[key, default: 0] > 1 else { return true }
            if let known = numbers[key] {
                places[known].append(part.range)
                return false
            }
            numbers[key] = places.count
            places.append([part.range])
            return true
        }
        shared = places.filter { $0.count > 1 }
        for (number, places) in shared.enumerated() { for place in places { sharedAt[place] = number } }
    }

    private static func key(_ part: Expression, _ subquery: TextRange?) -> PartKey {
        var places: [Int] = []
        var detectsResets: [Bool] = []
        func collect(_ expression: Expression) {
            places.append(expression.range.start - part.range.start)
            places.append(expression.range.end - part.range.start)
            switch expression {
            case .selector(let e): detectsResets.append(e.detectsResets)
            case .matrix(let e): detectsResets.append(e.selector.detectsResets)
            default: break
            }
            for child in expression.children { collect(child) }
        }
        collect(part)
        return PartKey(
            text: ExactText(part.description), places: places, detectsResets: detectsResets, subquery: subquery)
    }

    private static func count(
        _ expression: Expression, in subquery: TextRange?, _ counts: inout [SelectorKey: Int]
    ) {
        func add(_ selector: VectorSelector, window: Int64) {
            var time: Int64?
            if case .time(let fixed)? = selector.at { time = fixed }
            let key = SelectorKey(
                matchers: selector.matchers, window: window, offset: selector.offset, time: time, subquery: subquery)
            counts[key, default: 0] += 1
        }
        switch expression {
        case .selector(let e): add(e, window: 0)
        case .matrix(let e): add(e.selector, window: e.window)
        case .subquery(let e): count(e.expression, in: e.range, &counts)
        default: for child in expression.children { count(child, in: subquery, &counts) }
        }
    }

    /// Calls `body` with each part that the evaluator makes as a whole vector, outer parts first, in the order of
    /// evaluation.
    ///
    /// `body` returns whether the parts inside are visited, too.
    private static func visit(
        _ expression: Expression, isHeld: Bool, in subquery: TextRange?,
        _ body: (Expression, TextRange?) -> Bool
    ) {
        func next(_ expression: Expression, isHeld: Bool, in inner: TextRange? = nil) {
            visit(expression, isHeld: isHeld, in: inner ?? subquery, body)
        }
        let isMade = expression.type == .vector && (isHeld || makesVector(expression))
        if case .parentheses(let e) = expression { return next(e.expression, isHeld: isHeld) }
        if isMade, !body(expression, subquery) { return }
        switch expression {
        case .number, .string, .selector, .matrix, .parentheses: break
        case .subquery(let e): next(e.expression, isHeld: true, in: e.range)
        case .unary(let e): next(e.operand, isHeld: isHeld)
        case .binary(let e):
            let isJoin = e.left.type == .vector && e.right.type == .vector
            next(e.left, isHeld: isJoin || isHeld)
            next(e.right, isHeld: isJoin || isHeld)
        case .aggregation(let e):
            if let parameter = e.parameter { next(parameter, isHeld: false) }
            next(e.expression, isHeld: e.op.needsAllSeries)
        case .call(let e):
            let needsAll = makesVector(expression) && !e.function.traits.contains(.holdsNoSeries)
            for argument in e.arguments { next(argument, isHeld: needsAll || (isMade && isHeld)) }
        }
    }

    /// Whether a node makes all of its series before it passes on the first.
    static func makesVector(_ expression: Expression) -> Bool {
        switch expression {
        case .aggregation: true
        case .binary(let e): e.left.type == .vector && e.right.type == .vector
        case .call(let e): if case .whole = e.function.kernel { true } else { false }
        default: false
        }
    }
}

extension AggregationOperator {
    /// Whether the operator needs all series before it has a result; the others fold each series when it arrives.
    var needsAllSeries: Bool {
        switch self {
        case .quantile, .topk, .bottomk, .limitk, .limitRatio: true
        default: false
        }
    }
}
