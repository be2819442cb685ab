import Glibc
import GoCompatibility
import Model

/// Go's `fmt` for the values of templates.
public enum GoFormat {
    /// A width or precision above this is an error, as in Go.
    static let maximumWidth = 1_000_000
    /// Bytes that ``printf(_:_:)`` makes at most: what a template may put out.
    public static let maximumOutput = 1 << 20

    /// Flags, width and precision of a verb.
    public struct Options: Sendable {
        var minus = false
        var plus = false
        var sharp = false
        var space = false
        var zero = false
        /// `%+v`: names of fields.
        var plusV = false
        /// `%#v`: as Go's source would have it.
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
        case .time(let nanoseconds): GoTime(nanoseconds: nanoseconds).description
        case .duration(let nanoseconds): GoDuration.text(nanoseconds)
        }
    }

    /// Entries by key, bytewise.
    public static func sorted<V>(_ entries: [ExactText: V]) -> [(key: String, value: V)] {
        entries.sorted { $0.key < $1.key }.map { ($0.key.text, $0.value) }
    }

    // MARK: Floats

    /// `%v` and `%g` of a float without precision: the shortest digits, with an exponent if it is below −4 or above 5.
    public static func general(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return special(value) ?? (value.sign == .minus ? "-0" : "0") }
        let text = FloatText.exponent(value)
        let exponent = Int(text[text.index(after: text.lastIndex(of: "e") ?? text.startIndex)...]) ?? 0
        return exponent < -4 || exponent > 5 ? text : FloatText.fixed(value)
    }

    private static func special(_ value: Double) -> String? {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : nil
    }

    /// C's printf for one double; `verb` is one of `e f g E F G`.
    static func number(_ value: Double, _ verb: Character, precision: Int) -> String {
        let format = "%.\(precision)\(verb)"
        var buffer = [CChar](repeating: 0, count: 400 + precision)
        let written = withVaList([value]) { vsnprintf(&buffer, buffer.count, format, $0) }
        guard written > 0, Int(written) < buffer.count else { return general(value) }
        return String(decoding: buffer[0..<Int(written)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func float(_ value: Double, _ verb: Character, _ options: Options) -> String {
        var text: String
        if let name = special(value) {
            text = name
            if value.isInfinite, value > 0, !options.plus { text = "+Inf" }
            var options = options
            options.zero = false
            return pad(text, options)
        }
        let lower = verb == "v" ? "g" : Character(verb.lowercased())
        if lower == "e" || lower == "f" {
            text = number(value, lower, precision: options.precision ?? 6)
        } else if lower == "x" {
            text = hexadecimal(value, precision: options.precision)
        } else if lower == "b" {
            text = binary(value)
        } else if let precision = options.precision {
            text = number(value, "g", precision: precision)
        } else {
            text = general(value)
        }
        if verb.isUppercase { text = text.uppercased() }
        return sign(text, options)
    }

    /// `%x` of a finite float: `0x1.8p+01`, with as many digits as it needs or as `precision` says.
    private static func hexadecimal(_ value: Double, precision: Int?) -> String {
        var mantissa = value.significandBitPattern
        var exponent = Int(value.exponentBitPattern) - 1023
        if value.exponentBitPattern != 0 {
            mantissa |= 1 << 52
        } else if mantissa == 0 {
            exponent = 0
        } else {
            // Denormal: the first digit is to be 1 here too.
            let shift = mantissa.leadingZeroBitCount - 11
            mantissa <<= UInt64(shift)
            exponent = -1022 - shift
        }
        if let precision, precision < 13 {
            // The digits behind the precision are rounded, half to even.
            let dropped = UInt64(4 * (13 - precision))
            let (half, rest) = (UInt64(1) << (dropped - 1), mantissa & ((1 << dropped) - 1))
            mantissa >>= dropped
            if rest > half || (rest == half && mantissa & 1 == 1) { mantissa += 1 }
            mantissa <<= dropped
            if mantissa >> 53 != 0 {
                mantissa >>= 1
                exponent += 1
            }
        }
        var digits = (mantissa & ((1 << 52) - 1)).zeroPadded(13, radix: 16)
        if let precision {
            digits = digits.prefix(precision) + String(repeating: "0", count: max(0, precision - 13))
        } else {
            while digits.hasSuffix("0") { digits.removeLast() }
        }
        let power = "\(exponent.magnitude)"
        return (value.sign == .minus ? "-" : "") + "0x\(mantissa >> 52)" + (digits.isEmpty ? "" : "." + digits)
            + "p\(exponent < 0 ? "-" : "+")\(power.utf8.count < 2 ? "0" : "")\(power)"
    }

    /// `%b` of a finite float: `4503599627370496p-52`.
    private static func binary(_ value: Double) -> String {
        let isNormal = value.exponentBitPattern != 0
        let mantissa = value.significandBitPattern | (isNormal ? 1 << 52 : 0)
        let exponent = (isNormal ? Int(value.exponentBitPattern) : 1) - 1075
        return "\(value.sign == .minus ? "-" : "")\(mantissa)p\(exponent < 0 ? "" : "+")\(exponent)"
    }

    /// Adds `+` or a space in front of a number that is not negative, and pads.
    private static func sign(_ text: String, _ options: Options) -> String {
        guard !text.hasPrefix("-") else { return pad(text, options, isNumber: true) }
        return pad((options.plus ? "+" : options.space ? " " : "") + text, options, isNumber: true)
    }

    private static func pad(_ text: String, _ options: Options, isNumber: Bool = false) -> String {
        guard let width = options.width else { return text }
        let missing = width - text.unicodeScalars.count
        guard missing > 0 else { return text }
        if options.minus { return text + String(repeating: " ", count: missing) }
        guard options.zero, isNumber else { return String(repeating: options.zero ? "0" : " ", count: missing) + text }
        let signLength = text.hasPrefix("-") || text.hasPrefix("+") || text.hasPrefix(" ") ? 1 : 0
        return text.prefix(signLength) + String(repeating: "0", count: missing) + text.dropFirst(signLength)
    }

    // MARK: Verbs

    private static func integer(_ value: Int64, _ verb: Character, _ options: Options) -> String? {
        let magnitude = value.magnitude
        var digits: String
        switch verb {
        case "d", "v": digits = String(magnitude)
        case "b": digits = (options.sharp ? "0b" : "") + String(magnitude, radix: 2)
        case "o": digits = (options.sharp ? "0" : "") + String(magnitude, radix: 8)
        case "O": digits = "0o" + String(magnitude, radix: 8)
        case "x": digits = (options.sharp ? "0x" : "") + String(magnitude, radix: 16)
        case "X": digits = (options.sharp ? "0X" : "") + String(magnitude, radix: 16, uppercase: true)
        case "c", "q":
            let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init) ?? "\u{FFFD}"
            let text = String(Character(scalar))
            return pad(verb == "c" ? text : "'" + GoQuote.quote(text).dropFirst().dropLast() + "'", options)
        case "U":
            return pad("U+" + magnitude.zeroPadded(4, radix: 16, uppercase: true), options)
        default: return nil
        }
        if let precision = options.precision, digits.count < precision {
            digits = String(repeating: "0", count: precision - digits.count) + digits
        }
        return sign((value < 0 ? "-" : "") + digits, options)
    }

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
            if options.sharp, !value.contains("`") { return pad("`" + value + "`", options) }
            return pad(GoQuote.quote(value), options)
        case "x": return pad(hex(uppercase: false), options)
        case "X": return pad(hex(uppercase: true), options)
        default: return nil
        }
    }

    /// One value under one verb; `%!verb(type=value)` if they do not go together.
    public static func format(_ value: TemplateValue, _ verb: Character, _ options: Options) -> String {
        if verb == "T" { return pad(value.typeName, options) }
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
        case .time, .duration, .object:
            result = string(plain(value), verb, options)
            if result == nil, case .duration(let nanoseconds) = value {
                result = integer(nanoseconds, verb, options)
            }
        case .list(let values, _):
            return "[" + values.map { element($0, verb, options) }.joined(separator: " ") + "]"
        case .labels(let labels): return map(labels.mapValues { .string($0) }, value.typeName, verb, options)
        case .map(let entries): return map(entries, value.typeName, verb, options)
        }
        if let result { return result }
        if case .null = value { return "%!\(verb)(<nil>)" }
        return "%!\(verb)(\(value.typeName)=\(format(value, "v", options)))"
    }

    /// A value inside of another.
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

    /// Values of a list or map that are padded one by one, and 1 for others.
    private static func parts(_ value: TemplateValue) -> Int {
        switch value {
        case .list(let values, _): values.reduce(1) { $0 + parts($1) }
        case .labels(let labels): 1 + 2 * labels.count
        default: 1
        }
    }

    /// `fmt.Sprintf`, its complaints included; nil if the text would be longer than ``maximumOutput``.
    public static func printf(_ format: String, _ arguments: [TemplateValue]) -> String? {
        var out = ""
        let scalars = Array(format.unicodeScalars)
        var at = 0
        var next = 0
        var isReordered = false
        /// A number that is too large takes the rest of the format along, as in Go.
        func digits() -> Int? {
            var number: Int?
            while at < scalars.count, scalars[at].isASCII, let digit = Int(String(scalars[at])) {
                if let number, number > maximumWidth {
                    at = scalars.count
                    return nil
                }
                number = (number ?? 0) * 10 + digit
                at += 1
            }
            return number
        }
        /// `[n]` chooses the argument that comes next.
        func index() {
            guard at < scalars.count, scalars[at] == "[" else { return }
            var end = at + 1
            var number = 0
            while end < scalars.count, let digit = Int(String(scalars[end])), number < 10_000 {
                number = number * 10 + digit
                end += 1
            }
            guard end < scalars.count, scalars[end] == "]", number > 0 else { return }
            next = number - 1
            isReordered = true
            at = end + 1
        }
        /// `*` takes a number from the arguments; nil inside if that is none, or too large.
        func star() -> Int?? {
            guard at < scalars.count, scalars[at] == "*" else { return nil }
            at += 1
            guard next < arguments.count else { return .some(nil) }
            defer { next += 1 }
            guard case .integer(let value) = arguments[next], value.magnitude <= maximumWidth else {
                return .some(nil)
            }
            return Int(value)
        }
        while at < scalars.count {
            let scalar = scalars[at]
            at += 1
            guard scalar == "%" else {
                out.unicodeScalars.append(scalar)
                continue
            }
            var options = Options()
            flags: while at < scalars.count {
                switch scalars[at] {
                case "-":
                    options.minus = true
                    options.zero = false
                case "+": options.plus = true
                case "#": options.sharp = true
                case " ": options.space = true
                case "0": options.zero = !options.minus
                default: break flags
                }
                at += 1
            }
            index()
            if let width = star() {
                options.width = width.map(abs)
                if width == nil { out += "%!(BADWIDTH)" }
                if let width, width < 0 {
                    options.minus = true
                    // Zeros are for the left side only.
                    options.zero = false
                }
            } else {
                options.width = digits()
            }
            if at < scalars.count, scalars[at] == "." {
                at += 1
                index()
                if let precision = star() {
                    options.precision = precision.flatMap { $0 < 0 ? nil : $0 }
                    if options.precision == nil { out += "%!(BADPREC)" }
                } else {
                    options.precision = digits() ?? 0
                }
            }
            index()
            guard at < scalars.count else {
                out += "%!(NOVERB)"
                break
            }
            let verb = Character(scalars[at])
            at += 1
            if verb == "v" {
                (options.plusV, options.plus) = (options.plus, false)
                (options.sharpV, options.sharp) = (options.sharp, false)
            }
            if verb == "%" {
                out += "%"
            } else if next >= arguments.count {
                out += isReordered ? "%!\(verb)(BADINDEX)" : "%!\(verb)(MISSING)"
            } else {
                let (length, isOver) = max(options.width ?? 0, options.precision ?? 0)
                    .multipliedReportingOverflow(by: parts(arguments[next]))
                guard !isOver, length <= maximumOutput else { return nil }
                out += GoFormat.format(arguments[next], verb, options)
                next += 1
            }
            guard out.utf8.count <= maximumOutput else { return nil }
        }
        if !isReordered, next < arguments.count {
            out +=
                "%!(EXTRA "
                + arguments[next...].map {
                    if case .null = $0 { return "<nil>" }
                    return "\($0.typeName)=\(plain($0))"
                }.joined(separator: ", ") + ")"
        }
        return out
    }

    /// `fmt.Sprint`: a space between operands of which neither is a string.
    public static func print(_ values: [TemplateValue]) -> String {
        var out = ""
        var lastWasString = true
        for value in values {
            var isString = false
            if case .string = value { isString = true }
            if !isString, !lastWasString { out += " " }
            out += plain(value)
            lastWasString = isString
        }
        return out
    }
}
