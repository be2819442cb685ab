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

    /// Moments at which something came, by a clock that nobody has set.
    private final class Arrivals: Sendable {
        private let times = Mutex<[Date]>([])

        func note() { times.withLock { $0.append(Date()) } }
        var count: Int { times.withLock { $0.count } }

        /// The longest time without one from a moment to another, s; their number.
        func pauses(from: Date, to: Date) -> (longest: Double, count: Int) {
            let inside = times.withLock { $0.filter { $0 >= from && $0 <= to } }
            let all = [from] + inside + [to]
            return (zip(all, all.dropFirst()).map { $1.timeIntervalSince($0) }.max() ?? .infinity, inside.count)
        }
    }

    /// How long this machine makes a thread wait that wants to run, s: what no daemon can do better.
    private final class Hiccups: Sendable {
        private let longest = Mutex(0.0)
        private let isOver = Mutex(false)

        init() {
            Thread.detachNewThread { [self] in
                while !isOver.withLock({ $0 }) {
                    let began = Date()
                    usleep(50_000)
                    let lag = Date().timeIntervalSince(began) - 0.05
                    longest.withLock { $0 = max($0, lag) }
                }
            }
        }

        func end() -> Double {
            isOver.withLock { $0 = true }
            return longest.withLock { $0 }
        }
    }

    private static let rules = """
        groups: [{name: g, rules: [{record: r, expr: load * 2}, {alert: Always, expr: load > 0}]}]

        """

    /// Scrapes and evaluations every second, alerts to both a webhook and an Alertmanager with each of them.
    private static func configuration(target: UInt16, alertmanager: UInt16) -> String {
        """
        global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}
        rule_files: [rules.yml]
        alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:\(alertmanager)"]}]}]}
        scrape_configs:
          - job_name: load
            static_configs: [{targets: ["127.0.0.1:\(target)"]}]
        """
    }

    private static func alerting(webhook: UInt16) -> String {
        """
        route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 500ms}
        receivers:
          - name: hook
            webhook_configs: [{url: "http://127.0.0.1:\(webhook)/hook"}]
        """
    }

    private func stub(_ arrivals: Arrivals, path: String, _ text: String = "") throws -> HTTPStub {
        try #require(
            HTTPStub { request in
                if request.path.hasPrefix(path) { arrivals.note() }
                return HTTPStub.Response(contentType: "text/plain; version=0.0.4", text: text)
            })
    }

    @Test(
        "nothing is deleted, and neither scrapes nor alerts pause, while the clock is wrong",
        .enabled(if: library != nil, "needs Debian's faketime"))
    func steps() throws {
        let folder = try Folder()
        let clock = try FakeClock(folder)
        let (scrapes, hooks, posts) = (Arrivals(), Arrivals(), Arrivals())
        let target = try stub(scrapes, path: "/metrics", "load 1\n")
        let webhook = try stub(hooks, path: "/hook")
        let alertmanager = try stub(posts, path: "/api/v2/alerts")
        defer { for stub in [target, webhook, alertmanager] { stub.stop() } }
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml", Self.configuration(target: target.port, alertmanager: alertmanager.port))
        _ = try folder.write("rules.yml", Self.rules)
        let alerting = try folder.write("alerting.yml", Self.alerting(webhook: webhook.port))
        func start() throws -> Daemon {
            let daemon = try Daemon(
                "/usr/bin/env",
                clock.arguments(Daemon.martlet) + [
                    "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                    "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                    "--storage.tsdb.min-block-duration=1m", "--rules.alert.resend-delay=500ms",
                ], port: port, folder: folder.url)
            #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
            return daemon
        }
        /// Samples of `up` of the last days and of those that the clock was ahead.
        func count(_ daemon: Daemon) -> Int {
            let end = Date().timeIntervalSince1970 + 31 * 86_400
            return Int(QueryAnswers(probe: daemon.probe).value("count_over_time(up[32d] @ \(end))") ?? 0)
        }

        var daemon = try start()
        #expect(Daemon.wait { count(daemon) >= 4 }, "no samples: \(daemon.logText)")
        daemon.terminate()
        let before = scrapes.count

        // A start a month ahead, put right while it runs; then other steps, each put right.
        try clock.set("+30d")
        daemon = try start()
        let (hook, post) = (hooks.count, posts.count)
        #expect(Daemon.wait { hooks.count > hook && posts.count > post }, "no alerts: \(daemon.logText)")
        let (began, hiccups) = (Date(), Hiccups())
        for offset in ["+0", "-5m", "+0", "-1h", "+0", "+10m", "+0"] {
            try clock.set(offset)
            let seen = (scrapes.count, hooks.count, posts.count)
            #expect(
                Daemon.wait { scrapes.count >= seen.0 + 3 && hooks.count >= seen.1 + 2 && posts.count >= seen.2 + 2 },
                "nothing comes at \(offset)")
        }
        let (ended, lag) = (Date(), hiccups.end())
        let metrics = daemon.probe.get("/metrics")?.text ?? ""
        let steps = metrics.split(separator: "\n").first { $0.hasPrefix("martlet_clock_steps_total ") }
        #expect((Int(steps?.split(separator: " ").last ?? "") ?? 0) >= 6, "\(steps ?? "no metric")")
        for text in ["Dropped blocks", "out-of-order", "Error sending alerts", "Notify for alerts failed"] {
            #expect(!daemon.logText.contains(text))
        }
        #expect(daemon.logText.contains("The wall clock was set back"))
        for (name, arrivals) in [("scrapes", scrapes), ("webhook", hooks), ("Alertmanager", posts)] {
            let (longest, number) = arrivals.pauses(from: began, to: ended)
            print("clock steps: \(name): \(number) in \(ended.timeIntervalSince(began)) s, longest pause \(longest) s")
            #expect(longest < 2 + 0.3 + 4 * lag, "a pause of \(longest) s of the \(name); the machine's is \(lag) s")
        }
        // All that was scraped is stored, at whatever time, and stays.
        let stored = count(daemon)
        print("clock steps: \(scrapes.count) scrapes, \(before) of them before, \(stored) samples of up")
        #expect(stored >= scrapes.count - 12)
        #expect(daemon.terminate() == 0)
        daemon = try start()
        #expect(count(daemon) >= stored)
        daemon.terminate()
    }
}
