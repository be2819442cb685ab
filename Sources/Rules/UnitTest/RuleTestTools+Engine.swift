import Model
import PromQL

extension RuleTestTools {
    /// The tools of a query engine.
    ///
    /// - Parameter options: The engine's options; the default step of subqueries is set for each test file.
    package static func standard(options: EngineOptions = EngineOptions()) -> RuleTestTools {
        let parser = options.parser
        return RuleTestTools(
            parseExpression: { text in
                try PromQLParser.parse(text, options: parser) {
                    RuleExpression(text: $0.description, syntax: $0)
                }
            },
            parseSeries: { series, values, number in
                // The text is parsed as a line of a `load` command; the first line is that of the command.
                try SeriesNotation.parseSeries("\(series) \(values)", line: number + 1)
            }, parseMetric: { try PromQLParser.parseSeries($0) },
            parseHistogram: { try HistogramNotation.parse($0) },
            histogramText: { $0.testNotation },
            query: { source, expression, time, step in
                var options = options
                options.defaultSubqueryStep = step
                let engine = QueryEngine(options: options)
                return RuleQueryResult(
                    try engine.instant(expression.syntax, text: expression.text, source: source, at: time).value)
            })
    }
}
