import CCurl
import Glibc
import Platform
import Synchronization

/// Runs many HTTP requests on one thread, with curl's multi interface.
///
/// The daemon has two loops: one for scrapes and one for all other requests. So a slow scrape loop does not delay
/// alerts and discovery, and a slow webhook uses no connection of the scrapes.
package final class TransferLoop: Sendable {
    /// The loop of all requests except scrapes.
    package static let shared: TransferLoop? = {
        let loop = TransferLoop("http-client", maxRunning: OpenFiles.parts.requests)
        loop?.start()
        return loop
    }()

    /// Whether libcurl's global state was initialized, which must happen once before any thread uses it.
    static let isLibraryReady: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    private enum Command: Sendable {
        case submit(Transfer)
        case cancel(Transfer)
        case takeMemory(Transfer)
        case stop
    }

    /// The running requests, and the requests that wait for a free place, in order of arrival.
    ///
    /// Belongs to the loop's thread.
    package struct Active {
        fileprivate let multi: UnsafeMutableRawPointer
        fileprivate let clock: any Clock
        fileprivate let maxRunning: Int
        fileprivate var running: [UnsafeMutableRawPointer: Transfer] = [:]
        fileprivate var waiting: [Transfer] = []
        fileprivate var firstWaiting = 0
        let round: LoopRound

        fileprivate init(multi: UnsafeMutableRawPointer, clock: any Clock, maxRunning: Int) {
            self.multi = multi
            self.clock = clock
            self.maxRunning = maxRunning
            round = LoopRound(clock: clock)
        }

        /// Starts a prepared transfer, now or when a place is free.
        package mutating func start(_ transfer: Transfer) {
            if running.count >= maxRunning { return waiting.append(transfer) }
            run(transfer)
        }

        private mutating func run(_ transfer: Transfer) {
            guard transfer.start(now: clock.monotonic()) else { return transfer.end() }
            guard curl_multi_add_handle(multi, transfer.handle) == CURLM_OK else {
                transfer.giveUp(TransferFailure(.network, "the request could not be started"))
                return transfer.end()
            }
            running[transfer.handle] = transfer
            transfer.load = TransferLoad(isRunning: true)
            transfer.round = round
        }

        /// Removes a running transfer.
        ///
        /// Does nothing if it is not running.
        ///
        /// - Parameter code: The result, if the transfer has ended by itself.
        private mutating func remove(_ transfer: Transfer, _ code: CURLcode? = nil) -> Bool {
            guard running.removeValue(forKey: transfer.handle) != nil else { return false }
            if code != CURLE_OK { transfer.closeConnection(hasEnded: code != nil) }
            curl_multi_remove_handle(multi, transfer.handle)
            transfer.load.isRunning = false
            return true
        }

        fileprivate mutating func cancel(_ transfer: Transfer) {
            if remove(transfer) {
                // The transfer does not run any more.
            } else if let index = waiting[firstWaiting...].firstIndex(where: { $0 === transfer }) {
                waiting.remove(at: index)
            } else {
                // The transfer has ended before.
                return
            }
            transfer.giveUp(TransferFailure(.cancelled, "context canceled"))
            transfer.end()
        }

        /// Ends a transfer because other requests need its memory.
        ///
        /// A transfer that is over is not changed.
        fileprivate mutating func takeMemory(of transfer: Transfer) {
            guard transfer.revocation != nil, remove(transfer) else { return }
            transfer.giveMemoryUp()
            transfer.end()
        }

        /// Removes the transfers that have ended, and starts waiting ones.
        fileprivate mutating func collect() {
            var left: Int32 = 0
            while let message = ccurl_info_read(multi, &left) {
                guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
                let code = ccurl_msg_result(message)
                guard let transfer = running[handle], remove(transfer, code) else { continue }
                if transfer.finish(code, now: clock.monotonic()) { run(transfer) } else { transfer.end() }
            }
            while running.count < maxRunning, firstWaiting < waiting.count {
                let transfer = waiting[firstWaiting]
                firstWaiting += 1
                run(transfer)
            }
            if firstWaiting == waiting.count || firstWaiting >= 4096 {
                waiting.removeFirst(firstWaiting)
                firstWaiting = 0
            }
        }

        fileprivate mutating func giveUpAll() {
            for transfer in Array(running.values) + waiting[firstWaiting...] { cancel(transfer) }
        }
    }

    // SAFETY: only the loop's own thread uses it, except for curl_multi_wakeup, which any thread may call.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex<(commands: [Command], isStopped: Bool)>(([], false))
    private let name: String
    private let clock: any Clock
    private let maxRunning: Int
    private let thread = Mutex<Thread?>(nil)

    /// - Parameter maxRunning: The most requests that run at once, and the most connections, with the idle ones.
    package init?(_ name: String, clock: any Clock = SystemClock(), maxRunning: Int) {
        guard Self.isLibraryReady, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.name = name
        self.clock = clock
        self.maxRunning = max(1, maxRunning)
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, self.maxRunning)
        // One request per connection: an answer cannot disturb another request, whatever version it claims.
        _ = ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, 0)
    }

    deinit { curl_multi_cleanup(multi) }

    /// Starts the thread.
    ///
    /// - Parameter turn: Called on the thread in each round, after the thread was woken. It may start transfers, and
    ///   returns the milliseconds after which it must be called again at the latest.
    package func start(_ turn: @escaping @Sendable (inout Active) -> Int64 = { _ in 60_000 }) {
        let started = Thread.start(name) { [self] in
            var active = Active(multi: multi, clock: clock, maxRunning: maxRunning)
            run(&active, turn)
        }
        thread.withLock { $0 = started }
    }

    /// Submits a prepared transfer; its `onEnd` is called in any case.
    package func submit(_ transfer: Transfer) {
        let isTaken = inbox.withLock { inbox in
            if !inbox.isStopped { inbox.commands.append(.submit(transfer)) }
            return !inbox.isStopped
        }
        if isTaken { return wake() }
        transfer.giveUp(TransferFailure(.cancelled, "context canceled"))
        transfer.end()
    }

    /// Cancels a transfer in any state.
    package func cancel(_ transfer: Transfer) {
        transfer.isCancelled.store(true, ordering: .releasing)
        inbox.withLock { $0.commands.append(.cancel(transfer)) }
        wake()
    }

    /// Ends a transfer because other requests need the memory of its body.
    ///
    /// The loop's own thread may call this.
    func takeMemory(of transfer: Transfer) {
        inbox.withLock { $0.commands.append(.takeMemory(transfer)) }
        wake()
    }

    /// The time of the clock for the deadlines of the transfers, ns.
    package var now: Int64 { clock.monotonic() }

    /// Wakes the thread, which then calls `turn`.
    package func wake() { curl_multi_wakeup(multi) }

    /// Keeps at most this many idle connections.
    package func keepConnections(_ count: Int) { _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, count) }

    /// Ends the thread; running requests fail.
    package func stop() {
        inbox.withLock { $0.commands.append(.stop) }
        wake()
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    private func run(_ active: inout Active, _ turn: (inout Active) -> Int64) {
        while handleCommands(&active) {
            let wait = turn(&active)
            var running: Int32 = 0
            active.round.begin(running: active.running.count)
            curl_multi_perform(multi, &running)
            active.collect()
            active.round.end(running: active.running.count)
            var ready: Int32 = 0
            if wait > 0, !active.round.hasStopped {
                curl_multi_poll(multi, nil, 0, Int32(truncatingIfNeeded: min(wait, 60_000)), &ready)
            }
        }
        active.giveUpAll()
        // Transfers that were submitted while the loop ended must end, too.
        let rest = inbox.withLock { inbox in
            inbox.isStopped = true
            defer { inbox.commands = [] }
            return inbox.commands
        }
        for case .submit(let transfer) in rest {
            transfer.giveUp(TransferFailure(.cancelled, "context canceled"))
            transfer.end()
        }
    }

    /// Returns false if the loop must stop.
    private func handleCommands(_ active: inout Active) -> Bool {
        let commands = inbox.withLock { inbox in
            defer { inbox.commands.removeAll(keepingCapacity: true) }
            return inbox.commands
        }
        var goesOn = true
        for command in commands {
            switch command {
            case .submit(let transfer): active.start(transfer)
            case .cancel(let transfer): active.cancel(transfer)
            case .takeMemory(let transfer): active.takeMemory(of: transfer)
            case .stop: goesOn = false
            }
        }
        return goesOn
    }
}
