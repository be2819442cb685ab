import Config
import HTTP
import Model
import Platform
import Synchronization

/// Sends the requests of all targets on schedule, on the thread of a transfer loop.
///
/// The results are passed to the workers. If the last body of a target is still being fetched or read at its next turn,
/// that turn begins as soon as the target is free; further turns are skipped.
final class ScrapeLoop: Sendable {
    enum Command: Sendable {
        /// Starts to scrape a target.
        case start(Target)
        /// Writes the stale markers of a removed target, at the time (ms) of the first scrape that it misses.
        case end(Target, at: Int64)
        /// The worker has finished the fetch.
        case recycle(PageFetch)
        /// The target is free and has a waiting turn, since the time (ms).
        case late(Target, due: Int64)
        /// Scrapes immediately; the function is called when all samples are stored.
        case scrapeNow(Target, @Sendable () -> Void)
    }
    enum Work: Sendable {
        case page(PageFetch)
        case end(Target, at: Int64)
    }
    /// The end of the series of a removed target, at the time (ms) of the first scrape that it misses.
    private typealias Ending = (target: Target, at: Int64)

    private let transfers: TransferLoop
    private let inbox = Mutex<[Command]>([])
    private let clock: any Clock
    private let seed: UInt64
    // SAFETY: only the loop's own thread uses both; the function is set before the thread starts.
    nonisolated(unsafe) private var deliver: @Sendable (Work) -> Void = { _ in }
    nonisolated(unsafe) private var state = Schedule()
    /// The fetches that the end of the loop has cancelled.
    private let abandoned = Mutex<[PageFetch]>([])
    private let budget: ByteBudget
    private let noOptions = RequestOptions(.init())
    let lag = LoopLag()

    /// The most requests that are started before running ones are processed.
    private static let startsPerTurn = 64

    /// - Parameters:
    ///   - seed: Shifts the phases of all targets.
    ///   - budget: The limit of the bodies of all targets together.
    init?(clock: any Clock, seed: UInt64, budget: ByteBudget) {
        guard let transfers = TransferLoop("scrape-loop", clock: clock, maxRunning: OpenFiles.parts.scrapes)
        else { return nil }
        self.transfers = transfers
        self.clock = clock
        self.seed = seed
        self.budget = budget
    }

    /// Starts the thread.
    ///
    /// - Parameter deliver: Receives the work for the workers.
    func start(_ deliver: @escaping @Sendable (Work) -> Void) {
        self.deliver = deliver
        transfers.start { [self] active in turn(&active) }
    }

    func send(_ commands: [Command]) {
        if commands.isEmpty { return }
        inbox.withLock { $0 += commands }
        transfers.wake()
    }

    /// Returns a fetch without waking the thread.
    func recycle(_ fetch: PageFetch) { inbox.withLock { $0.append(.recycle(fetch)) } }

    /// Reports that a worker has finished a target.
    func release(_ target: Target) {
        let due = target.turn.release()
        if due != 0 { send([.late(target, due: due)]) }
    }

    /// Ends the thread.
    ///
    /// Running requests are cancelled, and not stored as failed.
    func stop() {
        transfers.stop()
        for fetch in abandoned.withLock({ $0 }) { fetch.completion?() }
    }

    private struct Schedule {
        var scrapes = ScrapeSchedule<Target>()
        /// The ends of removed targets, which wait because a target with the same labels may come and continue.
        var ends = ScrapeSchedule<Ending>()
        /// The number of targets that were removed or replaced since ``scrapes`` was searched for them.
        var removed = 0
        var turns = TurnQueue<Target>()
        var idle: [PageFetch] = []
        var targetCount = 0
        /// The number of turns that were skipped in this round.
        var missed = 0
        /// The largest delay of a scrape in this round, ms; nil if none began.
        var lag: Int64?
    }

    /// One round: processes commands and starts turns that are due; returns the ms until the next event.
    private func turn(_ active: inout TransferLoop.Active) -> Int64 {
        handleCommands(&active)
        followClock()
        takeDue()
        startTurns(&active)
        if let lag = state.lag ?? (state.missed > 0 ? 0 : nil) {
            self.lag.observe(lag: lag, missed: state.missed, now: clock.now())
            (state.lag, state.missed) = (nil, 0)
        }
        if state.turns.count > 0 { return 0 }
        let now = clock.now()
        return min(state.scrapes.wait(at: now) ?? 1000, state.ends.wait(at: now) ?? 1000, 1000)
    }

    private func handleCommands(_ active: inout TransferLoop.Active) {
        let commands = inbox.withLock { inbox in
            defer { inbox.removeAll(keepingCapacity: true) }
            return inbox
        }
        var added = 0
        for command in commands {
            switch command {
            case .start(let target):
                added += 1
                let definition = target.definition
                let first = ScrapeOffset.next(
                    after: clock.now(), interval: definition.interval, identity: definition.identity, seed: seed)
                state.scrapes.insert(target, due: first)
            case .end(let target, let at): handleEnd(of: target, at: at)
            case .recycle(let fetch):
                // A few large buffers are kept, but not one for each of many fetches.
                fetch.recycle(keepingBytes: state.idle.count < 4 ? 4 << 20 : 64 << 10)
                if state.idle.count < 64 { state.idle.append(fetch) }
            case .late(let target, let due):
                if target.isRemoved.load(ordering: .relaxed) { continue }
                begin(target, due: due, completion: nil, &active)
                state.lag = max(state.lag ?? 0, clock.now() &- due)
            case .scrapeNow(let target, let completion):
                begin(target, due: clock.now(), completion: completion, &active)
            }
        }
        state.removed += added
        forgetRemoved()
        if added > 0 {
            state.targetCount += added
            // With fewer connections than targets, keep-alive would not work.
            transfers.keepConnections(min(max(16, state.targetCount * 2), 20_000))
        }
    }

