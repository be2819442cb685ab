import Model
import Testing

@testable import PromQL

@Suite("info()")
struct InfoFunctionTests {
    private static func series(_ pairs: [(String, String)], _ times: [Int64] = [1000]) -> ArraySource.Series {
        ArraySource.Series(labels: Labels(pairs), samples: times.map { ($0, 1) })
    }

    private static let up: [(String, String)] = [("__name__", "up"), ("instance", "a"), ("job", "j")]

    private static func target(_ more: [(String, String)]) -> [(String, String)] {
        [("__name__", "target_info"), ("instance", "a"), ("job", "j")] + more
    }

    private static func labels(
        _ query: String, _ series: [ArraySource.Series], at time: Int64 = 60_000
    ) throws -> [String] {
        var options = EngineOptions()
        options.parser = .all
        let result = try QueryEngine(options: options).instant(query, source: ArraySource(series), at: time)
        guard case .vector(let columns) = result.value else { return [] }
        return columns.map(\.labels.metricDescription)
    }

    @Test("labels of the target are added, and never replace those that are there")
    func adds() throws {
        let all = [Self.series(Self.up), Self.series(Self.target([("v", "1"), ("w", "2")]))]
        #expect(try Self.labels("info(up)", all) == ["up{instance=\"a\", job=\"j\", v=\"1\", w=\"2\"}"])
        #expect(try Self.labels("info(up, {w=~\".+\"})", all) == ["up{instance=\"a\", job=\"j\", w=\"2\"}"])
        #expect(try Self.labels("info(up, {x=~\".+\"})", all).isEmpty)
        #expect(try Self.labels("info(up, {x=~\".*\"})", all) == ["up{instance=\"a\", job=\"j\"}"])
    }

    @Test("of two versions the one with the newer sample wins")
    func newest() throws {
        let all = [
            Self.series(Self.up), Self.series(Self.target([("v", "old")]), [1000]),
            Self.series(Self.target([("v", "new")]), [2000]),
        ]
        #expect(try Self.labels("info(up)", all) == ["up{instance=\"a\", job=\"j\", v=\"new\"}"])
    }

    @Test("texts that differ in their bytes differ, even if Unicode takes them for the same")
    func bytes() throws {
        let (one, other) = ("caf\u{E9}", "cafe\u{301}")
        func pair(_ instance: String, _ value: String) -> [ArraySource.Series] {
            [
                Self.series([("__name__", "up"), ("instance", instance), ("job", "j")]),
                Self.series([("__name__", "target_info"), ("instance", instance), ("job", "j"), ("v", value)]),
            ]
        }
        let labels = try Self.labels("info(up)", pair(one, "1") + pair(other, "2"))
        #expect(
            labels.map { ExactText($0) }.sorted() == [
                ExactText("up{instance=\"\(other)\", job=\"j\", v=\"2\"}"),
                ExactText("up{instance=\"\(one)\", job=\"j\", v=\"1\"}"),
            ])
        let both = [Self.series(Self.up), Self.series(Self.target([(one, "1"), (other, "2")]))]
        #expect(try Self.labels("info(up)", both).first?.contains("\"2\"") == true)
        #expect(try Self.labels("info(up)", both).first?.contains("\"1\"") == true)
        let build: [(String, String)] = [("__name__", "build_info"), ("instance", "a"), ("job", "j"), ("v", other)]
        let two = [Self.series(Self.up), Self.series(Self.target([("v", one)])), Self.series(build)]
        #expect(throws: QueryError.self) { try Self.labels("info(up, {__name__=~\".+_info\"})", two) }
    }

    @Test("two versions at one time are an error, and so are two metrics that disagree")
    func conflicts() throws {
        let twice = [
            Self.series(Self.up), Self.series(Self.target([("v", "1")])), Self.series(Self.target([("v", "2")])),
        ]
        #expect(throws: QueryError.self) { try Self.labels("info(up)", twice) }
        let build: [(String, String)] = [("__name__", "build_info"), ("instance", "a"), ("job", "j"), ("v", "2")]
        let two = [Self.series(Self.up), Self.series(Self.target([("v", "1")])), Self.series(build)]
        #expect(throws: QueryError.self) { try Self.labels("info(up, {__name__=~\".+_info\"})", two) }
    }

    @Test("info metrics are looked for where the argument looks, with offset and @")
    func shiftedArguments() throws {
        let all = [Self.series(Self.up, [1000, 300_000]), Self.series(Self.target([("v", "1")]), [1000, 300_000])]
        let full = ["up{instance=\"a\", job=\"j\", v=\"1\"}"]
        for query in ["info(up offset 6m)", "info(up @ 1)"] {
            #expect(try Self.labels(query, all, at: 361_000) == full, "\(query)")
        }
        #expect(try Self.labels("info(up offset 1m)", all, at: 361_000) == full)
    }
}
