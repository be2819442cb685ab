import Foundation
import TestSupport
import Testing

/// URLs with passwords, well-formed or not: the real binary shows none of them anywhere.
@Suite("Secrets in URLs")
struct SecretURLTests {
    private static let config = """
        global: {scrape_interval: 1s, scrape_timeout: 1s}
        alerting:
          alertmanagers:
            - proxy_url: 'user:S3CRET@127.0.0.1:1'
              static_configs: [{targets: ['127.0.0.1:1']}]
        rule_files: [rules.yml]
        scrape_configs:
          - job_name: opaque
            proxy_url: 'user:S3CRET@127.0.0.1:1'
            static_configs: [{targets: ['127.0.0.1:1']}]
          - job_name: question
            proxy_url: 'http://user:12?S3CRET blank@127.0.0.1'
            static_configs: [{targets: ['192.0.2.1:1']}]
          - job_name: scheme
            proxy_url: 'weird://user:S3CRET@127.0.0.1:1'
            static_configs: [{targets: ['192.0.2.1:1']}]
          - job_name: token
            oauth2: {client_id: a, token_url: 'http://u:S3CRET@127.0.0.1:1/token'}
            static_configs: [{targets: ['127.0.0.1:1']}]
          - job_name: token-opaque
            oauth2: {client_id: a, token_url: 'user:S3CRET@127.0.0.1:1'}
            static_configs: [{targets: ['127.0.0.1:1']}]
          - job_name: discovered
            http_sd_configs: [{url: 'http://u:S3CRET@127.0.0.1:1/x', proxy_url: 'user:S3CRET@127.0.0.1:1'}]

        """

    @Test("pages, answers, metrics and the log show no password of a URL", .timeLimit(.minutes(2)))
    func nowhere() throws {
        let folder = try Folder()
        let config = try folder.write("martlet.yml", Self.config)
        _ = try folder.write(
            "rules.yml", "groups: [{name: g, interval: 1s, rules: [{alert: A, expr: vector(1)}]}]\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data", "--log.level=debug",
                "--web.listen-address=127.0.0.1:\(port)", "--web.external-url=http://u:S3CRET@127.0.0.1:\(port)/",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(
            Daemon.wait {
                let targets = daemon.probe.get("/api/v1/targets")?.text ?? ""
                return targets.contains("\"down\"") && !targets.contains("\"unknown\"")
                    && daemon.logText.contains("Unable to refresh target groups")
                    && daemon.logText.contains("Error sending alerts")
            }, "\(daemon.logText)")
        for path in [
            "/api/v1/status/config", "/api/v1/status/flags", "/api/v1/status/runtimeinfo", "/api/v1/targets",
            "/api/v1/alertmanagers", "/metrics", "/targets", "/config", "/flags", "/service-discovery", "/status",
        ] {
            let answer = try #require(daemon.probe.get(path), "\(path)")
            #expect(!answer.text.contains("S3CRET"), "\(path): \(answer.text)")
        }
        #expect(daemon.terminate() == 0)
        let lines = daemon.logText.split(separator: "\n").filter { $0.contains("S3CRET") }
        #expect(lines.isEmpty, "\(lines.joined(separator: "\n"))")
    }
}
