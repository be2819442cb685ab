import Model
import PromQL

/// The functions of the query language that rule unit tests need.
package struct RuleTestTools: Sendable {
    package var parseExpression: @Sendable (String) throws -> RuleExpression
    /// Reads a series and its values in the notation of the tests.
    ///
    /// `up{job="a"}` and `0+1x5 _ stale`; nil for a value without a sample. `number` counts the series of a test from
    /// 1.
    package var parseSeries:
        @Sendable (_ series: String, _ values: String, _ number: Int) throws -> (Labels, [SeriesNotation.Value?])
    package var parseMetric: @Sendable (String) throws -> Labels
    package var parseHistogram: @Sendable (String) throws -> FloatHistogram
    /// A histogram in the notation of the tests.
    package var histogramText: @Sendable (FloatHistogram) -> String
    /// Evaluates an expression over a storage at a time in ms; `step` is the default step of subqueries in ms.
    package var query:
        @Sendable (_ source: any SeriesSource, _ expression: RuleExpression, _ time: Int64, _ step: Int64) throws ->
            RuleQueryResult

    package init(
        parseExpression: @escaping @Sendable (String) throws -> RuleExpression,
        parseSeries: @escaping @Sendable (String, String, Int) throws -> (Labels, [SeriesNotation.Value?]),
        parseMetric: @escaping @Sendable (String) throws -> Labels,
        parseHistogram: @escaping @Sendable (String) throws -> FloatHistogram,
        histogramText: @escaping @Sendable (FloatHistogram) -> String,
        query: @escaping @Sendable (any SeriesSource, RuleExpression, Int64, Int64) throws -> RuleQueryResult
    ) {
        self.parseExpression = parseExpression
        self.parseSeries = parseSeries
        self.parseMetric = parseMetric
        self.parseHistogram = parseHistogram
        self.histogramText = histogramText
        self.query = query
    }
}
