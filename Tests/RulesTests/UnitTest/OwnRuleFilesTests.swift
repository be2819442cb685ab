import Config
import Foundation
import Model
import PromQL
import Rules
import TestSupport
import Testing

/// Rule files of our own with their unit tests; Debian's promtool 2.42 gives the same verdicts and texts.
@Suite("Rule tests of our own")
struct OwnRuleFilesTests {
    static let folder = SharedFolder.projectRoot + "/Tests/RulesTests/UnitTest/Files"

    static func names(_ ending: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted()
    }

    @Test("tests that should pass do", arguments: OwnRuleFilesTests.names(".pass.yml"))
    func passes(_ name: String) {
        #expect(RuleTestRunner(.standard()).run(file: Self.folder + "/" + name).failures == [])
    }

    @Test("tests that should fail do, with the text that promtool prints")
    func fails() throws {
        #expect(Self.names(".pass.yml").count > 1 && Self.names(".fail.yml").count > 1)
        for name in Self.names(".fail.yml") {
            let expected = try String(
                contentsOfFile: Self.folder + "/" + name.replacing(".yml", with: ".txt"), encoding: .utf8)
            let failures = RuleTestRunner(.standard()).run(file: Self.folder + "/" + name).failures
            let text = failures.joined(separator: "\n")
            #expect("  FAILED:\n" + text + "\n" == expected, "\(name): \(text)")
        }
    }

    static func definitions(_ file: RuleFile) -> (groups: [RuleGroupDefinition], errors: [ConfigError]) {
        RuleSet.definitions([file], evaluationInterval: 60_000) {
            RuleExpression(text: $0, syntax: try PromQLParser.parse($0))
        }
    }

    @Test("every rule of ours is read, and every label and annotation expands without an error")
    func read() throws {
        let paths =
            Self.names(".rules.yml").map { Self.folder + "/" + $0 }
            + ["host", "martlet"].map { SharedFolder.projectRoot + "/rules/\($0).yml" }
        var count = 0
        for path in paths {
            let file = try RuleFileLoader.load(path: path)
            let (groups, errors) = Self.definitions(file)
            #expect(errors.isEmpty && !groups.isEmpty, "\(path): \(errors)")
            for rule in file.groups.flatMap(\.rules) where rule.kind == .alerting {
                for text in rule.annotations.map(\.value) + rule.labels.map(\.value) {
                    let sample = TemplateSample(labels: Labels([("item", "nut")]), value: 2)
                    let expanded = try AlertTemplate(text, alert: rule.name).expand(
                        TemplateData(
                            labels: Labels([("instance", "i:1"), ("job", "j"), ("shop", "north")]),
                            externalLabels: .empty, externalURL: "", value: .float(1.5)),
                        AlertTemplateFunctions(now: 0, externalURL: "") { _ in [sample] })
                    #expect(!expanded.contains("{{") && !expanded.contains("%!"), "\(path): \(rule.name): \(expanded)")
                    #expect(!expanded.contains("<error"), "\(path): \(rule.name): \(expanded)")
                    count += 1
                }
            }
        }
        #expect(count > 40)
    }

    @Test("a rule without an expression is one mistake, not two")
    func noExpression() throws {
        let problems = ConfigProblems()
        let text = Array("groups: [{name: g, rules: [{record: a}]}]".utf8)
        let file = try RuleFileLoader.parse(text: text, path: "r.yml", problems)
        #expect(problems.all.count == 1)
        #expect(Self.definitions(file).errors.isEmpty && Self.definitions(file).groups.isEmpty)
    }

