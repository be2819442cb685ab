import Platform
import Synchronization

/// A number of bytes that many requests share.
package final class ByteBudget: Sendable {
    private struct Account {
        var used = 0
        /// The shares that hold something, of a budget that takes from the largest.
        var holders: [ObjectIdentifier: BudgetShare] = [:]
        /// When somebody last got nothing because of what others hold; nil if that was never.
        var refused: Int64?
    }

    package let limit: Int
    private let takesFromLargest: Bool
    /// Bytes of the limit that only shares of at most ``small`` bytes may use.
    private let forSmall: Int
    private static let small = 64 << 10
    private let account = Mutex(Account())

    /// - Parameters:
    ///   - takesFromLargest: Whether the share that holds most is revoked if there is not enough left for a smaller one.
    ///     Otherwise whoever asks gets nothing, however little that is.
    ///   - reservesForSmall: Whether an eighth is kept for small shares.
    package init(limit: Int, takesFromLargest: Bool = false, reservesForSmall: Bool = false) {
        self.limit = max(0, limit)
        forSmall = reservesForSmall ? max(0, limit) / 8 : 0
        self.takesFromLargest = takesFromLargest
    }

    /// A budget for what all targets of a kind may send at once: an eighth of the memory, and no more than 512 MiB.
    package static func forBodies(memory: Int = MachineMemory.limit) -> ByteBudget {
        ByteBudget(limit: min(max(memory / 8, 32 << 20), 512 << 20), takesFromLargest: true)
    }

    fileprivate static let noneLeft = "no memory left for the bodies of answers"

    /// Why a request got nothing.
    fileprivate var shortage: String {
        guard takesFromLargest else { return Self.noneLeft }
        return "the bodies of all targets may take \(limit >> 20) MiB together, and this one takes the most"
    }

    /// Bytes that are reserved.
    package var inUse: Int { account.withLock { $0.used } }

    /// How long a refusal makes the budget count as short, ns.
    ///
    /// Longer than whoever was refused is asked to wait, so that the next attempt finds what others have given up.
    private static let refusalTime: Int64 = 60_000_000_000

    /// Whether more than half is reserved, or somebody was refused lately, so that nobody may hold on to it for long.
    ///
    /// - Parameter now: Of the clock of those that ask for more.
    func isShort(now: Int64) -> Bool {
        account.withLock { account in
            account.used > limit / 2 || account.refused.map { now &- $0 < Self.refusalTime } == true
        }
    }

    /// Gives a share `more` bytes; false if they are not left, or if it was revoked.
    ///
    /// - Parameter now: Shares that are protected until later are not revoked.
    fileprivate func reserve(_ more: Int, for share: BudgetShare, now: Int64) -> Bool {
        var revoked: [BudgetShare] = []
        let isReserved = account.withLock { account in
            if share.isRevoked { return false }
            let (held, overflow) = share.held.addingReportingOverflow(more)
            let available = held <= Self.small ? limit : limit - forSmall
            if overflow || held > available { return false }
            while more > available - account.used {
                // Who would hold the most is the one that fails; of two that hold the same, the one that asks for more.
                let others = account.holders.values.filter { $0 !== share && $0.protectedUntil <= now }
                guard let largest = others.max(by: { $0.held < $1.held }), largest.held > held else {
                    if now < .max { account.refused = now }
                    return false
                }
                account.used -= largest.held
                account.holders[ObjectIdentifier(largest)] = nil
                largest.revoke()
                revoked.append(largest)
            }
            account.used += more
            share.held = held
            if takesFromLargest { account.holders[ObjectIdentifier(share)] = share }
            return true
        }
        for share in revoked { share.onRevocation?() }
        return isReserved
    }

    /// Lets a share keep what it holds, whoever asks for more; false if it was revoked before.
    fileprivate func settle(_ share: BudgetShare) -> Bool {
        account.withLock { account in
            account.holders[ObjectIdentifier(share)] = nil
            return !share.isRevoked
        }
    }

    /// Takes back all that a share holds.
    fileprivate func release(_ share: BudgetShare) {
        account.withLock { account in
            if !share.isRevoked { account.used -= share.held }
            account.holders[ObjectIdentifier(share)] = nil
            share.reset()
        }
    }
}

/// The part of a budget that one request holds; grows in steps, so that requests seldom touch the budget.
///
/// Used by one thread at a time, while others may revoke it. What a revoked share holds counts no more: whoever has it lets
/// go of the memory as soon as it is noticed.
package final class BudgetShare: Sendable {
    private static let steps = [(below: 64 << 10, step: 16 << 10), (below: 512 << 10, step: 64 << 10)]
    private static let largeStep = 1 << 20
    private let budget: ByteBudget?
    /// Called by another thread when the share was revoked; for whoever waits and asks for no more.
    fileprivate let onRevocation: (@Sendable () -> Void)?
    private let bytes = Atomic(0)
    private let revoked = Atomic(false)
    private let protected = Atomic<Int64>(.min)

    package init(_ budget: ByteBudget?, onRevocation: (@Sendable () -> Void)? = nil) {
        self.budget = budget
        self.onRevocation = onRevocation
    }

    /// Why there is nothing left, for messages.
    package var shortage: String { budget?.shortage ?? ByteBudget.noneLeft }

    /// Bytes that the share holds, or held when it was revoked; changed under the lock of the budget only.
    package fileprivate(set) var held: Int {
        get { bytes.load(ordering: .relaxed) }
        set { bytes.store(newValue, ordering: .relaxed) }
    }

    /// Until when the share is not revoked, of the clock of those that ask for more.
    package var protectedUntil: Int64 {
        get { protected.load(ordering: .relaxed) }
        set { protected.store(newValue, ordering: .relaxed) }
    }

    /// Whether others needed what it held.
    package var isRevoked: Bool { revoked.load(ordering: .acquiring) }

    fileprivate func revoke() { revoked.store(true, ordering: .releasing) }

    fileprivate func reset() {
        held = 0
        revoked.store(false, ordering: .releasing)
    }

    /// Makes the share at least `size` bytes; false if the budget has not enough left.
    ///
    /// - Parameter now: Shares that are protected until later stay as they are.
    package func grow(to size: Int, now: Int64 = .max) -> Bool {
        guard let budget else { return true }
        if isRevoked { return false }
        guard size > held else { return true }
        let step = Self.steps.first { size < $0.below }?.step ?? Self.largeStep
        return budget.reserve(max(size - held, step), for: self, now: now)
    }

    /// Keeps what the share holds from being revoked, because its memory cannot be given up any more; false if that has
    /// happened already.
    func settle() -> Bool { budget?.settle(self) ?? true }

    /// Gives everything back, as must be done in the end; a revoked share may then be used again.
    package func release() { budget?.release(self) }
}
