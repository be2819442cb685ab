import Foundation
import Platform
import TestSupport
import Testing

@testable import martlet

/// The command lines of amtool's commands: words that may be left out, statuses, defaults of files.
@Suite("Command lines for alerts")
struct AlertCommandLineTests {
    private let folder: TemporaryFolder
    /// Receives requests of commands; nothing matches.
    private let stub: HTTPStub

    init() throws {
        folder = try TemporaryFolder()
        stub = try #require(
            HTTPStub { _ in HTTPStub.Response(status: 200, contentType: "application/json", text: "[]") })
    }

    private var url: String { "--alertmanager.url=http://127.0.0.1:\(stub.port)" }

    /// The status of a command, on a thread outside of the pool of tasks: requests block it.
    private func run(_ words: [String]) async -> Int32 { await BlockingCall.run { Command.run(words) } }

    private func file(_ name: String, _ text: String) throws -> String {
        let path = folder.path + "/" + name
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    @Test(arguments: [
        (["silence"], "/api/v2/silences"), (["silence", "query"], "/api/v2/silences"),
        (["silence", "foo"], "/api/v2/silences?filter=alertname%3D%22foo%22"),
        (["silence", "-o", "json", "query", "a=b"], "/api/v2/silences?filter=a%3Db"),
        (["silence", "--output=json", "-q", "query"], "/api/v2/silences"),
        (["silence", "--", "query"], "/api/v2/silences?filter=alertname%3D%22query%22"),
        (["silence", "--timeout", "5s", "expire", "x"], "/api/v2/silence/x"),
        (["silence", "-qosimple", "query"], "/api/v2/silences"),
        (["silence", "-qo", "json", "query"], "/api/v2/silences"), (["silence", "expire", "x"], "/api/v2/silence/x"),
        (
            ["alert", "-s"],
            "/api/v2/alerts?active=false&inhibited=false&silenced=true&unprocessed=false"
        ),
        (
            ["alert", "query", "foo", "b!=c", "-ai", "-r", "x"],
            "/api/v2/alerts?active=true&inhibited=true&silenced=false&unprocessed=false&receiver=x"
                + "&filter=alertname%3D%22foo%22&filter=b%21%3Dc"
        ), (["alert", "add", "foo", "a=b"], "/api/v2/alerts"),
    ])
    func `a group has a default command`(words: [String], path: String) async {
        defer { stub.stop() }
        #expect(await run(words.prefix(1) + [url] + words.dropFirst()) == 0)
        #expect(stub.requests.map(\.path) == [path])
    }

    @Test(arguments: [
        ["silence", "add"], ["silence", "add", "-c", "x"], ["silence", "add", "foo"],
        ["silence", "add", "-c", "x", "foo", "bad"], ["silence", "add", "-c", "x", "foo", "-d", "0s"],
        ["silence", "add", "-c", "x", "foo", "-d", "1x"],
        ["silence", "add", "-c", "x", "foo", "-d", "290y", "--start=9999-12-31T00:00:00Z"],
        ["silence", "add", "-c", "x", "foo", "--start=2027-01-01T00:00:00Z", "--end=2026-01-01T00:00:00Z"],
        ["silence", "expire"], ["silence", "update"], ["silence", "import", "/no/such"],
        ["silence", "import", "-w", "0"],
        ["silence", "import", "-w", "257"], ["silence", "import", "/dev/null"], ["silence", "import", "a", "b"],
        ["silence", "query", "a=b", "bad"], ["silence", "--nope"], ["silence", "-o", "nope"],
        ["silence", "--within=x"],
        ["silence", "--http.config.file=/no/such"], ["silence", "--enable-feature=x"],
        ["silence", "--enable-feature=classic-mode,utf8-strict-mode"], ["alert", "add", "foo", "bad"],
        ["alert", "add", "foo", "--annotation=bad"], ["alert", "add", "foo", "a=~b"], ["alert", "query", "a=~("],
        ["alert", "route", "test", "foo"], ["alert", "route", "show", "--config.file=/no/such"],
        ["alert", "route", "show", "x"], ["alert", "route", "show", "--config.file="],
    ])
    func `wrong command lines end with 1 and send nothing`(words: [String]) async {
        defer { stub.stop() }
        #expect(await run(words + [url]) == 1)
        #expect(stub.requests.allSatisfy { $0.path.hasSuffix("/status") })
    }

    @Test func `without a URL, or without a server, the status is 1`() async {
        stub.stop()
        #expect(await run(["silence", "--alertmanager.url="]) == 1)
        #expect(await run(["silence", url]) == 1)
    }

    @Test func `routes of a file are shown and tested`() throws {
        stub.stop()
        let config = try file(
            "a.yml",
            "{route: {receiver: a, routes: [{receiver: b, matchers: [c=d]}]}, receivers: [{name: a}, {name: b}]}")
        #expect(Command.run(["alert", "route", "--config.file=" + config]) == 0)
        #expect(Command.run(["alert", "route", "show", "--config.file", config]) == 0)
        func test(_ words: String...) -> Int32 {
            Command.run(["alert", "route", "test", "--config.file=" + config] + words)
        }
        #expect(test("c=d", "--verify.receivers=b") == 0)
        #expect(test("c=e", "--verify.receivers=b", "--tree") == 1)
        #expect(test("c=e", "--verify.receivers=a") == 0)
        let wrong = try file("b.yml", "{route: {receiver: x}, receivers: [{name: a}]}")
        #expect(Command.run(["alert", "route", "show", "--config.file=" + wrong]) == 1)
    }

    @Test func `templates of files are rendered`() throws {
        stub.stop()
        let template = try file("t.tmpl", #"{{ define "t" }}{{ .Status }}{{ end }}"#)
        let data = try file("d.json", #"{"status":"firing"}"#)
        func render(_ words: String...) -> Int32 { Command.run(["template", "render"] + words) }
        let glob = "--template.glob=" + template
        #expect(render(glob, #"--template.text={{ template "t" . }}"#) == 0)
        #expect(
            render(glob, #"--template.text={{ template "t" . }}"#, "--template.type=html", "--template.data=" + data)
                == 0)
        #expect(render(glob, #"--template.text={{ template "x" . }}"#) == 1)
        #expect(render(glob, "--template.text=x", "--template.type=x") == 1)
        #expect(render(glob) == 1)
        #expect(render("--template.text=x") == 1)
        #expect(render("--template.glob=[", "--template.text=x") == 1)
        #expect(render(glob, "--template.text=x", "--template.data=/no/such") == 1)
        #expect(render(glob, "--template.text=x", "--template.data=" + template) == 1)
    }

    @Test func `values of files are used for flags that are not given`() throws {
        stub.stop()
        let command = try #require(Subcommand.all.first { $0.name == "silence add" })
        var parsed = try command.flags.parse(["--author=me", "foo"])
        try parsed.setMissing("author", "you", source: "f:1:1")
        try parsed.setMissing("require-comment", "false", source: "f:2:1")
        try parsed.setMissing("output", "json", source: "f:3:1")
        #expect(parsed.text("author") == "me" && !parsed.boolean("require-comment"))
        let wrong = try #require(throws: CommandLineError.self) {
            try parsed.setMissing("duration", "x", source: "f:4:1")
        }
        #expect(wrong.description.hasPrefix("f:4:1: invalid value for --duration: "))
        var other = try command.flags.parse([])
        let boolean = try #require(throws: CommandLineError.self) {
            try other.setMissing("require-comment", "maybe", source: "f:5:1")
        }
        #expect(boolean.description == #"f:5:1: "maybe" is neither true nor false"#)
    }

    @Test func `a time limit is in Go's notation or Prometheus's`() throws {
        stub.stop()
        let command = try #require(Subcommand.all.first { $0.name == "silence query" })
        for (text, value) in [
            ("1.5s", 1500), ("1d", 86_400_000), ("1ns", 1), ("0", 0), ("2562047h", 9_223_369_200_000),
        ] {
            #expect(try command.parse(["--within=" + text]).timeout("within") == Int64(value))
        }
    }
}
