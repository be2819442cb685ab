import Config
import Model

/// Turns rule files into groups that can be evaluated.
package enum RuleSet {
    /// Checks what the files' reader could not: expressions and templates.
    ///
    /// - Parameters:
    ///   - evaluationInterval: For groups without an interval, ms.
    ///   - queryOffset: For groups without one, ms.
    ///   - parse: Reads an expression; its error's text becomes a part of ours.
    /// - Returns: All groups, and all mistakes with their places; groups with a mistake are left out.
    package static func definitions(
        _ files: [RuleFile], evaluationInterval: Int64, queryOffset: Int64 = 0,
        parse: (String) throws -> RuleExpression
    ) -> (groups: [RuleGroupDefinition], errors: [ConfigError]) {
        var groups: [RuleGroupDefinition] = []
        var errors: [ConfigError] = []
        for file in files {
            for group in file.groups {
                var rules: [RuleDefinition] = []
                for (index, rule) in group.rules.enumerated() {
                    do {
                        rules.append(try definition(of: rule, parse))
                    } catch {
                        let place = error is RuleError ? rule.place : rule.expressionPlace
                        errors.append(
                            place.error(
                                "group \(GoQuote.quote(group.name)), rule \(index + 1), \(GoQuote.quote(rule.name)): "
                                    + "\(error)"))
                    }
                }
                guard rules.count == group.rules.count else { continue }
                groups.append(
                    RuleGroupDefinition(
                        file: file.path, name: group.name, interval: group.interval ?? evaluationInterval,
                        queryOffset: group.queryOffset ?? queryOffset, limit: group.limit, rules: rules))
            }
        }
        return (groups, errors)
    }

    private struct ExpressionError: Error, CustomStringConvertible {
        var description: String
    }

    private static func definition(
        of rule: RuleConfig, _ parse: (String) throws -> RuleExpression
    ) throws -> RuleDefinition {
        let expression: RuleExpression
        do {
            expression = try parse(rule.expression)
        } catch {
            throw ExpressionError(description: "could not parse expression: \(error)")
        }
        let definition = RuleDefinition(
            kind: rule.kind == .alerting ? .alerting : .recording, name: rule.name, expression: expression,
            labels: rule.labels, annotations: rule.annotations, holdDuration: rule.holdDuration,
            keepFiringFor: rule.keepFiringFor)
        // Making the rule reads its templates.
        if definition.kind == .alerting { _ = try AlertingRule(definition, isRestored: true) }
        return definition
    }

    /// Rules of the same name and labels, which would overwrite each other.
    package struct Duplicate: Sendable, Hashable {
        package var name: String
        package var labels: [Label]
    }

    /// The duplicates of a set of files, as `check rules --lint=duplicate-rules` finds them: each repetition once.
    package static func duplicates(_ files: [RuleFile]) -> [Duplicate] {
        var seen: Set<Duplicate> = []
        var found: [Duplicate] = []
        for rule in files.flatMap(\.groups).flatMap(\.rules) {
            let key = Duplicate(name: rule.name, labels: rule.labels)
            if !seen.insert(key).inserted { found.append(key) }
        }
        return found
    }
}
