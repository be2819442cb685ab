import Config
import Foundation
import PromQL
import TestSupport
import Testing

/// The expressions of the shared rules and dashboards.
@Suite("Expressions of others")
struct ExpressionSuiteTests {
    private static func files(_ folder: String, _ ending: String) -> [String] {
        let path = SharedFolder.path(folder)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
        return names.filter { $0.hasSuffix(ending) }.sorted().map { path + "/" + $0 }
    }

    @Test(
        "every expression of the community's rules is PromQL",
        .enabled(if: SharedFolder.has("community-rules"), "needs ../shared/community-rules"))
    func rules() throws {
        var count = 0
        for file in Self.files("community-rules", ".yml") {
            for rule in try RuleFileLoader.load(path: file).groups.flatMap(\.rules) {
                #expect(throws: Never.self, "\(file): \(rule.expression)") {
                    try PromQLParser.parse(rule.expression)
                }
                count += 1
            }
        }
        print("\(count) expressions of rules parse")
        #expect(count > 450)
    }

    @Test(
        "every expression of the dashboards is PromQL once its variables have values",
        .enabled(if: SharedFolder.has("grafana-dashboards"), "needs ../shared/grafana-dashboards"))
    func dashboards() throws {
        var count = 0
        for file in Self.files("grafana-dashboards", ".json") {
            let data = try Data(contentsOf: URL(fileURLWithPath: file))
            for expression in Self.expressions(try JSONSerialization.jsonObject(with: data)) {
                let query = Self.substituted(expression)
                #expect(throws: Never.self, "\(file): \(query)") { try PromQLParser.parse(query) }
                count += 1
            }
        }
        print("\(count) expressions of dashboards parse")
        #expect(count > 550)
    }

    private static func expressions(_ value: Any) -> [String] {
        switch value {
        case let list as [Any]: return list.flatMap(expressions)
        case let object as [String: Any]:
            return object.flatMap { key, value in
                if key == "expr", let text = value as? String { return text.isEmpty ? [] : [text] }
                return expressions(value)
            }
        default: return []
        }
    }

    /// Gives variables a value: a duration to those that stand for one, a word to all others.
    static func substituted(_ query: String) -> String {
        query.replacing(/\[\[(\w+)(?::\w+)?\]\]|\$\{(\w+)(?::[^}]*)?\}|\$(\w+)/) { match in
            let name = String(match.1 ?? match.2 ?? match.3 ?? "")
            if name.hasSuffix("_s") || name.hasSuffix("_ms") { return "300" }
            return name.contains("interval") || name.contains("range") || name == "resolution" ? "5m" : "value"
        }
    }

    @Test("variables of every spelling get values")
    func variables() {
        #expect(
            Self.substituted("rate(a{b=~\"$b\",c=\"${c:regex}\",d=\"[[d]]\"}[$__rate_interval]) * $__range_s")
                == "rate(a{b=~\"value\",c=\"value\",d=\"value\"}[5m]) * 300")
    }
}
