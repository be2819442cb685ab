import Model
import PromQL

/// Decides which rules of a group may be evaluated at the same time.
///
/// A batch is a range of consecutive rules in the file, none of which reads the result of an earlier rule of the batch.
/// So a group has the same results with and without batches.
enum RuleBatches {
    /// The batches in order, as ranges of rules.
    static func split(_ rules: [RuleDefinition]) -> [Range<Int>] {
        var batches: [Range<Int>] = []
        var start = 0
        for index in rules.indices {
            let inputs = inputs(of: rules[index])
            let readsBatch =
                index > start && (inputs.map { names in rules[start..<index].contains { reads(names, $0) } } ?? true)
            if readsBatch {
                batches.append(start..<index)
                start = index
            }
        }
        if start < rules.count { batches.append(start..<rules.count) }
        return batches
    }

    private static func reads(_ matchers: [Matcher], _ rule: RuleDefinition) -> Bool {
        switch rule.kind {
        case .recording: matchers.contains { $0.matches(rule.name) }
        case .alerting: matchers.contains { $0.matches("ALERTS") || $0.matches("ALERTS_FOR_STATE") }
        }
    }

    /// The matchers on metric names of all selectors; nil if a selector may read any metric.
    private static func inputs(of rule: RuleDefinition) -> [Matcher]? {
        var found: [Matcher] = []
        var waiting = [rule.expression.syntax]
        while let expression = waiting.popLast() {
            // The function reads metrics that the expression does not name.
            if case .call(let call) = expression, call.function.name == "info" { return nil }
            let selector: VectorSelector? =
                switch expression {
                case .selector(let selector): selector
                case .matrix(let matrix): matrix.selector
                default: nil
                }
            if let selector {
                guard let name = selector.matchers.first(where: { $0.name == Labels.nameLabel }) else { return nil }
                found.append(name)
            }
            waiting += expression.children
        }
        return found
    }
}
