/// One flag: its name without dashes, its type, its meaning and its effect here.
struct Flag: Sendable {
    /// The type of a flag's value.
    enum Kind: Sendable, Equatable {
        /// `--name` and `--no-name`.
        case boolean
        case text
        case duration
        /// A duration from 1 s to 31 d.
        case span
        /// A duration, or `always` for zero.
        case interval
        case size
        case integer
        /// An integer of at least 0.
        case count
        case number
        /// One of several words.
        case choice([String])
        /// Several of the words, separated by commas.
        case choices([String])
        /// Unix seconds or an RFC 3339 time.
        case time
        /// An RFC 3339 time, or empty for none.
        case moment
        /// A duration in Go's notation or Prometheus's.
        case timeout
        /// Unix seconds or an RFC 3339 time, or empty for none.
        case timeOrNone
        /// A series selector of PromQL.
        case selector
        /// A regular expression.
        case pattern
        /// `NAME=VALUE`.
        case header
    }

    /// The effect of a flag.
    enum State: Sendable, Equatable {
        /// Code reads the flag; a test checks this.
        case used
        /// The flag is accepted without effect; help and log give the reason.
        case ignored(String)
        /// Only the default value is accepted; help and error give the reason.
        case unsupported(String)
    }

    var name: String
    var kind: Kind
    /// The default value as text; nil for a flag without one.
    var standard: String?
    var help: String
    var state = State.used
    /// Whether the flag may be given several times; all values are used.
    var repeats = false
    /// The name with one letter.
    var short: Character?
    /// The value of the flag if it is given without one; nil if it needs one.
    var implied: String?
    /// Whether the flag is required.
    var isRequired = false
    /// Whether `/api/v1/status/flags` omits the flag, as Prometheus omits the flags of its parser.
    var isParsersOwn = false

    init(
        _ name: String, _ kind: Kind, _ standard: String?, _ help: String, repeats: Bool = false,
        short: Character? = nil, implied: String? = nil, isRequired: Bool = false
    ) {
        self.name = name
        self.kind = kind
        self.standard = standard
        self.help = help
        self.repeats = repeats
        self.short = short
        self.implied = implied
        self.isRequired = isRequired
    }

    /// A flag that is accepted without effect because of `reason`.
    static func ignored(
        _ name: String, _ kind: Kind, _ standard: String?, because reason: String
    ) -> Flag {
        var flag = Flag(name, kind, standard, "Ignored: \(reason).")
        flag.state = .ignored(reason)
        return flag
    }

    /// A flag that is refused; `hint` is the reason or the replacement.
    static func unsupported(
        _ name: String, _ kind: Kind, _ standard: String?, _ hint: String, repeats: Bool = false
    ) -> Flag {
        var flag = Flag(name, kind, standard, "Not supported yet: \(hint).", repeats: repeats)
        flag.state = .unsupported(hint)
        return flag
    }
}
