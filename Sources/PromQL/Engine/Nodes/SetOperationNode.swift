import Model

/// `and`, `or` and `unless` of two vectors.
struct SetOperationNode {
    private let binary: Binary
    private let signature: Signature

    init(_ binary: Binary) {
        self.binary = binary
        signature = Signature(binary.matching ?? VectorMatching())
    }

    func columns(_ context: EvaluationContext) throws -> [Column] {
        if binary.op == .or { return try union(operands(context), context) }
        let left = try Evaluator.columns(binary.left, context)
        let right = try Evaluator.columns(binary.right, context)
        var present: [Labels: [Bool]] = [:]
        try addPresence(right, to: &present, context)
        return try kept(left, present, whenPresent: binary.op == .and, context)
    }

    /// The operands of a chain of `or` with the same matching, from left to right.
    ///
    /// If each `or` were evaluated by itself, it would process all results of the operators before it. A chain of
    /// thousands, as in generated rules, would take time proportional to the square of its length.
    private func operands(_ context: EvaluationContext) -> [Expression] {
        var operands = [binary.right]
        var left = binary.left
        // A trace records each node, and parts that occur several times are evaluated by themselves.
        while !context.trace.isRecording, context.query.plan.sharedAt[left.range] == nil,
            case .binary(let inner) = left, inner.op == .or,
            inner.matching?.isOn == binary.matching?.isOn, inner.matching?.labels == binary.matching?.labels
        {
            operands.append(inner.right)
            left = inner.left
        }
        operands.append(left)
        return operands.reversed()
    }

    /// Computes `or`: the samples of each operand, without those whose signature an earlier operand has at the same
    /// step.
    private func union(_ operands: [Expression], _ context: EvaluationContext) throws -> [Column] {
        let budget = context.budget
        var columns: [Column] = []
        var present: [Labels: [Bool]] = [:]
        for (at, operand) in operands.enumerated() {
            let mark = budget.mark()
            var next = try Evaluator.columns(operand, context)
            if at > 0 {
                next = try kept(next, present, whenPresent: false, context)
                budget.settle(mark, result: next, steps: context.grid.count)
            }
            if at + 1 < operands.count { try addPresence(next, to: &present, context) }
            columns += next
        }
        // Columns with equal labels have equal signatures, so that they have no samples at the same step and can be
        // merged.
        return try Column.merged(columns, budget)
    }

    /// Adds the steps at which each signature has elements.
    private func addPresence(
        _ columns: [Column], to result: inout [Labels: [Bool]], _ context: EvaluationContext
    ) throws {
        let (budget, steps) = (context.budget, context.grid.count)
        for column in columns {
            try budget.check()
            let key = signature.of(column.labels)
            if result[key] == nil { try budget.reserve(0, bytes: steps &+ QueryBudget.columnOverhead) }
            var present = result[key] ?? [Bool](repeating: false, count: steps)
            for i in 0..<steps where Column.isPresent(column.values[i]) { present[i] = true }
            result[key] = present
        }
    }

    /// The columns with their samples at the steps at which their signature is present in `other`, or is not.
    private func kept(
        _ columns: [Column], _ other: [Labels: [Bool]], whenPresent: Bool, _ context: EvaluationContext
    ) throws -> [Column] {
        let (budget, steps) = (context.budget, context.grid.count)
        return try columns.compactMap { column in
            try budget.check()
            try budget.reserve(steps)
            let present = other[signature.of(column.labels)]
            var result = column
            for i in 0..<steps where (present?[i] ?? false) != whenPresent { result.values[i] = Column.absent }
            return result.isEmpty ? nil : result
        }
    }
}

/// The labels that are compared to match elements of two vectors.
struct Signature {
    private let names: [[UInt8]]
    private let isOn: Bool

    init(_ matching: VectorMatching) {
        isOn = matching.isOn
        names = (matching.isOn ? matching.labels : matching.labels + [Labels.nameLabel]).map { Array($0.utf8) }
    }

    func of(_ labels: Labels) -> Labels {
        labels.filter { name in names.contains { $0.withUnsafeBufferPointer { Labels.equal($0, name) } } == isOn }
    }
}
