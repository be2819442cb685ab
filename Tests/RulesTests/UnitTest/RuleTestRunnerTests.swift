import Config
import Glibc
import Model
import PromQL
import Rules
import TestSupport
import Testing

@Suite("Rule unit tests")
struct RuleTestRunnerTests {
    /// A query language of one expression, the name of a metric: the newest sample of its series not older than 5 min.
    static let tools = RuleTestTools(
        parseExpression: { text in
            if text == "bad" { throw RuleError("1:1: parse error: bad") }
            return RuleExpression(text: text, syntax: .number(NumberLiteral(value: 0, range: TextRange(0, 0))))
        },
        parseSeries: { series, values, _ in
            (
                try PromQLParser.parseSeries(series),
                values.split(separator: " ").map { $0 == "_" ? nil : .float(Double($0) ?? Staleness.marker) }
            )
        }, parseMetric: { try PromQLParser.parseSeries($0) },
        parseHistogram: { _ in FloatHistogram() }, histogramText: { "\($0.count)" },
        query: { source, expression, time, _ in
            if expression.text == "fail" { throw RuleError("it failed") }
            let series = try source.select(
                SelectRequest(
                    matchers: [Matcher(name: "__name__", equals: expression.text)], minTime: time - 299_999,
                    maxTime: time))
            var columns = SampleColumns()
            var samples: [RuleSample] = []
            for index in 0..<series.count {
                try series.read(index, into: &columns)
                guard columns.count > 0, !Staleness.isMarker(columns.values[columns.count - 1]) else { continue }
                samples.append(RuleSample(labels: series.labels(index), value: columns.values[columns.count - 1]))
            }
            return .vector(samples)
        })

    /// Runs a rule file and a test file; gives what is printed.
    static func run(
        _ rules: String, _ tests: String, tools: RuleTestTools = tools
    ) throws -> (succeeded: Bool, text: [String]) {
        let temporary = try TemporaryFolder()
        let folder = temporary.path
        for (name, text) in [("r.yml", rules), ("t.yml", tests)] {
            guard let file = fopen("\(folder)/\(name)", "w") else { throw RuleError("no file") }
            fputs(text, file)
            fclose(file)
        }
        var lines: [String] = []
        let succeeded = RuleTestRunner(tools).run(
            files: [folder + "/t.yml"], output: { lines.append($0) }, failure: { lines.append($0) })
        return (succeeded, lines.map { $0.replacing(folder + "/", with: "") })
    }

