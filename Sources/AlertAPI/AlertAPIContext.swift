import HTTP
import Notify
import Platform

/// The parts of the daemon that Alertmanager's API uses.
package struct AlertAPIContext: Sendable {
    /// Nil without a configuration of the built-in notifier.
    let notifier: Notifier?
    let clock: any Clock
    /// The start time of the daemon, ms.
    let startTime: Int64
    /// The reason why the daemon does not answer; nil if it does.
    let unreadyReason: @Sendable () -> String?
    /// The memory of all answers that are made or sent.
    let budget: ByteBudget

    package init(
        notifier: Notifier?, clock: any Clock, startTime: Int64, unreadyReason: @escaping @Sendable () -> String?,
        budget: ByteBudget = ByteBudget(limit: max(MachineMemory.limit / 16, 64 << 20))
    ) {
        self.notifier = notifier
        self.clock = clock
        self.startTime = startTime
        self.unreadyReason = unreadyReason
        self.budget = budget
    }
}

/// The memory of one answer, from its first byte until it was sent.
final class AnswerShare: Sendable {
    private let share: BudgetShare
    private let request: HTTPRequest
    /// The bytes that are held for each byte under construction: an array grows by doubling.
    private static let bytesPerByte = 2

    init(_ request: HTTPRequest, _ budget: ByteBudget) {
        self.request = request
        share = BudgetShare(budget)
    }

    deinit { share.release() }

    /// Called after each part of the body with its size so far.
    func grew(to bytes: Int) throws(AlertAPIError) {
        if request.isCancelled() { throw .unavailable("the request was canceled") }
        let (held, isOver) = bytes.multipliedReportingOverflow(by: Self.bytesPerByte)
        guard !isOver, share.grow(to: held) else { throw .unavailable("too many large answers at once") }
    }
}
