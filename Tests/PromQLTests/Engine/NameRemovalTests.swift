import Model
import Testing

@testable import PromQL

@Suite("Removal of names")
struct NameRemovalTests {
    private static func series(_ name: String, _ pairs: [(String, String)], at seconds: [Int64]) -> ArraySource.Series {
        .init(
            labels: Labels([("__name__", name)] + pairs),
            samples: seconds.map { (time: $0 * 1000, value: Double(name.utf8.count)) })
    }

    /// `dupA` and `dupB` are there at the same times, `early` and `late` one after the other.
    private static let source = ArraySource([
        series("dupA", [("a", "1")], at: [0, 30, 60]), series("dupB", [("a", "1")], at: [0, 30, 60]),
        series("dupB", [("a", "2")], at: [0, 30, 60]),
        series("early", [("b", "1")], at: [0]), series("late", [("b", "1")], at: [600]),
    ])

    private static func run(_ query: String, isInstant: Bool, delayed: Bool = false) throws -> QueryValue {
        var options = EngineOptions()
        options.parser = .all
        options.delayedNameRemoval = delayed
        let engine = QueryEngine(options: options)
        if isInstant { return try engine.instant(query, source: source, at: 60_000).value }
        return try engine.range(query, source: source, start: 0, end: 900_000, step: 60_000).value
    }

    private static let inner = [
        "X * 2", "2 - X", "X > bool 0", "-X", "-(X)", "abs(X)", "month(X)", "timestamp(X)", "round(X)",
        "clamp(X, 0, 1)",
        "rate(X[1m])", "X + on (__name__, a) X", "abs(X > 0)", "abs(last_over_time(X[1m]))", "-topk(5, X)",
        "abs(sum by (__name__, a) (X))",
    ].map { $0.replacing("X", with: #"{__name__=~"dup."}"#) }

    private static let outer = [
        "Y", "sum(Y)", "count by (a) (Y)", "scalar(Y)", "absent(Y)", #"count_values("v", Y)"#, "topk(1, Y)",
        "quantile(0.5, Y)", "(Y) > 0", "(Y) > 100", "abs(Y)", "-(Y)", "(Y) + 1", "sort(Y)",
        "max_over_time((Y)[1m:30s])",
        #"label_replace(Y, "x", "y", "", "")"#, "(Y) + (Y)", "timestamp(Y)", "vector(1) + scalar(Y)",
        "(Y) or vector(1)",
    ]

    @Test("two metrics of equal labels are an error wherever their names go", arguments: inner)
    func clash(inner: String) {
        for query in Self.outer.map({ $0.replacing("Y", with: inner) }) {
            for isInstant in [true, false] {
                let error = #expect(throws: QueryError.self, "\(query)") {
                    try Self.run(query, isInstant: isInstant)
                }
                #expect(error?.description == "vector cannot contain metrics with the same labelset", "\(query)")
            }
        }
    }

    @Test(
        "names that stay, that go at the end, or that never differed are no error",
        arguments: [
            #"sum({__name__=~"dup."})"#, #"count({__name__=~"dup."} > 0)"#, "sum(dupB * 2)", "sum(abs(dupB))",
            #"sum({__name__="dupB"} * 2)"#, #"sum(sum by (a) ({__name__=~"dup."}) * 2)"#, "abs(-dupB * 2 > 0)",
            #"sum(abs(last_over_time(dupB[1m])))"#,
        ])
    func noClash(query: String) throws {
        for isInstant in [true, false] { _ = try Self.run(query, isInstant: isInstant) }
    }

    @Test("with delayed removal only the end of the query sees equal labels")
    func delayed() throws {
        _ = try Self.run(#"sum({__name__=~"dup."} * 2)"#, isInstant: true, delayed: true)
        #expect(throws: QueryError.self) { try Self.run(#"{__name__=~"dup."} * 2"#, isInstant: true, delayed: true) }
    }

    @Test(
        "series that come one after the other become one",
        arguments: [
            "X * 2", "(X * 2) > 0", "0 < (X * 2)", "abs(X) > 0 > 1", "topk(1, X * 2)", "-(X * 2) < 0",
            "bottomk(1, -X) < 0",
        ])
    func joins(query: String) throws {
        let query = query.replacing("X", with: #"{__name__=~"early|late"}"#)
        guard case .matrix(let columns) = try Self.run(query, isInstant: false) else {
            Issue.record("no matrix")
            return
        }
        #expect(columns.map(\.labels) == [Labels([("b", "1")])], "\(query)")
    }
}
