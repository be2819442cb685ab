/// The memory and time of one request for the parsing of its texts.
///
/// One thread uses it.
public final class SyntaxBudget {
    private let charge: (Int) throws -> Void
    private let check: () throws -> Void
    /// The first error of the charge or the check, which has ended the parsing.
    public private(set) var failure: (any Error)?

    /// - Parameters:
    ///   - charge: Charges bytes before they are allocated; throws if there are too many.
    ///   - check: Throws if the request has reached its deadline or is cancelled.
    public init(charge: @escaping (Int) throws -> Void, check: @escaping () throws -> Void) {
        self.charge = charge
        self.check = check
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
