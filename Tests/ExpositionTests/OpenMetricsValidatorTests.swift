import Exposition
import JSON
import TestSupport
import Testing

@Suite("OpenMetrics validator")
struct OpenMetricsValidatorTests {
    static let folder = SharedFolder.path("openmetrics")
    static let cases = TestFiles.list(folder)

    static func problem(_ text: String) -> String? {
        do throws(ExpositionError) {
            try OpenMetricsValidator.validate(Array(text.utf8))
            return nil
        } catch {
            return error.located
        }
    }

    @Test("values that differ in their bytes are two groups, even if Unicode takes them for the same")
    func bytes() {
        let (one, other) = ("a{x=\"caf\u{E9}\"}", "a{x=\"cafe\u{301}\"}")
        #expect(Self.problem("# TYPE a gauge\n\(one) 1 2\n\(other) 1 1\n# EOF\n") == nil)
        #expect(Self.problem("# TYPE a gauge\n\(one) 1 2\n\(one) 1 1\n# EOF\n") != nil)
        #expect(Self.problem("# TYPE a gauge\n\(one) 1\na 1\n\(other) 1\n# EOF\n") == nil)
        #expect(Self.problem("# TYPE a gauge\n\(one) 1\na 1\n\(one) 1\n# EOF\n") != nil)
    }

    @Test(
        "every case of the OpenMetrics suite",
        .enabled(if: SharedFolder.has("openmetrics"), "needs ../shared/openmetrics"))
    func suite() throws {
        for name in Self.cases {
            let path = "\(Self.folder)/\(name)"
            guard let page = TestFiles.read(path + "/metrics"), let verdict = TestFiles.read(path + "/test.json") else {
                continue
            }
            guard let shouldParse = try JSONValue.parse(verdict)["shouldParse"]?.bool else {
                Issue.record("\(name): no verdict")
                continue
            }
            var problem: String?
            do throws(ExpositionError) { try OpenMetricsValidator.validate(page) } catch { problem = error.located }
            #expect((problem == nil) == shouldParse, "\(name): \(problem ?? "accepted")")
        }
    }

    @Test(
        "good pages",
        arguments: [
            "# EOF\n", "# EOF", "a 1\n# EOF\n", "# TYPE a unknown\na -1.5\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_count 2\na_sum 5\na_created 1.5\n# EOF\n",
            "# TYPE a summary\na{quantile=\"0.5\"} 1 1\na{quantile=\"1\"} 2 1\na_count 2 1\na_sum 1 1\n# EOF\n",
            "# TYPE a counter\na_total{x=\"1\"} 1 # {} 1\na_created{x=\"1\"} 1\na_total{x=\"2\"} 1\n# EOF\n",
            "# HELP a \na 1\n# EOF\n",
        ])
    func good(_ page: String) { #expect(Self.problem(page) == nil) }

    @Test(
        "bad pages",
        arguments: [
            "", "a 1\n", "a 1\n# EOF\n\n", "# EOF\n# EOF\n", "#EOF\n", "a 1 \n# EOF\n", "a  1\n# EOF\n",
            "a{x=\"1\",} 1\n# EOF\n", "{\"a\"} 1\n# EOF\n", "a{\"x\"=\"1\"} 1\n# EOF\n",
            "# TYPE a_created gauge\n# TYPE a counter\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"+INF\"} 1\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1.5\n# EOF\n",
            "# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n# EOF\n",
            "# TYPE a counter\na_created 1 # {x=\"y\"} 1\n# EOF\n", "# TYPE a counter\na 1\n# EOF\n",
            "# TYPE a summary\na{quantile=\"1.01\"} 1\n# EOF\n", "# TYPE a summary\na{quantile=\"1\"} -1\n# EOF\n",
            "# TYPE a gauge\na{x=\"1\"} 1\na{x=\"2\"} 1\na{x=\"1\"} 1\n# EOF\n", "# FOO a b\n# EOF\n",
            "# UNIT a_s s\na_s 1\n# UNIT a_s s\n# EOF\n",
        ])
    func bad(_ page: String) { #expect(Self.problem(page) != nil) }

    @Test("mistakes are placed")
    func placed() {
        #expect(
            Self.problem("# TYPE a gauge\na 1\n# HELP a x\n# EOF\n")
                == "line 3, column 1: metadata of a is after its samples")
    }
}
