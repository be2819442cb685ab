import Config
import GoCompatibility
import GoTemplate
import Model

/// Converts rule files to groups that can be evaluated.
package enum RuleSet {
    /// Checks expressions and templates, which the files' reader does not check.
    ///
    /// - Parameters:
    ///   - evaluationInterval: For groups without an interval, ms.
    ///   - queryOffset: For groups without one, ms.
    ///   - parse: Reads an expression; the text of its error becomes a part of ours.
    /// - Returns: All groups without errors, and all errors with their places.
    package static func definitions(
        _ files: [RuleFile], evaluationInterval: Int64, queryOffset: Int64 = 0,
        parse: (String) throws -> RuleExpression
    ) -> (groups: [RuleGroupDefinition], errors: [ConfigError]) {
        var groups: [RuleGroupDefinition] = []
        var errors: [ConfigError] = []
        for file in files {
            for group in file.groups {
                var rules: [RuleDefinition] = []
                for rule in group.rules {
                    let name = "group \(GoQuote.quote(group.name)), rule \(rule.number), \(GoQuote.quote(rule.name)): "
                    let before = errors.count
                    let definition = definition(of: rule, parse) { place, text in
                        errors.append(place.error(name + text))
                    }
                    if let definition, errors.count == before { rules.append(definition) }
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

    /// The rule, or nil if its expression cannot be read; passes all errors to `note`.
    private static func definition(
        of rule: RuleConfig, _ parse: (String) throws -> RuleExpression, _ note: (ConfigPlace, String) -> Void
    ) -> RuleDefinition? {
        if rule.kind == .alerting {
            for (kind, texts) in [("label", rule.labels), ("annotation", rule.annotations)] {
                for text in texts {
                    do throws(TemplateError) {
                        _ = try AlertTemplate(text.value, alert: rule.name)
                    } catch {
                        note(rule.place, "\(kind) \(GoQuote.quote(text.name)): \(error)")
                    }
                }
            }
        }
        // The loader has named the rule that lacks an expression.
        guard !rule.expression.isEmpty else { return nil }
        do {
            var definition = RuleDefinition(
                kind: rule.kind == .alerting ? .alerting : .recording, name: rule.name,
                expression: try parse(rule.expression), labels: rule.labels, annotations: rule.annotations,
                holdDuration: rule.holdDuration, keepFiringFor: rule.keepFiringFor)
            definition.onMissing = rule.onMissing
            return definition
        } catch {
            note(rule.expressionPlace, "could not parse expression: \(error)")
            return nil
        }
    }

    /// Rules with the same name and labels, which would overwrite each other.
    package struct Duplicate: Sendable, Hashable {
        @Exact package var name: String
        package var labels: [Label]
    }

    /// The duplicates in a set of files for `check rules --lint=duplicate-rules`; each repetition is listed once.
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
