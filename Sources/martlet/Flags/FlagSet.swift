import Model

/// A command line that cannot be used; exit status 2.
struct CommandLineError: Error, CustomStringConvertible {
    var description: String
}

/// One flag: its name without dashes, what it takes, what it means.
struct Flag {
    /// What a flag takes.
    enum Kind {
        /// `--name` and `--no-name`.
        case boolean
        case text
        case duration
        /// A duration, or `always` for none between.
        case interval
        case size
        case integer
        case number
    }

    var name: String
    var kind: Kind
    /// As text; nil for a flag that has no value until it is given.
    var standard: String?
    var help: String
    /// May be given more than once; the values add up.
    var repeats = false
    /// A one-letter name.
    var short: Character?
    var isHidden = false

    init(
        _ name: String, _ kind: Kind, _ standard: String?, _ help: String, repeats: Bool = false,
        short: Character? = nil, isHidden: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.help = help
        self.repeats = repeats
        self.short = short
        self.isHidden = isHidden
    }
}

/// The flags of a command, and how they are read: kingpin's rules, as Prometheus has them.
///
/// `--flag=value` or `--flag value`; booleans `--flag` and `--no-flag`; `--` ends the flags; `@file` stands for the
/// lines of a file.
struct FlagSet {
    var flags: [Flag]

    private func find(_ name: Substring) -> Flag? { flags.first { $0.name == name } }

    /// Reads the words behind the command's name.
    ///
    /// - Throws: ``CommandLineError`` in kingpin's words.
    func parse(_ words: [String]) throws -> ParsedFlags {
        var result = ParsedFlags(flags: flags)
        var rest = words[...]
        while let word = rest.popFirst() {
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

    private func readLong(_ text: Substring, rest: inout ArraySlice<String>, into result: inout ParsedFlags) throws {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0]
        if name == "help" {
            result.wantsHelp = true
            return
        }
        if let flag = find(name) {
            if flag.kind == .boolean {
                guard parts.count == 1 || parts[1] == "true" || parts[1] == "false" else {
                    throw CommandLineError(
                        description: "invalid boolean value \(GoQuote.quote(String(parts[1]))) for --\(name)")
                }
                try result.set(flag, parts.count == 1 ? "true" : String(parts[1]))
            } else if parts.count == 2 {
                try result.set(flag, String(parts[1]))
            } else if let value = rest.popFirst() {
                try result.set(flag, value)
            } else {
                throw CommandLineError(description: "expected argument for flag '--\(name)'")
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
        } else if let value = rest.popFirst() {
            try result.set(flag, value)
        } else {
            throw CommandLineError(description: "expected argument for flag '-\(letter)'")
        }
    }

    /// `, did you mean '--x'?` for the flag that differs least, if it differs little.
    private func suggestion(_ name: Substring) -> String {
        let near = flags.filter { !$0.isHidden }.map { ($0.name, Self.distance($0.name, String(name))) }
            .min { $0.1 < $1.1 }
        guard let near, near.1 <= 3 else { return "" }
        return ", did you mean '--\(near.0)'?"
    }

    /// Levenshtein's edit distance over bytes.
    private static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.utf8.prefix(128)), Array(b.utf8.prefix(128)))
        var row = Array(0...b.count)
        for i in a.indices {
            var diagonal = row[0]
            row[0] = i + 1
            for j in b.indices {
                let change = diagonal + (a[i] == b[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(change, row[j] + 1, diagonal + 1)
            }
        }
        return row[b.count]
    }

    /// The list of flags as help shows it.
    var help: String {
        var text = "Flags:\n  -h, --[no-]help\n      Show this help.\n"
        for flag in flags where !flag.isHidden {
            let letter = flag.short.map { "-\($0), " } ?? "    "
            let name = flag.kind == .boolean ? "--[no-]\(flag.name)" : "--\(flag.name)=\(placeholder(flag))"
            text += "  \(letter)\(name)\n      \(flag.help)\(flag.repeats ? " (repeatable)" : "")\n"
        }
        return text
    }

    private func placeholder(_ flag: Flag) -> String {
        if let standard = flag.standard, !standard.isEmpty { return GoQuote.quote(standard) }
        return flag.name.split(separator: ".").last.map { $0.uppercased() } ?? "VALUE"
    }
}

/// What a command line said.
struct ParsedFlags {
    private let flags: [Flag]
    private var given: [String: [String]] = [:]
    /// The words that are no flags.
    var positional: [String] = []
    var wantsHelp = false

    init(flags: [Flag]) { self.flags = flags }

    /// Takes one value and checks that it is of the flag's kind.
    fileprivate mutating func set(_ flag: Flag, _ value: String) throws {
        switch flag.kind {
        case .boolean, .text: break
        case .interval where value == "always": break
        case .duration, .interval:
            do throws(DurationText.ParseError) {
                _ = try DurationText.parse(value)
            } catch {
                throw CommandLineError(description: "invalid value for --\(flag.name): \(error)")
            }
        case .size:
            guard ByteSize.parse(value) != nil else {
                throw CommandLineError(
                    description: "invalid value for --\(flag.name): unknown unit or number in \(GoQuote.quote(value))")
            }
        case .integer:
            guard Int(value) != nil else {
                throw CommandLineError(
                    description: "invalid value for --\(flag.name): strconv.ParseInt: \(GoQuote.quote(value))")
            }
        case .number:
            guard Double(value) != nil else {
                throw CommandLineError(
                    description: "invalid value for --\(flag.name): strconv.ParseFloat: \(GoQuote.quote(value))")
            }
        }
        if flag.repeats {
            given[flag.name, default: []].append(value)
        } else if given[flag.name] != nil {
            throw CommandLineError(description: "flag '\(flag.name)' cannot be repeated")
        } else {
            given[flag.name] = [value]
        }
    }

    /// Whether the flag was on the command line.
    func isGiven(_ name: String) -> Bool { given[name] != nil }

    /// All values of a repeatable flag; its standard value if there is none.
    func all(_ name: String) -> [String] {
        if let values = given[name] { return values }
        guard let standard = flags.first(where: { $0.name == name })?.standard, !standard.isEmpty else { return [] }
        return [standard]
    }

    func text(_ name: String) -> String {
        given[name]?.last ?? flags.first { $0.name == name }?.standard ?? ""
    }

    func boolean(_ name: String) -> Bool { text(name) == "true" }

    /// Milliseconds; 0 for `always`.
    func duration(_ name: String) -> Int64 { (try? DurationText.parse(text(name))) ?? 0 }

    /// Bytes.
    func size(_ name: String) -> Int64 { ByteSize.parse(text(name)) ?? 0 }

    func integer(_ name: String) -> Int { Int(text(name)) ?? 0 }

    /// Every visible flag with its value, as `/api/v1/status/flags` lists them.
    var values: [(name: String, value: String)] {
        flags.map { flag in (flag.name, given[flag.name]?.joined(separator: ",") ?? flag.standard ?? "") }
            .sorted { $0.0 < $1.0 }
    }
}
