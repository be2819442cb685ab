import Foundation
import TestSupport
import Testing

/// amtool's commands beside amtool itself, on the same Alertmanager: the same output and the same status.
@Suite("Commands for alerts beside amtool", .serialized)
struct AlertCommandTests {
    /// The folder of Debian's programs; `MARTLET_ALERTMANAGER_DIRECTORY` names another one.
    private static let directory =
        ProcessInfo.processInfo.environment["MARTLET_ALERTMANAGER_DIRECTORY"] ?? "/usr/bin"
    private static let alertmanager = directory + "/prometheus-alertmanager"
    private static let amtool = directory + "/amtool"

    static let isInstalled = [alertmanager, amtool].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

    private static let configuration = """
        route:
          receiver: default
          routes:
          - {receiver: page, matchers: [severity="page"], continue: true, routes: [
            {receiver: db, matchers: ['team=~"db|sql"'], continue: true}, {receiver: web, match_re: {team: 'w.*'}}]}
          - {receiver: ops, matchers: [team="ops", severity!="page"]}
          - {receiver: page, match: {x: 'a"b'}}
        receivers: [{name: default}, {name: page}, {name: db}, {name: web}, {name: ops}]

        """

    private struct Outcome: Equatable {
        var status: Int32
        var output: String
        var errors: String
    }

    private let folder: Folder
    private let config: String
    /// The port of the Alertmanager.
    private let port = LoopbackSocket.freePort()

    init() throws {
        folder = try Folder()
        config = try folder.write("alertmanager.yml", Self.configuration)
    }

    private func startPeer() throws -> Daemon {
        let peer = try Daemon(
            Self.alertmanager,
            [
                "--config.file=\(config)", "--storage.path=\(folder.url.path)/data", "--cluster.listen-address=",
                "--web.listen-address=127.0.0.1:\(port)",
            ], port: port, folder: folder.url)
        try #require(peer.waitReady(), "\(peer.logText)")
        return peer
    }

