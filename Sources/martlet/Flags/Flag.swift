/// One flag: its name without dashes, its type, its meaning and what becomes of it here.
struct Flag: Sendable {
    /// The type of a flag's value.
    enum Kind: Sendable, Equatable {
        /// `--name` and `--no-name`.
        case boolean
        case text
        case duration
        /// A duration, or `always` for zero.
        case interval
        case size
        case integer
        /// An integer that is not negative.
        case count
        case number
        /// One of some words.
        case choice([String])
        /// Some of some words, separated by commas.
        case choices([String])
        /// Unix seconds or an RFC 3339 time.
        case time
        /// The same, or empty for none.
        case timeOrNone
        /// A series selector of PromQL.
        case selector
        /// A regular expression.
        case pattern
        /// `NAME=VALUE`.
        case header
    }

    /// What happens when a flag is given.
    enum State: Sendable, Equatable {
        /// Code reads the flag; a test looks for it.
        case used
        /// The flag is accepted and changes nothing; help and log give the reason.
        case ignored(String)
        /// Any value but the default one is refused; help and error give the reason.
        case unsupported(String)
    }

    var name: String
    var kind: Kind
    /// As text; nil for a flag that has no value until it is given.
    var standard: String?
    var help: String
    var state = State.used
    /// The flag may be given more than once; the values add up.
    var repeats = false
    /// A one-letter name.
    var short: Character?
    /// What the flag means without a value; nil if it needs one.
    var implied: String?
    /// The command line must have it.
    var isRequired = false
    /// Left out of `/api/v1/status/flags`, as Prometheus leaves out its parser's own flags.
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

    /// A flag that is accepted without effect, because of `reason`.
    static func ignored(
        _ name: String, _ kind: Kind, _ standard: String?, because reason: String
    ) -> Flag {
        var flag = Flag(name, kind, standard, "Ignored: \(reason).")
        flag.state = .ignored(reason)
        return flag
    }

    /// A flag that is refused; `hint` says why or what to use instead.
    static func unsupported(
        _ name: String, _ kind: Kind, _ standard: String?, _ hint: String, repeats: Bool = false
    ) -> Flag {
        var flag = Flag(name, kind, standard, "Not supported yet: \(hint).", repeats: repeats)
        flag.state = .unsupported(hint)
        return flag
    }
}
