import Model
import Testing

@testable import PromQL

@Suite("Start timestamps in queries")
struct StartTimeTests {
    private static func failures(_ script: String, usesStartTimes: Bool = true) -> [String] {
        var options = PromQLTestRunner.options
        options.usesStartTimes = usesStartTimes
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: options))
        #expect(report.passed + report.failed > 0)
        return report.failures.map { "\($0.line): \($0.message)" }
    }

    @Test("A counter that began again between two samples was reset, though it did not fall")
    func resets() {
        let script = """
            load 10s
              c_total@st 0-10sx2 -1s-10sx2
              c_total    5 6 7 9 12 15

            eval instant at 50s increase(c_total[60s])
              expect no_info
              {} 20.4

            eval instant at 50s resets(c_total[60s])
              {} 1

            eval instant at 30s irate(c_total[60s])
              {} 0.9
            """
        // 10 to 15 s is as far as the counter is from zero: (15 − 5 + 7) × 1.2, the window being 10 s longer.
        #expect(Self.failures(script) == [])
        #expect(Self.failures(script, usesStartTimes: false).count == 3)
    }

    @Test("A counter that began within the window was zero then, even if there is one sample of it")
    func beginning() {
        #expect(
            Self.failures(
                """
                load 10s
                  c_total{i="inside"}@st   _ -4s
                  c_total{i="inside"}      _ 8
                  c_total{i="before"}@st   _ -100s
                  c_total{i="before"}      _ 8
                  c_total{i="none"}        _ 8

                eval instant at 12s increase(c_total[10s])
                  {i="inside"} 8

                eval instant at 12s start_timestamp(c_total)
                  {i="inside"} 6
                  {i="before"} -90
                  {i="none"} 0

                eval instant at 12s start_timestamp(c_total * 1)
                """
            ) == [])
    }

    @Test("An unknown start is no start at 1970, which windows may reach beyond")
    func unknownStart() {
        #expect(
            Self.failures(
                """
                load 10s
                  c_total@st  _ 0s -15s
                  c_total     _ 8 9
                  c_total{i="none"}@st  _ _ -15s
                  c_total{i="none"}     _ 8 9

                eval range from 10s to 20s step 10s increase(c_total[1m])
                  {} _ 1.5
                  {i="none"} _ 1.5
                """
            ) == [])
    }

    @Test("A delta is the sum of its samples, and a start among earlier samples is annotated")
    func deltas() {
        #expect(
            Self.failures(
                """
                load 10s
                  d_total@st -10sx6
                  d_total    3 1 4 1 5 9 2

                eval instant at 60s increase(d_total[50s])
                  {} 21

                clear
                load 10s
                  o_total@st -10s -15s -25s
                  o_total    1 2 3

                eval instant at 20s increase(o_total[25s])
                  expect warn msg:PromQL warning: sample has start time that overlaps with previous sample timestamp for metric "o_total" (1:10)
                  {} 2.5
                """
            ) == [])
    }

    @Test(
        "Lines of start timestamps that fit no samples are refused",
        arguments: ["m@st -1m", "m@st -1m\n  n 1", "m@st -1m\n  m 1 2", "m@st -1m-5s\n  m 1", "m@st -1mxq\n  m 1"])
    func notation(lines: String) {
        #expect(throws: TestScript.SyntaxError.self) { try TestScript("load 1m\n  \(lines)\n") }
    }
}
