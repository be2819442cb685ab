import Model
import TestSupport
import Testing

@testable import PromQL

@Suite("Scripts that test the engine")
struct PromQLTestRunnerTests {
    /// The scripts of Prometheus that lie beside the project.
    static let scripts = [
        "aggregators", "at_modifier", "functions", "histograms", "info", "literals", "name_label_dropping",
        "native_histograms", "operators", "range_queries", "selectors", "staleness", "subquery",
    ]

    static func read(_ name: String) -> String? {
        TextFile.read(SharedFolder.path("promqltest/\(name).test"))
    }

    @Test(
        "every script passes",
        .enabled(if: PromQLTestRunnerTests.read("literals") != nil, "no ../shared/promqltest here"),
        arguments: PromQLTestRunnerTests.scripts)
    func passes(name: String) throws {
        let text = try #require(Self.read(name))
        let report = PromQLTestRunner.run(script: text, engine: QueryEngine(options: PromQLTestRunner.options))
        for failure in report.failures { Issue.record("\(name).test:\(failure.line): \(failure.message)") }
        #expect(report.passed > 0)
    }

    @Test("a wrong expectation is a failure with its line")
    func failures() {
        let script = """
            load 5m
              a 1 2

            eval instant at 5m a
              a 2

            eval instant at 5m a
              a 3

            eval instant at 5m a
              expect fail

            eval range from 0 to 10m step 5m a
              a 1 2 _
            """
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: PromQLTestRunner.options))
        #expect(report.passed == 2, "\(report.failures)")
        #expect(report.failures.map(\.line) == [7, 10])
    }
}
