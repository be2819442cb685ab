import Config
import GoCompatibility
import Model

/// The error of an invalid command line; exit status 2.
struct CommandLineError: Error, CustomStringConvertible {
    var description: String
}

/// The failure of a command, in one sentence with an instruction; exit status 1.
struct CommandFailure: Error, CustomStringConvertible {
    var description: String
}

/// The flags of a command, and their parser: kingpin's rules, as in Prometheus.
///
/// `--flag=value` or `--flag value`; booleans `--flag` and `--no-flag`; `--` ends the flags; `@file` stands for the
/// lines of a file, without empty ones and those that begin with `#`.
struct FlagSet {
    var flags: [Flag]

    private func find(_ name: Substring) -> Flag? { flags.first { $0.name == name } }

    /// Reads the words after the command's name.
    ///
    /// - Throws: ``CommandLineError`` in kingpin's words.
    func parse(_ words: [String]) throws -> ParsedFlags {
        var result = ParsedFlags(flags: flags)
        var rest = words[...]
        var files = 0
        while let word = rest.popFirst() {
            if word.hasPrefix("@"), word.utf8.count > 1 {
                files += 1
                if files > Self.maxFiles {
                    throw CommandLineError(description: "more than \(Self.maxFiles) files of arguments: \(word)")
                }
                rest = try Self.lines(of: String(word.dropFirst())) + rest
                continue
            }
            if word == "--" {
                result.positional += rest
                break
            }
            if word.hasPrefix("--") {
                try readLong(word.dropFirst(2), rest: &rest, into: &result)
            } else if word.hasPrefix("-"), word.utf8.count > 1 {
                try readShort(word, rest: &rest, into: &result)
            } else {
                result.positional.append(word)
            }
        }
        return result
    }

    /// The position of the first word that is neither a flag nor the value of one; nil if there is none.
    func firstPlainWord(_ words: [String]) -> Int? {
        var isValue = false
        for (index, word) in words.enumerated() {
            if isValue {
                isValue = false
            } else if word == "--" {
                return nil
            } else if word.hasPrefix("--") {
                isValue = !word.contains("=") && needsValue(find(word.dropFirst(2)))
            } else if word.hasPrefix("-"), word.utf8.count > 1 {
                let letters = word.dropFirst()
                let first = letters.firstIndex { letter in needsValue(flags.first { $0.short == letter }) }
                isValue = first.map { letters.index(after: $0) == letters.endIndex } ?? false
            } else {
                return index
            }
        }
        return nil
    }

    private func needsValue(_ flag: Flag?) -> Bool { flag.map { $0.kind != .boolean && $0.implied == nil } ?? false }

    private func readLong(_ text: Substring, rest: inout ArraySlice<String>, into result: inout ParsedFlags) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0]
        if name == "help" || name == "help-long" {
            result.wantsHelp = true
            return
        }
        if let flag = find(name) {
            if flag.kind == .boolean {
                guard parts.count == 1 else {
                    throw CommandLineError(
                        description: "unexpected \(parts[1]): --\(name) takes no value, use --\(name) or --no-\(name)")
                }
                try result.set(flag, "true")
            } else if parts.count == 2 {
                try result.set(flag, String(parts[1]))
            } else if let implied = flag.implied {
                try result.set(flag, implied)
            } else {
                try result.set(flag, try value(of: "--\(name)", &rest))
            }
            return
        }
        if name.hasPrefix("no-"), let flag = find(name.dropFirst(3)), flag.kind == .boolean, parts.count == 1 {
            try result.set(flag, "false")
            return
        }
        throw CommandLineError(description: "unknown long flag '--\(name)'" + suggestion(name))
    }

    private func readShort(_ word: String, rest: inout ArraySlice<String>, into result: inout ParsedFlags) throws {
        let letters = word.dropFirst()
        if letters == "h" {
            result.wantsHelp = true
            return
        }
        guard let letter = letters.first, let flag = flags.first(where: { $0.short == letter }) else {
            throw CommandLineError(description: "unknown short flag '-\(letters.prefix(1))'")
        }
        let tail = letters.dropFirst()
        if flag.kind == .boolean {
            try result.set(flag, "true")
            if !tail.isEmpty { try readShort("-" + tail, rest: &rest, into: &result) }
        } else if !tail.isEmpty {
            try result.set(flag, String(tail))
        } else {
            try result.set(flag, try value(of: "-\(letter)", &rest))
        }
    }

    /// The word after a flag.
    ///
    /// It must not be a flag itself, which would be lost. A value may begin with a dash after `=`.
    private func value(of flag: String, _ rest: inout ArraySlice<String>) throws(CommandLineError) -> String {
        guard let word = rest.first, !word.hasPrefix("-") || word == "-" else {
            throw CommandLineError(description: "expected argument for flag '\(flag)'")
        }
        rest.removeFirst()
        return word
    }

    /// `, did you mean '--x'?` for the most similar flag, if it is similar enough.
    private func suggestion(_ name: Substring) -> String {
        guard let near = Spelling.nearest(to: String(name), among: flags.map(\.name)) else {
            return ""
        }
        return ", did you mean '--\(near)'?"
    }

    /// The most `@file` words of a command line, with those inside of files.
    private static let maxFiles = 16

    /// The arguments in a file, one per line.
    private static func lines(of path: String) throws -> [String] {
        let bytes: [UInt8]
        do throws(ConfigError) {
            bytes = try ConfigFile.readOnce(path)
        } catch {
            throw CommandLineError(description: "\(error)")
        }
        return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let text = String(decoding: line, as: UTF8.self)
            return text.hasPrefix("#") || text.allSatisfy(\.isWhitespace) ? nil : text
        }
    }

    /// The list of all flags for the help.
    var help: String {
        var text = "Flags:\n  -h, --[no-]help\n      Show this help.\n"
        for flag in flags {
            let letter = flag.short.map { "-\($0), " } ?? "    "
            text += "  \(letter)\(Self.shown(flag))\n      \(flag.help)"
            text += (flag.isRequired ? " (required)" : "") + (flag.repeats ? " (repeatable)" : "") + "\n"
        }
        return text
    }

    /// A flag with its value for the help.
    static func shown(_ flag: Flag) -> String {
        if flag.kind == .boolean { return "--[no-]\(flag.name)" }
        let value = placeholder(flag)
        return "--\(flag.name)" + (flag.implied == nil ? "=\(value)" : "[=\(value)]")
    }

    private static func placeholder(_ flag: Flag) -> String {
        if let standard = flag.implied ?? flag.standard, !standard.isEmpty { return GoQuote.quote(standard) }
        return flag.name.split(separator: ".").last.map { $0.uppercased() } ?? "VALUE"
    }
}
