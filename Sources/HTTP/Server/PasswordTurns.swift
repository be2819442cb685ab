import Synchronization

/// Allows one request at a time to compute the hash of its password; the others wait without a thread.
///
/// The next turn belongs to the address with the fewest turns since the queue was last empty, so that an address that
/// sends many wrong passwords does not block others. Within one address, the question with the most refusals is next: a
/// client with the right password repeats its question, and an attacker asks different ones.
final class PasswordTurns: Sendable {
    enum Outcome: Sendable {
        case turn
        /// Too many requests wait.
        case refused
    }
    typealias Job = @Sendable (Outcome) -> Void

    private struct Waiter {
        var address: String
        var question: [UInt8]
        var job: Job
    }

    private struct State {
        var isTaken = false
        /// In order of arrival.
        var waiting: [Waiter] = []
        /// The turns by address since the queue was last empty.
        var turns: [String: Int] = [:]
        /// The refusals since then.
        var refusals = RefusalCounts()
    }

    /// The most requests that wait.
    static let most = 64

    private let state = Mutex(State())

    /// Acquires the turn.
    ///
    /// - Parameters:
    ///   - question: A digest of user and password.
    ///   - job: If the turn is not free, called later with the turn or with a refusal.
    /// - Returns: Whether the turn is free; otherwise a job that the caller must run, because its place was given to
    ///   another one.
    func take(
        for address: String, question: [UInt8], orLater job: @escaping Job
    ) -> (isFree: Bool, refused: Job?) {
        state.withLock { state in
            if !state.isTaken {
                state.isTaken = true
                state.turns[address, default: 0] += 1
                return (true, nil)
            }
            state.waiting.append(Waiter(address: address, question: question, job: job))
            guard state.waiting.count > Self.most else { return (false, nil) }
            let waiter = Self.removeOfLargest(&state)
            state.refusals.add(waiter.question)
            return (false, waiter.job)
        }
    }

    /// Removes a waiter of the address with the most waiters: one of those with the fewest refusals.
    private static func removeOfLargest(_ state: inout State) -> Waiter {
        var counts: [String: Int] = [:]
        for waiter in state.waiting { counts[waiter.address, default: 0] += 1 }
        let largest = counts.values.max() ?? 0
        let candidates = state.waiting.indices.filter { counts[state.waiting[$0].address] == largest }
        let refusals = candidates.map { state.refusals.count(state.waiting[$0].question) }
        let least = refusals.min() ?? 0
        let index = zip(candidates, refusals).filter { $0.1 == least }.randomElement()?.0
        return state.waiting.remove(at: index ?? state.waiting.count - 1)
    }

    /// Passes the turn on; returns the job that has it now, which the caller must start.
    func leave() -> Job? {
        state.withLock { state in
            guard let next = Self.next(state) else {
                state.isTaken = false
                state.turns = [:]
                state.refusals = RefusalCounts()
                return nil
            }
            let waiter = state.waiting.remove(at: next)
            state.turns[waiter.address, default: 0] += 1
            // The result is cached. If it is removed from the cache, the question has no precedence the next time.
            state.refusals.forget(waiter.question)
            return waiter.job
        }
    }

    private static func next(_ state: State) -> Int? {
        // Of equal waiters the first in order is used.
        state.waiting.indices.map { index in
            let waiter = state.waiting[index]
            return (state.turns[waiter.address] ?? 0, -state.refusals.count(waiter.question), index)
        }.min(by: <)?.2
    }

    /// Whether a request waits.
    var isWaitedFor: Bool { waiting > 0 }

    /// The number of requests that wait.
    var waiting: Int { state.withLock { $0.waiting.count } }
}

/// Counts by digest in a fixed amount of memory, however many digests there are.
///
/// A count can be too high if other digests share both of its cells, but not too low.
private struct RefusalCounts {
    private static let cellCount = 1 << 16
    /// The cells; empty while all counts are 0.
    private var cells: [UInt8] = []
    private var total = 0

    private static func cells(of digest: [UInt8]) -> (Int, Int) {
        guard digest.count >= 4 else { return (0, 0) }
        return (Int(digest[0]) << 8 | Int(digest[1]), Int(digest[2]) << 8 | Int(digest[3]))
    }

    func count(_ digest: [UInt8]) -> Int {
        if cells.isEmpty { return 0 }
        let (first, second) = Self.cells(of: digest)
        return Int(min(cells[first], cells[second]))
    }

    mutating func add(_ digest: [UInt8]) {
        // If every cell is occupied, the counts are useless.
        if cells.isEmpty || total >= Self.cellCount {
            cells = [UInt8](repeating: 0, count: Self.cellCount)
            total = 0
        }
        total += 1
        let (first, second) = Self.cells(of: digest)
        if cells[first] < .max { cells[first] += 1 }
        if second != first, cells[second] < .max { cells[second] += 1 }
    }

    mutating func forget(_ digest: [UInt8]) {
        let count = UInt8(self.count(digest))
        guard count > 0 else { return }
        let (first, second) = Self.cells(of: digest)
        cells[first] -= count
        if second != first { cells[second] -= count }
    }
}
