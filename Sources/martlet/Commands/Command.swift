import Glibc
import Platform

/// Finds the command of the first words, and runs it.
enum Command {
    /// The exit status: 0 for success, 1 for failure, 2 for an invalid command line or configuration.
    static func run(_ words: [String]) -> Int32 {
        // Flushing keeps lines in the order in which they were written, even if both outputs are the same file.
        defer { fflush(nil) }
        guard let first = words.first, !first.hasPrefix("-"), !first.hasPrefix("@") else {
            return run(ServeCommand.command, words)
        }
        if first == "help" { return help(Array(words.dropFirst())) }
        return find(words, isHelp: false)
    }

    /// Runs the command that the words begin with, or shows its help.
    private static func find(_ words: [String], isHelp: Bool) -> Int32 {
        var known = Subcommand.all
        for (depth, word) in words.enumerated() {
            let group = words.prefix(depth)
            if word == "-h" || word == "--help" || word == "--help-long" {
                print(usage(of: known))
                return 0
            }
            let ofGroup = known
            known = known.filter { $0.words.count > depth && $0.words[depth] == word }
            if known.isEmpty, !isHelp, let standard = standard(of: ofGroup, depth) {
                return runStandard(standard, among: ofGroup, Array(words.dropFirst(depth)))
            }
            guard !known.isEmpty else { return refuse(word, in: Array(group)) }
            if let command = known.first(where: { $0.words.count == depth + 1 }) {
                return run(command, isHelp ? ["--help"] : Array(words.dropFirst(depth + 1)))
            }
        }
        if isHelp {
            print(usage(of: known))
            return 0
        }
        if let standard = standard(of: known, words.count) { return run(standard, []) }
        return refuse(nil, in: words)
    }

    /// The command of a group that is run without a word of its own.
    private static func standard(of group: [Subcommand], _ depth: Int) -> Subcommand? {
        group.first { $0.isDefault && $0.words.count == depth + 1 }
    }

    /// Runs the default command of a group, or the one that is named after flags.
    private static func runStandard(_ standard: Subcommand, among group: [Subcommand], _ rest: [String]) -> Int32 {
        let flags = FlagSet(flags: group.flatMap(\.flags.flags))
        let depth = standard.words.count - 1
        if rest.first?.hasPrefix("-") ?? false, let index = flags.firstPlainWord(rest) {
            let named = group.first { $0.words.count == depth + 1 && $0.words[depth] == rest[index] }
            if let named {
                var rest = rest
                rest.remove(at: index)
                return run(named, rest)
            }
        }
        return run(standard, rest)
    }

    private static func help(_ words: [String]) -> Int32 {
        if words.isEmpty {
            print(usage)
            return 0
        }
        return find(words, isHelp: true)
    }

    /// Reports that `word` is not a command, or that a command is missing after `group`.
    private static func refuse(_ word: String?, in group: [String]) -> Int32 {
        let known = Subcommand.all.filter { $0.words.starts(with: group) }
        var choices: [String] = []
        for command in known where !choices.contains(command.words[group.count]) {
            choices.append(command.words[group.count])
        }
        let place = group.isEmpty ? "" : " behind `martlet \(group.joined(separator: " "))`"
        let what = word.map { "unknown command \"\($0)\"\(place)" } ?? "expected a command\(place)"
        complain("Error parsing command line arguments: \(what): there are \(choices.joined(separator: ", "))")
        complain(usage(of: known))
        return 2
    }

    private static func run(_ command: Subcommand, _ rest: [String]) -> Int32 {
        do {
            let parsed = try command.parse(rest)
            if parsed.wantsHelp {
                print(command.help)
                return 0
            }
            return try command.run(parsed)
        } catch let error where command.isOfAmtool {
            complain("martlet: error: \(error)")
            return 1
        } catch let error as CommandLineError {
            complain("Error parsing command line arguments: \(error)")
            complain("usage: martlet \(command.form)\n`martlet \(command.name) --help` prints more.")
            return 2
        } catch {
            complain("error: \(error)")
            return 1
        }
    }

    /// Writes a line to standard error.
    static func complain(_ text: String) {
        fflush(nil)
        var line = text + "\n"
        line.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    }

    /// All commands.
    static var usage: String { usage(of: Subcommand.all) }

    private static func usage(of commands: [Subcommand]) -> String {
        var text = ""
        for command in commands {
            text += (text.isEmpty ? "usage: " : "       ") + "martlet \(command.form)\n           \(command.summary)\n"
        }
        return text + "\nEach command has its own --help."
    }
}
