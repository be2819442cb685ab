import CCurl
import HTTP
import Model
import Platform
import Synchronization

/// Sends the requests of all targets on schedule, from one thread.
///
/// The thread sleeps until the next scrape is due or a socket has news. What comes back goes to the workers; a target
/// whose last page is still being read misses its turn.
final class ScrapeLoop: Sendable {
    enum Command: Sendable {
        /// Scrape from now on.
        case start(Target)
        /// Write the markers that end a removed target's series, at the time (ms) of the first scrape it misses.
        case end(Target, at: Int64)
        /// The worker is done with it.
        case recycle(Transfer)
        /// Scrape at once; the second is called when all is stored.
        case scrapeNow(Target, @Sendable () -> Void)
        case stop
    }
    enum Work: Sendable {
        case page(Transfer, completion: (@Sendable () -> Void)?)
        case end(Target, at: Int64)
    }
    private enum Event {
        case scrape(Target)
        case end(Target, at: Int64)
    }

    // SAFETY: only the loop's own thread uses it, but for curl_multi_wakeup, which may be called from any thread.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex<[Command]>([])
    private let clock: any Clock
    private let seed: UInt64
    private let hand: @Sendable (Work) -> Void
    private let thread = Mutex<Thread?>(nil)

    /// - Parameters:
    ///   - seed: Shifts the phases of all targets.
    ///   - hand: Takes what has to be read and stored.
    init?(clock: any Clock, seed: UInt64, hand: @escaping @Sendable (Work) -> Void) {
        // The HTTP room makes libcurl's global state, once for all users.
        guard HTTPClient.prepare(), let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.clock = clock
        self.seed = seed
        self.hand = hand
    }

    deinit { curl_multi_cleanup(multi) }

    func start() {
        let thread = Thread.start("scrape-loop") { [self] in
            var state = Running()
            run(&state)
        }
        self.thread.withLock { $0 = thread }
    }

    func send(_ commands: [Command]) {
        if commands.isEmpty { return }
        inbox.withLock { $0 += commands }
        curl_multi_wakeup(multi)
    }

    /// Gives a transfer back without waking the thread for it.
    func recycle(_ transfer: Transfer) { inbox.withLock { $0.append(.recycle(transfer)) } }

    /// Ends the thread; requests under way are given up.
    func stop() {
        send([.stop])
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    /// What only the thread knows.
    private struct Running {
        var events = ScrapeSchedule<Event>()
        var idle: [Transfer] = []
        var active: [UnsafeMutableRawPointer: (transfer: Transfer, completion: (@Sendable () -> Void)?)] = [:]
        var isStopped = false
        var targetCount = 0
    }

    private func run(_ state: inout Running) {
        while true {
            obey(&state)
            if state.isStopped { break }
            followClock(&state)
            startDue(&state)
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            collect(&state)
            let untilDue = state.events.wait(at: clock.now()) ?? 1000
            var ready: Int32 = 0
            if untilDue > 0 {
                curl_multi_poll(multi, nil, 0, Int32(truncatingIfNeeded: min(untilDue, 1000)), &ready)
            }
        }
        for (handle, entry) in state.active {
            curl_multi_remove_handle(multi, handle)
            entry.transfer.recycle(keepingBytes: 0)
            entry.completion?()
        }
    }

    private func obey(_ state: inout Running) {
        let commands = inbox.withLock { inbox in
            defer { inbox.removeAll(keepingCapacity: true) }
            return inbox
        }
        var news = 0
        for command in commands {
            switch command {
            case .start(let target):
                news += 1
                let definition = target.definition
                let first = ScrapeOffset.next(
                    after: clock.now(), interval: definition.interval, identity: definition.identity, seed: seed)
                state.events.insert(.scrape(target), due: first)
            case .end(let target, let at):
                let wait = at &+ target.definition.interval &+ target.definition.interval / 10
                state.events.insert(.end(target, at: at), due: wait)
            case .recycle(let transfer):
                // A few large buffers are worth keeping, one for each of many transfers is not.
                transfer.recycle(keepingBytes: state.idle.count < 4 ? 4 << 20 : 64 << 10)
                if state.idle.count < 64 { state.idle.append(transfer) }
            case .scrapeNow(let target, let completion):
                begin(target, due: clock.now(), completion: completion, &state)
            case .stop: state.isStopped = true
            }
        }
        if news > 0 {
            state.targetCount += news
            // Without room for a connection per target, keep-alive would be lost with more than a few targets.
            _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, min(max(16, state.targetCount * 2), 20_000))
        }
    }

    /// Lays the grid of scrapes anew when the wall clock was set.
    private func followClock(_ state: inout Running) {
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

    private func startDue(_ state: inout Running) {
        let now = clock.now()
        while let (due, event) = state.events.pop(at: now) {
            switch event {
            case .end(let target, let at):
                if !target.isReplaced.load(ordering: .relaxed) { hand(.end(target, at: at)) }
            case .scrape(let target):
                if target.isRemoved.load(ordering: .relaxed) {
                    state.targetCount -= 1
                    continue
                }
                let interval = target.definition.interval
                // After a pause of the machine the missed turns are left out.
                let late = max(0, now &- due)
                state.events.insert(.scrape(target), due: due &+ (late / interval &+ 1) &* interval)
                begin(target, due: due, completion: nil, &state)
            }
        }
    }

    private func begin(
        _ target: Target, due: Int64, completion: (@Sendable () -> Void)?, _ state: inout Running
    ) {
        guard target.isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged,
            let transfer = state.idle.popLast() ?? Transfer()
        else {
            completion?()
            return
        }
        let now = clock.now()
        // Small delays do not move the sample off its grid, so that distances of timestamps stay equal.
        let tolerance = min(target.definition.interval / 100, 2)
        let time = now >= due && now &- due <= tolerance ? due : now
        let refusal = target.state.withLock { $0.refusal }
        if refusal.isEmpty {
            transfer.prepare(target, scrapeTime: time, started: clock.monotonic())
        } else {
            transfer.refuse(
                target, scrapeTime: time, started: clock.monotonic(), ScrapeFailure(.targetLimit, refusal))
        }
        let isRefused = transfer.failure != nil
        if isRefused || curl_multi_add_handle(multi, transfer.handle) != CURLM_OK {
            if !isRefused { transfer.complete(CURLE_FAILED_INIT) }
            hand(.page(transfer, completion: completion))
            return
        }
        state.active[transfer.handle] = (transfer, completion)
    }

    private func collect(_ state: inout Running) {
        var left: Int32 = 0
        while let message = ccurl_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let code = ccurl_msg_result(message)
            curl_multi_remove_handle(multi, handle)
            guard let entry = state.active.removeValue(forKey: handle) else { continue }
            entry.transfer.complete(code)
            hand(.page(entry.transfer, completion: entry.completion))
        }
    }
}
