import Foundation
import Synchronization
import TestSupport
import Testing

/// The real binary under a wall clock that is wrong, set back and forward, and put right, by Debian's faketime.
@Suite("Clock steps", .serialized)
struct ClockStepTests {
    private static let library =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].map { $0 + "/faketime/libfaketimeMT.so.1" }
        .first { FileManager.default.fileExists(atPath: $0) }

    /// The daemon's clock, which the test sets.
    private struct FakeClock {
        let file: String

        init(_ folder: Folder) throws { file = try folder.write("clock", "+0") }

        func set(_ offset: String) throws { try offset.write(toFile: file, atomically: false, encoding: .utf8) }

        /// Arguments for `/usr/bin/env` that run a program under the clock.
        func arguments(_ program: String) -> [String] {
            [
                "LD_PRELOAD=\(library ?? "")", "FAKETIME_TIMESTAMP_FILE=\(file)", "FAKETIME_NO_CACHE=1",
                "FAKETIME_DONT_FAKE_MONOTONIC=1", program,
            ]
        }
    }

    @Test(
        "nothing is deleted, and neither scrapes nor alerts pause, while the clock is wrong",
        .enabled(if: library != nil, "Debian's faketime is not installed"))
    func steps() throws {
        let folder = try Folder()
        let clock = try FakeClock(folder)
        let scrapes = Mutex<[Date]>([])
        let target = try #require(
            HTTPStub { _ in
                scrapes.withLock { $0.append(Date()) }
                return HTTPStub.Response(contentType: "text/plain; version=0.0.4", text: "load 1\n")
            })
        let webhook = try #require(HTTPStub { _ in HTTPStub.Response() })
        defer {
            target.stop()
            webhook.stop()
        }
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}
            rule_files: [rules.yml]
            scrape_configs:
              - job_name: load
                static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]
            """)
        _ = try folder.write(
            "rules.yml",
            "groups: [{name: g, rules: [{record: r, expr: load * 2}, {alert: Always, expr: load > 0}]}]\n")
        let alerting = try folder.write(
            "alerting.yml",
            """
            route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 1s}
            receivers:
              - name: hook
                webhook_configs: [{url: "http://127.0.0.1:\(webhook.port)/hook"}]
            """)
        func start() throws -> Daemon {
            let daemon = try Daemon(
                "/usr/bin/env",
                clock.arguments(Daemon.martlet) + [
                    "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                    "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                    "--storage.tsdb.min-block-duration=1m", "--rules.alert.resend-delay=1s",
                ], port: port, folder: folder.url)
            #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
            return daemon
        }
        func count(_ daemon: Daemon, _ span: String) -> Double {
            QueryAnswers(probe: daemon.probe).value(
                "count_over_time(up[\(span)] @ \(Date().timeIntervalSince1970 + 1))")
                ?? 0
        }

        var daemon = try start()
        #expect(Daemon.wait { count(daemon, "1h") >= 5 }, "no samples: \(daemon.logText)")
        daemon.terminate()

        // A start a month ahead, put right while it runs.
        try clock.set("+30d")
        daemon = try start()
        var seen = scrapes.withLock { $0.count }
        #expect(Daemon.wait { scrapes.withLock { $0.count } >= seen + 4 })
        try clock.set("+0")
        let right = Date()
        seen = scrapes.withLock { $0.count }
        #expect(Daemon.wait { scrapes.withLock { $0.count } >= seen + 5 }, "no scrapes: \(daemon.logText)")
        #expect(Daemon.wait { count(daemon, "1h") >= 9 }, "samples are gone or not stored: \(daemon.logText)")

        for offset in ["-5m", "+0", "-1h", "+0", "+10m", "+0"] {
            try clock.set(offset)
            seen = scrapes.withLock { $0.count }
            #expect(Daemon.wait { scrapes.withLock { $0.count } >= seen + 4 }, "no scrapes at \(offset)")
        }
        let metrics = daemon.probe.get("/metrics")?.text ?? ""
        let steps = metrics.split(separator: "\n").first { $0.hasPrefix("martlet_clock_steps_total ") }
        #expect((Int(steps?.split(separator: " ").last ?? "") ?? 0) >= 6, "\(steps ?? "no metric")")
        #expect(daemon.logText.contains("The wall clock was set back"))
        #expect(!daemon.logText.contains("Dropped blocks"))
        #expect(!daemon.logText.contains("out-of-order"))
        // Requests, by a clock that nobody has set.
        let times = scrapes.withLock { $0 }.filter { $0 >= right }
        let longest = zip(times, times.dropFirst()).map { $1.timeIntervalSince($0) }.max() ?? .infinity
        #expect(longest < 2.5, "a pause of \(longest) s")
        // What was stored before is still there.
        #expect(count(daemon, "1h") >= Double(times.count) / 2)
        #expect(daemon.terminate() == 0)
        daemon = try start()
        #expect(count(daemon, "1h") >= Double(times.count) / 2)
        daemon.terminate()
    }
}
