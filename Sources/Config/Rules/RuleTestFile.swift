import Glibc
import GoCompatibility
import Model

/// A rule unit-test file in the format of `promtool test rules`.
package struct RuleTestFile: Sendable {
    package var path: String
    /// The patterns, relative to the file's directory.
    package var ruleFiles: [String] = []
    /// Milliseconds.
    package var evaluationInterval: Int64 = 60_000
    package var groupOrder: [String] = []
    package var fuzzyCompare = false
    package var tests: [RuleTestGroup] = []
}

/// A test: input series and expected results.
package struct RuleTestGroup: Sendable {
    package var name = ""
    package var place: ConfigPlace
    /// The milliseconds between input samples.
    package var interval: Int64
    /// Milliseconds since the epoch.
    package var startTime: Int64 = 0
    package var inputSeries: [(series: String, values: String, place: ConfigPlace)] = []
    package var alertTests: [AlertTest] = []
    package var expressionTests: [ExpressionTest] = []
    package var externalLabels: [Label] = []
    package var externalURL = ""

    package struct AlertTest: Sendable {
        /// Milliseconds after the start.
        package var time: Int64
        package var alertName: String
        package var expected: [(labels: [Label], annotations: [Label])]
        package var place: ConfigPlace
    }

    package struct ExpressionTest: Sendable {
        package var expression: String
        /// Milliseconds after the start.
        package var time: Int64
        package var expected: [(labels: String, value: Double, histogram: String)]
        package var place: ConfigPlace
    }
}

/// Reads rule unit-test files.
package enum RuleTestFileLoader {
    package static func load(path: String, ignoresUnknownKeys: Bool = false) throws(ConfigError) -> RuleTestFile {
        try parse(text: try ConfigFile.read(path), path: path, ignoresUnknownKeys: ignoresUnknownKeys)
    }

    package static func parse(
        text: [UInt8], path: String, ignoresUnknownKeys: Bool = false
    ) throws(ConfigError) -> RuleTestFile {
        let loading = LoadingContext(file: path, environment: { _ in nil })
        var file = RuleTestFile(path: path)
        guard let root = try YAMLParser.parse(text, file: path) else { return file }
        let problems = ConfigProblems(ignoresUnknownKeys: ignoresUnknownKeys)
        let reader = try MappingReader(root, "main.unitTestFile", problems)
        file.ruleFiles = (try reader.strings("rule_files") ?? []).map(loading.resolve)
        let interval = try reader.duration("evaluation_interval", 0)
        file.evaluationInterval = interval > 0 ? interval : 60_000
        file.groupOrder = try reader.strings("group_eval_order") ?? []
        var names: Set<ExactText> = []
        if let name = file.groupOrder.first(where: { !names.insert(ExactText($0)).inserted }) {
            throw reader.place(of: "group_eval_order").error("group name repeated in evaluation order: \(name)")
        }
        file.fuzzyCompare = try reader.bool("fuzzy_compare", false)
        for (index, node) in try reader.list("tests", empty: "empty or null test").enumerated() {
            let standard = file.evaluationInterval
            let test = problems.collect { () throws(ConfigError) in
                try RuleTestGroup(node, index: index, interval: standard, problems)
            }
            if let test { file.tests.append(test) }
        }
        reader.finish()
        try problems.check()
        return file
    }
}

extension RuleTestGroup {
    init(
        _ node: YAMLNode, index: Int, interval standard: Int64, _ problems: ConfigProblems
    ) throws(ConfigError) {
        let reader = try MappingReader(node, "main.testGroup", problems)
        place = node.place
        let interval = try reader.duration("interval", 0)
        self.interval = interval > 0 ? interval : standard
        name = try reader.string("name", "unnamed#\(index)")
        if let text = try reader.string("start_timestamp") {
            guard let time = TimeText.parse(text) else {
                throw reader.place(of: "start_timestamp").error(
                    "cannot parse \(GoQuote.quote(text)) to a valid timestamp")
            }
            startTime = time
        }
        externalLabels = (try reader.stringMap("external_labels") ?? []).map { Label(name: $0.key, value: $0.value) }
        externalURL = try reader.string("external_url", "")
        for node in try reader.list("input_series", empty: "empty or null series") {
            let series = try MappingReader(node, "main.series", problems)
            inputSeries.append((try series.string("series", ""), try series.string("values", ""), node.place))
            series.finish()
        }
        for node in try reader.list("alert_rule_test", empty: "empty or null alert test") {
            alertTests.append(try Self.alertTest(node, problems))
        }
        for node in try reader.list("promql_expr_test", empty: "empty or null expression test") {
            expressionTests.append(try Self.expressionTest(node, problems))
        }
        reader.finish()
    }

    private static func labels(_ reader: MappingReader, _ key: String) throws(ConfigError) -> [Label] {
        (try reader.stringMap(key) ?? []).map { Label(name: $0.key, value: $0.value) }
    }

    private static func alertTest(_ node: YAMLNode, _ problems: ConfigProblems) throws(ConfigError) -> AlertTest {
        let reader = try MappingReader(node, "main.alertTestCase", problems)
        var test = AlertTest(
            time: try reader.duration("eval_time", 0), alertName: try reader.string("alertname", ""), expected: [],
            place: node.place)
        if test.alertName.isEmpty {
            throw node.place.error(
                "an item under alert_rule_test misses required attribute alertname at eval_time \(DurationText.format(test.time))"
            )
        }
        for node in try reader.list("exp_alerts", empty: "empty or null alert") {
            let alert = try MappingReader(node, "main.alert", problems)
            test.expected.append((try labels(alert, "exp_labels"), try labels(alert, "exp_annotations")))
            alert.finish()
        }
        reader.finish()
        return test
    }

    private static func expressionTest(_ node: YAMLNode, _ problems: ConfigProblems) throws(ConfigError)
        -> ExpressionTest
    {
        let reader = try MappingReader(node, "main.promqlTestCase", problems)
        var test = ExpressionTest(
            expression: try reader.string("expr", ""), time: try reader.duration("eval_time", 0), expected: [],
            place: node.place)
        for node in try reader.list("exp_samples", empty: "empty or null sample") {
            let sample = try MappingReader(node, "main.sample", problems)
            let value = try sample.number("value") ?? 0
            test.expected.append((try sample.string("labels", ""), value, try sample.string("histogram", "")))
            sample.finish()
        }
        reader.finish()
        return test
    }
}
