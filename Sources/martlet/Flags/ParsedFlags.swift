import Model

/// The values of a command line.
struct ParsedFlags {
    private let flags: [Flag]
    private var given: [String: [String]] = [:]
    /// The words that are no flags.
    var positional: [String] = []
    var wantsHelp = false
    /// Whether help shows hidden flags too.
    var wantsHiddenFlags = false

    init(flags: [Flag]) { self.flags = flags }

    /// Takes one value and checks that it is of the flag's kind.
    mutating func set(_ flag: Flag, _ value: String) throws {
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
            guard Self.integer(value) != nil else {
                throw CommandLineError(
                    description:
                        "invalid value for --\(flag.name): strconv.ParseFloat: parsing \(GoQuote.quote(value)): "
                        + "invalid syntax or out of range")
            }
        case .number:
            guard Double(value) != nil else {
                throw CommandLineError(
                    description:
                        "invalid value for --\(flag.name): strconv.ParseFloat: parsing \(GoQuote.quote(value)): invalid syntax"
                )
            }
        }
        if case .unsupported(let hint) = flag.state, value != (flag.standard ?? "") {
            throw CommandLineError(description: "--\(flag.name) is not supported yet: \(hint)")
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

    func integer(_ name: String) -> Int { Self.integer(text(name)) ?? 0 }

    /// Reads an integer as kingpin does: as a float that is then truncated, so that `5e7` is one.
    private static func integer(_ text: String) -> Int? {
        if let value = Int(text) { return value }
        guard let value = Double(text), value.isFinite else { return nil }
        return Int(exactly: value.rounded(.towardZero))
    }

    func number(_ name: String) -> Double { Double(text(name)) ?? 0 }

    /// The flags on the command line that change nothing, with the reasons.
    var ignored: [(name: String, reason: String)] {
        flags.compactMap { flag in
            guard given[flag.name] != nil, case .ignored(let reason) = flag.state else { return nil }
            return (flag.name, reason)
        }
    }

    /// Every flag with its value as Prometheus prints it, as `/api/v1/status/flags` lists them.
    var values: [(name: String, value: String)] {
        flags.filter { !$0.isParsersOwn }.map { flag in (flag.name, Self.printed(flag, all(flag.name))) }
            .sorted { $0.0 < $1.0 }
    }

    private static func printed(_ flag: Flag, _ values: [String]) -> String {
        let text = values.joined(separator: ",")
        switch flag.kind {
        case .duration: return (try? DurationText.parse(text)).map(DurationText.format) ?? text
        case .size: return ByteSize.parse(text).map(ByteSize.format) ?? text
        case .integer: return integer(text).map(String.init) ?? text
        case .number: return Double(text).map(FloatText.api) ?? text
        case .boolean, .text, .interval: return text
        }
    }
}
