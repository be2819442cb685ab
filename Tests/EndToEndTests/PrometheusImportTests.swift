import Foundation
import TestSupport
import Testing

/// A real Prometheus is filled and stopped; this program takes its directory and answers alike.
@Suite(
    "Moving from a real Prometheus", .serialized,
    .enabled(if: PrometheusPeer.isInstalled, "needs Debian's prometheus"))
struct PrometheusImportTests {
    private static let minute: Int64 = 60_000

    private static func labels(_ name: String, _ s: Int) -> [(String, String)] {
        [("__name__", name), ("instance", "a:\(s)"), ("job", "größe")]
    }

    /// Pushes samples of `from` ≤ time < `to` in steps of a minute, half an hour at a time.
    private static func push(_ probe: HTTPProbe, from: Int64, to: Int64) throws {
        var start = from
        while start < to {
            let end = min(start + 30 * minute, to)
            let times = stride(from: start, to: end, by: Int64.Stride(minute)).map { $0 }
            var push = RemoteWritePush()
            for s in 0..<6 {
                push.append(
                    labels("m", s),
                    times.map { time in
                        let step = time / minute
                        // A staleness marker now and then.
                        let marker = Double(bitPattern: 0x7FF0_0000_0000_0002)
                        return (time, .float(s == 2 && step % 97 == 0 ? marker : Double(step * Int64(s)) / 7))
                    })
            }
            for s in 0..<3 {
                push.append(
                    labels("h", s),
                    times.map { time in
                        let step = time / minute % 300
                        let buckets = (0..<(4 + step / 100)).map { step + $0 }
                        return (
                            time,
                            .histogram(
                                .init(
                                    schema: step < 200 ? 1 : 2, isFloat: s == 1, isGauge: s == 2,
                                    sum: Double(step) * 1.5, offset: 2, buckets: buckets, zeroCount: step / 50))
                        )
                    })
            }
            if let last = times.last {
                push.append(labels("m", 0), [(last, .exemplar("trace\(last)"))])
            }
            let answer = try #require(push.send(probe))
            try #require(answer.status == 204, "\(answer.text)")
            start = end
            // A checkpoint needs several truncations of the log: the head is compacted step by step.
            if (end - from) % (150 * minute) == 0 {
                let before = truncations(probe)
                _ = Daemon.wait(3) { truncations(probe) > before }
            }
        }
    }

    /// Whether a sample of the gauge is the one that ``push(_:from:to:)`` sent at its time.
    private static func isPushedGauge(_ sample: String) -> Bool {
        let words = sample.split(separator: " ")
        guard words.count > 4, let time = Double(words[0]) else { return false }
        let step = Int64(time) / 60 % 300
        let count = (0..<(4 + step / 100)).reduce(step / 50) { $0 + step + $1 }
        return words[2] == "\(count)" && Double(words[4]) == Double(step) * 1.5
    }

    private static func truncations(_ probe: HTTPProbe) -> Double {
        let lines = probe.get("/metrics")?.text.split(separator: "\n") ?? []
        let line = lines.first { $0.hasPrefix("prometheus_tsdb_wal_truncations_total ") }
        return line?.split(separator: " ").last.flatMap { Double($0) } ?? 0
    }

    /// Two overlapping blocks by promtool, from before the rest.
    private static func backfill(_ data: String, _ folder: Folder, _ now: Int64) throws {
        for part in 0..<2 {
            var text = "# HELP old_total Old things.\n# TYPE old counter\n"
            for step in 0..<120 {
                let time = now / 1000 - 40 * 3600 + Int64(step + part * 60) * 60
                text += "old_total{s=\"a\"} \(step + part * 60) \(time)\n"
                text += "old_total{s=\"only \(part)\"} \(step) \(time)\n"
            }
            // Each series in a row, as promtool wants it.
            let lines = text.split(separator: "\n").map(String.init)
            let sorted =
                lines.filter { $0.hasPrefix("#") } + lines.filter { $0.contains("\"a\"") }
                + lines.filter { $0.contains("only") }
            let file = try folder.write("old\(part).om", sorted.joined(separator: "\n") + "\n# EOF\n")
            let made = try PrometheusPeer.run(
                PrometheusPeer.promtool, ["tsdb", "create-blocks-from", "openmetrics", file, data], in: folder)
            try #require(made.status == 0, "\(made.text)")
        }
    }

    /// Deletes over times that are in blocks and in the head.
    private static func delete(_ probe: HTTPProbe, _ selector: String, _ from: Int64, _ to: Int64) throws {
        let answer = probe.post(
            "/api/v1/admin/tsdb/delete_series?match[]=" + HTTPProbe.escape(selector)
                + "&start=\(from / 1000)&end=\(to / 1000)", form: [])
        try #require(answer?.status == 204, "\(answer?.text ?? "")")
    }

