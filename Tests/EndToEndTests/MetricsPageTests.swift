import Foundation
import Glibc
import TestSupport
import Testing

/// `docs/metrics.md` held against `/metrics` of the real daemon.
@Suite("Metrics page", .serialized)
struct MetricsPageTests {
    private struct Row: Equatable {
        var kind: String
        var labels: Set<String>
    }

    /// The rows of the page by metric.
    private static func documented() throws -> [String: Row] {
        let page = try String(contentsOfFile: SharedFolder.projectRoot + "/docs/metrics.md", encoding: .utf8)
        var rows: [String: Row] = [:]
        for line in page.split(separator: "\n") where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 6 else {
                Issue.record("\(line) has not six cells")
                continue
            }
            let name = cells[0].filter { $0 != "`" }
            #expect(rows[name] == nil, "\(name) is there twice")
            #expect(!cells[3].isEmpty && cells[4].hasSuffix("."), "\(line)")
            let labels = cells[2].matches(of: /`([a-z_]+)`/).map { String($0.1) }
            rows[name] = Row(kind: cells[1], labels: Set(labels))
        }
        return rows
    }

    /// What the daemon shows: kinds by family, and the labels of its lines but those that its kind brings.
    private static func shown(_ page: String) -> [String: Row] {
        var rows: [String: Row] = [:]
        var family = ""
        for line in page.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                family = String(words[2])
                rows[family] = Row(kind: String(words[3]), labels: [])
            } else if !line.hasPrefix("#"), let brace = line.firstIndex(of: "{") {
                let names = line[brace...].matches(of: /[{,]([a-z_]+)="/).map { String($0.1) }
                rows[family]?.labels.formUnion(Set(names).subtracting(["le", "quantile"]))
            }
        }
        return rows
    }

    @Test("the page has each metric of the daemon with its type and labels, and no other")
    func complete() throws {
        let setting = try OwnMetricsTests().start()
        defer {
            setting.receiver.stop()
            setting.target.stop()
        }
        let probe = setting.daemon.probe
        // What only shows after its event: federation, a push that is refused, a file and a server of targets.
        _ = probe.get("/federate?match[]=demo_up")
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        for age in [Int64(0), 3_600_000] {
            _ = probe.request(
                "POST", "/api/v1/write",
                headers: ["Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"],
                body: ReloadTests.push("pushed", at: now - age))
        }
        _ = try setting.folder.write("targets.yml", "[{targets: [\"127.0.0.1:\(setting.target.port)\"]}]")
        _ = try setting.folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 200ms, scrape_timeout: 150ms, evaluation_interval: 200ms}
            rule_files: [rules.yml]
            alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:\(setting.receiver.port)"]}]}]}
            scrape_configs:
              - {job_name: demo, static_configs: [{targets: ["127.0.0.1:\(setting.target.port)"]}]}
              - {job_name: files, file_sd_configs: [{files: [targets.yml]}]}
              - {job_name: served, http_sd_configs: [{url: "http://127.0.0.1:\(setting.target.port)/"}]}
            """)
        Glibc.kill(setting.daemon.process.processIdentifier, SIGHUP)
        let documented = try Self.documented()
        #expect(documented.count > 160)
        var shown: [String: Row] = [:]
        let isSame = Daemon.wait {
            shown = Self.shown(probe.get("/metrics")?.text ?? "")
            return shown == documented
        }
        if !isSame {
            for name in Set(shown.keys).union(documented.keys).sorted() where shown[name] != documented[name] {
                Issue.record(
                    "\(name): docs/metrics.md has \(documented[name] as Any), the daemon has \(shown[name] as Any)")
            }
        }
        #expect(setting.daemon.terminate() == 0)
    }

    @Test("the page has each metric that the sources name")
    func sources() throws {
        let documented = try Self.documented()
        let root = SharedFolder.projectRoot + "/Sources"
        let files = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
        var count = 0
        for file in files where file.hasSuffix(".swift") {
            let text = try String(contentsOfFile: root + "/" + file, encoding: .utf8)
            for match in text.matches(of: /"((?:martlet|prometheus|alertmanager|process|promhttp)_[a-z0-9_]*[a-z0-9])"/)
            where match.1 != "martlet_evidence" {
                // That one is the name of an annotation.
                count += 1
                #expect(documented[String(match.1)] != nil, "docs/metrics.md lacks \(match.1) of \(file)")
            }
        }
        #expect(count > 100)
    }

    @Test("each alert that the page names is one of rules/martlet.yml, and each link leads to a part of its page")
    func names() throws {
        let root = SharedFolder.projectRoot
        let page = try String(contentsOfFile: root + "/docs/metrics.md", encoding: .utf8)
        let rules = try String(contentsOfFile: root + "/rules/martlet.yml", encoding: .utf8)
        for match in page.matches(of: /`(Martlet[A-Za-z]+)`/) {
            #expect(rules.contains("- alert: \(match.1)\n"), "\(match.1)")
        }
        let operations = try String(contentsOfFile: root + "/docs/operations.md", encoding: .utf8)
        for match in page.matches(of: /\(operations\.md#([a-z-]+)\)/) {
            let words = match.1.replacing("-", with: " ")
            #expect(operations.lowercased().contains("\n## \(words)\n"), "operations.md has no part \(match.1)")
        }
    }
}
