import Model
import Platform
import PromQL

extension RuleExpression {
    /// Reads an expression, and replaces its text with the canonical one.
    package init(_ text: String, engine: QueryEngine) throws(QueryError) {
        // The text is read again, so that positions in the tree are positions in the canonical text.
        let text = try engine.parse(text) { $0.description }
        self.init(text: text, syntax: try engine.parse(text))
    }
}

extension RuleEnvironment {
    /// The environment of rules that read from `source` with `engine` and write to `store`.
    ///
    /// The `for` states are also restored from `source`.
    package init(
        engine: QueryEngine, source: any SeriesSource, store: any SampleStore, alerts: (any AlertSink)?,
        clock: any Clock, externalLabels: Labels = .empty
    ) {
        self.init(
            query: { expression, time, group in
                let limits = QueryLimits(isRule: true, origin: .rule(file: group.file, group: group.name))
                return RuleQueryResult(
                    try engine.instant(
                        expression.syntax, text: expression.text, source: source, at: time, limits: limits
                    ).value)
            },
            queryText: { text, time in
                let expression = try engine.parse(text)
                return try RuleQueryResult(
                    try engine.instant(
                        expression, text: text, source: source, at: time, limits: QueryLimits(isRule: true)
                    ).value
                ).samples(forTemplate: expression)
            }, histogramText: { "\($0)" }, store: store, source: source, alerts: alerts, clock: clock,
            externalLabels: externalLabels)
    }
}
