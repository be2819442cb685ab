import Config
import Exposition
import Glibc
import GoCompatibility
import HTTP
import Model
import Notify
import PromQL
import Rules

/// `martlet check config|rules|metrics|alerting|web-config`: reports errors, and exits with 1, or with 3 if there are
/// only findings of style.
enum CheckCommand {
    private static let syntaxOnly = Flag(
        "syntax-only", .boolean, "false", "Only check the syntax: unsupported settings are not an error.")
    private static let lintFatal = Flag("lint-fatal", .boolean, "false", "Lint problems are failures.")
    private static let ignoreUnknown = Flag(
        "ignore-unknown-fields", .boolean, "false", "Ignore unknown keys of rule files.")

    /// The features of the language, for commands that read expressions.
    private static let ofLanguage: Set<Feature> = [
        .binaryOperatorFillModifiers, .delayedNameRemoval, .durationExpressions, .experimentalFunctions,
        .extendedRangeSelectors, .martletRules,
    ]

    static let languageFeatures = Flag(
        "enable-feature", .text, "",
        "Comma-separated names of features of the language to enable: "
            + ofLanguage.map(\.rawValue).sorted().joined(separator: ", ") + ".", repeats: true)

    /// The values of `--enable-feature`.
    ///
    /// Names that are not features of the language cause a warning, as in promtool.
    static func features(_ parsed: ParsedFlags) -> Features {
        let names = parsed.all("enable-feature").flatMap { $0.split(separator: ",").map(String.init) }
        let known = names.filter { name in ofLanguage.contains { $0.rawValue == name } }
        for name in names where !known.contains(name) {
            print("WARNING: Unknown option for --enable-feature: \(GoQuote.quote(name))")
        }
        return (try? Features(known)) ?? Features()
    }