    /// The most removed targets whose series wait for their end.
    static let mostEnds = 10_000

    private func handleEnd(of target: Target, at: Int64) {
        state.removed += 1
        // Nobody can continue series that do not exist.
        guard target.hasBegun else { return deliver(.end(target, at: at)) }
        state.ends.insert((target, at), due: at &+ target.definition.interval &+ target.definition.interval / 10)
        // A list that changes all the time must not use memory without limit.
        if state.ends.count > Self.mostEnds { endNext(at: .max) }
    }

    /// Ends the series of the removed target that is due first, if it is due at `now`; returns whether it was.
    @discardableResult
    private func endNext(at now: Int64) -> Bool {
        guard let (_, ending) = state.ends.pop(at: now) else { return false }
        if !ending.target.isReplaced.load(ordering: .relaxed) { deliver(.end(ending.target, at: ending.at)) }
        return true
    }

    /// Removes the scrapes of removed targets, once they can be a third of all.
    private func forgetRemoved() {
        guard state.removed > max(64, state.scrapes.count / 3) else { return }
        state.removed = 0
        let before = state.scrapes.count
        state.scrapes.removeAll { $0.isRemoved.load(ordering: .relaxed) }
        state.targetCount -= before - state.scrapes.count
        state.ends.removeAll { $0.target.isReplaced.load(ordering: .relaxed) }
    }

    /// Computes the times of scrapes again after the wall clock was set.
    private func followClock() {
        state.scrapes.observe(clock) { [seed] target, _, due in
            let definition = target.definition
            let next = ScrapeOffset.next(
                after: due, interval: definition.interval, identity: definition.identity, seed: seed)
            return (target, next &- definition.interval)
        }
        state.ends.observe(clock) { ending, step, due in ((ending.target, ending.at &+ step), due) }
    }

    /// Moves the targets that are due from the schedule to the queue.
    private func takeDue() {
        let now = clock.now()
        while endNext(at: now) {}
        while let (due, target) = state.scrapes.pop(at: now) {
            if target.isRemoved.load(ordering: .relaxed) {
                state.targetCount -= 1
                continue
            }
            state.turns.add(target, due: due, interval: target.definition.interval)
        }
    }

    private func startTurns(_ active: inout TransferLoop.Active) {
        guard state.turns.count > 0 else { return }
        for _ in 0..<Self.startsPerTurn {
            guard let (due, target) = state.turns.take() else { break }
            let now = clock.now()
            // After a pause of the machine, or when the loop is late, missed turns are skipped.
            let next = TargetTurns(interval: target.definition.interval).next(after: due, now: now)
            if target.isRemoved.load(ordering: .relaxed) {
                state.targetCount -= 1
                continue
            }
            state.scrapes.insert(target, due: next.due)
            state.missed += Int(clamping: next.missed)
            state.lag = max(state.lag ?? 0, now &- due)
            begin(target, due: due, completion: nil, &active)
        }
    }

    private func begin(
        _ target: Target, due: Int64, completion: (@Sendable () -> Void)?, _ active: inout TransferLoop.Active
    ) {
        target.isBegun.store(true, ordering: .relaxed)
        switch target.turn.take(due: due, waits: completion == nil) {
        case .taken: break
        case .waiting: return
        case .missed:
            if completion == nil { state.missed += 1 }
            completion?()
            return
        }
        guard let fetch = state.idle.popLast() ?? makeFetch() else {
            _ = target.turn.release()
            completion?()
            return
        }
        let now = clock.now()
        let turns = TargetTurns(
            interval: target.definition.interval, tolerance: target.settings.timestampTolerance)
        fetch.begin(
            target, scrapeTime: turns.timestamp(due: due, now: now), started: clock.monotonic(),
            timeout: turns.timeout(target.definition.timeout, due: due, now: now))
        fetch.completion = completion
        let refusal = target.state.withLock { $0.refusal }
        guard refusal.isEmpty else {
            fetch.refuse(ScrapeFailure(.targetLimit, refusal))
            return deliver(.page(fetch))
        }
        if let problem = target.definition.urlProblem {
            fetch.refuse(ScrapeFailure(.network, problem))
            return deliver(.page(fetch))
        }
        if let credentials = target.settings.requestOptions.readyCredentials {
            fetch.prepare(credentials)
            return active.start(fetch.transfer)
        }
        // A thread that may block reads secrets from files; another loop requests tokens.
        let timeout = (fetch.deadline &- clock.monotonic()) / 1_000_000
        let request = CredentialsRequest(userAgent: target.settings.userAgent, timeout: timeout)
        target.settings.requestOptions.ask(request) { [self] result in
            switch result {
            case .success(let credentials):
                fetch.prepare(credentials)
                transfers.submit(fetch.transfer)
            case .failure(let failure):
                fetch.refuse(failure)
                deliver(.page(fetch))
            }
        }
    }

    private func makeFetch() -> PageFetch? {
        PageFetch(noOptions, budget: budget, loop: transfers) { [weak self] fetch in
            guard let self else { return }
            // At the end nothing is stored, because the series may continue after a restart.
            if fetch.transfer.failure?.kind == .cancelled { return abandoned.withLock { $0.append(fetch) } }
            fetch.arrive(clock.monotonic())
            deliver(.page(fetch))
        }
    }
}
