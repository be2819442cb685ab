import Glibc
import Rules
import TestSupport
import Testing

@Suite("Rule tests with the real engine")
struct SharedRuleTestsTests {
    static let folder = SharedFolder.path("configs/promtool")

    static func run(_ path: String) -> RuleTestRunner.Report {
        RuleTestRunner(.standard()).run(file: path)
    }

    @Test("our own rule tests succeed", arguments: ["host", "martlet"])
    func own(_ name: String) {
        #expect(Self.run(SharedFolder.projectRoot + "/rules/tests/\(name).yml").failures == [])
    }

    @Test(
        "promtool's tests that succeed there succeed here",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"),
        arguments: [
            "at-modifier-test", "long-period", "negative-offset-test", "no-test-group-interval", "start-time-test",
            "unittest",
        ])
    func good(_ name: String) {
        let report = Self.run("\(Self.folder)/\(name).yml")
        #expect(report.failures == [])
    }

    @Test(
        "promtool's tests that fail there fail here",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func failing() {
        let failures = Self.run("\(Self.folder)/failing.yml").failures
        #expect(failures.count == 4)
        #expect(
            failures.first == """
                    name: Failing test,
                    alertname: Test, time: 0s,\u{20}
                        exp:[
                            0:
                              Labels:{alertname="Test"}
                              Annotations:{}
                            ],\u{20}
                        got:[]
                """)
        for name in ["bad-input-series", "bad-promql", "bad-rules-error-test", "bad-rules-syntax-test", "rules_run"] {
            #expect(!Self.run("\(Self.folder)/\(name).yml").failures.isEmpty, "\(name)")
        }
    }

    @Test("a series that cannot be read is named with line and column, as promtool does")
    func badSeries() throws {
        let tools = RuleTestTools.standard()
        for (series, values, number, text) in [
            (
                #"up{job="prometheus", instance="localhost:9090""#, "0+0x1440", 1,
                "2:48: parse error: unexpected character inside braces: '0'"
            ), ("up", "1 2 3 stalex2 7", 2, "3:15: parse error:"), ("up", "1 {{count:1}} 3 stalex2", 1, "2:25: "),
            ("up", "1 x", 1, "2:6: parse error"),
        ] {
            let error = #expect(throws: (any Error).self) { try tools.parseSeries(series, values, number) }
            #expect(error.map { "\($0)" }?.hasPrefix(text) == true, "\(String(describing: error))")
        }
    }

    @Test(
        "fuzzy comparison lets one unit in the last place pass, no more",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func fuzzy() {
        let fuzzy = Self.run("\(Self.folder)/rules_run_fuzzy.yml").failures
        #expect(fuzzy.count == 2)
        #expect(fuzzy.first?.contains("got: {__name__=\"test_low\"} 2.9999999999999987E+00") == true)
        #expect(Self.run("\(Self.folder)/rules_run_no_fuzzy.yml").failures.count == 2)
    }
}
