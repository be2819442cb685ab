import Model

/// The results of parts that occur several times in a query, which are kept until the last occurrence has been
/// evaluated.
final class SharedResults {
    private struct Part {
        var columns: [Column] = []
        var annotations = Annotations.Excerpt()
        var retained = QueryBudget.Retained()
        /// The range at which it was evaluated; nil before that.
        var place: TextRange?
        var left: Int
    }

    private var parts: [Part]

    init(_ plan: QueryPlan) {
        parts = plan.shared.map { Part(left: $0.count) }
    }

    /// The value of the part: the value of an earlier occurrence, or else the result of `make`.
    func columns(
        _ number: Int, at place: TextRange, _ context: EvaluationContext, _ make: () throws -> [Column]
    ) throws -> [Column] {
        let (budget, steps) = (context.budget, context.grid.count)
        parts[number].left -= 1
        if let first = parts[number].place {
            context.annotations.repeat(parts[number].annotations, from: first, at: place)
            let columns = parts[number].columns
            // The occurrences share the memory of the values, but the node around this one may copy them.
            try budget.reserve(columns, steps: steps)
            if parts[number].left == 0 {
                budget.release(parts[number].retained)
                parts[number].columns = []
            }
            return columns
        }
        let before = context.annotations.count
        let columns = try make()
        guard parts[number].left > 0 else { return columns }
        parts[number].annotations = context.annotations.excerpt(since: before)
        parts[number].retained = try budget.retain(columns, steps: steps)
        parts[number].columns = columns
        parts[number].place = place
        return columns
    }
}
