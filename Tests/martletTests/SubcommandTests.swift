import JSON
import Testing

@testable import martlet

/// The table of commands: a command takes its own flags, arguments and values, and no others.
@Suite("Subcommands")
struct SubcommandTests {
    /// A value that a flag takes.
    private static func right(_ flag: Flag) -> String {
        switch flag.kind {
        case .boolean, .text: "x"
        case .duration, .interval, .span: "5m"
        case .size: "1GB"
        case .integer, .count, .number, .time, .timeOrNone: "1"
        case .choice(let words), .choices(let words): words[0]
        case .selector: "up{a=\"b\"}"
        case .pattern: "a.*"
        case .header: "A=b"
        case .moment: "2026-01-02T03:04:05+01:00"
        case .timeout: "1.5s"
        }
    }

    /// Values that a flag does not take.
    private static func wrong(_ flag: Flag) -> [String] {
        switch flag.kind {
        case .boolean, .text: []
        case .duration, .interval: ["soon", "-1s", ""]
        case .span: ["soon", "-1s", "", "0s", "999ms", "32d", "60d", "100y"]
        case .size: ["big", ""]
        case .integer, .number: ["many", ""]
        case .count: ["-1", "many", ""]
        case .choice: ["nonsense", ""]
        case .choices(let words): ["nonsense", words[0] + ",nonsense"]
        case .time: ["yesterday", ""]
        case .timeOrNone: ["yesterday"]
        case .selector: ["{", "rate(up[5m])", ""]
        case .pattern: ["("]
        case .header: ["A", "=b", ""]
        case .moment: ["yesterday", "1", "2026-13-01T00:00:00Z", "99999-01-01T00:00:00Z"]
        case .timeout: ["soon", "-1s", "", "9999999999h"]
        }
    }

    private static func written(_ flag: Flag, _ value: String) -> String {
        flag.kind == .boolean ? "--\(flag.name)" : "--\(flag.name)=\(value)"
    }

    /// What a command needs to be run at all.
    private static func needed(_ command: Subcommand, besides name: String = "") -> [String] {
        command.flags.flags.filter { $0.isRequired && $0.name != name }.map { written($0, right($0)) }
            + command.arguments.filter { $0.count != .any }.map { _ in "x" }
    }

    private static func failure(_ command: Subcommand, _ words: [String]) -> String? {
        do {
            _ = try command.parse(words)
            return nil
        } catch let error as CommandLineError {
            return error.description
        } catch {
            Issue.record("\(error)")
            return nil
        }
    }

    @Test(arguments: Subcommand.all.map(\.name))
    func `flags of other commands are refused by name`(name: String) throws {
        let command = try #require(Subcommand.all.first { $0.name == name })
        #expect(Self.failure(command, Self.needed(command)) == nil)
        let own = Set(command.flags.flags.map(\.name))
        var refused = 0
        for other in Subcommand.all {
            for flag in other.flags.flags where !own.contains(flag.name) {
                let word = Self.written(flag, Self.right(flag))
                let text = Self.failure(command, Self.needed(command) + [word])
                #expect(text?.contains("--\(flag.name)") ?? false, "martlet \(name) \(word): \(text ?? "taken")")
                refused += 1
            }
        }
        #expect(refused > 5)
    }

    @Test(arguments: Subcommand.all.map(\.name))
    func `wrong values are refused by the flag's name, and right ones taken`(name: String) throws {
        let command = try #require(Subcommand.all.first { $0.name == name })
        for flag in command.flags.flags {
            for value in Self.wrong(flag) {
                let word = Self.written(flag, value)
                let text = Self.failure(command, Self.needed(command, besides: flag.name) + [word])
                #expect(text?.contains("--\(flag.name)") ?? false, "martlet \(name) \(word): \(text ?? "taken")")
            }
            if case .unsupported = flag.state { continue }
            let word = Self.written(flag, Self.right(flag))
            #expect(Self.failure(command, Self.needed(command, besides: flag.name) + [word]) == nil)
        }
    }

    @Test(arguments: Subcommand.all.map(\.name))
    func `arguments are neither missing nor left over`(name: String) throws {
        let command = try #require(Subcommand.all.first { $0.name == name })
        let words = Self.needed(command)
        for word in words {
            var fewer = words
            if let at = fewer.firstIndex(of: word) { fewer.remove(at: at) }
            #expect(Self.failure(command, fewer)?.contains("required") ?? false, "martlet \(name) without \(word)")
        }
        if !command.arguments.contains(where: { $0.count != .one }) {
            #expect(Self.failure(command, words + ["extra"]) == "unexpected extra")
        }
    }

