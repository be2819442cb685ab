import Foundation
import TestSupport
import Testing

/// SIGTERM of the real binary while partners in the network do not answer.
@Suite("Shutdown", .serialized)
struct ShutdownTests {
    private static func start(
        _ folder: Folder, alertmanagers: [UInt16], grace: String, more: [String] = []
    ) throws -> Daemon {
        let port = LoopbackSocket.freePort()
        _ = try folder.write(
            "rules.yml",
            "groups: [{name: g, rules: [{alert: Always, expr: vector(1)}, {record: r, expr: vector(2)}]}]\n")
        let targets = alertmanagers.map { "\"127.0.0.1:\($0)\"" }.joined(separator: ", ")
        let config = try folder.write(
            "martlet.yml",
            """
            global: {evaluation_interval: 100ms}
            rule_files: [rules.yml]
            alerting: {alertmanagers: [{timeout: 1h, static_configs: [{targets: [\(targets)]}]}]}
            """)
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--shutdown.grace-period=\(grace)",
                "--rules.alert.resend-delay=100ms",
            ] + more, port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    @Test("three Alertmanagers that accept and never answer cost no sample and not more than the grace period")
    func silent() throws {
        let folder = try Folder()
        let listeners = try (0..<3).map { _ in try #require(LoopbackSocket.listen()) }
        defer { for listener in listeners { listener.socket.close() } }
        let daemon = try Self.start(folder, alertmanagers: listeners.map(\.port), grace: "4s")
        // Each has a connection that waits for its answer.
        let held = listeners.map { $0.socket.accept() }
        #expect(held.allSatisfy { $0 != nil })
        #expect(Daemon.wait { daemon.probe.get("/api/v1/query?query=r")?.text.contains("\"2\"") == true })
        let began = Date()
        #expect(daemon.terminate() == 0, "\(daemon.logText)")
        // Far above the grace period, for slow machines; one that waits for the timeout takes an hour.
        #expect(Date().timeIntervalSince(began) < 60)
        #expect(daemon.logText.contains("The storage is closed"))
        for connection in held { connection?.close() }
        // The store was closed before the partners were waited for, and needs no replay.
        let again = try Self.start(folder, alertmanagers: [], grace: "4s")
        #expect(again.probe.get("/metrics")?.text.contains("prometheus_tsdb_clean_start 1\n") == true)
        #expect(again.probe.get("/api/v1/query?query=last_over_time(r[10m])")?.text.contains("\"2\"") == true)
        #expect(again.terminate() == 0)
    }

    @Test("with a web configuration, SIGTERM and SIGINT end the daemon as without, and SIGHUP reloads")
    func webConfiguration() throws {
        for signal in [SIGTERM, SIGINT] {
            let folder = try Folder()
            let web = try folder.write("web.yml", "http_server_config: {headers: {X-Frame-Options: deny}}\n")
            let daemon = try Self.start(folder, alertmanagers: [], grace: "20s", more: ["--web.config.file=\(web)"])
            kill(daemon.process.processIdentifier, SIGHUP)
            #expect(Daemon.wait { daemon.logText.contains("Completed loading of configuration file") })
            #expect(daemon.probe.get("/-/healthy")?.status == 200)
            kill(daemon.process.processIdentifier, signal)
            daemon.process.waitUntilExit()
            #expect(daemon.process.terminationReason == .exit && daemon.process.terminationStatus == 0)
            #expect(daemon.logText.contains("See you next time!"), "\(daemon.logText)")
        }
    }

    @Test("a second signal ends what waits for partners; signals that Go ignores end nothing")
    func impatient() throws {
        let folder = try Folder()
        let listener = try #require(LoopbackSocket.listen())
        defer { listener.socket.close() }
        let daemon = try Self.start(folder, alertmanagers: [listener.port], grace: "1h")
        let process = daemon.process.processIdentifier
        for signal in [SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGVTALRM, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ, 40, 64] {
            kill(process, signal)
        }
        let held = listener.socket.accept()
        #expect(Daemon.wait { daemon.probe.get("/api/v1/query?query=r")?.text.contains("\"2\"") == true })
        kill(process, SIGTERM)
        // A signal that follows at once is the same wish twice, as `timeout` has it.
        kill(process, SIGTERM)
        #expect(Daemon.wait { daemon.logText.contains("The storage is closed") }, "\(daemon.logText)")
        #expect(!daemon.logText.contains("Received another OS signal"))
        usleep(400_000)
        #expect(daemon.terminate() == 0, "\(daemon.logText)")
        #expect(daemon.logText.contains("Received another OS signal"))
        held?.close()
    }

    @Test("what waits for a slow Alertmanager is delivered before the end")
    func drains() throws {
        let folder = try Folder()
        let stub = try #require(
            HTTPStub { _ in
                usleep(300_000)
                return .init()
            })
        defer { stub.stop() }
        let daemon = try Self.start(folder, alertmanagers: [stub.port], grace: "30s")
        #expect(Daemon.wait { !stub.requests.isEmpty })
        #expect(daemon.terminate() == 0)
        let text = daemon.logText
        #expect(text.contains("The storage is closed") && text.contains("See you next time!"))
        #expect(!text.contains("takes longer than the grace period"), "\(text)")
        // Every alert that was sent last is one that the Alertmanager has got in full.
        let last = try #require(stub.requests.last)
        #expect(String(decoding: last.body, as: UTF8.self).contains("\"alertname\":\"Always\""))
    }
}
