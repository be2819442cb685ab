import Foundation
import Testing

@testable import martlet

/// Subcommands and their exit statuses.
@Suite("Commands")
struct CommandTests {
    private func file(_ text: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test("check metrics opens the files it is given")
    func metrics() throws {
        let good = try file("# HELP a_total A.\n# TYPE a_total counter\na_total 1\n")
        let lint = try file("# TYPE a counter\na 1\n")
        let broken = try file("a{ 1\n")
        let open = try file("# HELP a A.\n# TYPE a counter\na_total 1\n# EOF\n")
        defer { for path in [good, lint, broken, open] { try? FileManager.default.removeItem(atPath: path) } }
        func check(_ words: String...) -> Int32 { Command.run(["check", "metrics"] + words) }
        #expect(check(good) == 0)
        #expect(check(lint) == 3)
        #expect(check(broken) == 1)
        #expect(check("/does/not/exist") == 1)
        #expect(check(good, lint) == 3)
        #expect(check(lint, broken, good) == 1)
        #expect(check(open) == 0)
        #expect(check("--format=openmetrics", good) == 1)
        #expect(check("--format=text", good) == 0)
        #expect(check("--format=xml", good) == 2)
        #expect(check("--extended", good) == 0)
    }

    @Test("check config looks for the files of credentials and TLS")
    func namedFiles() throws {
        let token = try file("t")
        defer { try? FileManager.default.removeItem(atPath: token) }
        func check(_ client: String) throws -> Int32 {
            let config = try file("scrape_configs: [{job_name: a, \(client)}]")
            defer { try? FileManager.default.removeItem(atPath: config) }
            return Command.run(["check", "config", config])
        }
        #expect(try check("authorization: {credentials_file: \(token)}") == 0)
        #expect(try check("authorization: {credentials_file: /no/such}") == 1)
        #expect(try check("bearer_token_file: /no/such") == 1)
        #expect(try check("tls_config: {ca_file: /no/such}") == 1)
        #expect(try check("tls_config: {cert_file: /no/such, key_file: \(token)}") == 1)
        #expect(try check("basic_auth: {username: a, password_file: /no/such}") == 0)
    }

    @Test("--lint-fatal ends with 3, other failures with 1")
    func lint() throws {
        let rule = "{record: a, expr: b}"
        let twice = try file("groups: [{name: g, rules: [\(rule), \(rule)]}]")
        let broken = try file("groups: [{name: g, rules: [{record: a, expr: (}]}]")
        defer { for path in [twice, broken] { try? FileManager.default.removeItem(atPath: path) } }
        func check(_ words: String...) -> Int32 { Command.run(["check", "rules"] + words) }
        #expect(check(twice) == 0)
        #expect(check("--lint-fatal", twice) == 3)
        #expect(check("--lint-fatal", "--lint=none", twice) == 0)
        #expect(check("--lint-fatal", twice, broken) == 1)
        #expect(check("--lint-fatal", broken, twice) == 1)
    }

    @Test("names that no test group has test nothing, which is a failure")
    func noTests() throws {
        let tests = try file("tests: [{name: alpha, interval: 1m}]")
        defer { try? FileManager.default.removeItem(atPath: tests) }
        #expect(Command.run(["test", "rules", tests]) == 0)
        #expect(Command.run(["test", "rules", "--run=alp", tests]) == 0)
        #expect(Command.run(["test", "rules", "--run=nope", tests]) == 1)
    }

    @Test("unknown commands and flags end with 2")
    func unknown() {
        for words in [["nosuch"], ["--nosuch"], ["check", "nosuch", "x"], ["--agent"], ["--web.user-assets=x"]] {
            #expect(Command.run(words) == 2, "\(words)")
        }
    }
}
