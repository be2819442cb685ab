import Foundation
import Synchronization
import TestSupport
import Testing

/// Native histograms with start timestamps, from the wire to what queries answer, across a kill and into blocks.
@Suite("Start timestamps of native histograms, end to end", .serialized)
struct StartTimestampsTests {
    private static func start(_ folder: Folder, target: UInt16, scrapes: Bool) throws -> Daemon {
        let config = try folder.write(
            "martlet.yml",
            scrapes
                ? """
                global: {scrape_interval: 100ms, scrape_timeout: 100ms}
                scrape_configs:
                  - job_name: load
                    scrape_native_histograms: true
                    static_configs: [{targets: ["127.0.0.1:\(target)"]}]
                """ : "global: {scrape_interval: 15s}\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-remote-write-receiver",
                "--storage.tsdb.min-block-duration=1m",
                "--enable-feature=st-storage,use-start-timestamps,promql-experimental-functions",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        return daemon
    }

    private static func value(_ daemon: Daemon, _ query: String, at time: Int64) throws -> Double? {
        let path = "/api/v1/query?time=\(Double(time) / 1000)&query=" + HTTPProbe.escape(query)
        let answer = try #require(daemon.probe.get(path))
        #expect(answer.status == 200, "\(answer.text)")
        let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let result = (object?["data"] as? [String: Any])?["result"] as? [[String: Any]]
        return try #require(result).first.flatMap { ($0["value"] as? [Any])?.last as? String }.flatMap(Double.init)
    }

    private static func blocks(_ daemon: Daemon) -> Int {
        let line = daemon.probe.get("/metrics")?.text.split(separator: "\n").first {
            $0.hasPrefix("prometheus_tsdb_blocks_loaded ")
        }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? 0
    }

    @Test("pushed deltas add up and silent resets count, after a kill and from blocks", .timeLimit(.minutes(3)))
    func pushed() throws {
        let folder = try Folder()
        var daemon = try Self.start(folder, target: 0, scrapes: false)
        let now = Int64(Date().timeIntervalSince1970 * 1000) / 1000 * 1000
        let times = (0..<60).map { now - 590_000 + Int64($0) * 10_000 }
        var push = StartedHistograms()
        push.append(
            "delta", times.map { ($0, $0 - 10_000, .init(schema: 0, sum: 4, buckets: [1, 2])) })
        // It begins anew 5 s before its samples 20 and 40, and grows all the same.
        push.append(
            "silent",
            times.enumerated().map { i, time in
                let start = i < 20 ? now - 7_200_000 : times[i < 40 ? 20 : 40] - 5000
                return (time, start, .init(schema: 1, sum: Double(i), buckets: [Int64(i) * 10 + 1, 5]))
            })
        let answer = try #require(push.send(daemon.probe))
        #expect(answer.status == 204, "\(answer.text)")
        func check(_ moment: String) throws {
            let questions: [(String, Double)] = [
                ("histogram_count(increase(delta[1h]))", 180), ("histogram_sum(increase(delta[1h]))", 240),
                ("histogram_count(rate(delta[1h]))", 0.05), ("resets(delta[1h])", 59), ("resets(silent[1h])", 2),
                ("histogram_count(irate(delta[1h]))", 0.3),
                ("start_timestamp(silent)", Double(times[40] - 5000) / 1000),
                ("start_timestamp(delta)", Double(now - 10_000) / 1000),
            ]
            for (query, wanted) in questions {
                let found = try Self.value(daemon, query, at: now)
                let isRight = found.map { abs($0 - wanted) < 1e-6 } ?? false
                #expect(isRight, "\(moment), \(query): \(String(describing: found))")
            }
        }
        try check("pushed")
        daemon.kill9()
        daemon = try Self.start(folder, target: 0, scrapes: false)
        try check("after a kill")
        #expect(Daemon.wait(60) { Self.blocks(daemon) > 0 }, "no block was cut: \(daemon.logText)")
        try check("with blocks")
        #expect(daemon.terminate() == 0)
        daemon = try Self.start(folder, target: 0, scrapes: false)
        try check("from blocks, after an end")
        #expect(daemon.terminate() == 0)
    }

    @Test("a scraped histogram that began anew between two pages was reset, after a kill too", .timeLimit(.minutes(2)))
    func scraped() throws {
        let folder = try Folder()
        let began = Mutex(Int64(Date().timeIntervalSince1970 * 1000) - 3_600_000)
        let stub = try #require(
            HTTPStub { _ in
                HTTPStub.Response(
                    headers: [
                        "Content-Type":
                            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
                    ],
                    body: StartedHistograms.page("h", start: began.withLock { $0 }, sum: 4, buckets: [1, 2]))
            })
        defer { stub.stop() }
        var daemon = try Self.start(folder, target: stub.port, scrapes: true)
        func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
        func ask(_ query: String) throws -> Double? { try Self.value(daemon, query, at: now()) }
        let first = began.withLock { Double($0) / 1000 }
        #expect(try Daemon.wait { try ask("start_timestamp(h)") == first })
        #expect(try ask("resets(h[1m])") == 0)
        let second = began.withLock { began in
            began = now()
            return Double(began) / 1000
        }
        #expect(try Daemon.wait { try ask("start_timestamp(h)") == second })
        #expect(try ask("resets(h[1m])") == 1)
        daemon.kill9()
        daemon = try Self.start(folder, target: stub.port, scrapes: true)
        #expect(try Daemon.wait { try ask("count_over_time(h[1s])") ?? 0 > 2 })
        #expect(try ask("resets(h[1m])") == 1)
        // What it has counted since it began anew.
        #expect(try (ask("histogram_count(increase(h[1m]))") ?? 0) >= 3)
        #expect(daemon.terminate() == 0)
    }
}
