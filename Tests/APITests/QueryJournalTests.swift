import Foundation
import Model
import Platform
import Telemetry
import TestSupport
import Testing

@testable import API
@testable import PromQL

@Suite("Journal of queries")
struct QueryJournalTests {
    private static func record(_ origin: QueryOrigin, error: String? = nil) -> QueryRecord {
        var statistics = QueryStatistics()
        statistics.totalSamples = 7
        return QueryRecord(
            query: "up == \"x\"", start: 1_500, end: 61_500, step: 15_000, error: error, statistics: statistics,
            origin: origin)
    }

    @Test("Lines have Prometheus's fields")
    func lines() {
        let http = String(
            decoding: QueryJournal.line(
                Self.record(.http(client: "10.0.0.1", method: "GET", path: "/api/v1/query_range"), error: "bad"), at: 0),
            as: UTF8.self)
        #expect(
            http.hasPrefix(
                #"{"time":"1970-01-01T00:00:00.000Z","level":"INFO","msg":"promql query logged","params":{"end":"1970-01-01T00:01:01.500Z","query":"up == \"x\"","start":"1970-01-01T00:00:01.500Z","step":15},"error":"bad","stats":{"timings":{"#
            ))
        #expect(
            http.hasSuffix(
                #"},"httpRequest":{"clientIP":"10.0.0.1","method":"GET","path":"/api/v1/query_range"}}"# + "\n"))
        let rule = String(
            decoding: QueryJournal.line(Self.record(.rule(file: "/r.yml", group: "g")), at: 0), as: UTF8.self)
        #expect(rule.hasSuffix(#","ruleGroup":{"file":"/r.yml","name":"g"}}"# + "\n"))
        #expect(!rule.contains("error"))
        #expect(rule.contains(#""totalQueryableSamples":7"#))
    }

    @Test("The slots are as many as are read again, however many queries may run", arguments: [.min, 0, .max])
    func slots(_ count: Int) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queries.active"
        do {
            let queries = ActiveQueries(path: path, slots: count)
            for _ in 0..<2000 { _ = queries.insert("a", at: 1000) }
        }
        #expect(ActiveQueries(path: path, slots: count).unfinished.count == (count > 0 ? 1024 : 0))
    }

    @Test("What did not end is known at the next start; a free slot is used again")
    func active() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/queries.active"
        do {
            let queries = ActiveQueries(path: path, slots: 2)
            #expect(queries.unfinished.isEmpty)
            let first = queries.insert("first", at: 1000)
            let second = queries.insert("second \"quoted\"", at: 2000)
            #expect(queries.insert("third", at: 0) == -1)
            queries.remove(-1)
            queries.remove(first)
            #expect(queries.insert(String(repeating: "\"", count: 5000), at: 3000) == first)
            queries.remove(first)
            _ = second
        }
        #expect(
            ActiveQueries(path: path, slots: 2).unfinished == [#"{"query":"second \"quoted\"","timestamp_sec":2}"#])
        #expect(ActiveQueries(path: path, slots: 2).unfinished.isEmpty)
        #expect(ActiveQueries(path: folder.path + "/none/queries.active", slots: 2).insert("x", at: 0) == -1)
    }

    @Test("Long queries are cut to their slot and stay JSON", arguments: ["x", "\"", "é", "\u{1}"])
    func cut(letter: String) {
        let entry = ActiveQueries.entry(String(repeating: letter, count: 3000), at: 5000)
        #expect(entry.count <= ActiveQueries.slotSize)
        #expect(entry.count > ActiveQueries.slotSize / 3)
        #expect(String(decoding: entry.dropLast(), as: UTF8.self).hasSuffix("\",\"timestamp_sec\":5},\n"))
        #expect(entry.last == 0)
    }
}
