/// Decides how records get into the ledger: when they are appended, when the file is replaced, and when to try again.
///
/// It gets the results of writes, the state of the file and the time, and returns what to do next; ``Notifier`` does it.
/// There is one task at a time: ``begin(_:_:at:)`` has its first action, and ``next(_:_:at:)`` the one after each result.
struct LedgerPlan: Sendable {
    /// A reason to write.
    enum Task: Sendable, Hashable, CaseIterable {
        /// New records of what is in memory already; a new file has them too.
        case record
        /// New records of what gets into memory only when they are on disk.
        case change
        /// The file may lack records, or be long.
        case maintain
    }

    enum Action: Sendable, Hashable {
        /// Append the records of the task.
        case append
        /// Replace the file by one with what is in memory.
        case replace
        /// The task has ended, and records are missing: maintain the file at the latest after so many ms.
        case wait(Int64)
        /// The task has ended.
        case end
    }

    /// The time after which an incomplete file is replaced again, ms: on a full disk this is not tried for each record.
    private static let repairInterval: Int64 = 5_000
    /// The size below which a file is not too long, bytes.
    private static let smallestLong = 1 << 20

    /// The time from which the file is replaced when records are missing, ms.
    private var nextRepair = Int64.min
    private var task = Task.maintain
    private var action = Action.end
    private var hasFailed = false

    /// Begins a task.
    ///
    /// - Parameter now: The time of a clock that is never set, ms.
    mutating func begin(_ task: Task, _ file: LedgerStatus, at now: Int64) -> Action {
        self.task = task
        hasFailed = false
        let replaces =
            switch task {
            case .record: file.condition != .complete && takeRepair(now)
            case .change: file.condition == .closed
            case .maintain: file.condition != .complete || Self.isLong(file)
            }
        return go(replaces ? .replace : task == .maintain ? .end : .append, file)
    }

    /// Continues the task after an action; ``Action/wait(_:)`` and ``Action/end`` are the last.
    ///
    /// - Parameter isDone: Whether the action succeeded.
    mutating func next(_ isDone: Bool, _ file: LedgerStatus, at now: Int64) -> Action {
        if isDone { return go(action == .replace && task == .change && !hasFailed ? .append : .end, file) }
        if hasFailed { return go(.end, file) }
        hasFailed = true
        let replaces =
            switch task {
            // Until the file is complete, a start would read an older state: an alert that has ended as firing.
            case .record: takeRepair(now)
            // A new file certainly lacks the records.
            case .change: file.condition == .closed
            case .maintain: false
            }
        return go(replaces ? .replace : .end, file)
    }

    private mutating func go(_ next: Action, _ file: LedgerStatus) -> Action {
        action = next == .end && file.condition != .complete ? .wait(Self.repairInterval) : next
        return action
    }

    /// Whether missing records may be added now; then not again until ``repairInterval`` has passed.
    private mutating func takeRepair(_ now: Int64) -> Bool {
        guard now >= nextRepair else { return false }
        nextRepair = now &+ Self.repairInterval
        return true
    }

    /// Whether the file has grown so much that a new one is worth its cost.
    private static func isLong(_ file: LedgerStatus) -> Bool {
        file.size > max(smallestLong, file.replacedSize &* 4)
    }
}

/// The state of a ledger's file.
struct LedgerStatus: Sendable, Hashable {
    /// Whether the file has all records, and whether more are appended.
    enum Condition: Sendable, Hashable {
        /// The file has all records.
        case complete
        /// Records are missing; more may be appended.
        case incomplete
        /// Records may be missing, and nothing is appended: a sync failed, or a failed append could not be removed.
        case closed
    }

    var condition = Condition.complete
    /// The size in bytes.
    var size: Int
    /// The size when the file was new, bytes.
    var replacedSize: Int
}
