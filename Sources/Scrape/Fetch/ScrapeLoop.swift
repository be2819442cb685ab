import Config
import HTTP
import Model
import Platform
import Synchronization

/// Sends the requests of all targets on schedule, from the thread of a transfer loop.
///
/// What comes back goes to the workers. A target whose last page is still being fetched or read when its next turn comes
/// has that turn as soon as it is free; further turns are left out.
final class ScrapeLoop: Sendable {
    enum Command: Sendable {
        /// Scrape from now on.
        case start(Target)
        /// Write the markers that end a removed target's series, at the time (ms) of the first scrape it misses.
        case end(Target, at: Int64)
        /// The worker is done with it.
        case recycle(PageFetch)
        /// The target is free and has a turn waiting, since the time (ms).
        case late(Target, due: Int64)
        /// Scrape at once; the second is called when all is stored.
        case scrapeNow(Target, @Sendable () -> Void)
    }
    enum Work: Sendable {
        case page(PageFetch)
        case end(Target, at: Int64)
    }
    private enum Event {
        case scrape(Target)
        case end(Target, at: Int64)
    }

    private let transfers: TransferLoop
    private let inbox = Mutex<[Command]>([])
    private let clock: any Clock
    private let seed: UInt64
    private let deliver: @Sendable (Work) -> Void
    // SAFETY: only the loop's own thread uses it.
    nonisolated(unsafe) private var state = Schedule()
    /// Fetches that the end of the loop has cut off.
    private let abandoned = Mutex<[PageFetch]>([])
    private let budget: ByteBudget
    private let noOptions = RequestOptions(.init())
    let lag = LoopLag()

    /// The most requests that are started before those under way are looked after.
    private static let startsPerTurn = 64

    /// - Parameters:
    ///   - seed: Shifts the phases of all targets.
    ///   - budget: What the pages of all targets may take together.
    ///   - deliver: Takes what has to be read and stored.
    init?(clock: any Clock, seed: UInt64, budget: ByteBudget, deliver: @escaping @Sendable (Work) -> Void) {
        guard let transfers = TransferLoop("scrape-loop", clock: clock, maxRunning: OpenFiles.parts.scrapes)
        else { return nil }
        self.transfers = transfers
        self.clock = clock
        self.seed = seed
        self.budget = budget
        self.deliver = deliver
    }

    func start() { transfers.start { [self] active in turn(&active) } }

    func send(_ commands: [Command]) {
        if commands.isEmpty { return }
        inbox.withLock { $0 += commands }
        transfers.wake()
    }

    /// Gives a fetch back without waking the thread for it.
    func recycle(_ fetch: PageFetch) { inbox.withLock { $0.append(.recycle(fetch)) } }

    /// Says that a worker is done with a target.
    func release(_ target: Target) {
        let due = target.turn.release()
        if due != 0 { send([.late(target, due: due)]) }
    }

    /// Ends the thread; requests under way are given up and stored as failed by nobody.
    func stop() {
        transfers.stop()
        for fetch in abandoned.withLock({ $0 }) { fetch.completion?() }
    }

    private struct Schedule {
        var events = ScrapeSchedule<Event>()
        var turns = TurnQueue<Target>()
        var idle: [PageFetch] = []
        var targetCount = 0
        /// Turns that were left out in this round.
        var missed = 0
        /// How late the latest scrape of this round began, ms; nil if none began.
        var lag: Int64?
    }

    /// One round: takes commands, starts what is due; returns ms until the next event.
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
        return min(state.events.wait(at: clock.now()) ?? 1000, 1000)
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
                state.events.insert(.scrape(target), due: first)
            case .end(let target, let at):
                let wait = at &+ target.definition.interval &+ target.definition.interval / 10
                state.events.insert(.end(target, at: at), due: wait)
            case .recycle(let fetch):
                // A few large buffers are worth keeping, one for each of many fetches is not.
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
        if added > 0 {
            state.targetCount += added
            // Without room for a connection per target, keep-alive would be lost with more than a few targets.
            transfers.keepConnections(min(max(16, state.targetCount * 2), 20_000))
        }
    }

    /// Lays the grid of scrapes anew when the wall clock was set.
    private func followClock() {
        state.events.observe(clock) { [seed] event, step, due in
            switch event {
            case .end(let target, let at): return (.end(target, at: at &+ step), due)
            case .scrape(let target):
                let definition = target.definition
                let next = ScrapeOffset.next(
                    after: due, interval: definition.interval, identity: definition.identity, seed: seed)
                return (event, next &- definition.interval)
            }
        }
    }

    /// Moves the targets whose turn has come from the schedule to the queue.
    private func takeDue() {
        let now = clock.now()
        while let (due, event) = state.events.pop(at: now) {
            switch event {
            case .end(let target, let at):
                if !target.isReplaced.load(ordering: .relaxed) { deliver(.end(target, at: at)) }
            case .scrape(let target):
                if target.isRemoved.load(ordering: .relaxed) {
                    state.targetCount -= 1
                    continue
                }
                state.turns.add(target, due: due, interval: target.definition.interval)
            }
        }
    }

    private func startTurns(_ active: inout TransferLoop.Active) {
        guard state.turns.count > 0 else { return }
        for _ in 0..<Self.startsPerTurn {
            guard let (due, target) = state.turns.take() else { break }
            let now = clock.now()
            // After a pause of the machine, or when the loop is behind, the missed turns are left out.
            let next = TargetTurns(interval: target.definition.interval).next(after: due, now: now)
            state.events.insert(.scrape(target), due: next.due)
            state.missed += Int(clamping: next.missed)
            state.lag = max(state.lag ?? 0, now &- due)
            begin(target, due: due, completion: nil, &active)
        }
    }

    private func begin(
        _ target: Target, due: Int64, completion: (@Sendable () -> Void)?, _ active: inout TransferLoop.Active
    ) {
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
        // Secrets in files are read by a thread that may block; tokens are asked for by another loop.
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
            // At the end nothing is stored: the series may go on after a start.
            if fetch.transfer.failure?.kind == .cancelled { return abandoned.withLock { $0.append(fetch) } }
            fetch.arrive(clock.monotonic())
            deliver(.page(fetch))
        }
    }
}
