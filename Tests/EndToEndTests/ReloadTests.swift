import Foundation
import TestSupport
import Testing

/// Reloads of the real binary: what they change, and that a part that cannot be used changes nothing.
@Suite("Reload", .serialized)
struct ReloadTests {
    private static let rules = "groups: [{name: g, rules: [{record: one, expr: vector(1)}]}]\n"

    private static func configuration(_ job: String, extra: String = "") -> String {
        """
        global: {scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}
        rule_files: [rules.yml]
        scrape_configs: [{job_name: \(job)}]

        """ + extra
    }

    private static func start(_ folder: Folder, _ flags: [String] = []) throws -> Daemon {
        let port = LoopbackSocket.freePort()
        _ = try folder.write("rules.yml", rules)
        let config = try folder.write("martlet.yml", configuration("first"))
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-lifecycle",
            ] + flags, port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    private static func pools(_ daemon: Daemon) -> String { daemon.probe.get("/api/v1/scrape_pools")?.text ?? "" }

    private static func rules(_ daemon: Daemon) -> String { daemon.probe.get("/api/v1/rules")?.text ?? "" }

    @Test("a changed file is used without being asked", arguments: ["martlet.yml", "rules.yml"])
    func automatic(_ file: String) throws {
        let folder = try Folder()
        let daemon = try Self.start(
            folder, ["--enable-feature=auto-reload-config", "--config.auto-reload-interval=1s"])
        if file == "martlet.yml" {
            _ = try folder.write(file, Self.configuration("second"))
            #expect(Daemon.wait { Self.pools(daemon).contains("second") }, "\(daemon.logText)")
        } else {
            _ = try folder.write(file, Self.rules.replacingOccurrences(of: "record: one", with: "record: two"))
            #expect(Daemon.wait { Self.rules(daemon).contains("\"two\"") }, "\(daemon.logText)")
        }
        // A file that cannot be used is tried once, and the next one that can is taken.
        _ = try folder.write(file, "nosuch: [")
        #expect(Daemon.wait { daemon.logText.contains("Reloading the configuration failed") })
        _ = try folder.write(
            file, file == "martlet.yml" ? Self.configuration("third") : Self.rules.replacing("one", with: "three"))
        #expect(
            Daemon.wait {
                (Self.pools(daemon) + Self.rules(daemon)).contains("\"three\"") || Self.pools(daemon).contains("third")
            })
        // What is broken and put back as it was is no longer a failure; broken the same way again, it is one again.
        let good = try String(contentsOf: folder.url.appendingPathComponent(file), encoding: .utf8)
        func succeeded() -> Bool {
            daemon.probe.get("/metrics")?.text.contains("prometheus_config_last_reload_successful 1") == true
        }
        for _ in 0..<2 {
            _ = try folder.write(file, "nosuch: [")
            #expect(Daemon.wait { !succeeded() })
            _ = try folder.write(file, good)
            #expect(Daemon.wait { succeeded() })
        }
        if file == "rules.yml" {
            try FileManager.default.removeItem(at: folder.url.appendingPathComponent(file))
            #expect(Daemon.wait { daemon.logText.contains("A rule file does not exist") })
        }
        #expect(daemon.terminate() == 0)
    }

    @Test("nothing has changed after a reload in which one file cannot be used")
    func atomic() throws {
        let folder = try Folder()
        let hook = "receivers: [{name: hook, webhook_configs: [{url: \"http://127.0.0.1:1/\"}]}]\n"
        let goodAlerting = "route: {receiver: hook}\n" + hook
        let alerting = try folder.write("alerting.yml", goodAlerting)
        let daemon = try Self.start(folder, ["--alerting.config.file=\(alerting)"])
        func metric(_ name: String) -> String? {
            daemon.probe.get("/metrics")?.text.split(separator: "\n").first { $0.hasPrefix(name + " ") }.map {
                String($0.dropFirst(name.count + 1))
            }
        }
        #expect(metric("prometheus_config_last_reload_successful") == "1")
        let before = daemon.probe.get("/api/v1/status/config")?.text
        let missing = "tls_config: {ca_file: /nonexistent/ca.pem}"
        let bad: [(file: String, text: String, reason: String)] = [
            ("martlet.yml", "nosuch: 1\n", "field nosuch not found"),
            (
                "martlet.yml", Self.configuration("x", extra: "otlp: {promote_scope_metadata: true}\n"),
                "not supported yet"
            ),
            ("rules.yml", "groups: [{name: g, rules: [{record: a, expr: 'sum('}]}]\n", "rules.yml"),
            (
                "rules.yml",
                "groups: [{name: g, rules: [{alert: A, expr: up, annotations: {a: '{{ nosuch }}'}}]}]\n", "rules.yml"
            ),
            ("alerting.yml", "route: {receiver: nosuch}\n" + hook, "nosuch"),
            (
                "alerting.yml",
                "route: {receiver: hook}\nreceivers: [{name: hook, webhook_configs: [{url: \"http://127.0.0.1:1/\", "
                    + "http_config: {\(missing)}}]}]\n", "/nonexistent/ca.pem"
            ),
            (
                "martlet.yml",
                Self.configuration(
                    "x",
                    extra:
                        "alerting: {alertmanagers: [{scheme: https, \(missing), static_configs: [{targets: [a:1]}]}]}\n"
                ),
                "/nonexistent/ca.pem"
            ),
            (
                "martlet.yml",
                Self.configuration("x").replacing("global: {", with: "global: {query_log_file: /nonexistent/q.log, "),
                "/nonexistent/q.log"
            ),
        ]
        for (file, text, reason) in bad {
            let good = try String(contentsOf: folder.url.appendingPathComponent(file), encoding: .utf8)
            // Another file changes with it, to something that could be used.
            let other = file == "martlet.yml" ? "rules.yml" : "martlet.yml"
            let otherGood = try String(contentsOf: folder.url.appendingPathComponent(other), encoding: .utf8)
            _ = try folder.write(
                other,
                other == "rules.yml" ? Self.rules.replacing("one", with: "changed") : Self.configuration("changed"))
            _ = try folder.write(file, text)
            let answer = try #require(daemon.probe.post("/-/reload", form: []))
            #expect(answer.status == 500, "\(file): \(text)")
            #expect(answer.text.contains("failed to reload config"), "\(answer.text)")
            #expect(answer.text.contains(reason), "\(answer.text)")
            #expect(metric("prometheus_config_last_reload_successful") == "0")
            #expect(daemon.probe.get("/api/v1/status/config")?.text == before)
            #expect(!Self.pools(daemon).contains("changed") && Self.pools(daemon).contains("first"))
            #expect(!Self.rules(daemon).contains("changed") && Self.rules(daemon).contains("\"one\""))
            #expect(
                daemon.probe.get("/api/v1/notifications")?.text.contains("Configuration reload has failed.") == true)
            _ = try folder.write(other, otherGood)
            _ = try folder.write(file, good)
            #expect(daemon.probe.post("/-/reload", form: [])?.status == 200)
            #expect(metric("prometheus_config_last_reload_successful") == "1")
        }
        #expect(daemon.terminate() == 0)
    }

    /// A remote write 1.0 message with one sample, as snappy's literals.
    static func push(_ name: String, at time: Int64) -> [UInt8] {
        func varint(_ value: UInt64) -> [UInt8] {
            var (value, out) = (value, [UInt8]())
            while value >= 0x80 {
                out.append(UInt8(truncatingIfNeeded: value) | 0x80)
                value >>= 7
            }
            return out + [UInt8(value)]
        }
        func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
            varint(number << 3 | 2) + varint(UInt64(bytes.count)) + bytes
        }
        let label = field(1, Array("__name__".utf8)) + field(2, Array(name.utf8))
        let sample =
            varint(1 << 3 | 1) + [UInt8](repeating: 0, count: 8) + varint(2 << 3) + varint(UInt64(bitPattern: time))
        let message = field(1, field(1, label) + field(2, sample))
        precondition(message.count <= 60)
        return varint(UInt64(message.count)) + [UInt8((message.count - 1) << 2)] + message
    }

    @Test("the storage section is obeyed from the next reload on")
    func storage() throws {
        let folder = try Folder()
        let daemon = try Self.start(folder, ["--web.enable-remote-write-receiver"])
        func write(_ name: String, _ age: Int64) -> Int? {
            let time = Int64(Date().timeIntervalSince1970 * 1000) - age
            return daemon.probe.request(
                "POST", "/api/v1/write",
                headers: ["Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"],
                body: Self.push(name, at: time))?.status
        }
        #expect(write("m", 0) == 204)
        #expect(write("m", 600_000) == 400)
        _ = try folder.write(
            "martlet.yml",
            Self.configuration(
                "first",
                extra: "storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 2d, size: 1GB}}}\n"))
        #expect(daemon.probe.post("/-/reload", form: [])?.status == 200)
        #expect(write("m", 600_000) == 204)
        #expect(write("m", 3_600_000) == 400)
        #expect(
            daemon.probe.get("/api/v1/status/runtimeinfo")?.text.contains("\"storageRetention\":\"2d or 1GiB\"") == true
        )
        let shown = daemon.probe.get("/api/v1/status/config")?.text ?? ""
        #expect(shown.contains("out_of_order_time_window: 30m") && shown.contains("size: 1GiB"), "\(shown)")
        #expect(daemon.terminate() == 0)
    }

    @Test("a reload with another secret is what the next scrape sends")
    func secret() throws {
        let folder = try Folder()
        let target = try #require(HTTPStub { _ in .init(contentType: "text/plain; version=0.0.4", text: "a 1\n") })
        defer { target.stop() }
        let daemon = try Self.start(folder)
        for secret in ["one", "two"] {
            _ = try folder.write(
                "martlet.yml",
                """
                global: {scrape_interval: 200ms, scrape_timeout: 150ms}
                scrape_configs:
                - job_name: a
                  bearer_token: \(secret)
                  static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]
                """)
            #expect(daemon.probe.post("/-/reload", form: [])?.status == 200)
            #expect(Daemon.wait { target.requests.last?.headers["authorization"] == "Bearer \(secret)" })
            #expect(daemon.probe.get("/api/v1/status/config")?.text.contains("<secret>") == true)
        }
        #expect(daemon.terminate() == 0)
    }
}
