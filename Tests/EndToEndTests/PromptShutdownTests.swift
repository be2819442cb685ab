import Foundation
import TestSupport
import Testing

/// SIGTERM of the real binary in the middle of something: the end does not wait for it, and nothing is lost.
///
/// The grace period is an hour, so that a wait for anything that does not end by itself fails the test.
@Suite("Prompt shutdown", .serialized)
struct PromptShutdownTests {
    private struct Rig {
        let folder: Folder
        var daemon: Daemon

        /// - Parameters:
        ///   - config: The configuration behind `global`.
        ///   - alerting: Routes and receivers; none if empty.
        init(_ config: String = "", alerting: String = "", folder: Folder? = nil) throws {
            self.folder = try folder ?? Folder()
            let port = LoopbackSocket.freePort()
            let file = try self.folder.write("martlet.yml", "global: {evaluation_interval: 100ms}\n" + config)
            var arguments = [
                "--config.file=\(file)", "--storage.tsdb.path=\(self.folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--shutdown.grace-period=1h",
                "--web.enable-remote-write-receiver", "--web.enable-admin-api", "--query.timeout=1h",
                "--rules.alert.resend-delay=100ms",
            ]
            if !alerting.isEmpty {
                arguments.append("--alerting.config.file=" + (try self.folder.write("alerting.yml", alerting)))
            }
            daemon = try Daemon(Daemon.martlet, arguments, port: port, folder: self.folder.url)
            try #require(daemon.waitReady(), "not ready: \(daemon.logText)")
        }

        func push(_ series: Int = 1) {
            var push = RemoteWritePush()
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            for index in 0..<series { push.append([("__name__", "pushed"), ("n", "\(index)")], [(now, .float(7))]) }
            #expect(push.send(daemon.probe)?.status == 204)
        }

        /// Whether the daemon ends well after SIGTERM; far above what it takes, for slow machines.
        func endsSoon() -> Bool {
            kill(daemon.process.processIdentifier, SIGTERM)
            guard Daemon.wait(45, until: { !daemon.process.isRunning }) else { return false }
            return daemon.terminate() == 0 && daemon.logText.contains("The storage is closed")
        }

        /// Whether what was pushed is there after another start.
        func isKept(_ series: Int = 1) throws -> Bool {
            let again = try Rig(folder: folder)
            let query = HTTPProbe.escape("count(last_over_time(pushed[10m]) == 7)")
            let text = again.daemon.probe.get("/api/v1/query?query=\(query)")?.text ?? ""
            let isClean = again.daemon.probe.get("/metrics")?.text.contains("prometheus_tsdb_clean_start 1\n") == true
            return again.daemon.terminate() == 0 && isClean && text.contains("\"\(series)\"")
        }
    }

    private static let alwaysRule = "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}]}]\n"

    /// A server that takes connections and never says a word.
    private final class Mute {
        private let listener: LoopbackSocket
        let port: UInt16
        private var held: LoopbackSocket?

        init() throws {
            (listener, port) = try #require(LoopbackSocket.listen())
        }

        /// Waits for a connection.
        func awaitClient() { held = listener.accept() }

        deinit {
            held?.close()
            listener.close()
        }
    }

