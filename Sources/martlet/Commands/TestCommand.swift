import Config
import Glibc
import Model
import PromQL
import Rules

/// `martlet test rules|promql FILE…`.
enum TestCommand {
    private static let flags = FlagSet(flags: [
        Flag("run", .text, "", "Only test groups whose name matches this regular expression.", repeats: true),
        Flag("ignore-unknown-fields", .boolean, "false", "Pass over keys of tests and rules that nobody knows."),
        .ignored("diff", .boolean, "false", because: "what is expected and what came stand one below the other"),
        .ignored("debug", .boolean, "false", because: "martlet query shows what a rule gives"),
        Flag("enable-feature", .text, "", "Features of the language to accept.", repeats: true),
    ])

    static func run(_ words: [String]) throws -> Int32 {
        let parsed = try flags.parse(behindKindOf: words)
        if parsed.wantsHelp {
            print("usage: martlet test rules|promql [FLAGS] FILE…\n\n" + flags.help)
            return 0
        }
        guard !parsed.positional.isEmpty else { throw CommandLineError(description: "expected at least one file") }
        switch words.first {
        case "rules": return try rules(parsed)
        case "promql": return promql(parsed.positional)
        default: throw CommandLineError(description: "test what? rules or promql")
        }
    }

    private static func rules(_ parsed: ParsedFlags) throws -> Int32 {
        var options = EngineOptions()
        options.parser = try DaemonOptions.parser(Features(parsed.all("enable-feature")))
        let patterns = try parsed.all("run").map { try SearchRegex($0) }
        let succeeded = RuleTestRunner(
            .standard(options: options), ignoresUnknownKeys: parsed.boolean("ignore-unknown-fields")
        ).run(
            files: parsed.positional, run: patterns, output: { print($0) }, failure: { Command.complain($0) })
        return succeeded ? 0 : 1
    }
}
