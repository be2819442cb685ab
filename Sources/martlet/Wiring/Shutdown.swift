import Dispatch
import Glibc
import HTTP
import Notify
import Platform
import Rules
import Scrape
import Storage
import Synchronization
import Telemetry

extension Daemon {
    /// Ends the daemon by ``ShutdownPlan``; the exit status.
    func stop(_ server: HTTPServer) -> Int32 {
        log.info("Shutting down")
        state.withLock { $0.isStopping = true }
        FileReads.shared.hurry()
        server.cancelHandlers()
        let plan = ShutdownPlan(grace: options.flags.duration("shutdown.grace-period"))
        let began = clock.monotonic()
        func elapsed() -> Int64 { (clock.monotonic() - began) / 1_000_000 }
        var overdue: Set<ShutdownPlan.Step> = []
        var isClosed = true
        for step in ShutdownPlan.Step.allCases where plan.runs(step, after: overdue, isHurried: hurry.isOn) {
            guard let limit = plan.limit(of: step, elapsed: elapsed()) else {
                isClosed = closeStore()
                continue
            }
            switch Self.run(step.name, within: limit, hurry, { [self] in perform(step, within: limit, server) }) {
            case .ended: break
            case .noThread:
                log.warn(
                    "The system has no thread for a step of the shutdown; going on without it", ["step": step.name])
                overdue.insert(step)
            case .overdue:
                log.warn(
                    hurry.isOn
                        ? "Another signal: going on without a step of the shutdown"
                        : "A step of the shutdown takes longer than the grace period allows; going on without it",
                    ["step": step.name, "limit": "\(limit)ms"])
                overdue.insert(step)
            }
        }
        store.releaseLock()
        log.info("See you next time!", ["duration": "\(elapsed())ms"])
        // Threads of steps and files that hang may use what the end of the process would destroy.
        let isBusy = FileReads.shared.isBusy || handlersAreLeft.load(ordering: .acquiring)
        if isBusy || !overdue.isEmpty || hurry.isOn { _exit(isClosed ? 0 : 1) }
        return isClosed ? 0 : 1
    }

    private func perform(_ step: ShutdownPlan.Step, within limit: Int64, _ server: HTTPServer) {
        switch step {
        case .stopRules: try? blocking { [rules] in await rules.stop() }
        case .lastScrape: scrape.shutdown(finalScrapeOfLoopback: true)
        case .lastEvaluation: rules.evaluateOnce(at: clock.now())
        case .closeStore: break
        case .leavePartners:
            // What is stored is safe: nobody needs the listener any more.
            server.beginStop()
            try? blocking { [notifier, alertmanagers] in
                async let sent: Void = alertmanagers.stop(grace: limit)
                async let delivered: Void? = notifier?.stop(grace: limit)
                _ = await (sent, delivered)
            }
            if !server.awaitStop(milliseconds: Self.handlerTime) {
                log.warn("A request is still at work; going on without its answer")
                handlersAreLeft.store(true, ordering: .releasing)
            }
        }
    }

    /// How long handlers may go on that do not notice the end, and clients may take their answers, ms.
    private static let handlerTime: Int64 = 1500

    /// Brings all samples to the disk; the directory stays locked, because the notifier still writes its ledger there.
    private func closeStore() -> Bool {
        do {
            try store.close(keepsLock: true)
            log.info("The storage is closed", ["series": "\(store.headSeries)"])
            return true
        } catch {
            log.error("The store could not be closed cleanly; its log will be replayed", ["err": "\(error)"])
            return false
        }
    }

    /// What became of a step.
    enum StepOutcome { case ended, overdue, noThread }

    /// Runs `body` on a thread of its own; whether it has ended within `limit` ms, and before there was a hurry.
    ///
    /// Without a thread it is not run: nothing could limit its time.
    static func run(
        _ name: String, within limit: Int64, _ hurry: Hurry = Hurry(), _ body: @escaping @Sendable () -> Void
    ) -> StepOutcome {
        let done = TimedSemaphore(value: 0)
        let outcome = Outcome()
        let thread = Thread.start(name, stackSize: 8 << 20) {
            body()
            outcome.hasEnded.store(true, ordering: .releasing)
            done.signal()
        }
        guard thread != nil else { return .noThread }
        hurry.cut(done)
        _ = done.wait(milliseconds: limit)
        return outcome.hasEnded.load(ordering: .acquiring) ? .ended : .overdue
    }

    /// How soon a second signal is no second wish, ns.
    private static let sameStop: Int64 = 300_000_000

    /// Counts a signal that asks for the end: the first begins it, the second cuts its waits short, and the third ends the
    /// process even while the store is being closed, whose log is then replayed.
    ///
    /// One that follows another within ``sameStop`` says the same again: `timeout` and terminals signal a process and its
    /// group at once.
    func stopSignal(_ name: String) {
        let now = clock.monotonic()
        let last = lastStopSignal.exchange(now, ordering: .relaxed)
        if last != 0, now &- last < Self.sameStop { return }
        let isFirst = stopSignals.add(1, ordering: .relaxed).newValue == 1 && !state.withLock { $0.isStopping }
        if isFirst {
            log.info("Received an OS signal, exiting gracefully...", ["signal": name])
            stopRequested.signal()
        } else if hurry.isOn {
            _exit(1)
        } else {
            log.warn("Received another OS signal, waiting for nobody any more", ["signal": name])
            hurry.begin()
        }
    }
}

/// Whether a step has ended.
private final class Outcome: Sendable {
    let hasEnded = Atomic(false)
}

/// Whether the end of the daemon waits for anybody.
final class Hurry: Sendable {
    private let state = Mutex<(isOn: Bool, wait: TimedSemaphore?)>((false, nil))

    var isOn: Bool { state.withLock { $0.isOn } }

    /// Ends the wait that goes on now, and all later ones at once.
    func begin() {
        let wait = state.withLock { state in
            state.isOn = true
            return state.wait
        }
        wait?.signal()
    }

    /// Lets a hurry signal `wait`, now or later.
    func cut(_ wait: TimedSemaphore) {
        let isOn = state.withLock { state in
            state.wait = wait
            return state.isOn
        }
        if isOn { wait.signal() }
    }
}
