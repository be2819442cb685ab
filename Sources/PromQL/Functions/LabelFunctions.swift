import GoCompatibility
import Model

/// `label_replace` and `label_join`.
struct LabelFunctions {
    /// The most bytes of a value that these functions make.
    ///
    /// Nested calls can make it grow without limit, and a regular expression on a long text cannot be stopped.
    private static let longestValue = 16 << 20

    let call: Call
    let context: EvaluationContext

    init(_ call: Call, _ context: EvaluationContext) {
        self.call = call
        self.context = context
    }

    /// `label_replace`.
    func replace() throws -> [Column] {
        let arguments = try call.arguments.dropFirst().map { try Evaluator.string($0) }
        let (destination, replacement, sourceLabel, pattern) = (arguments[0], arguments[1], arguments[2], arguments[3])
        let references = replacement.utf8.count { $0 == UInt8(ascii: "$") }
        let regex: AnchoredRegex
        do throws(AnchoredRegex.SyntaxError) {
            regex = try context.query.regexes.regex(pattern)
        } catch {
            if let failure = context.query.regexes.failure { throw failure }
            if context.query.regexes.regexBytes > SyntaxBudget.mostRegexBytes {
                throw QueryError.execution("label_replace(): \(error)")
            }
            throw QueryError.execution("invalid regular expression in label_replace(): \(pattern)")
        }
        guard !destination.isEmpty else {
            throw QueryError.execution("invalid destination label name in label_replace(): \(destination)")
        }
        return try relabelled(
            try Evaluator.columns(call.arguments[0], context), setsName: destination == Labels.nameLabel
        ) {
            labels in
            let source = labels[sourceLabel] ?? ""
            let steps = regex.steps(source.utf8.count)
            guard steps <= Self.mostSteps else {
                throw QueryError.execution(
                    "a value of \(source.utf8.count) bytes is too long for the regular expression in label_replace()")
            }
            try context.budget.check(bytes: steps >> 4)
            // Each group is at most the whole source.
            let most = replacement.utf8.count + references * source.utf8.count
            try context.budget.check(bytes: labels.bytes.count + most)
            try context.budget.reserve(0, bytes: labels.bytes.count + most)
            guard let value = regex.expand(replacement, matching: source) else {
                if regex.hasFailed { throw MatchFailure() }
                return nil
            }
            try checkLength(value.utf8.count)
            var builder = LabelsBuilder(labels)
            builder.set(destination, value)
            return builder.labels()
        }
    }

    /// Steps of the regular expression for one value, about a second.
    ///
    /// A match does not check the limits of the query.
    private static let mostSteps = 1 << 29

    /// `label_join`.
    func join() throws -> [Column] {
        let arguments = try call.arguments.dropFirst().map { try Evaluator.string($0) }
        let (destination, separator, sources) = (arguments[0], arguments[1], arguments.dropFirst(2))
        for name in sources where name.isEmpty {
            throw QueryError.execution("invalid source label name in label_join(): \(name)")
        }
        guard !destination.isEmpty else {
            throw QueryError.execution("invalid destination label name in label_join(): \(destination)")
        }
        return try relabelled(
            try Evaluator.columns(call.arguments[0], context), setsName: destination == Labels.nameLabel
        ) {
            labels in
            let texts = sources.map { labels[$0] ?? "" }
            let length = texts.reduce(0) { $0 + $1.utf8.count } + separator.utf8.count * max(0, texts.count - 1)
            try checkLength(length)
            try context.budget.check(bytes: labels.bytes.count + length)
            try context.budget.reserve(0, bytes: labels.bytes.count + length)
            var builder = LabelsBuilder(labels)
            builder.set(destination, texts.joined(separator: separator))
            return builder.labels()
        }
    }

    private func relabelled(_ columns: [Column], setsName: Bool, _ change: (Labels) throws -> Labels?) throws
        -> [Column]
    {
        var result = columns
        for i in result.indices {
            try context.budget.check()
            try context.budget.reserve(0, bytes: QueryBudget.columnOverhead)
            guard let labels = try change(result[i].labels) else { continue }
            if setsName { result[i].dropsName = false }
            result[i].labels = labels
        }
        return try Column.merged(result, context.budget)
    }

    private func checkLength(_ length: Int) throws {
        guard length > Self.longestValue else { return }
        throw QueryError.execution(
            "label value of \(length) bytes is too long in \(call.function.name)(): at most \(Self.longestValue)")
    }
}
