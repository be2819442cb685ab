import Config
import PromQL

extension TestCommand {
    /// Runs PromQL test scripts, and prints the numbers of passed and failed tests per file.
    static func promql(_ paths: [String]) -> Int32 {
        var (passed, failed) = (0, 0)
        for path in paths {
            do throws(ConfigError) {
                let script = String(decoding: try ConfigFile.readOnce(path), as: UTF8.self)
                let report = PromQLTestRunner.run(
                    script: script, engine: QueryEngine(options: PromQLTestRunner.options))
                print("\(path): \(report.passed) passed, \(report.failed) failed")
                for failure in report.failures { print("  \(path):\(failure.line): \(failure.message)") }
                passed += report.passed
                failed += report.failed
            } catch {
                print("\(path): \(error)")
                failed += 1
            }
        }
        print("\(passed) passed, \(failed) failed")
        return failed == 0 ? 0 : 1
    }
}
