import CCurl
import Glibc
import Platform
import Synchronization

/// Runs many HTTP requests on one thread, with curl's multi interface.
///
/// There are two loops in the daemon: one for scrapes and one for everything else. So alerts and discovery do not wait
/// for a scrape loop that is behind, and a slow webhook takes no connection from scrapes.
package final class TransferLoop: Sendable {
    /// The loop of all requests but scrapes.
    package static let shared: TransferLoop? = {
        let loop = TransferLoop("http-client", maxRunning: OpenFiles.parts.requests)
        loop?.start()
        return loop
    }()

    /// libcurl's global state must be made once, before any thread uses it.
    static let isLibraryReady: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    private enum Command: Sendable {
        case submit(Transfer)
        case cancel(Transfer)
        case takeMemory(Transfer)
        case stop
    }

    /// The requests that run and those that wait for a free place, in order of arrival.
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

        /// Takes a transfer out of those that run; false if it is none of them.
        ///
        /// - Parameter code: The result, if it has ended by itself.
        private mutating func remove(_ transfer: Transfer, _ code: CURLcode? = nil) -> Bool {
            guard running.removeValue(forKey: transfer.handle) != nil else { return false }
            if code != CURLE_OK { transfer.closeConnection(hasEnded: code != nil) }
            curl_multi_remove_handle(multi, transfer.handle)
            transfer.load.isRunning = false
            return true
        }

        fileprivate mutating func cancel(_ transfer: Transfer) {
            if remove(transfer) {
                // It runs no more.
            } else if let index = waiting[firstWaiting...].firstIndex(where: { $0 === transfer }) {
                waiting.remove(at: index)
            } else {
                // It has ended before.
                return
            }
            transfer.giveUp(TransferFailure(.cancelled, "context canceled"))
            transfer.end()
        }

        /// Ends a transfer whose memory others need; one that is over has been told otherwise.
        fileprivate mutating func takeMemory(of transfer: Transfer) {
            guard transfer.revocation != nil, remove(transfer) else { return }
            transfer.giveMemoryUp()
            transfer.end()
        }

        /// Takes what has ended off, and starts what waits.
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

    // SAFETY: only the loop's own thread uses it, but for curl_multi_wakeup, which may be called from any thread.
    nonisolated(unsafe) private let multi: UnsafeMutableRawPointer
    private let inbox = Mutex<(commands: [Command], isStopped: Bool)>(([], false))
    private let name: String
    private let clock: any Clock
    private let maxRunning: Int
    private let thread = Mutex<Thread?>(nil)

    /// - Parameter maxRunning: Requests that run at once, and connections with those that are kept for later ones.
    package init?(_ name: String, clock: any Clock = SystemClock(), maxRunning: Int) {
        guard Self.isLibraryReady, let multi = curl_multi_init() else { return nil }
        self.multi = multi
        self.name = name
        self.clock = clock
        self.maxRunning = max(1, maxRunning)
        _ = ccurl_multi_set_long(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, self.maxRunning)
        // One request per connection: an answer can disturb no other request, whatever version it claims.
        _ = ccurl_multi_set_long(multi, CURLMOPT_PIPELINING, 0)
    }

    deinit { curl_multi_cleanup(multi) }

    /// Starts the thread.
    ///
    /// - Parameter turn: Called on the thread in each round, after it was woken; may start transfers, and returns how
    ///   many ms later it must be called at the latest.
    package func start(_ turn: @escaping @Sendable (inout Active) -> Int64 = { _ in 60_000 }) {
        let started = Thread.start(name) { [self] in
            var active = Active(multi: multi, clock: clock, maxRunning: maxRunning)
            run(&active, turn)
        }
        thread.withLock { $0 = started }
    }

    /// Hands a prepared transfer over; its `onEnd` is called in any case.
    package func submit(_ transfer: Transfer) {
        let isTaken = inbox.withLock { inbox in
            if !inbox.isStopped { inbox.commands.append(.submit(transfer)) }
            return !inbox.isStopped
        }
        if isTaken { return wake() }
        transfer.giveUp(TransferFailure(.cancelled, "context canceled"))
        transfer.end()
    }

    /// Ends a transfer early, wherever it is.
    package func cancel(_ transfer: Transfer) {
        transfer.isCancelled.store(true, ordering: .releasing)
        inbox.withLock { $0.commands.append(.cancel(transfer)) }
        wake()
    }

    /// Ends a transfer because others need the memory of its body; may be called on the loop's own thread.
    func takeMemory(of transfer: Transfer) {
        inbox.withLock { $0.commands.append(.takeMemory(transfer)) }
        wake()
    }

    /// The clock that the deadlines of its transfers are of, ns.
    package var now: Int64 { clock.monotonic() }

    /// Makes the thread call its `turn`.
    package func wake() { curl_multi_wakeup(multi) }

    /// Keeps at most this many idle connections.
    package func keepConnections(_ count: Int) { _ = ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, count) }

    /// Ends the thread; requests under way are given up.
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
        // What was submitted while the loop ended must end, too.
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

    /// Returns false once the loop is to stop.
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
