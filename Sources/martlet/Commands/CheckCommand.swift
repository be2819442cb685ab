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
    private static let flags = FlagSet(flags: [
        Flag("syntax-only", .boolean, "false", "Only check the syntax: what is not supported yet is no error."),
        Flag("lint", .text, "all", "Which lint checks to run: duplicate-rules, all, none."),
        Flag("lint-fatal", .boolean, "false", "Lint problems are failures."),
        Flag("format", .text, "auto", "Format of metrics: text, openmetrics, or auto to tell by the page's end."),
        Flag("extended", .boolean, "false", "Print how many series each metric has."),
        Flag("enable-feature", .text, "", "Features of the language to accept.", repeats: true),
    ])

    static func run(_ words: [String]) throws -> Int32 {
        let parsed = try flags.parse(behindKindOf: words)
        if parsed.wantsHelp {
            print(
                "usage: martlet check config|rules|metrics|alerting|web-config [FLAGS] FILE… (metrics: standard input without a file)\n\n"
                    + flags.help)
            return 0
        }
        switch words.first {
        case "config":
            try requireFiles(parsed)
            return all(parsed.positional) { try config($0, parsed) }
        case "rules":
            try requireFiles(parsed)
            return all(parsed.positional) { try rules([$0], parsed) }
        case "alerting":
            try requireFiles(parsed)
            return all(parsed.positional) { try alerting($0, parsed) }
        case "web-config":
            try requireFiles(parsed)
            return webConfig(parsed.positional)
        case "metrics":
            return try MetricsCheck.run(
                parsed.positional, format: parsed.text("format"), isExtended: parsed.boolean("extended"))
        default: throw CommandLineError(description: "check what? config, rules, metrics, alerting or web-config")
        }
    }

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

    private static func requireFiles(_ parsed: ParsedFlags) throws {
        if parsed.positional.isEmpty { throw CommandLineError(description: "expected at least one file") }
    }

    /// Checks files one after another; 1 if any failed.
    private static func all(_ paths: [String], _ check: (String) throws -> Void) -> Int32 {
        var status: Int32 = 0
        for path in paths {
            print("Checking \(path)")
            do {
                try check(path)
            } catch {
                Command.complain("  FAILED: \(error)")
                status = 1
            }
            print("")
        }
        return status
    }

    private static func config(_ path: String, _ parsed: ParsedFlags) throws {
        let configuration = try ConfigurationLoader.load(path: path, text: try ConfigFile.readOnce(path))
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
        for path in paths { files.append(try RuleFileLoader.parse(text: try ConfigFile.readOnce(path), path: path)) }
        var options = EngineOptions()
        for name in parsed.all("enable-feature") where name.contains("promql-experimental-functions") {
            options.parser.experimentalFunctions = true
        }
        let engine = QueryEngine(options: options)
        let (groups, errors) = RuleSet.definitions(files, evaluationInterval: 60_000) {
            try RuleExpression($0, engine: engine)
        }
        for error in errors.dropFirst() { Command.complain("  FAILED: \(error)") }
        if let first = errors.first { throw first }
        print("  SUCCESS: \(groups.reduce(0) { $0 + $1.rules.count }) rules found")
        guard parsed.text("lint") != "none" else { return }
        let duplicates = RuleSet.duplicates(files)
        guard !duplicates.isEmpty else { return }
        var text = "\(duplicates.count) duplicate rule(s) found.\n"
        for duplicate in duplicates {
            text += "Metric: \(duplicate.name)\nLabel(s):\n"
            for label in duplicate.labels { text += "\t\(label.name): \(label.value)\n" }
        }
        text += "Might cause inconsistency while recording expressions"
        if parsed.boolean("lint-fatal") { throw CommandLineError(description: "lint error " + text) }
        print(text)
    }

    private static func alerting(_ path: String, _ parsed: ParsedFlags) throws {
        let config = try AlertmanagerConfigLoader.parse(text: try ConfigFile.readOnce(path), path: path)
        if !parsed.boolean("syntax-only") { _ = try NotifierSettings(config) { try HTTPTransport($0) } }
        print("  SUCCESS")
        print("Found:")
        print(" - route")
        print(" - \(config.inhibitRules.count) inhibit rules")
        print(" - \(config.receivers.count) receivers")
        print(" - \(config.timeIntervals.count) time intervals")
    }
}
