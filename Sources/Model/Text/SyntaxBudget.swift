/// The memory and time of one request for the parsing of its texts.
///
/// Equal regular expressions of a request are compiled once. One thread uses it.
public final class SyntaxBudget {
    /// The number of tokens for which memory is charged at once; a short expression is not charged.
    public static let tokensPerCharge = 4096
    /// The approximate bytes of a parsed tree, and of its copy for the evaluation, for each token.
    public static let bytesPerToken = 512
    /// The most bytes of all regular expressions of a request: those of hundreds of usual ones.
    public static let mostRegexBytes = 64 << 20

    private struct RegexKey: Hashable {
        var source: ExactText
        var dot: AnchoredRegex.Dot
    }

    private let account: (any AnyObject & Sendable)?
    private var regexes: [RegexKey: AnchoredRegex] = [:]
    /// The bytes of all regular expressions so far.
    public private(set) var regexBytes = 0
    /// The tokens of all texts of the request so far.
    private var tokens = 0
    private let charge: (Int) throws -> Void
    private let check: () throws -> Void
    /// The first error of the charge or the check, which has ended the parsing.
    public private(set) var failure: (any Error)?

    /// - Parameters:
    ///   - account: The account that `charge` charges; the compiled expressions keep it.
    ///   - charge: Charges bytes before they are allocated; throws if there are too many.
    ///   - check: Throws if the request has reached its deadline or is cancelled.
    public init(
        account: (any AnyObject & Sendable)? = nil, charge: @escaping (Int) throws -> Void = { _ in },
        check: @escaping () throws -> Void = {}
    ) {
        self.account = account
        self.charge = charge
        self.check = check
    }

    /// Counts a token of an expression, and charges memory at intervals; returns false if the parsing must end.
    public func countToken() -> Bool {
        tokens += 1
        return tokens % Self.tokensPerCharge != 0 || reserve(Self.tokensPerCharge * Self.bytesPerToken)
    }

    /// Checks the time and charges memory; returns false if the parsing must end.
    public func reserve(_ bytes: Int) -> Bool {
        guard failure == nil else { return false }
        do {
            try check()
            try charge(bytes)
            return true
        } catch {
            failure = error
            return false
        }
    }
}

extension SyntaxBudget {
    /// Compiles an expression within the limits; if there is a ``failure`` then, the thrown error is its consequence.
    public func regex(
        _ source: String, dot: AnchoredRegex.Dot = .anything
    ) throws(AnchoredRegex.SyntaxError) -> AnchoredRegex {
        let key = RegexKey(source: ExactText(source), dot: dot)
        if let known = regexes[key] { return known }
        guard reserve(0) else { throw refusal(source, "the limits of the request were reached") }
        let regex = try AnchoredRegex(source, dot: dot, isFrugal: true, account: account)
        regexBytes += regex.bytes
        guard regexBytes <= Self.mostRegexBytes else {
            let most = Self.mostRegexBytes >> 20
            throw refusal(source, "all regular expressions together need more than \(most)MB of memory")
        }
        guard reserve(regex.bytes) else { throw refusal(source, "the limits of the request were reached") }
        regexes[key] = regex
        return regex
    }

    private func refusal(_ source: String, _ reason: String) -> AnchoredRegex.SyntaxError {
        let shown = source.unicodeScalars.prefix(100)
        return AnchoredRegex.SyntaxError(expression: String(String.UnicodeScalarView(shown)), reason: reason)
    }
}
