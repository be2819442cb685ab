import Model
import Platform
import PromQL

extension RuleExpression {
    /// Reads an expression; its text becomes the canonical one.
    package init(_ text: String, engine: QueryEngine) throws(QueryError) {
        let syntax = try engine.parse(text)
        self.init(text: syntax.description, syntax: syntax)
    }
}

extension RuleEnvironment {
    /// The environment of rules that read `source` by `engine` and write to `store`.
    ///
    /// The restoring of `for` states reads `source` too.
    package init(
        engine: QueryEngine, source: any SeriesSource, store: any SampleStore, alerts: (any AlertSink)?,
        clock: any Clock, externalLabels: Labels = .empty, externalURL: String = ""
    ) {
        self.init(
            query: { expression, time in
                RuleQueryResult(
                    try engine.instant(expression.syntax, text: expression.text, source: source, at: time).value)
            },
            queryText: { text, time in
                try RuleQueryResult(try engine.instant(text, source: source, at: time).value).samples()
            }, histogramText: { "\($0)" }, store: store, source: source, alerts: alerts, clock: clock,
            externalLabels: externalLabels, externalURL: externalURL)
    }
}
