import Foundation
import TestSupport
import Testing

@testable import PromQL

@Suite("Scripts of our own that test the engine")
struct OwnScriptTests {
    static let folder = SharedFolder.projectRoot + "/Tests/PromQLTests/Testing/Scripts"

    /// The names of the scripts; a new file needs no row here.
    static var scripts: [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(".test") }.sorted()
    }

    static func text(_ name: String) throws -> String { try #require(TextFile.read(folder + "/" + name)) }

    @Test("every script passes", arguments: OwnScriptTests.scripts)
    func passes(_ name: String) throws {
        let engine = QueryEngine(options: PromQLTestRunner.options)
        let report = PromQLTestRunner.run(script: try Self.text(name), engine: engine)
        for failure in report.failures { Issue.record("\(name):\(failure.line): \(failure.message)") }
        #expect(report.passed > 0)
    }

    /// The functions, aggregations and operators in an expression.
    static func parts(_ expression: PromQL.Expression) -> [String] {
        let own: [String] =
            switch expression {
            case .call(let e): [e.function.name]
            case .aggregation(let e): [e.op.rawValue]
            case .binary(let e): [e.op.rawValue]
            default: []
            }
        return expression.children.reduce(own) { $0 + parts($1) }
    }

    @Test("every function, aggregation and operator has a case that expects a result")
    func complete() throws {
        var found: Set<String> = []
        for name in Self.scripts {
            for case (_, .evaluate(let evaluation)) in try TestScript(Self.text(name)).commands
            where !evaluation.series.isEmpty || evaluation.scalar != nil {
                found.formUnion(Self.parts(try PromQLParser.parse(evaluation.query, options: .all)))
            }
        }
        let wanted =
            FunctionRegistry.all.map(\.name) + AggregationOperator.allCases.map(\.rawValue)
            + BinaryOperator.allCases.map(\.rawValue)
        #expect(wanted.filter { !found.contains($0) } == [], "without a case in \(Self.folder)")
        #expect(wanted.count > 100)
    }
}
