import Model
import PromQL

/// Makes the groups of rules that the daemon has itself.
enum BuiltInRules {
    /// The file that the API shows for these groups.
    static let file = "built-in"
    /// The longest interval, ms.
    static let interval: Int64 = 15_000

    /// - Parameter evaluationInterval: The interval of groups without their own, ms.
    static func group(
        _ name: String, _ rules: [RuleDefinition], evaluationInterval: Int64
    ) -> RuleGroupDefinition {
        RuleGroupDefinition(file: file, name: name, interval: min(interval, evaluationInterval), rules: rules)
    }

    /// A rule that stores what a part of the daemon knows.
    static func record(
        _ name: String, _ feed: @escaping @Sendable (_ time: Int64) -> [RuleSample]
    ) throws(ParseError) -> RuleDefinition {
        var rule = RuleDefinition(kind: .recording, name: name, expression: try expression(name))
        rule.feed = feed
        return rule
    }

    static func alert(
        _ name: String, _ text: String, annotations: [Label]
    ) throws(ParseError) -> RuleDefinition {
        RuleDefinition(
            kind: .alerting, name: name, expression: try expression(text),
            labels: [Label(name: "severity", value: "warning")], annotations: annotations)
    }

    private static func expression(_ text: String) throws(ParseError) -> RuleExpression {
        try PromQLParser.parse(text) { RuleExpression(text: $0.description, syntax: $0) }
    }

    /// The newest samples of a metric since `start`, by their labels without the name; without stale series.
    static func newest(
        _ metric: String, in source: any SeriesSource, from start: Int64, to end: Int64
    ) -> [(labels: Labels, time: Int64, value: Double)] {
        var request = SelectRequest(
            matchers: [Matcher(name: Labels.nameLabel, equals: metric)], minTime: start, maxTime: end)
        request.newestOnly = true
        guard let series = try? source.select(request) else { return [] }
        var found: [(labels: Labels, time: Int64, value: Double)] = []
        var columns = SampleColumns()
        for index in 0..<series.count {
            guard (try? series.read(index, into: &columns)) != nil, let (time, value) = columns.last,
                !Staleness.isMarker(value), value.magnitude < 9e12
            else { continue }
            found.append((series.labels(index).withoutName, time, value))
        }
        return found
    }
}

extension SampleColumns {
    /// The last sample; nil if there is none.
    var last: (time: Int64, value: Double)? {
        count > 0 ? (timestamps[count - 1], values[count - 1]) : nil
    }
}
