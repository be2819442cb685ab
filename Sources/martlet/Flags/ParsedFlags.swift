import AlertClient
import GoCompatibility
import Model
import PromQL
import Storage

/// The values of a command line.
struct ParsedFlags {
    private let flags: [Flag]
    private var given: [String: [String]] = [:]
    /// The words that are not flags.
    var positional: [String] = []
    var wantsHelp = false

    init(flags: [Flag]) { self.flags = flags }

    /// Sets one value, and checks its type.
    mutating func set(_ flag: Flag, _ value: String) throws {
        if let reason = Self.objection(to: value, flag.kind) {
            throw CommandLineError(description: "invalid value for --\(flag.name): \(reason)")
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

    /// Sets a flag that was not given.
    ///
    /// - Parameter source: The place of the value, for errors.
    mutating func setMissing(_ name: String, _ value: String, source: String) throws {
        guard let flag = flags.first(where: { $0.name == name }), !isGiven(name) else { return }
        if flag.kind == .boolean, value != "true", value != "false" {
            throw CommandLineError(description: "\(source): \(GoQuote.quote(value)) is neither true nor false")
        }
        do {
            try set(flag, value)
        } catch {
            throw CommandLineError(description: "\(source): \(error)")
        }
    }

    /// The reason why a value does not have a type; nil if it has.
    private static func objection(to value: String, _ kind: Flag.Kind) -> String? {
        func words(_ known: [String], _ given: [String]) -> String? {
            guard let wrong = given.first(where: { !known.contains($0) }) else { return nil }
            return "enum value must be one of \(known.joined(separator: ",")), got '\(wrong)'"
        }
        func number(_ isOne: Bool) -> String? {
            isOne
                ? nil : "strconv.ParseFloat: parsing \(GoQuote.quote(value)): invalid syntax or out of range"
        }
        switch kind {
        case .boolean, .text: return nil
        case .interval where value == "always": return nil
        case .duration, .interval:
            do throws(DurationText.ParseError) {
                _ = try DurationText.parse(value)
                return nil
            } catch {
                return "\(error)"
            }
        case .span:
            let span = (try? DurationText.parse(value)) ?? 0
            let isRight = (1000...StoreOptions.longestBlockDuration).contains(span)
            return isRight ? nil : "expected a duration from 1s to 31d"
        case .size: return ByteSize.parse(value) == nil ? "unknown unit or number in \(GoQuote.quote(value))" : nil
        case .integer: return number(integer(value) != nil)
        case .count:
            return integer(value).map { $0 < 0 } ?? false ? "must not be negative" : number(integer(value) != nil)
        case .number: return number(GoFloat.parse(value) != nil)
        case .choice(let known): return words(known, [value])
        case .choices(let known): return words(known, value.split(separator: ",").map(String.init))
        case .timeOrNone where value.isEmpty: return nil
        case .time, .timeOrNone:
            return TimeText.parse(value) == nil
                ? "\(GoQuote.quote(value)) is neither Unix seconds nor an RFC 3339 time" : nil
        case .moment:
            return value.isEmpty || AlertTime.parse(value) != nil
                ? nil : "parsing time \(GoQuote.quote(value)) as \(GoQuote.quote(AlertTime.layout))"
        case .timeout: return timeout(value) == nil ? "time: invalid duration \(GoQuote.quote(value))" : nil
        case .selector:
            do {
                _ = try PromQLParser.parseSelector(value)
                return nil
            } catch {
                return "\(GoQuote.quote(value)) is no series selector: \(error)"
            }
        case .pattern:
            do {
                _ = try SearchRegex(value)
                return nil
            } catch {
                return "\(error)"
            }
        case .header:
            let name = value.prefix { $0 != "=" }
            return name.isEmpty || name.utf8.count == value.utf8.count
                ? "\(GoQuote.quote(value)) is not NAME=VALUE" : nil
        }
    }

    /// Whether the flag was on the command line.
    func isGiven(_ name: String) -> Bool { given[name] != nil }

    /// All values of a repeatable flag; its default value if there is none.
    func all(_ name: String) -> [String] {
        if let values = given[name] { return values }
        guard let standard = flags.first(where: { $0.name == name })?.standard, !standard.isEmpty else { return [] }
        return [standard]
    }

    func text(_ name: String) -> String {
        given[name]?.last ?? flags.first { $0.name == name }?.standard ?? ""
    }

    func boolean(_ name: String) -> Bool { text(name) == "true" }

    /// The milliseconds of a duration; 0 for `always`.
    func duration(_ name: String) -> Int64 { (try? DurationText.parse(text(name))) ?? 0 }

    /// The milliseconds since 1970; nil if the flag was not given.
    func time(_ name: String) -> Int64? { TimeText.parse(text(name)) }

    /// The time of a flag in its zone; nil if the flag was not given.
    func moment(_ name: String) -> GoTime? { AlertTime.parse(text(name)) }

    /// The milliseconds of a duration in Go's notation or Prometheus's, rounded up.
    func timeout(_ name: String) -> Int64 { Self.timeout(text(name)) ?? 0 }

    private static func timeout(_ text: String) -> Int64? {
        if let nanoseconds = GoDuration.parse(text) {
            return nanoseconds < 0 ? nil : nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 > 0 ? 1 : 0)
        }
        return try? DurationText.parse(text)
    }

    /// The matchers of a selector; none if the flag was not given.
    func matchers(_ name: String) throws -> [Matcher] {
        isGiven(name) ? try PromQLParser.parseSelector(text(name)) : []
    }

    /// The bytes of a size.
    func size(_ name: String) -> Int64 { ByteSize.parse(text(name)) ?? 0 }

    func integer(_ name: String) -> Int { Self.integer(text(name)) ?? 0 }

    /// Reads an integer as kingpin does: as a float that is then truncated, so that `5e7` is valid.
    private static func integer(_ text: String) -> Int? {
        if let value = Int(text) { return value }
        guard let value = GoFloat.parse(text), value.isFinite else { return nil }
        return Int(exactly: value.rounded(.towardZero))
    }

    func number(_ name: String) -> Double { GoFloat.parse(text(name)) ?? 0 }

    /// The flags on the command line that have no effect, with the reasons.
    var ignored: [(name: String, reason: String)] {
        flags.compactMap { flag in
            guard given[flag.name] != nil, case .ignored(let reason) = flag.state else { return nil }
            return (flag.name, reason)
        }
    }

    /// Every flag with its value as Prometheus prints it, for `/api/v1/status/flags`.
    var values: [(name: String, value: String)] {
        flags.filter { !$0.isParsersOwn }.map { flag in (flag.name, Self.printed(flag, all(flag.name))) }
            .sorted { $0.0 < $1.0 }
    }

    private static func printed(_ flag: Flag, _ values: [String]) -> String {
        let text = values.joined(separator: ",")
        switch flag.kind {
        case .duration, .span: return (try? DurationText.parse(text)).map(DurationText.format) ?? text
        case .size: return ByteSize.parse(text).map(ByteSize.format) ?? text
        case .integer, .count: return integer(text).map(String.init) ?? text
        case .number: return GoFloat.parse(text).map(FloatText.api) ?? text
        default: return text
        }
    }
}
