import Platform

/// One command of the binary: its words, its arguments and flags, and the function that runs it.
///
/// Parsing, help and errors use this description, so that a command accepts only what it uses.
struct Subcommand: Sendable {
    /// A word that is not a flag.
    struct Argument: Sendable {
        enum Count: Sendable {
            case one, oneOrMore, any
        }

        var name: String
        var count: Count

        static func one(_ name: String) -> Argument { Argument(name: name, count: .one) }
        static func oneOrMore(_ name: String) -> Argument { Argument(name: name, count: .oneOrMore) }
        static func any(_ name: String) -> Argument { Argument(name: name, count: .any) }

        fileprivate var shown: String {
            switch count {
            case .one: name
            case .oneOrMore: "\(name)…"
            case .any: "[\(name)…]"
            }
        }
    }

    /// The words of the command, for example `tsdb list`.
    var words: [String]
    var summary: String
    var arguments: [Argument] = []
    var flags = FlagSet(flags: [])
    /// The text of the help after the usage.
    var remarks = ""
    /// Whether the command is run if the word that distinguishes it from the others of its group is missing.
    var isDefault = false
    /// Whether errors have the form and the exit status that they have in amtool.
    var isOfAmtool = false
    /// Sets flags that are not on the command line from other sources.
    var fill: @Sendable (inout ParsedFlags) throws -> Void = { _ in }
    var run: @Sendable (ParsedFlags) throws -> Int32

    /// All commands of the binary.
    static let all: [Subcommand] =
        [ServeCommand.command] + CheckCommand.commands + QueryCommand.commands + TestCommand.commands
        + TSDBCommand.commands + AlertCommand.commands + [AlertWhyCommand.command] + SilenceCommand.commands
        + TemplateCommand.commands + [version]

    private static let version = Subcommand(words: ["version"], summary: "Prints the version of this build.") { _ in
        print(ProductVersion.text)
        return 0
    }

    var name: String { words.joined(separator: " ") }

    /// The usage of the command without the program's name.
    var form: String {
        let required = flags.flags.filter(\.isRequired).map(FlagSet.shown)
        let optional = flags.flags.count > required.count ? ["[FLAGS]"] : []
        var start = words == ServeCommand.command.words ? ["[serve]"] : words
        if isDefault, let last = start.popLast() { start.append("[\(last)]") }
        return (start + required + optional + arguments.map(\.shown)).joined(separator: " ")
    }

    var help: String {
        "usage: martlet \(form)\n\n\(summary)\n" + (remarks.isEmpty ? "" : "\n\(remarks)\n") + "\n" + flags.help
    }

    /// Reads the words after the command's own.
    ///
    /// - Throws: ``CommandLineError`` in kingpin's words.
    func parse(_ rest: [String]) throws -> ParsedFlags {
        var parsed = try flags.parse(rest)
        if parsed.wantsHelp { return parsed }
        try fill(&parsed)
        for flag in flags.flags where flag.isRequired && !parsed.isGiven(flag.name) {
            throw CommandLineError(description: "required flag --\(flag.name) not provided")
        }
        var words = parsed.positional[...]
        for argument in arguments {
            guard !words.isEmpty || argument.count == .any else {
                throw CommandLineError(description: "required argument '\(argument.name)' not provided")
            }
            words = argument.count == .one ? words.dropFirst() : []
        }
        if let word = words.first { throw CommandLineError(description: "unexpected \(word)") }
        return parsed
    }
}
