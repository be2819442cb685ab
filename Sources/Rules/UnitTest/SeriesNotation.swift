import Model
import PromQL

/// The values of an input series: `1 2x3 0+10x5 _ _x2 stale`.
package enum SeriesNotation {
    /// The most values of one series, so that `0x999999999` cannot exhaust memory.
    static let maximumCount = 10_000_000

    /// Reads values of which some are native histograms.
    private static func withHistograms(_ text: String) throws(RuleError) -> [RuleTestTools.Value?] {
        do {
            return try PromQL.SeriesNotation.parseValues(text).map { value in
                switch value {
                case .float(let value)?: .float(value)
                case .histogram(let histogram)?: .histogram(histogram)
                case nil: nil
                }
            }
        } catch { throw RuleError("\(error)") }
    }

    /// Reads the values; nil where nothing is appended.
    ///
    /// - Throws: ``RuleError`` with the item that cannot be right.
    package static func parse(_ text: String) throws(RuleError) -> [RuleTestTools.Value?] {
        var result: [RuleTestTools.Value?] = []
        if text.contains("{{") { return try withHistograms(text) }
        for item in text.split(whereSeparator: { $0 == " " || $0 == "\n" || $0 == "\t" || $0 == "\r" }) {
            if item == "stale" {
                result.append(.float(Staleness.marker))
                continue
            }
            var rest = item[...]
            if rest.first == "_" {
                rest = rest.dropFirst()
                let count = try rest.isEmpty ? 1 : repetitions(&rest, of: item, in: result.count)
                result += [RuleTestTools.Value?](repeating: nil, count: count)
                continue
            }
            guard var value = number(&rest) else { throw failure(item) }
            if rest.isEmpty {
                result.append(.float(value))
                continue
            }
            var increment = 0.0
            if rest.first == "+" || rest.first == "-" {
                guard let step = number(&rest) else { throw failure(item) }
                increment = step
            }
            let count = try repetitions(&rest, of: item, in: result.count)
            for _ in 0...count {
                result.append(.float(value))
                value += increment
            }
        }
        return result
    }

    private static func failure(_ item: Substring) -> RuleError {
        RuleError("parse error: unexpected \(GoQuote.quote(String(item))) in series values")
    }

    /// `xN`, the rest of an item.
    private static func repetitions(
        _ rest: inout Substring, of item: Substring, in before: Int
    ) throws(RuleError) -> Int {
        guard rest.first == "x", let count = Int(rest.dropFirst()), count >= 0 else { throw failure(item) }
        guard count < maximumCount - before else {
            throw RuleError("more than \(maximumCount) values in one series: \(item)")
        }
        rest = ""
        return count
    }

    /// A number with a sign; of `1+2x3` the first.
    private static func number(_ rest: inout Substring) -> Double? {
        var text = ""
        if let sign = rest.first, sign == "+" || sign == "-" { text.append(rest.removeFirst()) }
        let word = rest.prefix(3).lowercased()
        if word == "inf" || word == "nan" {
            rest = rest.dropFirst(3)
            return word == "nan" ? .nan : text == "-" ? -.infinity : .infinity
        }
        while let c = rest.first {
            let isExponentSign = (c == "+" || c == "-") && (text.last == "e" || text.last == "E")
            guard c.isNumber || c == "." || c == "e" || c == "E" || isExponentSign else { break }
            text.append(rest.removeFirst())
        }
        return Double(text)
    }
}

extension RuleTestTools {
    /// The tools of a query engine.
    ///
    /// - Parameter options: The engine's; the default step of subqueries is that of each test file.
    package static func standard(options: EngineOptions = EngineOptions()) -> RuleTestTools {
        let parser = options.parser
        return RuleTestTools(
            parseExpression: { text in
                let syntax = try PromQLParser.parse(text, options: parser)
                return RuleExpression(text: syntax.description, syntax: syntax)
            },
            parseSeries: { series, values in
                (try PromQLParser.parseSeries(series), try SeriesNotation.parse(values))
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