    @Test("queries that run and queries in line are told that they are cancelled")
    func query() throws {
        let rig = try Rig()
        rig.push()
        // A median of a day of seconds at each of 11,000 steps; more of them than may run at once.
        let slow = HTTPProbe.escape("quantile_over_time(0.5, vector(1)[1d:1s])")
        let now = Int(Date().timeIntervalSince1970)
        let path = "/api/v1/query_range?query=\(slow)&start=\(now - 10_000)&end=\(now)&step=1"
        let clients = try (0..<22).map { _ in
            let client = try #require(LoopbackSocket.connect(port: rig.daemon.port, timeoutSeconds: 60))
            client.send(Array("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            return client
        }
        func running() -> Bool {
            rig.daemon.probe.get("/metrics")?.text.contains("prometheus_engine_queries 22\n") == true
        }
        #expect(Daemon.wait { running() })
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        for client in clients {
            let answer = String(decoding: client.receive(), as: UTF8.self)
            // A machine that is too slow for an answer in time has closed the connection.
            #expect(answer.isEmpty || answer.hasPrefix("HTTP/1.1 503 "), "\(answer)")
            #expect(answer.isEmpty || answer.contains("\"errorType\":\"canceled\""))
            client.close()
        }
        #expect(try rig.isKept())
    }

    @Test("an Alertmanager that hangs for the first time has two seconds")
    func alertmanager() throws {
        let mute = try Mute()
        let folder = try Folder()
        _ = try folder.write("rules.yml", Self.alwaysRule)
        let rig = try Rig(
            """
            rule_files: [rules.yml]
            alerting: {alertmanagers: [{timeout: 1h, static_configs: [{targets: ["127.0.0.1:\(mute.port)"]}]}]}
            """, folder: folder)
        rig.push()
        mute.awaitClient()
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        #expect(try rig.isKept())
    }

    @Test("a server of tokens that hangs holds up neither scrapes nor Alertmanagers nor webhooks")
    func tokens() throws {
        let mute = try Mute()
        let folder = try Folder()
        _ = try folder.write("rules.yml", Self.alwaysRule)
        let oauth = "oauth2: {client_id: a, client_secret: b, token_url: \"http://127.0.0.1:\(mute.port)/t\"}"
        let rig = try Rig(
            """
            rule_files: [rules.yml]
            alerting:
              alertmanagers: [{timeout: 1h, \(oauth), static_configs: [{targets: ["127.0.0.1:1"]}]}]
            scrape_configs:
              - {job_name: a, scrape_interval: 1h, scrape_timeout: 1h, \(oauth),
                 static_configs: [{targets: ["127.0.0.1:1"]}]}
              - {job_name: b, \(oauth), http_sd_configs: [{url: "http://127.0.0.1:1/", \(oauth)}]}
            """,
            alerting: """
                route: {receiver: hook, group_wait: 0s, group_interval: 1h}
                receivers:
                  - name: hook
                    webhook_configs: [{url: "http://127.0.0.1:1/", http_config: {\(oauth)}}]
                """, folder: folder)
        rig.push()
        mute.awaitClient()
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        #expect(try rig.isKept())
    }

    @Test("a webhook that hangs has two seconds, and gets its notification after the next start")
    func webhook() throws {
        let mute = try Mute()
        let folder = try Folder()
        _ = try folder.write("rules.yml", Self.alwaysRule)
        func alerting(_ port: UInt16) -> String {
            """
            route: {receiver: hook, group_wait: 0s, group_interval: 1h, repeat_interval: 24h}
            receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:\(port)/"}]}]
            """
        }
        let rig = try Rig("rule_files: [rules.yml]", alerting: alerting(mute.port), folder: folder)
        rig.push()
        mute.awaitClient()
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        // Without the rule: what is sent now comes from the ledger.
        let stub = try #require(HTTPStub { _ in .init() })
        defer { stub.stop() }
        let again = try Rig(alerting: alerting(stub.port), folder: folder)
        #expect(Daemon.wait { !stub.requests.isEmpty }, "\(again.daemon.logText)")
        let sent = try #require(stub.requests.first)
        #expect(String(decoding: sent.body, as: UTF8.self).contains("\"alertname\":\"Always\""))
        #expect(again.endsSoon(), "\(again.daemon.logText)")
        #expect(try rig.isKept())
    }

    @Test(
        "a client that sends half of a request, or does not read its answer, is not waited for",
        arguments: [
            "GET /metrics HT", "POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
            "POST /api/v1/query HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "GET /api/v1/query_range?query=time()&start=0&end=10000&step=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        ])
    func client(_ text: String) throws {
        let rig = try Rig()
        rig.push()
        let client = try #require(LoopbackSocket.connect(port: rig.daemon.port))
        // Of answers, so many that no socket takes all of them.
        for _ in 0..<(text.hasSuffix("\r\n\r\n") && text.hasPrefix("GET") ? 100 : 1) { client.send(Array(text.utf8)) }
        #expect(rig.daemon.probe.get("/-/healthy")?.status == 200)
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        client.close()
        #expect(try rig.isKept())
    }

    @Test("a snapshot that is being made is given up or finished, and the samples are there")
    func snapshot() throws {
        let rig = try Rig()
        for _ in 0..<2 { rig.push(20_000) }
        let client = try #require(LoopbackSocket.connect(port: rig.daemon.port))
        client.send(Array("POST /api/v1/admin/tsdb/snapshot HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
        // Its head has arrived once another request is answered that came later.
        #expect(rig.daemon.probe.get("/-/healthy")?.status == 200)
        #expect(rig.endsSoon(), "\(rig.daemon.logText)")
        client.close()
        #expect(try rig.isKept(20_000))
    }
}
