import Config
import Foundation
import TestSupport
import Testing

/// Every file of the shared configuration suites.
@Suite("Configuration suites")
struct SuiteTests {
    static func files(_ folder: String) -> [String] {
        let path = SharedFolder.path(folder)
        return ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted().map { path + "/" + $0 }
    }

    @Test(
        "bad Prometheus configurations are refused with a place",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func bad() {
        var checked = 0
        for file in Self.files("configs/prometheus") where file.contains(".bad.") {
            checked += 1
            do throws(ConfigError) {
                let configuration = try ConfigurationLoader.load(path: file)
                #expect(!configuration.unsupported.isEmpty, "\(file) was accepted")
                for error in configuration.unsupported { #expect(error.line > 0) }
            } catch {
                #expect(error.line > 0 || error.message.contains("open"), "\(file): \(error)")
            }
        }
        #expect(checked > 40)
    }

    @Test(
        "good Prometheus configurations are read", .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func good() {
        var checked = 0
        for file in Self.files("configs/prometheus") where file.contains(".good.") {
            checked += 1
            #expect(throws: Never.self, "\(file)") { try ConfigurationLoader.load(path: file) }
        }
        #expect(checked > 15)
    }

    @Test(
        "community rules are read", .enabled(if: SharedFolder.has("community-rules"), "needs ../shared/community-rules")
    )
    func rules() {
        var checked = 0
        for file in Self.files("community-rules") where file.hasSuffix(".yml") {
            checked += 1
            #expect(throws: Never.self, "\(file)") { try RuleFileLoader.load(path: file) }
        }
        #expect(checked > 40)
    }

    private struct Verdicts: Decodable {
        struct Verdict: Decodable {
            var accepted: Bool
            var error: String
        }

        var files: [String: Verdict]
    }

    @Test(
        "Alertmanager configurations are read or refused as its own check does it",
        .enabled(if: SharedFolder.has("configs/alertmanager/verdicts.json"), "needs ../shared/configs"))
    func alertmanager() throws {
        let folder = SharedFolder.path("configs/alertmanager/")
        let list = try Data(contentsOf: URL(fileURLWithPath: folder + "verdicts.json"))
        let verdicts = try JSONDecoder().decode(Verdicts.self, from: list).files
        for (name, verdict) in verdicts {
            var mistake = ""
            do throws(ConfigError) { _ = try AlertmanagerConfigLoader.load(path: folder + name) } catch {
                #expect(error.line > 0)
                mistake = error.message
            }
            #expect(mistake.isEmpty == verdict.accepted, "\(name): \(mistake)")
            // What follows these words is how go-yaml reports an unknown key.
            let expected = verdict.error == "yaml: unmarshal errors:" ? " not found in type " : verdict.error
            #expect(expected.isEmpty || mistake.contains(expected), "\(name): \(mistake)")
        }
        #expect(verdicts.count > 30)
    }
}
