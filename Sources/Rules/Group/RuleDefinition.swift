import Config
import Model
import PromQL

/// The expression of a rule.
package struct RuleExpression: Sendable {
    /// The text of the canonical printer: shown by the API, part of the generator URL, and compared between rules.
    package var text: String
    package var syntax: Expression

    package init(text: String, syntax: Expression) {
        self.text = text
        self.syntax = syntax
    }
}

/// One checked rule of a file.
package struct RuleDefinition: Sendable {
    package enum Kind: Sendable, Equatable {
        case recording
        case alerting
    }

    package var kind: Kind
    /// The recorded metric, or the alert's name.
    package var name: String
    package var expression: RuleExpression
    /// The group's labels overridden by the rule's; an empty value removes a label of the result.
    package var labels: [Label]
    package var annotations: [Label]
    /// Milliseconds.
    package var holdDuration: Int64
    /// Milliseconds.
    package var keepFiringFor: Int64
    package var onMissing = OnMissing.resolve
    /// Gives the result of a rule of the daemon's own at a time in ms, in place of the expression.
    package var feed: (@Sendable (_ time: Int64) -> [RuleSample])?

    package init(
        kind: Kind, name: String, expression: RuleExpression, labels: [Label] = [], annotations: [Label] = [],
        holdDuration: Int64 = 0, keepFiringFor: Int64 = 0
    ) {
        self.kind = kind
        self.name = name
        self.expression = expression
        self.labels = labels.sorted { $0.name.isExactlyBefore($1.name) }
        self.annotations = annotations.sorted { $0.name.isExactlyBefore($1.name) }
        self.holdDuration = holdDuration
        self.keepFiringFor = keepFiringFor
    }

    /// Whether a rule that replaces this one keeps its state.
    func continues(_ other: RuleDefinition) -> Bool {
        kind == other.kind && name.isExactly(other.name) && labels == other.labels
    }

    /// Whether nothing of the rule has changed.
    func isSame(as other: RuleDefinition) -> Bool {
        continues(other) && expression.text == other.expression.text && annotations == other.annotations
            && holdDuration == other.holdDuration && keepFiringFor == other.keepFiringFor
            && onMissing == other.onMissing
    }
}

/// One checked group of a rule file, with the global defaults.
package struct RuleGroupDefinition: Sendable {
    package var file: String
    package var name: String
    /// Milliseconds, above 0.
    package var interval: Int64
    /// The milliseconds by which expressions look back and results have earlier timestamps.
    package var queryOffset: Int64
    /// The most series or alerts of a rule; 0 for any number.
    package var limit: Int
    package var rules: [RuleDefinition]

    package init(
        file: String, name: String, interval: Int64, queryOffset: Int64 = 0, limit: Int = 0, rules: [RuleDefinition]
    ) {
        self.file = file
        self.name = name
        self.interval = max(1, interval)
        self.queryOffset = queryOffset
        self.limit = limit
        self.rules = rules
    }

    var place: RuleGroupPlace { RuleGroupPlace(file: file, name: name) }

    /// `file;name`, which identifies a group.
    package var key: String { file + ";" + name }

    func isSame(as other: RuleGroupDefinition) -> Bool {
        key.isExactly(other.key) && interval == other.interval && queryOffset == other.queryOffset
            && limit == other.limit
            && rules.count == other.rules.count && zip(rules, other.rules).allSatisfy { $0.isSame(as: $1) }
    }
}