    /// Runs a program to its end; the two outputs go to files, so that neither can fill a pipe.
    private func run(_ binary: String, _ words: [String]) throws -> Outcome {
        let names = [UUID().uuidString, UUID().uuidString]
        let process = Process()
        process.executableURL = URL(fileURLWithPath: binary)
        process.arguments = words
        process.currentDirectoryURL = folder.url
        process.environment = ProcessInfo.processInfo.environment.merging(["HOME": folder.url.path]) { $1 }
        process.standardInput = FileHandle.nullDevice
        let files = names.map { folder.url.appendingPathComponent($0) }
        for file in files { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.standardOutput = try FileHandle(forWritingTo: files[0])
        process.standardError = try FileHandle(forWritingTo: files[1])
        try process.run()
        process.waitUntilExit()
        let texts = try files.map { try String(contentsOf: $0, encoding: .utf8) }
        return Outcome(status: process.terminationStatus, output: texts[0], errors: texts[1])
    }

    /// The outcomes of both programs for the same words; amtool has `config routes` for `alert route`.
    private func both(_ words: [String], hasServer: Bool = true) throws -> (own: Outcome, amtools: Outcome) {
        let server = hasServer ? ["--alertmanager.url=http://127.0.0.1:\(port)"] : []
        let ofAmtool = words.starts(with: ["alert", "route"]) ? ["config", "routes"] + words.dropFirst(2) : words
        return (try run(Daemon.martlet, words + server), try run(Self.amtool, ofAmtool + server))
    }

    /// Compares both outputs, statuses and errors; amtool ends errors with an empty line.
    private func compare(_ words: [String], hasServer: Bool = true) throws {
        var (own, amtools) = try both(words, hasServer: hasServer)
        // Debian's amtool has a URL of its own.
        amtools.errors = amtools.errors.replacing(
            "Warning: --config.file flag overrides the --alertmanager.url.\n", with: "")
        amtools.errors = amtools.errors.replacing("amtool: error: ", with: "martlet: error: ").replacing(
            "\n\n", with: "\n")
        // The place of a wrong argument is martlet's own.
        own.errors = own.errors.replacing(#/ \((?:argument|--annotation) \d+\)/#, with: "")
        #expect(own == amtools, "\(words)")
    }

    private func ids() throws -> [String] {
        try both(["silence", "query", "-q"]).own.output.split(separator: "\n").map(String.init)
    }

    @Test(.enabled(if: isInstalled, "needs Debian's prometheus-alertmanager"))
    func `alerts are shown and added as by amtool`() throws {
        let peer = try startPeer()
        defer { peer.terminate() }
        let times = ["--start=2026-01-02T03:04:05+01:00", "--end=2099-01-02T03:04:05Z"]
        for (tool, words) in [
            (Daemon.martlet, ["foo", "node=bar", "--annotation=summary=a b", #"--annotation=x="<a&b>""#]),
            (Self.amtool, ["alertname=zed", #"team="ops""#, "--generator-url=http://x/y"]),
        ] {
            let added = try run(
                tool, ["alert", "add", "--alertmanager.url=http://127.0.0.1:\(port)"] + words + times)
            #expect(added == Outcome(status: 0, output: "", errors: ""))
        }
        for words in [
            [], ["query"], ["query", "-o", "extended"], ["query", "-o", "json"], ["query", "foo"],
            ["query", "nothing"],
            ["query", "nothing", "-o", "json"], ["query", "node=~b.*"], ["query", "-r", "def.*"], ["query", "-r", "("],
            ["query", "-s"], ["query", "-i"], ["query", "-u"], ["query", "-a", "-s"],
            ["query", "--date.format=Jan _2 2006"], ["add", "foo", "bad"], ["add", "foo", "a=~b"], ["add"],
            ["add", "foo", "--annotation=bad"],
        ] { try compare(["alert"] + words) }
        let json = try both(["alert", "query", "-o", "json"]).own.output
        #expect(
            json.contains(#""x":"\u003ca\u0026b\u003e""#)
                && json.contains(#""startsAt":"2026-01-02T03:04:05.000+01:00""#))
    }

    @Test(.enabled(if: isInstalled, "needs Debian's prometheus-alertmanager"))
    func `silences are shown, added, changed, ended and imported as by amtool`() throws {
        let peer = try startPeer()
        defer { peer.terminate() }
        let server = "--alertmanager.url=http://127.0.0.1:\(port)"
        func own(_ words: [String]) throws -> Outcome { try run(Daemon.martlet, ["silence"] + words + [server]) }
        for words in [
            ["foo", "node=~b.*", #"x!="y z""#, "w!~q", "-c", "my comment", "-a", "me", "--end=2099-01-01T00:00:00Z"],
            ["alertname=zed é", "-c", "c", "-d", "3w"],
            ["later", "-c", "c", "-a", "me", "-d", "1d", "--start=2098-12-31T00:00:00+02:00"],
        ] {
            let added = try own(["add"] + words)
            #expect(added.status == 0 && added.output.count == 37 && added.errors.isEmpty, "\(added)")
        }
        let shown = [
            ["query"], ["query", "-o", "extended"], ["query", "-o", "json"], ["query", "-q"],
            ["query", "--created-by=me"], ["query", "--within=600h"], ["query", "foo"],
            ["query", #"alertname="zed é""#],
            ["query", "--expired"], ["query", "-q", "--expired"],
        ]
        for words in [[]] + shown { try compare(["silence"] + words) }
        for words in [
            ["add"], ["add", "-c", "x"], ["add", "foo"], ["add", "-c", "x", "a=~.*"], ["add", "-c", "x", "foo", "bad"],
            ["add", "-c", "x", "foo", "-d", "0s"], ["expire"], ["update"],
            ["add", "-c", "x", "foo", "--start=2027-01-01T00:00:00Z", "--end=2026-12-25T00:00:00Z"],
            ["add", "-c", "x", "foo", "--start=2020-01-01T00:00:00Z", "--end=2020-12-25T00:00:00Z"],
            ["expire", "11111111-1111-1111-1111-111111111111"],
        ] { try compare(["silence"] + words) }
        let saved = try folder.write("silences.json", try own(["query", "-o", "json"]).output)
        let changed = try #require(try ids().first)
        let update = try own(["update", changed, "-c", "changed", "-d", "2h", "-o", "json"])
        #expect(update.status == 0 && update.output.contains(#""comment":"changed""#), "\(update)")
        for id in try ids() { #expect(try own(["expire", id]) == Outcome(status: 0, output: "", errors: "")) }
        for words in shown { try compare(["silence"] + words) }
        let imported = try own(["import", saved])
        #expect(imported.status == 0 && imported.output.split(separator: "\n").count == 3, "\(imported)")
        let forced = try own(["import", "-f", "-w", "1", saved])
        #expect(forced.status == 0 && forced.output.split(separator: "\n").count == 3, "\(forced)")
        #expect(try ids().count == 6)
        let wrong = try folder.write(
            "wrong.json", #"[{"matchers":[],"comment":"","createdBy":"","startsAt":"2026-01-01T00:00:00Z"}]"#)
        let refused = try own(["import", wrong])
        #expect(refused.status == 1 && refused.errors.contains("couldn't import 1 out of 1 silences"), "\(refused)")
    }

    @Test(.enabled(if: isInstalled, "needs Debian's prometheus-alertmanager"))
    func `routes are shown and tested as by amtool`() throws {
        let peer = try startPeer()
        defer { peer.terminate() }
        for words in [
            ["show"], ["test"], ["test", "severity=page", "team=db", "--tree"],
            ["test", "severity=page", "team=web", "--tree"], ["test", "team=ops", "--verify.receivers=ops"],
            ["test", "team=ops", "--verify.receivers=page,ops"], ["test", #"x="a\"b""#, "--tree"],
            ["test", "severity=page", "--tree", "--verify.receivers=x"], ["test", "foo"], ["test", "foo=~bar"],
        ] {
            try compare(["alert", "route"] + words)
            try compare(["alert", "route"] + words + ["--config.file=" + config], hasServer: false)
        }
        try compare(["alert", "route"])
        try compare(["alert", "route", "show", "--config.file=/no/such"], hasServer: false)
    }

    @Test(.enabled(if: isInstalled, "needs Debian's prometheus-alertmanager"))
    func `templates are rendered as by amtool`() throws {
        let template = try folder.write(
            "t.tmpl",
            """
            {{ define "a" }}<b>{{ .Status }} {{ .Receiver }} {{ .ExternalURL }} {{ range .Alerts }}{{ .Labels.alertname }}
            {{ range .Labels.SortedPairs }}{{ .Name }}={{ .Value | toUpper }};{{ end }} {{ .StartsAt }} {{ .EndsAt }}
            {{ .GeneratorURL }} {{ .Fingerprint }}{{ end }}{{ len .Alerts.Firing }}{{ end }}
            """)
        let data = try folder.write(
            "d.json",
            """
            {"receiver":"r.x","status":"firing","externalURL":"http://ext/","alerts":[{"status":"firing",
            "labels":{"alertname":"A","z":"<1>"},"startsAt":"2026-01-02T03:04:05.678Z",
            "endsAt":"2026-01-02T04:04:05+02:00","generatorURL":"http://g","fingerprint":"abc"},{"labels":null}]}
            """)
        let text = #"--template.text={{ template "a" . }}"#
        let glob = "--template.glob=" + template
        for words in [
            [glob, text, "--template.data=" + data], [glob, text, "--template.data=" + data, "--template.type=html"],
            [glob, #"--template.text=<a href="{{ .ExternalURL }}">{{ .CommonLabels.commonlabelkey1 }}"#],
            [glob, "--template.text={{ .GroupLabels.SortedPairs.Values | join \", \" }} {{ len .Alerts }}"],
            [glob, "--template.text={{ .Nope }}"], [glob, "--template.text={{ "], [glob], ["--template.text=x"],
        ] { try compare(["template", "render"] + words, hasServer: false) }
    }

    @Test func `without a server the error names the URL`() throws {
        let port = LoopbackSocket.freePort()
        let outcome = try run(Daemon.martlet, ["silence", "--alertmanager.url=http://u:secret@127.0.0.1:\(port)/x"])
        #expect(outcome.status == 1 && outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("martlet: error: Get \"http://u:"), "\(outcome.errors)")
        #expect(outcome.errors.contains("127.0.0.1:\(port)/x/api/v2/silences") && !outcome.errors.contains("secret"))
    }
}
