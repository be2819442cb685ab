import GoCompatibility

extension GoFormat {
    /// A width or precision above this is an error, as in Go.
    private static let maximumWidth = 1_000_000

    /// `fmt.Sprintf` with its error marks; nil if the text would be longer than ``maximumOutput``.
    public static func printf(_ format: String, _ arguments: [TemplateValue]) -> String? {
        var writer = Printf(format, arguments)
        return writer.run()
    }

    /// The state of `Sprintf` while it processes its format.
    private struct Printf {
        private let scalars: [Unicode.Scalar]
        private let arguments: [TemplateValue]
        private var out = ""
        private var at = 0
        /// The index of the next argument.
        private var next = 0
        private var isReordered = false
        /// Whether the argument indices of this verb are valid.
        private var isGoodIndex = true

        init(_ format: String, _ arguments: [TemplateValue]) {
            scalars = Array(format.unicodeScalars)
            self.arguments = arguments
        }

        mutating func run() -> String? {
            while at < scalars.count {
                let scalar = scalars[at]
                at += 1
                guard scalar == "%" else {
                    out.unicodeScalars.append(scalar)
                    continue
                }
                isGoodIndex = true
                let options = options()
                guard at < scalars.count else {
                    out += "%!(NOVERB)"
                    break
                }
                let verb = Character(scalars[at])
                at += 1
                guard write(verb, options), out.utf8.count <= GoFormat.maximumOutput else { return nil }
            }
            // After an index, unused arguments are not an error.
            if !isReordered, next < arguments.count { writeExtra() }
            return out
        }

        /// Writes the next argument; returns false if the text would be too long.
        private mutating func write(_ verb: Character, _ options: Options) -> Bool {
            if verb == "%" {
                out += "%"
                return true
            }
            guard isGoodIndex else {
                out += "%!\(verb)(BADINDEX)"
                return true
            }
            guard next < arguments.count else {
                out += "%!\(verb)(MISSING)"
                return true
            }
            var options = options
            if verb == "v" || verb == "w" {
                (options.plusV, options.plus) = (options.plus, false)
                (options.sharpV, options.sharp) = (options.sharp, false)
            }
            let (length, isOver) = max(options.width ?? 0, options.precision ?? 0)
                .multipliedReportingOverflow(by: GoFormat.parts(arguments[next]))
            guard !isOver, length <= GoFormat.maximumOutput else { return false }
            out += GoFormat.format(arguments[next], verb, options)
            next += 1
            return true
        }

        private mutating func writeExtra() {
            let texts = arguments[next...].map { argument in
                if case .null = argument { return "<nil>" }
                return "\(argument.typeName)=\(GoFormat.format(argument, "v", Options()))"
            }
            out += "%!(EXTRA " + texts.joined(separator: ", ") + ")"
        }

        // MARK: Between the per cent sign and the verb

        private mutating func options() -> Options {
            var options = Options()
            readFlags(&options)
            var isAfterIndex = index()
            if let width = star() {
                options.width = width.map { abs($0) }
                if width == nil { out += "%!(BADWIDTH)" }
                if let width, width < 0 { options.minus = true }
                isAfterIndex = false
            } else {
                options.width = digits()
                // The index must be directly before the verb: not `%[3]2d`.
                if isAfterIndex, options.width != nil { isGoodIndex = false }
            }
            if at < scalars.count, scalars[at] == "." {
                at += 1
                if isAfterIndex { isGoodIndex = false }
                isAfterIndex = index()
                if let precision = star() {
                    options.precision = precision.flatMap { $0 < 0 ? nil : $0 }
                    if options.precision == nil { out += "%!(BADPREC)" }
                    isAfterIndex = false
                } else {
                    options.precision = digits() ?? 0
                }
            }
            if !isAfterIndex { _ = index() }
            return options
        }

        private mutating func readFlags(_ options: inout Options) {
            while at < scalars.count {
                switch scalars[at] {
                case "-": options.minus = true
                case "+": options.plus = true
                case "#": options.sharp = true
                case " ": options.space = true
                case "0": options.zero = true
                default: return
                }
                at += 1
            }
        }

        /// A number that is too large consumes the rest of the format, as in Go.
        private mutating func digits() -> Int? {
            var number: Int?
            while at < scalars.count, let digit = Self.digit(scalars[at]) {
                if let number, number > GoFormat.maximumWidth {
                    at = scalars.count
                    return nil
                }
                number = (number ?? 0) * 10 + digit
                at += 1
            }
            return number
        }

        private static func digit(_ scalar: Unicode.Scalar) -> Int? {
            ("0"..."9").contains(scalar) ? Int(scalar.value) - 0x30 : nil
        }

        /// `[n]` selects the next argument; returns whether there was an index, even if its argument does not exist.
        private mutating func index() -> Bool {
            guard at < scalars.count, scalars[at] == "[" else { return false }
            isReordered = true
            guard let end = scalars[at...].firstIndex(of: "]") else {
                at += 1
                isGoodIndex = false
                return false
            }
            let text = scalars[(at + 1)..<end]
            at = end + 1
            var number = 0
            for scalar in text {
                guard let digit = Self.digit(scalar), number <= GoFormat.maximumWidth else {
                    isGoodIndex = false
                    return false
                }
                number = number * 10 + digit
            }
            if number > 0, number <= arguments.count {
                next = number - 1
            } else {
                isGoodIndex = false
            }
            return !text.isEmpty
        }

        /// `*` reads a number from the arguments; the inner value is nil if it is not a number or too large.
        private mutating func star() -> Int?? {
            guard at < scalars.count, scalars[at] == "*" else { return nil }
            at += 1
            guard next < arguments.count else { return .some(nil) }
            defer { next += 1 }
            guard let value = arguments[next].wholeNumber, value.magnitude <= GoFormat.maximumWidth else {
                return .some(nil)
            }
            return Int(value)
        }
    }
}