    @Test(arguments: Subcommand.all.map(\.name))
    func `every command shows its own flags, all of them, and refuses others`(name: String) throws {
        let command = try #require(Subcommand.all.first { $0.name == name })
        #expect(Command.run(command.words + ["--help"]) == 0)
        #expect(Command.run(["help"] + command.words) == 0)
        #expect(Command.run(command.words + ["--nosuch"]) == (command.isOfAmtool ? 1 : 2))
        let lines = command.help.split(separator: "\n").map { $0.drop { $0 == " " } }
        for flag in command.flags.flags {
            let isShown = lines.contains { $0.hasSuffix(FlagSet.shown(flag)) }
            #expect(isShown, "--\(flag.name)")
        }
        #expect(lines.count { $0.hasPrefix("-") } == command.flags.flags.count + 1)
    }

    @Test func `every flag is read where it is declared`() throws {
        let text = try SourceText.swift("Sources/martlet/Commands")
        for command in Subcommand.all where command.name != "serve" {
            for flag in command.flags.flags where flag.state == .used {
                let count = text.matches(of: try Regex("\"\(flag.name)\"")).count
                #expect(count >= 2, "martlet \(command.name) --\(flag.name)")
            }
        }
    }

    @Test func `no two commands have the same words, and no flag is declared twice`() {
        #expect(Set(Subcommand.all.map(\.name)).count == Subcommand.all.count)
        for command in Subcommand.all {
            #expect(Set(command.flags.flags.map(\.name)).count == command.flags.flags.count, "\(command.name)")
        }
    }

    @Test func `groups list their commands; unknown and missing ones end with 2`() {
        for group in [["tsdb"], ["tsdb", "create-blocks-from"], ["check"], ["query"], ["test"]] {
            #expect(Command.run(group + ["--help"]) == 0)
            #expect(Command.run(["help"] + group) == 0)
            #expect(Command.run(group) == 2)
            #expect(Command.run(group + ["nosuch"]) == 2)
        }
        #expect(Command.run(["help", "nosuch"]) == 2)
        #expect(Command.run(["version", "--foo"]) == 2)
        #expect(Command.run(["version", "foo"]) == 2)
    }

    @Test(arguments: [
        (
            #"{"resultType":"vector","result":[{"metric":{"__name__":"a","b":"c"},"value":[1.5,"1e+21"]}]}"#,
            [#"a{b="c"} => 1000000000000000000000 @[1.5]"#]
        ),
        (#"{"resultType":"vector","result":[{"metric":{},"value":[1,"1e-07"]}]}"#, ["{} => 0.0000001 @[1]"]),
        (
            #"{"resultType":"matrix","result":[{"metric":{"b":"c"},"values":[[1,"NaN"],[2,"-Inf"],[3,"+Inf"]]}]}"#,
            [#"{b="c"} =>"#, "NaN @[1]", "-Inf @[2]", "+Inf @[3]"]
        ), (#"{"resultType":"vector","result":[]}"#, [""]), (#"{"resultType":"matrix","result":[]}"#, [""]),
        (#"{"resultType":"scalar","result":[1,"1e+21"]}"#, ["scalar: 1000000000000000000000 @[1]"]),
        (#"{"resultType":"string","result":[1,"1e+21"]}"#, ["1e+21"]),
        (#"{"resultType":"string","result":[1,""]}"#, [""]), ("[]", []), (#"["a","1e5"]"#, ["a", "1e5"]),
    ])
    func `results are printed as promtool does`(json: String, lines: [String]) throws {
        #expect(QueryOutput.lines(try JSONValue.parse(Array(json.utf8))) == lines)
    }

    @Test func `an empty time is none, and one that is no time is refused`() throws {
        for (name, flags) in [("instant", ["time"]), ("range", ["start", "end"]), ("series", ["start", "end"])] {
            let command = try #require(Subcommand.all.first { $0.name == "query \(name)" })
            let words = name == "series" ? ["x", "--match=up"] : ["x", "up"]
            for flag in flags {
                #expect(try command.parse(words + ["--\(flag)="]).time(flag) == nil)
                #expect(throws: CommandLineError.self) { try command.parse(words + ["--\(flag)=x"]) }
            }
        }
    }

    @Test func `--explain without a value runs the query`() throws {
        let command = try #require(Subcommand.all.first { $0.name == "query instant" })
        #expect(try command.parse(["x", "--explain", "up"]).text("explain") == "analyze")
        #expect(try command.parse(["x", "--explain=plan", "up"]).text("explain") == "plan")
        #expect(try command.parse(["x", "up"]).text("explain") == "")
        #expect(command.help.contains("--explain[="))
    }
}