    /// Rule files that are refused, with the reason that promtool gives; it has fewer places.
    static let refused: [(text: String, message: String)] = [
        (
            "groups: [{name: g, rules: [{record: a, alert: b, expr: m}]}]",
            #"1:40: group "g", rule 1, "a": only one of 'record' and 'alert' must be set"#
        ),
        (
            "groups: [{name: g, rules: [{expr: m}]}]",
            #"1:28: group "g", rule 1, "": one of 'record' or 'alert' must be set"#
        ),
        (
            "groups: [{name: g, rules: [{record: a}]}]",
            #"1:28: group "g", rule 1, "a": field 'expr' must be set in rule"#
        ), ("groups: [{rules: []}]", "1:10: Groupname must not be empty"),
        ("groups: [{name: g}, {name: g}]", #"1:21: groupname: "g" is repeated in the same file"#),
        (
            "groups: [{name: g, rules: [{record: a, expr: m, for: 1m}]}]",
            #"1:49: group "g", rule 1, "a": invalid field 'for' in recording rule"#
        ),
        (
            "groups: [{name: g, rules: [{record: a, expr: m, keep_firing_for: 1m}]}]",
            #"1:49: group "g", rule 1, "a": invalid field 'keep_firing_for' in recording rule"#
        ),
        (
            "groups: [{name: g, rules: [{record: a, expr: m, annotations: {b: c}}]}]",
            #"1:49: group "g", rule 1, "a": invalid field 'annotations' in recording rule"#
        ),
        (
            "groups: [{name: g, rules: [{alert: a, expr: m, labels: {__name__: x}}]}]",
            #"1:48: group "g", rule 1, "a": invalid label name: __name__"#
        ), ("groups: [{name: g, interval: fast}]", #"1:30: not a valid duration string: "fast" (interval)"#),
        ("groups: [{name: g, limit: x}]", "1:27: cannot unmarshal !!str `x` into int (limit)"),
        (
            "groups: [{name: g, rules: [{alert: a, expr: m, for: soon}]}]",
            #"1:53: not a valid duration string: "soon" (for)"#
        ), ("groups: {}", "1:9: cannot unmarshal !!map into a list (groups)"),
        ("group: []", "1:1: field group not found in type rulefmt.RuleGroups, did you mean groups?"),
        (
            "groups: [{name: g, rules: [{alrt: a, expr: m}]}]",
            "1:29: field alrt not found in type rulefmt.Rule, did you mean alert?"
        ),
    ]

    @Test("a rule file that is wrong is refused with its place and reason", arguments: refused)
    func refuse(_ text: String, _ message: String) {
        var found = ""
        do { _ = try RuleFileLoader.parse(text: Array(text.utf8), path: "r.yml") } catch { found = "\(error)" }
        #expect(found == "r.yml:" + message)
    }

    /// Expressions and templates that are wrong, with the reason that promtool gives.
    static let wrong: [(rule: String, message: String)] = [
        (
            "{alert: a, expr: 'rate(m)'}",
            "could not parse expression: 1:6: parse error: expected type range vector in call to function \"rate\", "
                + "got instant vector"
        ), ("{record: a, expr: 'm +'}", "could not parse expression: 1:4: parse error: unexpected end of input"),
        (
            "{alert: a, expr: m, annotations: {b: '{{ nope }}'}}",
            "template: __alert_a:1: function \"nope\" not defined"
        ), ("{alert: a, expr: m, labels: {b: '{{ if }}'}}", "template: __alert_a:1: missing value for if"),
    ]

    @Test("an expression or a template that is wrong is refused with its place and reason", arguments: wrong)
    func expressions(_ rule: String, _ message: String) throws {
        let text = "groups: [{name: g, rules: [\(rule)]}]"
        let file = try RuleFileLoader.parse(text: Array(text.utf8), path: "r.yml")
        let errors = Self.definitions(file).errors.map { "\($0)" }
        #expect(errors.count == 1)
        #expect(errors.first?.hasPrefix("r.yml:1:") == true, "\(errors)")
        #expect(errors.first?.hasSuffix(message) == true, "\(errors)")
    }

    /// Test files that are refused, or whose tests fail, with the reason that promtool gives.
    static let bad: [(test: String, message: String)] = [
        ("{input_series: [{series: 'm{', values: 1}]}", "parse error: unexpected character inside braces: '1'"),
        ("{input_series: [{series: m, values: '1 2 x'}]}", "parse error: expected a number, found \"x\""),
        (
            "{promql_expr_test: [{expr: 'm +', eval_time: 1m}]}",
            "    expr: \"m +\", time: 1m, err: 1:4: parse error: unexpected end of input"
        ),
        (
            "{promql_expr_test: [{expr: m, eval_time: 1m, exp_samples: [{labels: 'm{', value: 1}]}]}",
            "    expr: \"m\", time: 1m, err: labels \"m{\": 1:3: parse error: unexpected end of input inside braces"
        ), ("{input: []}", "field input not found in type main.testGroup"),
        ("{interval: fast}", "not a valid duration string: \"fast\" (interval)"),
        (
            "{alert_rule_test: [{eval_time: 1m}]}",
            "an item under alert_rule_test misses required attribute alertname at eval_time 1m"
        ),
    ]

    @Test("a test file that is wrong fails with the reason", arguments: bad)
    func badTests(_ test: String, _ message: String) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/t.yml"
        try "tests: [\(test)]\n".write(toFile: path, atomically: true, encoding: .utf8)
        let failures = RuleTestRunner(.standard()).run(file: path).failures
        #expect(failures.count == 1)
        #expect(failures.first?.hasSuffix(message) == true, "\(failures)")
    }
}
