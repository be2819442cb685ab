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
        let plan = ShutdownPlan(grace: options.flags.duration("shutdown.grace-period"))
        let began = clock.monotonic()
        func elapsed() -> Int64 { (clock.monotonic() - began) / 1_000_000 }
        var overdue: Set<ShutdownPlan.Step> = []
        var isClosed = true
        for step in ShutdownPlan.Step.allCases where plan.runs(step, after: overdue) {
            guard let limit = plan.limit(of: step, elapsed: elapsed()) else {
                isClosed = closeStore()
                continue
            }
            if !Self.run(step.name, within: limit, { [self] in perform(step, within: limit, server) }) {
                log.warn(
                    "A step of the shutdown takes longer than the grace period allows; going on without it",
                    ["step": step.name, "limit": "\(limit)ms"])
                overdue.insert(step)
            }
        }
        store.releaseLock()
        log.info("See you next time!", ["duration": "\(elapsed())ms"])
        // Threads of steps that hang may use what the end of the process would destroy.
        if !overdue.isEmpty { _exit(isClosed ? 0 : 1) }
        return isClosed ? 0 : 1
    }

    private func perform(_ step: ShutdownPlan.Step, within limit: Int64, _ server: HTTPServer) {
        switch step {
        case .stopRules: try? blocking { [rules] in await rules.stop() }
        case .lastScrape: scrape.shutdown(finalScrapeOfLoopback: true)
        case .lastEvaluation: rules.evaluateOnce(at: clock.now())
        case .closeStore: break
        case .leavePartners:
            try? blocking { [notifier, alertmanagers] in
                async let sent: Void = alertmanagers.stop(grace: limit)
                async let delivered: Void? = notifier?.stop(grace: limit)
                _ = await (sent, delivered)
            }
            server.stop()
        }
    }

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

    /// Runs `body` on a thread of its own; whether it has ended within `limit` ms.
    static func run(_ name: String, within limit: Int64, _ body: @escaping @Sendable () -> Void) -> Bool {
        let done = TimedSemaphore(value: 0)
        let thread = Thread.start(name, stackSize: 8 << 20) {
            body()
            done.signal()
        }
        guard thread != nil else {
            body()
            return true
        }
        return done.wait(milliseconds: limit)
    }
}
