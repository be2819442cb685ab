import Config
import Glibc
import Model
import PromQL
import Rules

/// `martlet test rules|promql FILE…`.
enum TestCommand {
    static let commands = [
        Subcommand(
            words: ["test", "rules"], summary: "Runs rule unit tests.", arguments: [.oneOrMore("FILE")],
            flags: FlagSet(flags: [
                Flag(
                    "run", .pattern, "", "Only run test groups whose name matches this regular expression.",
                    repeats: true),
                Flag(
                    "ignore-unknown-fields", .boolean, "false", "Ignore unknown keys of tests and rules."),
                .ignored(
                    "diff", .boolean, "false", because: "expected and actual results are printed one below the other"),
                .ignored("debug", .boolean, "false", because: "martlet query shows the results of a rule"),
                CheckCommand.languageFeatures,
            ]), run: rules),
        Subcommand(
            words: ["test", "promql"], summary: "Runs PromQL test scripts.", arguments: [.oneOrMore("FILE")]
        ) { promql($0.positional) },
    ]

    private static func rules(_ parsed: ParsedFlags) throws -> Int32 {
        var options = EngineOptions()
        let features = CheckCommand.features(parsed)
        options.parser = DaemonOptions.parser(features)
        options.delayedNameRemoval = features.contains(.delayedNameRemoval)
        let patterns = try parsed.all("run").map { try SearchRegex($0) }
        let succeeded = RuleTestRunner(
            .standard(options: options), ignoresUnknownKeys: parsed.boolean("ignore-unknown-fields"),
            readsOwnKeys: features.contains(.martletRules)
        ).run(
            files: parsed.positional, run: patterns, output: { print($0) }, failure: { Command.complain($0) })
        return succeeded ? 0 : 1
    }
}
