import Foundation
import TestSupport
import Testing

@testable import martlet

/// Exit statuses of subcommands that check files, run tests and ask servers.
@Suite("Exit statuses of commands")
struct CommandExitTests {
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/file"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        try body(path)
    }

    private static let receiver = "receivers: [{name: a, webhook_configs: [{url: 'http://x', http_config: {"

    @Test(
        "check alerting reads what the configuration names, unless only the syntax is asked for",
        arguments: [
            ("{route: {receiver: a}, receivers: [{name: a}]}", 0, 0), ("{route: {receiver: b}}", 1, 1), ("{", 1, 1),
            ("{route: {receiver: a}, \(receiver)tls_config: {ca_file: /no/such}}}]}]}", 1, 0),
        ])
    func alerting(text: String, status: Int, syntaxStatus: Int) throws {
        try withFile(text) { path in
            #expect(Command.run(["check", "alerting", path]) == status)
            #expect(Command.run(["check", "alerting", "--syntax-only", path]) == syntaxStatus)
            #expect(Command.run(["check", "alerting", path, "/no/such"]) == 1)
        }
    }

    @Test(
        "check web-config reads the files of TLS",
        arguments: [
            ("basic_auth_users: {}", 0), ("nonsense: 1", 1), ("basic_auth_users: {a: b}", 1),
            ("tls_server_config: {cert_file: /no/such, key_file: /no/such}", 1), ("", 0),
        ])
    func webConfig(text: String, status: Int) throws {
        try withFile(text) { path in
            #expect(Command.run(["check", "web-config", path]) == status)
            #expect(Command.run(["check", "web-config", "/no/such", path]) == 1)
        }
    }

    @Test("test promql and test rules end with 1 for a test that fails and for a file that is none")
    func tests() throws {
        try withFile("load 1m\n  a 1\n\neval instant at 0 a\n  a 1\n") { path in
            #expect(Command.run(["test", "promql", path]) == 0)
            #expect(Command.run(["test", "promql", path, "/no/such"]) == 1)
        }
        try withFile("load 1m\n  a 1\n\neval instant at 0 a\n  a 2\n") {
            #expect(Command.run(["test", "promql", $0]) == 1)
        }
        try withFile("tests: [{nonsense: 1}]") { path in
            #expect(Command.run(["test", "rules", path]) == 1)
            #expect(Command.run(["test", "rules", "--ignore-unknown-fields", path]) == 0)
            #expect(Command.run(["test", "rules", "--run=(", path]) == 2)
        }
    }

    @Test("check rules reads a file once, and says when there is none")
    func rules() throws {
        try withFile("groups: []") { #expect(Command.run(["check", "rules", $0]) == 0) }
        #expect(Command.run(["check", "rules", "/no/such"]) == 1)
        #expect(Command.run(["check", "config", "/no/such"]) == 1)
    }

    @Test("a query ends with 0 for an answer, and with 1 for an error of the server, another page, or no server")
    func queries() throws {
        let answers = [
            "/api/v1/query": #"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#,
            "/api/v1/query_range": #"{"status":"error","errorType":"bad_data","error":"no"}"#,
            "/api/v1/series": "not JSON", "/api/v1/label/job/values": #"{"status":"success","data":["a"]}"#,
        ]
        let server = try #require(
            HTTPStub { request in
                .init(
                    contentType: "application/json",
                    text: answers[String(request.path.prefix { $0 != "?" })] ?? "nothing")
            })
        defer { server.stop() }
        let url = "http://127.0.0.1:\(server.port)"
        #expect(Command.run(["query", "instant", url, "1"]) == 0)
        #expect(Command.run(["query", "instant", url + "/", "1", "--format=json"]) == 0)
        #expect(Command.run(["query", "labels", url, "job"]) == 0)
        #expect(Command.run(["query", "range", url, "1"]) == 1)
        #expect(Command.run(["query", "series", url, "--match=up"]) == 1)
        #expect(Command.run(["query", "labels", url, "other"]) == 1)
        #expect(Command.run(["query", "instant", "127.0.0.1:21399", "1"]) == 1)
        #expect(Command.run(["query", "instant", url, "1", "--http.config.file=/no/such"]) == 1)
        // Before anything is sent.
        #expect(Command.run(["query", "range", url, "1", "--start=2", "--end=1"]) == 2)
        #expect(Command.run(["query", "instant", url]) == 2)
        #expect(Command.run(["query", "series", url]) == 2)
    }

    @Test("times of a store's commands that leave nothing end with 2")
    func times() throws {
        let temporary = try TemporaryFolder()
        let folder = temporary.path + "/data"
        let store = "--storage.tsdb.path=" + folder
        try withFile("# TYPE a gauge\na 1 1700000000\n# EOF\n") {
            #expect(Command.run(["tsdb", "create-blocks-from", "openmetrics", $0, store]) == 0)
        }
        for command in [["dump"], ["analyze"], ["export", folder + "/out"], ["import", "/no/such"]] {
            #expect(Command.run(["tsdb"] + command + [store, "--min-time=2", "--max-time=1"]) == 2, "\(command)")
        }
        #expect(Command.run(["tsdb", "dump", store, "--match=a"]) == 0)
        try withFile("a 1\n# EOF\n") {
            #expect(Command.run(["tsdb", "create-blocks-from", "openmetrics", $0, store]) == 1)
        }
        #expect(Command.run(["tsdb", "create-blocks-from", "openmetrics", "/no/such", store]) == 1)
    }

    @Test(
        "serve ends with 2 for a command line that cannot be used, before anything is opened",
        arguments: [
            ["--query.max-concurrency=0"], ["serve", "--log.level=loud"], ["--web.external-url=::"], ["@/no/such"],
            ["--enable-feature=st-synthesis"], ["serve", "extra"], ["--config.file"], ["-x"],
        ])
    func serve(words: [String]) {
        #expect(Command.run(words) == 2)
    }
}
