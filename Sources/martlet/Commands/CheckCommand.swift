import Config
import HTTP
import Exposition
import Glibc
import HTTP
import Model
import Notify
import PromQL
import Rules

/// `martlet check config|rules|metrics|alerting|web-config`: says what is wrong, and exits with 1.
enum CheckCommand {
    private static let syntaxOnly = Flag(
        "syntax-only", .boolean, "false", "Only check the syntax: what is not supported yet is no error.")
    private static let rulesFlags = [
        Flag("lint", .choices(["duplicate-rules", "all", "none"]), "all", "Which lint checks to run."),
        Flag("lint-fatal", .boolean, "false", "Lint problems are failures."), languageFeatures,
    ]

    /// The features that concern the language alone, for commands that read expressions.
    static let languageFeatures = Flag(
        "enable-feature",
        .choices(
            [
                Feature.binaryOperatorFillModifiers, .delayedNameRemoval, .durationExpressions, .experimentalFunctions,
                .extendedRangeSelectors,
            ].map(\.rawValue)), "", "Comma-separated names of features of the language to enable.", repeats: true)

    static let commands = [
        Subcommand(
            words: ["check", "config"], summary: "Checks configurations and the files that they name.",
            arguments: [.oneOrMore("FILE")], flags: FlagSet(flags: [syntaxOnly] + rulesFlags)
        ) { parsed in all(parsed.positional) { try config($0, parsed) } },
        Subcommand(
            words: ["check", "rules"], summary: "Checks rule files.", arguments: [.oneOrMore("FILE")],
            flags: FlagSet(flags: rulesFlags)
        ) { parsed in all(parsed.positional) { try rules([$0], parsed) } },
        Subcommand(
            words: ["check", "alerting"], summary: "Checks configurations in Alertmanager's format.",
            arguments: [.oneOrMore("FILE")], flags: FlagSet(flags: [syntaxOnly])
        ) { parsed in all(parsed.positional) { try alerting($0, parsed) } },
        Subcommand(
            words: ["check", "web-config"], summary: "Checks files for --web.config.file.",
            arguments: [.oneOrMore("FILE")]
        ) { webConfig($0.positional) },
        Subcommand(
            words: ["check", "metrics"],
            summary: "Reads pages of metrics, from standard input without a file, and says what could be better.",
            arguments: [.any("FILE")],
            flags: FlagSet(flags: [
                Flag(
                    "format", .choice(["auto", "text", "openmetrics"]), "auto",
                    "Format of the pages; auto tells by their end."),
                Flag("extended", .boolean, "false", "Print how many series each metric has."),
            ])
        ) { MetricsCheck.run($0.positional, format: $0.text("format"), isExtended: $0.boolean("extended")) },
    ]

    /// Checks web configuration files, and prints what promtool prints.
    private static func webConfig(_ paths: [String]) -> Int32 {
        var status: Int32 = 0
        for path in paths {
            do {
                try WebAccess.check(path: path)
                print("\(path) SUCCESS")
            } catch {
                Command.complain("\(path) FAILED: \(error)")
                status = 1
            }
        }
        return status
    }

    /// What `--lint-fatal` makes a failure.
    private struct LintProblem: Error, CustomStringConvertible {
        var description: String
    }

    /// Checks files one after another; 1 if any failed, 3 if only lint checks did.
    private static func all(_ paths: [String], _ check: (String) throws -> Void) -> Int32 {
        var status: Int32 = 0
        for path in paths {
            print("Checking \(path)")
            do {
                try check(path)
            } catch {
                Command.complain("  FAILED: \(error)")
                status = error is LintProblem && status != 1 ? 3 : 1
            }
            print("")
        }
        return status
    }

    private static func config(_ path: String, _ parsed: ParsedFlags) throws {
        let configuration = try ConfigurationLoader.load(path: path)
        if !parsed.boolean("syntax-only") {
            if let missing = configuration.unsupported.first { throw missing }
            try NamedFilesCheck.run(configuration, path: path)
        }
        var files: [String] = []
        for pattern in configuration.ruleFiles {
            let found = FileGlob.expand(pattern)
            if found.isEmpty, !FileGlob.hasWildcard(pattern) {
                throw ConfigError(file: path, message: "\(GoQuote.quote(pattern)) does not point to an existing file")
            }
            files += found
        }
        if !files.isEmpty { print("  SUCCESS: \(files.count) rule files found") }
        print(" SUCCESS: \(path) is valid prometheus config file syntax")
        for file in files {
            print("\nChecking \(file)")
            try rules([file], parsed)
        }
    }

    /// Checks rule files and prints how many rules they have.
    private static func rules(_ paths: [String], _ parsed: ParsedFlags) throws {
        var files: [RuleFile] = []
        for path in paths { files.append(try RuleFileLoader.load(path: path)) }
        var options = EngineOptions()
        options.parser = DaemonOptions.parser(try Features(parsed.all("enable-feature")))
        let engine = QueryEngine(options: options)
        let (groups, errors) = RuleSet.definitions(files, evaluationInterval: 60_000) {
            try RuleExpression($0, engine: engine)
        }
        for error in errors.dropFirst() { Command.complain("  FAILED: \(error)") }
        if let first = errors.first { throw first }
        print("  SUCCESS: \(groups.reduce(0) { $0 + $1.rules.count }) rules found")
        guard !parsed.text("lint").split(separator: ",").contains("none") else { return }
        let duplicates = RuleSet.duplicates(files)
        guard !duplicates.isEmpty else { return }
        var text = "\(duplicates.count) duplicate rule(s) found.\n"
        for duplicate in duplicates {
            text += "Metric: \(duplicate.name)\nLabel(s):\n"
            for label in duplicate.labels { text += "\t\(label.name): \(label.value)\n" }
        }
        text += "Might cause inconsistency while recording expressions"
        if parsed.boolean("lint-fatal") { throw LintProblem(description: "lint error " + text) }
        print(text)
    }

    private static func alerting(_ path: String, _ parsed: ParsedFlags) throws {
        let config = try AlertmanagerConfigLoader.load(path: path)
        if !parsed.boolean("syntax-only") { _ = try NotifierSettings(config) { try HTTPTransport($0) } }
        print("  SUCCESS")
        print("Found:")
        print(" - route")
        print(" - \(config.inhibitRules.count) inhibit rules")
        print(" - \(config.receivers.count) receivers")
        print(" - \(config.timeIntervals.count) time intervals")
    }
}
