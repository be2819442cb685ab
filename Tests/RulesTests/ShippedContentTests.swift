import Config
import Glibc
import JSON
import PromQL
import Rules
import TestSupport
import Testing

@Suite("Shipped rules and dashboards")
struct ShippedContentTests {
    static func text(_ path: String) throws -> [UInt8] {
        guard let file = fopen(SharedFolder.projectRoot + "/" + path, "r") else {
            throw RuleError("no file \(path)")
        }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        return Array(bytes[0..<count])
    }

    static func parse(_ text: String) throws -> RuleExpression {
        RuleExpression(text: text, syntax: try PromQLParser.parse(text))
    }

    @Test("every rule's expression and templates can be read", arguments: ["rules/host.yml", "rules/martlet.yml"])
    func rules(_ path: String) throws {
        let file = try RuleFileLoader.parse(text: try Self.text(path), path: path)
        let (groups, errors) = RuleSet.definitions([file], evaluationInterval: 60_000, parse: Self.parse)
        #expect(errors.isEmpty, "\(errors)")
        #expect(groups.flatMap(\.rules).count > 10)
        #expect(RuleSet.duplicates([file]).isEmpty)
    }

    @Test("every rule has a test file", arguments: ["host", "martlet"])
    func tests(_ name: String) throws {
        let file = try RuleTestFileLoader.parse(
            text: try Self.text("rules/tests/\(name).yml"), path: "rules/tests/\(name).yml")
        #expect(file.tests.count >= 4)
    }

    @Test("every query of a dashboard can be read", arguments: ["host", "martlet"])
    func dashboards(_ name: String) throws {
        let dashboard = try JSONValue.parse(try Self.text("dashboards/\(name).json"))
        let panels = try #require(dashboard["panels"]?.array)
        var count = 0
        for panel in panels {
            for target in panel["targets"]?.array ?? [] {
                let query = try #require(target["expr"]?.string).replacing("$__rate_interval", with: "1m")
                #expect(throws: Never.self, "\(query)") { try PromQLParser.parse(query) }
                count += 1
            }
        }
        #expect(count > 30)
        let identities = panels.compactMap { $0["id"]?.number }
        #expect(Set(identities).count == panels.count)
    }

    @Test("a bad expression and a bad template are errors with file, line and column")
    func places() throws {
        let text = """
            groups:
              - name: g
                rules:
                  - record: r
                    expr: sum(
                  - alert: A
                    expr: up
                    annotations: {s: '{{ nope }}'}
            """
        let file = try RuleFileLoader.parse(text: Array(text.utf8), path: "f.yml")
        let (groups, errors) = RuleSet.definitions([file], evaluationInterval: 60_000, parse: Self.parse)
        #expect(groups.isEmpty)
        #expect(
            errors.map(\.description) == [
                "f.yml:5:15: group \"g\", rule 1, \"r\": could not parse expression: 1:5: parse error: "
                    + "unclosed left parenthesis",
                "f.yml:6:9: group \"g\", rule 2, \"A\": annotation \"s\": error parsing template __alert_A: "
                    + "template: __alert_A:1: function \"nope\" not defined",
            ])
    }
}
