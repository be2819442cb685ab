import GoCompatibility
import Model

/// Go's `fmt` for the values of templates.
public enum GoFormat {
    /// The most bytes of ``printf(_:_:)``: the largest output of a template.
    public static let maximumOutput = 1 << 20

    /// Flags, width and precision of a verb.
    public struct Options: Sendable {
        var minus = false
        var plus = false
        var sharp = false
        var space = false
        var zero = false
        /// `%+v`: with names of fields.
        var plusV = false
        /// `%#v`: in Go's source syntax.
        var sharpV = false
        var width: Int?
        var precision: Int?

        public init(precision: Int? = nil) { self.precision = precision }
    }

    // MARK: %v

    /// `%v`.
    public static func plain(_ value: TemplateValue) -> String {
        switch value {
        case .null: "<nil>"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): String(value)
        case .float(let value): general(value)
        case .string(let value): value
        case .list(let values, _): "[" + values.map(plain).joined(separator: " ") + "]"
        case .labels(let labels): "map[" + sorted(labels).map { "\($0.key):\($0.value)" }.joined(separator: " ") + "]"
        case .map(let entries):
            "map[" + sorted(entries).map { "\($0.key):\(plain($0.value))" }.joined(separator: " ") + "]"
        case .object(let object):
            object.text ?? "{" + object.fields.map { plain($0.value) }.joined(separator: " ") + "}"
        case .time(let time, _): time.description
        case .duration(let nanoseconds): GoDuration.text(nanoseconds)
        case .named(let value, let type): type.text(value) ?? String(value)
        case .typed(let base, let type): type.text(of: base) ?? plain(base)
        }
    }

    /// The entries sorted by key, bytewise.
    public static func sorted<V>(_ entries: [ExactText: V]) -> [(key: String, value: V)] {
        entries.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) }
    }

    // MARK: Verbs

    private static func string(_ value: String, _ verb: Character, _ options: Options) -> String? {
        func hex(uppercase: Bool) -> String {
            let mark = options.sharp ? (uppercase ? "0X" : "0x") : ""
            let bytes = value.utf8.prefix(options.precision ?? .max).map {
                ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: uppercase)
            }
            if bytes.isEmpty { return "" }
            return mark + bytes.joined(separator: options.space ? " " + mark : "")
        }
        var value = value
        if let precision = options.precision, verb != "x", verb != "X" {
            value = String(String.UnicodeScalarView(value.unicodeScalars.prefix(precision)))
        }
        switch verb {
        case "v" where options.sharpV: return pad(GoQuote.quote(value), options)
        case "s", "v": return pad(value, options)
        case "q":
            if options.sharp, canBackquote(value) { return pad("`" + value + "`", options) }
            return pad(quoted(value, options), options)
        case "x": return pad(hex(uppercase: false), options)
        case "X": return pad(hex(uppercase: true), options)
        default: return nil
        }
    }

    /// A text in double quotes; with the flag `+` in ASCII.
    static func quoted(_ text: String, _ options: Options) -> String {
        let quoted = GoQuote.quote(text)
        guard options.plus else { return quoted }
        var out = ""
        for scalar in quoted.unicodeScalars {
            if scalar.isASCII {
                out.unicodeScalars.append(scalar)
            } else if scalar.value < 0x10000 {
                out += "\\u" + scalar.value.zeroPadded(4, radix: 16)
            } else {
                out += "\\U" + scalar.value.zeroPadded(8, radix: 16)
            }
        }
        return out
    }

    /// Whether the text can be written in back quotes on one line.
    private static func canBackquote(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy {
            $0 != "`" && $0 != "\u{7F}" && $0 != "\u{FEFF}" && ($0.value >= 0x20 || $0 == "\t")
        }
    }

    /// One value with one verb; `%!verb(type=value)` if they do not match.
    public static func format(_ value: TemplateValue, _ verb: Character, _ options: Options) -> String {
        if verb == "T" {
            if case .null = value { return pad("<nil>", options) }
            return string(value.typeName, "s", options) ?? ""
        }
        var result: String?
        switch value {
        case .null: result = verb == "v" ? pad("<nil>", options) : nil
        case .bool(let value): result = verb == "t" || verb == "v" ? pad(value ? "true" : "false", options) : nil
        case .integer(let number): result = integer(number, verb, options)
        case .float(let number):
            result = "eEfFgGvxXb".contains(verb) ? float(number, verb, options) : nil
        case .string(let text): result = string(text, verb, options)
        case .object(let object) where object.text == nil:
            return (object.isPointer ? "&" : "") + element(value, verb, options)
        case .named(let number, let type) where type.text(number) == nil: result = integer(number, verb, options)
        case .time, .duration, .named, .object:
            result = string(plain(value), verb, options)
            if result == nil, let number = value.wholeNumber { result = integer(number, verb, options) }
        case .list(let values, _):
            return "[" + values.map { element($0, verb, options) }.joined(separator: " ") + "]"
        case .labels(let labels): return map(labels.mapValues { .string($0) }, value.typeName, verb, options)
        case .map(let entries): return map(entries, value.typeName, verb, options)
        case .typed(let base, let type):
            guard let text = type.text(of: base) else { return format(base, verb, options) }
            result = string(text, verb, options)
        }
        if let result { return result }
        if case .null = value { return "%!\(verb)(<nil>)" }
        return "%!\(verb)(\(value.typeName)=\(format(value, "v", options)))"
    }

    /// A value within another.
    private static func element(_ value: TemplateValue, _ verb: Character, _ options: Options) -> String {
        guard case .object(let object) = value, object.text == nil else { return format(value, verb, options) }
        return structure(object.fields, verb, options)
    }

    private static func structure(
        _ fields: [(name: String, value: TemplateValue)], _ verb: Character, _ options: Options
    ) -> String {
        let isNamed = options.plusV || options.sharpV
        return "{"
            + fields.map { (isNamed ? $0.name + ":" : "") + element($0.value, verb, options) }
            .joined(separator: options.sharpV ? ", " : " ") + "}"
    }

    private static func map(
        _ entries: [ExactText: TemplateValue], _ type: String, _ verb: Character, _ options: Options
    ) -> String {
        let texts = sorted(entries).map {
            format(.string($0.key), verb, options) + ":" + element($0.value, verb, options)
        }
        return options.sharpV
            ? type + "{" + texts.joined(separator: ", ") + "}" : "map[" + texts.joined(separator: " ") + "]"
    }

    /// The number of values in a list or map that are padded separately, and 1 for others.
    static func parts(_ value: TemplateValue) -> Int {
        switch value {
        case .list(let values, _): values.reduce(1) { $0 + parts($1) }
        case .labels(let labels): 1 + 2 * labels.count
        case .typed(let base, _): parts(base)
        default: 1
        }
    }

    /// `fmt.Sprint`: a space between two operands that are not strings.
    public static func print(_ values: [TemplateValue]) -> String {
        var out = ""
        var lastWasString = true
        for value in values {
            var isString = false
            if case .string = value.base { isString = true }
            if !isString, !lastWasString { out += " " }
            out += format(value, "v", Options())
            lastWasString = isString
        }
        return out
    }

    /// `fmt.Sprintln`.
    static func printLine(_ values: [TemplateValue]) -> String {
        values.map { format($0, "v", Options()) }.joined(separator: " ") + "\n"
    }
}