    @Test("a series that cannot be read is named with its place in the file, and with no other position")
    func placeOfBadSeries() throws {
        let tests = """
            tests:
              - input_series:
                  - series: 'up{'
                    values: '1 2'
            """
        let (succeeded, text) = try Self.run("groups: []", tests, tools: .standard())
        #expect(!succeeded)
        #expect(
            text.contains { $0.contains("t.yml:3:9: parse error: unexpected character inside braces") },
            "\(text)")
    }

    @Test(
        "a query of a template has its series in order of labels, unless it orders them itself",
        arguments: [
            ("m", "a b c10 c9 "), ("m * 2", "a b c10 c9 "), ("sort_desc(m)", "c9 c10 a b "), ("topk(2, m)", "c9 c10 "),
            ("sort_by_label_desc(m, 'i')", "c10 c9 b a "),
        ])
    func order(query: String, expected: String) throws {
        let rules = """
            groups:
              - name: g
                rules:
                  - alert: A
                    expr: vector(1)
                    annotations:
                      text: '{{ range query "\(query.replacing("'", with: "\\\""))" }}{{ .Labels.i }} {{ end }}'
            """
        let tests = """
            rule_files: [r.yml]
            tests:
              - interval: 1m
                input_series:
                  - {series: 'm{i="b"}', values: 1}
                  - {series: 'm{i="a"}', values: 2}
                  - {series: 'm{i="c10"}', values: 3}
                  - {series: 'm{i="c9"}', values: 4}
                alert_rule_test:
                  - {eval_time: 0, alertname: A, exp_alerts: [{exp_annotations: {text: '\(expected)'}}]}
            """
        var options = EngineOptions()
        options.parser = .all
        let (succeeded, text) = try Self.run(rules, tests, tools: .standard(options: options))
        #expect(succeeded, "\(text)")
    }

    static let rules = """
        groups:
          - name: g
            rules:
              - record: r
                expr: m
              - alert: A
                expr: m
                for: 2m
                labels: {severity: page}
                annotations: {s: '{{ $value }}'}
        """

    @Test("a test that holds is a success")
    func success() throws {
        let (succeeded, text) = try Self.run(
            Self.rules,
            """
            rule_files: [r.yml]
            tests:
              - input_series: [{series: 'm{a="1"}', values: '1 2 3 4'}]
                alert_rule_test:
                  - {eval_time: 1m, alertname: A, exp_alerts: []}
                  - eval_time: 2m59s
                    alertname: A
                    exp_alerts: [{exp_labels: {a: '1', severity: page}, exp_annotations: {s: '3'}}]
                promql_expr_test:
                  - {expr: r, eval_time: 1m, exp_samples: [{labels: 'r{a="1"}', value: 2}]}
                  - {expr: ALERTS, eval_time: 1m, exp_samples: [{labels: 'ALERTS{a="1",alertname="A",alertstate="pending",severity="page"}', value: 1}]}
            """)
        #expect(text == ["Unit Testing:  t.yml", "  SUCCESS", ""])
        #expect(succeeded)
    }

    @Test("failures are printed as promtool prints them")
    func failures() throws {
        let (succeeded, text) = try Self.run(
            Self.rules,
            """
            rule_files: [r.yml, none.yml]
            tests:
              - name: my test
                input_series: [{series: 'm', values: '1 1 1'}]
                alert_rule_test:
                  - {eval_time: 2m, alertname: A, exp_alerts: []}
                promql_expr_test:
                  - {expr: r, eval_time: 1m, exp_samples: [{labels: r, value: 2}]}
                  - {expr: none, eval_time: 1m, exp_samples: [{labels: r, value: 2}]}
                  - {expr: bad, eval_time: 1m, exp_samples: []}
            """)
        #expect(!succeeded)
        #expect(
            text.joined(separator: "\n") == """
                Unit Testing:  t.yml
                  WARNING: no file match pattern none.yml
                  FAILED:
                    name: my test,
                    alertname: A, time: 2m,\u{20}
                        exp:[],\u{20}
                        got:[
                            0:
                              Labels:{alertname="A", severity="page"}
                              Annotations:{s="1"}
                            ]

                    expr: "r", time: 1m,
                        exp: {__name__="r"} 2E+00
                        got: {__name__="r"} 1E+00

                    expr: "none", time: 1m,
                        exp: {__name__="r"} 2E+00
                        got: nil

                    expr: "bad", time: 1m, err: 1:1: parse error: bad


                """)
    }

    @Test("a rule that fails ends its test")
    func ruleError() throws {
        let (_, text) = try Self.run(
            "groups: [{name: g, rules: [{record: r, expr: fail}]}]",
            """
            rule_files: [r.yml]
            tests: [{promql_expr_test: [{expr: r, eval_time: 5m, exp_samples: [{labels: r, value: 1}]}]}]
            """)
        #expect(text.contains("    rule: r, time: 0s, err: it failed"))
    }

    @Test("an annotation that expands to nothing stays, and is expected")
    func emptyAnnotation() throws {
        for (expected, succeeds) in [("{s: ''}", true), ("{}", false)] {
            let (succeeded, _) = try Self.run(
                "groups: [{name: g, rules: [{alert: A, expr: m, annotations: {s: '{{ \"\" }}'}}]}]",
                """
                rule_files: [r.yml]
                tests:
                  - input_series: [{series: 'm', values: '1'}]
                    alert_rule_test: [{eval_time: 0, alertname: A, exp_alerts: [{exp_annotations: \(expected)}]}]
                """)
            #expect(succeeded == succeeds, "\(expected)")
        }
    }

    @Test("of a series that is there twice the last values count")
    func repeatedSeries() throws {
        let (succeeded, text) = try Self.run(
            Self.rules,
            """
            tests:
              - input_series:
                  - {series: 'm{a="1"}', values: '1 2 3'}
                  - {series: 'm{a="1"}', values: '4'}
                promql_expr_test:
                  - {expr: m, eval_time: 2m, exp_samples: [{labels: 'm{a="1"}', value: 4}]}
            """)
        #expect(succeeded, "\(text)")
    }

    @Test("a series that cannot be read is told with the place of the test file")
    func badSeries() throws {
        let (_, text) = try Self.run(
            Self.rules, "tests:\n  - input_series:\n      - {series: 'm{a=\"1\",a=\"2\"}', values: '1'}\n")
        #expect(
            text.contains { $0.hasPrefix("t.yml:3:9: ") && $0.hasSuffix("label name \"a\" is not unique") }, "\(text)")
    }

    @Test("fields that nobody knows can be passed over")
    func ignoredFields() throws {
        let file = try RuleTestFileLoader.parse(
            text: Array("testz: 1\ntests: [{nam: x}]".utf8), path: "f", ignoresUnknownKeys: true)
        #expect(file.tests.count == 1)
    }

    @Test("all fields that nobody knows are named, each with its place")
    func unknownFields() throws {
        let (_, text) = try Self.run(
            "groups:\n  - name: g\n    owner: me\n    rules:\n      - {record: r, expr: m, team: x}\nextra: 1",
            "rule_files: [r.yml]\ntests: [{interval: 1m}]")
        let all = text.joined(separator: "\n")
        for field in [
            "r.yml:3:5: field owner not found in type rulefmt.RuleGroup", "field team not found in type rulefmt.Rule",
            "r.yml:6:1: field extra not found in type rulefmt.RuleGroups",
        ] { #expect(all.contains(field), "\(all)") }
        let (_, tests) = try Self.run("", "rule_files: []\ntestz: 1\ntests: [{nam: x}]")
        #expect(tests.count { $0.contains("testz") && $0.contains("nam not found") } == 1)
    }
}