    @Test(
        "every sample that Prometheus answered is answered alike, and importing again changes no byte",
        arguments: [
            (["--storage.tsdb.wal-compression"], false, false), (["--no-storage.tsdb.wal-compression"], true, true),
        ])
    func move(flags: [String], isKilled: Bool, isMerged: Bool) throws {
        let folder = try Folder()
        let (data, store) = (folder.url.path + "/prometheus", folder.url.path + "/store")
        var now = Int64(Date().timeIntervalSince1970) / 60 * Self.minute
        // At this time of day, Prometheus merges out-of-order samples of the head's times with older blocks.
        if isMerged { now = now / (24 * 60 * Self.minute) * (24 * 60 * Self.minute) + 48 * Self.minute }
        try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        try Self.backfill(data, folder, now)
        let prometheus = try PrometheusPeer.start(data, folder, flags)
        try #require(prometheus.waitReady(), "\(prometheus.logText)")
        try Self.push(prometheus.probe, from: now - 20 * 60 * Self.minute, to: now - 30 * Self.minute)
        // Late samples between those that are there, first ones that a block takes, then others that the log has. Not of
        // the series that loses samples below: Prometheus 2.42 forgets deletions of late samples when it starts again.
        for (from, count) in [(now - 150 * Self.minute, 40), (now - 90 * Self.minute, 50)] {
            var late = RemoteWritePush()
            for s in [0, 2, 3, 4] {
                late.append(
                    Self.labels("m", s),
                    (0..<Int64(count)).reversed().map { (from + $0 * Self.minute + 20_000, .float(-1)) })
            }
            try #require(late.send(prometheus.probe)?.status == 204)
        }
        try Self.delete(prometheus.probe, #"m{instance="a:1"}"#, now - 15 * 60 * Self.minute, now - 60 * Self.minute)
        try Self.delete(prometheus.probe, #"h{instance="a:0"}"#, now - 50 * Self.minute, now - 40 * Self.minute)
        let hasCheckpoint = Daemon.wait {
            (try? FileManager.default.contentsOfDirectory(atPath: data + "/wal"))?.contains {
                $0.hasPrefix("checkpoint.") && !$0.hasSuffix(".tmp")
            }
                ?? false
        }
        try #require(hasCheckpoint, "there is no checkpoint")
        try Self.push(prometheus.probe, from: now - 30 * Self.minute, to: now)
        let expected = try PrometheusPeer.everything(prometheus.probe, at: now)
        #expect(expected.count == 12)
        #expect(expected.values.reduce(0) { $0 + $1.count } > 9000)
        let arguments = ["tsdb", "import", data, "--storage.tsdb.path=\(store)"]
        let early = try PrometheusPeer.run(Daemon.martlet, arguments, in: folder)
        #expect(early.status != 0 && early.text.contains("in use by process"), "\(early.text)")
        if isKilled { prometheus.kill9() } else { prometheus.terminate() }
        for part in ["wbl", "chunks_head", "wal"] {
            #expect(try !FileManager.default.contentsOfDirectory(atPath: data + "/" + part).isEmpty, "\(part)")
        }

        let before = try DirectoryState(data)
        let config = try folder.write("martlet.yml", "global: {}\n")
        let refusal = try PrometheusPeer.run(
            Daemon.martlet,
            ["--config.file=\(config)", "--storage.tsdb.path=\(data)", "--web.listen-address=127.0.0.1:0"],
            in: folder)
        #expect(refusal.status != 0 && refusal.text.contains("martlet tsdb import"), "\(refusal.text)")
        #expect(try DirectoryState(data) == before)

        let taken = try PrometheusPeer.run(Daemon.martlet, arguments, in: folder)
        #expect(taken.status == 0 && taken.text.contains("exemplars"), "\(taken.text)")
        #expect(!taken.text.contains("cannot be read") && !taken.text.contains("invalid"), "\(taken.text)")
        #expect(try DirectoryState(data) == before)
        let verified = try PrometheusPeer.run(
            Daemon.martlet, ["tsdb", "verify", "--storage.tsdb.path=\(store)"], in: folder)
        #expect(verified.status == 0, "\(verified.text)")
        let first = try DirectoryState(store).contents
        let again = try PrometheusPeer.run(Daemon.martlet, arguments, in: folder)
        #expect(again.status == 0 && again.text.contains(" 0 of them new"), "\(again.text)")
        let second = try DirectoryState(store).contents
        let changed = Set(first.keys).union(second.keys).filter { first[$0] != second[$0] }.sorted()
        #expect(changed.isEmpty, "\(changed)")

        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(store)", "--web.listen-address=127.0.0.1:\(port)",
                "--storage.tsdb.retention.time=10y",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        let found = try PrometheusPeer.everything(daemon.probe, at: now)
        #expect(Set(found.keys) == Set(expected.keys))
        for (series, samples) in expected {
            let own = found[series] ?? []
            if series.contains("__name__=h,instance=a:2") {
                // Prometheus 2.42 stores gauges right, but repeats them in its answers.
                #expect(own.count == samples.count)
                for sample in own { #expect(Self.isPushedGauge(sample), "\(sample)") }
                continue
            }
            let difference = samples.indices.first { $0 >= own.count || own[$0] != samples[$0] } ?? samples.count
            let isSame = own == samples
            #expect(
                isSame,
                """
                \(series): \(own.count) samples, not \(samples.count); from \(difference) on: \
                \(own.dropFirst(difference).prefix(3)), not \(samples.dropFirst(difference).prefix(3))
                """)
        }
        #expect(daemon.terminate() == 0)
    }
}
