import Foundation
import JSON
import TestSupport
import Testing

/// `/api/v1/status/config` beside that of a Prometheus of this machine.
@Suite("Configuration beside Prometheus", .serialized)
struct ConfigurationPeerTests {
    private static let peer = "/usr/bin/prometheus"

    private static let configuration = """
        global:
          scrape_interval: 15s
          external_labels: {z: "1", a: "b c", n: "yes"}
          query_log_file: q.log
        rule_files: ["r/*.yml", /abs/x.yml]
        alerting:
          alert_relabel_configs: [{action: labeldrop, regex: foo}]
          alertmanagers:
          - static_configs: [{targets: ["127.0.0.1:1"]}]
            basic_auth: {username: u, password: S3CRET}
            path_prefix: /am
          - file_sd_configs: [{files: [am.yml]}]
            http_sd_configs: [{url: "http://127.0.0.1:1/"}]
            dns_sd_configs: [{names: [_am._tcp.example.]}]
        storage:
          tsdb: {out_of_order_time_window: 90m}
          exemplars: {max_exemplars: 5}
        scrape_configs:
        - job_name: a
          scrape_interval: 1d
          params: {x: ["1", "a b", ": c", "- d"], b: ["{}", "x:y", "#", "é"]}
          static_configs: [{targets: ["127.0.0.1:1", "127.0.0.1:2"], labels: {q: "yes", n: "1", a10: "~", a9: "0x1"}}]
          relabel_configs:
          - {source_labels: [a, b], target_label: t, regex: "[a-z]+"}
          - {source_labels: [__address__], modulus: 3, action: HASHMOD, target_label: t2, regex: 'x''"y'}
          - {regex: "(a|b): .*", action: labeldrop}
          metric_relabel_configs:
          - {action: drop, source_labels: [__name__], regex: ""}
          authorization: {credentials: S3CRET}
          tls_config: {server_name: x, min_version: TLS12}
        - job_name: "true"
          scrape_interval: 1d
          http_sd_configs: [{url: "http://127.0.0.1:1/", refresh_interval: 90m}]
          file_sd_configs: [{files: [x.yml], refresh_interval: 10m}]
          dns_sd_configs: [{names: [a.example., b], type: A, port: 9100}, {names: [c], refresh_interval: 1h}]
          bearer_token: S3CRET
          body_size_limit: 1536MB
          sample_limit: 3
        - {job_name: b, scheme: https, honor_labels: true, follow_redirects: false, static_configs: [{targets: []}]}

        """

    private static func shown(_ daemon: Daemon) throws -> [String] {
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        let answer = try #require(daemon.probe.get("/api/v1/status/config"))
        let text = try #require(try JSONValue.parse(answer.text)["data"]?["yaml"]?.string)
        #expect(!text.contains("S3CRET"))
        daemon.terminate()
        return text.split(separator: "\n").map(String.init)
    }

    @Test(
        "what an older Prometheus shows is shown in the same lines and order",
        .enabled(if: FileManager.default.isExecutableFile(atPath: peer), "needs Debian's prometheus"))
    func sameLines() throws {
        let folder = try Folder()
        let config = try folder.write("c.yml", Self.configuration)
        func start(_ binary: String, _ name: String) throws -> Daemon {
            let port = LoopbackSocket.freePort()
            return try Daemon(
                binary,
                [
                    "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/\(name)",
                    "--web.listen-address=127.0.0.1:\(port)",
                ], port: port, folder: folder.url)
        }
        let theirs = try Self.shown(try start(Self.peer, "peer"))
        let ours = try Self.shown(try start(Daemon.martlet, "own"))
        #expect(theirs.count > 80)
        // Of the peer's lines these are gone in 3.14, or not text that a configuration may have.
        let gone = ["regex: (.*)", "outofordertimewindow:", "min_version: 771"]
        var at = ours.startIndex
        for line in theirs where !gone.contains(where: { line.contains($0) }) {
            guard let next = ours[at...].firstIndex(of: line) else {
                Issue.record("not shown, or in another place: \(line)\nbehind \(ours[..<at].suffix(3))")
                break
            }
            at = next + 1
        }
    }
}
