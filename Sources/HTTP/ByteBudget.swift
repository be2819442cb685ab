import Platform
import Synchronization

/// A limit on the bytes that many requests use together.
package final class ByteBudget: Sendable {
    private struct Account {
        var used = 0
        /// The shares that hold bytes, if the budget revokes the largest share.
        var holders: [ObjectIdentifier: BudgetShare] = [:]
        /// The time of the last refusal that was caused by other shares; nil if there was none.
        var refused: Int64?
    }

    package let limit: Int
    private let takesFromLargest: Bool
    /// The bytes of the limit that are reserved for shares of at most ``small`` bytes.
    private let forSmall: Int
    private static let small = 64 << 10
    private let account = Mutex(Account())

    /// - Parameters:
    ///   - takesFromLargest: Whether the largest share is revoked if the limit does not suffice for a smaller one.
    ///     Otherwise the request for bytes fails, however small it is.
    ///   - reservesForSmall: Whether an eighth of the limit is reserved for small shares.
    package init(limit: Int, takesFromLargest: Bool = false, reservesForSmall: Bool = false) {
        self.limit = max(0, limit)
        forSmall = reservesForSmall ? max(0, limit) / 8 : 0
        self.takesFromLargest = takesFromLargest
    }

    /// A budget for the bodies that all targets of a kind send at once: an eighth of the memory, at most 512 MiB.
    package static func forBodies(memory: Int = MachineMemory.limit) -> ByteBudget {
        ByteBudget(limit: min(max(memory / 8, 32 << 20), 512 << 20), takesFromLargest: true)
    }

    fileprivate static let noneLeft = "no memory left for the bodies of answers"

    /// The reason of a refusal.
    fileprivate var shortage: String {
        guard takesFromLargest else { return Self.noneLeft }
        return "the bodies of all targets may take \(limit >> 20) MiB together, and this one takes the most"
    }

    /// The bytes that are reserved.
    package var inUse: Int { account.withLock { $0.used } }

    /// The time for which the budget counts as short after a refusal, ns.
    ///
    /// It is longer than the retry delay of a refused request. So the next attempt finds the bytes that others have
    /// released.
    private static let refusalTime: Int64 = 60_000_000_000

    /// Whether more than half of the limit is reserved, or a request for bytes was refused recently.
    ///
    /// Then no share may be held for long.
    ///
    /// - Parameter now: The time of the clock that ``BudgetShare/protectedUntil`` uses.
    func isShort(now: Int64) -> Bool {
        account.withLock { account in
            account.used > limit / 2 || account.refused.map { now &- $0 < Self.refusalTime } == true
        }
    }

    /// Adds `more` bytes to a share; returns false if the limit does not suffice, or if the share was revoked.
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
                // The share that would be the largest fails. If two are equal, the one that asks for more fails.
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

    /// Protects a share from revocation; returns false if it was revoked before.
    fileprivate func settle(_ share: BudgetShare) -> Bool {
        account.withLock { account in
            account.holders[ObjectIdentifier(share)] = nil
            return !share.isRevoked
        }
    }

    /// Releases all bytes of a share.
    fileprivate func release(_ share: BudgetShare) {
        account.withLock { account in
            if !share.isRevoked { account.used -= share.held }
            account.holders[ObjectIdentifier(share)] = nil
            share.reset()
        }
    }
}

/// The part of a budget that one request holds.
///
/// It grows in steps, so that the budget's lock is seldom taken.
///
/// One thread uses it at a time; other threads may revoke it. The bytes of a revoked share do not count any more: its
/// owner frees the memory as soon as it notices the revocation.
package final class BudgetShare: Sendable {
    private static let steps = [(below: 64 << 10, step: 16 << 10), (below: 512 << 10, step: 64 << 10)]
    private static let largeStep = 1 << 20
    private let budget: ByteBudget?
    /// Called by another thread after the share was revoked, for an owner that waits and does not ask for more bytes.
    fileprivate let onRevocation: (@Sendable () -> Void)?
    private let bytes = Atomic(0)
    private let revoked = Atomic(false)
    private let protected = Atomic<Int64>(.min)

    package init(_ budget: ByteBudget?, onRevocation: (@Sendable () -> Void)? = nil) {
        self.budget = budget
        self.onRevocation = onRevocation
    }

    /// The reason of a refusal, for messages.
    package var shortage: String { budget?.shortage ?? ByteBudget.noneLeft }

    /// The bytes that the share holds, or held when it was revoked.
    ///
    /// They change under the budget's lock only.
    package fileprivate(set) var held: Int {
        get { bytes.load(ordering: .relaxed) }
        set { bytes.store(newValue, ordering: .relaxed) }
    }

    /// The time until which the share is not revoked, of the clock of the callers that ask for more.
    package var protectedUntil: Int64 {
        get { protected.load(ordering: .relaxed) }
        set { protected.store(newValue, ordering: .relaxed) }
    }

    /// Whether the share was revoked for another request.
    package var isRevoked: Bool { revoked.load(ordering: .acquiring) }

    fileprivate func revoke() { revoked.store(true, ordering: .releasing) }

    fileprivate func reset() {
        held = 0
        revoked.store(false, ordering: .releasing)
    }

    /// Grows the share to at least `size` bytes; returns false if the budget does not suffice.
    ///
    /// - Parameter now: Shares that are protected until later are not revoked.
    package func grow(to size: Int, now: Int64 = .max) -> Bool {
        guard let budget else { return true }
        if isRevoked { return false }
        guard size > held else { return true }
        let step = Self.steps.first { size < $0.below }?.step ?? Self.largeStep
        return budget.reserve(max(size - held, step), for: self, now: now)
    }

    /// Protects the share from revocation, because its memory cannot be freed any more; returns false if it was revoked
    /// before.
    func settle() -> Bool { budget?.settle(self) ?? true }

    /// Releases all bytes.
    ///
    /// Every share must be released at its end; a revoked share can be used again after this.
    package func release() { budget?.release(self) }
}