    static let commands = [
        Subcommand(
            words: ["check", "config"], summary: "Checks configurations and the files that they name.",
            arguments: [.oneOrMore("FILE")],
            flags: FlagSet(flags: [
                syntaxOnly,
                Flag(
                    "lint", .text, "duplicate-rules",
                    "Comma-separated lint checks to run: duplicate-rules, too-long-scrape-interval, all, none."),
                lintFatal,
                Flag("query.lookback-delta", .duration, "5m", "Scrape intervals from this on are too long."),
                ignoreUnknown, .unsupported("agent", .boolean, "false", "there is no agent mode"), languageFeatures,
            ]), run: config),
        Subcommand(
            words: ["check", "rules"], summary: "Checks rule files, or standard input without a file.",
            arguments: [.any("FILE")],
            flags: FlagSet(flags: [
                Flag(
                    "lint", .text, "duplicate-rules",
                    "Comma-separated lint checks to run: duplicate-rules, all, none."), lintFatal, ignoreUnknown,
                languageFeatures,
            ]), run: rules),
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
            summary: "Reads metrics, from standard input without a file, and reports possible improvements.",
            arguments: [.any("FILE")],
            flags: FlagSet(flags: [
                Flag(
                    "format", .choice(["auto", "text", "openmetrics"]), "auto",
                    "Format of the metrics; auto detects it by the end of the text."),
                Flag("lint", .choice(["all", "none"]), "all", "Which lint checks to run."),
                Flag("extended", .boolean, "false", "Print how many series each metric has."),
            ])
        ) {
            MetricsCheck.run(
                $0.positional, format: $0.text("format"), isLinted: $0.text("lint") == "all",
                isExtended: $0.boolean("extended"))
        },
    ]

    /// Checks web configuration files, and prints the output of promtool.
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

    /// Checks files one after another; returns 1 if any failed.
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

    /// The findings of the checks of some files.
    private struct Verdict {
        var hasErrors = false
        var hasBadStyle = false

        func status(isLintFatal: Bool) -> Int32 { hasErrors ? 1 : hasBadStyle && isLintFatal ? 3 : 0 }
    }

    private static func lint(_ parsed: ParsedFlags, ofRules: Bool) -> LintOptions {
        let lint = LintOptions(parsed.text("lint"), ofRules: ofRules)
        for name in lint.unknown { print("WARNING: unknown lint option: \(GoQuote.quote(name))") }
        return lint
    }

    private static func config(_ parsed: ParsedFlags) -> Int32 {
        let lint = lint(parsed, ofRules: false)
        let features = features(parsed)
        var verdict = Verdict()
        for path in parsed.positional {
            print("Checking \(path)")
            var ruleFiles: [String] = []
            do {
                let configuration = try configuration(path, isSyntaxOnly: parsed.boolean("syntax-only"))
                if !parsed.boolean("syntax-only") { ruleFiles = try ConfigurationCheck.ruleFiles(configuration) }
                if !ruleFiles.isEmpty { print("  SUCCESS: \(ruleFiles.count) rule files found") }
                print(" SUCCESS: \(path) is valid prometheus config file syntax")
                let lookback = parsed.duration("query.lookback-delta")
                let long = configuration.scrapeConfigs.first { $0.scrapeInterval >= lookback }
                if lint.findsLongIntervals, lookback > 0, let long {
                    Command.complain(
                        "  FAILED: too long scrape interval found, data point will be marked as stale - job: "
                            + "\(long.jobName), interval: \(DurationText.format(long.scrapeInterval))")
                    verdict.hasBadStyle = true
                }
            } catch {
                Command.complain("  FAILED: \(error)")
                verdict.hasErrors = true
            }
            print("")
            for file in ruleFiles {
                checkRules(file, lint, features, parsed, &verdict) { () throws(ConfigError) in
                    // As the daemon, this reads only regular files, and no file that does not answer.
                    try ConfigFile.read(file)
                }
            }
        }
        return verdict.status(isLintFatal: parsed.boolean("lint-fatal"))
    }

    /// Reads a configuration, and checks the files that it names.
    ///
    /// - Parameter isSyntaxOnly: Whether no other file is read.
    private static func configuration(_ path: String, isSyntaxOnly: Bool) throws(ConfigError) -> Configuration {
        if isSyntaxOnly {
            let configuration = try ConfigurationLoader.parse(text: try ConfigFile.readOnce(path), path: path)
            try ConfigurationCheck.targets(configuration)
            return configuration
        }
        let configuration = try ConfigurationLoader.load(path: path, text: try ConfigFile.readOnce(path))
        if let missing = configuration.unsupported.first { throw missing }
        try ConfigurationCheck.files(configuration)
        try ConfigurationCheck.targets(configuration)
        return configuration
    }

    private static func rules(_ parsed: ParsedFlags) -> Int32 {
        let lint = lint(parsed, ofRules: true)
        let features = features(parsed)
        var verdict = Verdict()
        for path in parsed.positional.isEmpty ? [nil] : parsed.positional.map(Optional.some) {
            checkRules(path, lint, features, parsed, &verdict) { () throws(ConfigError) in
                try ConfigFile.readOnce(path ?? "/dev/stdin")
            }
        }
        return verdict.status(isLintFatal: parsed.boolean("lint-fatal"))
    }

    /// Checks a file of rules, or standard input, and prints the number of its rules.
    private static func checkRules(
        _ path: String?, _ lint: LintOptions, _ features: Features, _ parsed: ParsedFlags, _ verdict: inout Verdict,
        _ read: () throws(ConfigError) -> [UInt8]
    ) {
        let name = path ?? "standard input"
        print("Checking \(name)")
        defer { print("") }
        func fail(_ lines: [String]) { Command.complain((["  FAILED:"] + lines).joined(separator: "\n")) }
        var options = EngineOptions()
        options.parser = DaemonOptions.parser(features)
        let engine = QueryEngine(options: options)
        let problems = ConfigProblems(ignoresUnknownKeys: parsed.boolean("ignore-unknown-fields"))
        var duplicates: [RuleSet.Duplicate] = []
        var count = 0
        do throws(ConfigError) {
            let file = try RuleFileLoader.parse(
                text: try read(), path: name, readsOwnKeys: features.contains(.martletRules), problems)
            let (groups, errors) = RuleSet.definitions([file], evaluationInterval: 60_000) {
                try RuleExpression($0, engine: engine)
            }
            for error in errors { problems.add(error) }
            if lint.findsDuplicateRules { duplicates = RuleSet.duplicates([file]) }
            count = groups.reduce(0) { $0 + $1.rules.count }
        } catch {
            problems.add(error)
        }
        if !problems.all.isEmpty {
            verdict.hasErrors = true
            return fail(problems.all.map(\.description))
        }
        guard duplicates.isEmpty else {
            verdict.hasBadStyle = true
            return fail(["lint error \(duplicates.count) duplicate rule(s) found."] + lines(duplicates))
        }
        print("  SUCCESS: \(count) rules found")
    }

    private static func lines(_ duplicates: [RuleSet.Duplicate]) -> [String] {
        duplicates.flatMap { duplicate in
            ["Metric: \(duplicate.name)", "Label(s):"] + duplicate.labels.map { "\t\($0.name): \($0.value)" }
        } + ["Might cause inconsistency while recording expressions"]
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
