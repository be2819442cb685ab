import Config
import Discovery
import HTTP
import Model
import Platform
@testable import Scrape
import Telemetry
import TestSupport
import Testing

@Suite("Addresses of targets")
struct AddressTests {
    @Test(
        "spellings that Go's client refuses fail, and those that it takes work",
        arguments: [
            ("h:9100", nil), ("H:80", nil), ("h:", nil), ("[::1]:9100", nil), ("::1:9100", nil), ("127.0.0.1:1", nil),
            ("h_x.y-z", nil), ("bücher.example:1", nil), (":9100", nil), ("1.2.3.4.example", nil),
            ("u:pw@h:1", "parse \"http://u:pw@h:1/m\": invalid URL escape \"%40\""),
            ("h :1", "parse \"http://h :1/m\": invalid URL escape \"%20\""),
            ("h:x", "parse \"http://h:x/m\": invalid port \":x\" after host"),
            ("h:1?a", "parse \"http://h:1?a/m\": invalid URL escape \"%3F\""),
            ("h#x", "parse \"http://h#x/m\": invalid URL escape \"%23\""),
            ("[::1", "parse \"http://[::1/m\": missing ']' in host"),
            ("h:99999", "Get \"http://h:99999/m\": dial tcp: address 99999: invalid port"),
            ("127.1:9100", "Get \"http://127.1:9100/m\": dial tcp: lookup 127.1: no such host"),
            ("0x7f.0.0.1", "Get \"http://0x7f.0.0.1/m\": dial tcp: lookup 0x7f.0.0.1: no such host"),
            ("2130706433:1", "Get \"http://2130706433:1/m\": dial tcp: lookup 2130706433: no such host"),
            ("127.0.0.01", "Get \"http://127.0.0.01/m\": dial tcp: lookup 127.0.0.01: no such host"),
        ])
    func spellings(_ address: String, _ problem: String?) {
        #expect(RequestAddress.check(address, url: "http://\(address)/m").problem == problem)
    }

    @Test("an address of a port only is this machine")
    func portOnly() {
        #expect(RequestAddress.check(":9100", url: "http://:9100/m").url.text == "http://localhost:9100/m")
    }

    static func outcome(_ rules: String, labels: String = "{}") throws -> TargetBuilder.Outcome {
        let text = """
            scrape_configs:
            - job_name: j
              static_configs: [{targets: ['h:1'], labels: \(labels)}]
              relabel_configs: \(rules)
            """
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        let job = try #require(config.scrapeConfigs.first)
        let group = TargetGroup(try #require(job.staticConfigs.first), source: "s")
        return TargetBuilder(config: job).build(try #require(group.targets.first), group)
    }

    @Test(
        "without an internal label a target is refused, or built as Prometheus builds it",
        arguments: [
            ("__address__", "failed: no address"), (".*", "failed: no address"),
            ("__scrape_interval__", "failed: error parsing scrape interval: empty duration string"),
            ("__scrape_timeout__", "failed: error parsing scrape timeout: empty duration string"),
            ("__metrics_path__", "http://h:1"), ("job", "http://h:1/metrics"),
            ("__scheme__", "//h:1/metrics Get \"//h:1/metrics\": unsupported protocol scheme \"\""),
            ("__(address|scheme)__", "failed: no address"),
        ])
    func missing(_ label: String, _ expected: String) throws {
        let found =
            switch try Self.outcome("[{action: labeldrop, regex: '\(label)'}]") {
            case .active(let target): [target.url, target.urlProblem].compactMap { $0 }.joined(separator: " ")
            case .dropped: "dropped"
            case .failed(let reason): "failed: \(reason)"
            }
        #expect(found == expected)
    }

    @Test("relabelling that makes the empty name refuses the target", arguments: ["$1", "${x}", "$1$2"])
    func emptyName(_ replacement: String) throws {
        guard
            case .failed(let reason) = try Self.outcome(
                "[{action: labelmap, regex: 'x|job', replacement: '\(replacement)'}]")
        else {
            Issue.record("\(replacement) made a target")
            return
        }
        #expect(reason == "invalid label name: \"\"")
    }

    @Test(
        "a target with another scheme is there, and fails", arguments: ["javascript", "file", "ftp", "htps", "HTTPX"])
    func schemes(_ scheme: String) throws {
        guard case .active(let target) = try Self.outcome("[]", labels: "{__scheme__: \(scheme)}") else {
            Issue.record("\(scheme) was not built")
            return
        }
        let reason = "unsupported protocol scheme \"\(scheme.lowercased())\""
        #expect(target.urlProblem == "Get \"\(scheme)://h:1/metrics\": \(reason)")
        #expect(target.requestURL.scheme == "http")
        guard case .active(let good) = try Self.outcome("[]", labels: "{__scheme__: HTTPS}") else {
            Issue.record("HTTPS was refused")
            return
        }
        #expect(good.urlProblem == nil)
    }
}
