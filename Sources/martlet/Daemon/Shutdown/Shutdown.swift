import Glibc
import HTTP
import Notify
import Platform
import Rules
import Scrape
import Storage
import Synchronization
import Telemetry

/// Stops the parts of the daemon by a ``ShutdownPlan``.
final class Shutdown: Sendable {
    private let plan: ShutdownPlan
    private let parts: Components
    private let status: DaemonStatus
    private let server: HTTPServer
    private let hurry: Hurry
    private let log = Log("main")
    /// Whether handlers still run at the end.
    private let handlersAreLeft = Atomic(false)

    init(plan: ShutdownPlan, parts: Components, status: DaemonStatus, server: HTTPServer, hurry: Hurry) {
        self.plan = plan
        self.parts = parts
        self.status = status
        self.server = server
        self.hurry = hurry
    }

    /// Runs all steps; returns the exit status.
    func run() -> Int32 {
        log.info("Shutting down")
        status.stop()
        parts.pings?.stop()
        FileReads.shared.hurry()
        server.cancelHandlers()
        let clock = parts.clock
        let began = clock.monotonic()
        func elapsed() -> Int64 { (clock.monotonic() - began) / 1_000_000 }
        var plan = plan
        var isClosed = true
        while let (step, limit) = plan.next(elapsed: elapsed(), isHurried: hurry.isOn) {
            guard let limit else {
                isClosed = closeStore()
                continue
            }
            let outcome = StepThread.run(step.name, within: limit, hurry) { [self] in perform(step, within: limit) }
            report(outcome, of: step, limit)
            if outcome != .ended { plan.leave(step) }
        }
        parts.store.releaseLock()
        log.info("See you next time!", ["duration": "\(elapsed())ms"])
        // The threads of overdue steps and of files that hang may use memory that the end of the process would free.
        let isBusy = FileReads.shared.isBusy || handlersAreLeft.load(ordering: .acquiring)
        if isBusy || !plan.overdue.isEmpty || hurry.isOn { _exit(isClosed ? 0 : 1) }
        return isClosed ? 0 : 1
    }

    private func report(_ outcome: StepThread.Outcome, of step: ShutdownPlan.Step, _ limit: Int64) {
        switch outcome {
        case .ended: break
        case .noThread:
            log.warn(
                "The system cannot start a thread for a step of the shutdown; continuing without it",
                ["step": step.name])
        case .overdue:
            log.warn(
                hurry.isOn
                    ? "Another signal: continuing without a step of the shutdown"
                    : "A step of the shutdown takes longer than the grace period allows; continuing without it",
                ["step": step.name, "limit": "\(limit)ms"])
        }
    }

    private func perform(_ step: ShutdownPlan.Step, within limit: Int64) {
        switch step {
        case .stopRules: try? blocking { [parts] in await parts.rules.stop() }
        case .lastScrape: parts.scrape.shutdown(finalScrapeOfLoopback: true)
        case .lastEvaluation: parts.rules.evaluateOnce(at: parts.clock.now())
        case .closeStore: break
        case .leavePartners: leavePartners(within: limit)
        }
    }

    private func leavePartners(within limit: Int64) {
        // All samples are on disk, so the listener is not needed any more.
        server.beginStop()
        parts.alertmanagerDiscovery.stop()
        try? blocking { [parts] in
            async let sent: Void = parts.alertmanagers.stop(grace: limit)
            async let delivered: Void? = parts.notifier?.stop(grace: limit)
            _ = await (sent, delivered)
        }
        if !server.awaitStop(milliseconds: ShutdownPlan.handlerTime) {
            log.warn("A request is still running; continuing without its answer")
            handlersAreLeft.store(true, ordering: .releasing)
        }
    }

    /// Syncs all samples to disk.
    ///
    /// The directory stays locked, because the notifier still writes its notification log there.
    private func closeStore() -> Bool {
        do {
            try parts.store.close(keepsLock: true)
            log.info("The storage is closed", ["series": "\(parts.store.headSeries)"])
            return true
        } catch {
            log.error(
                "The store could not be closed cleanly; its write-ahead log will be replayed", ["err": "\(error)"])
            return false
        }
    }
}
