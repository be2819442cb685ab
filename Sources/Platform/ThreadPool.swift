import Synchronization

/// The settings of a ``ThreadPool``.
package struct ThreadPoolSettings: Sendable {
    /// The outcome of work for which the system refuses the only thread.
    package enum WithoutThread: Sendable {
        /// The thread that adds the work runs it.
        case callerRuns
        /// ``ThreadPool/add(_:)`` returns nil.
        case refused
    }

    /// The name of the threads in the system's tools.
    package var name: String
    /// The number of threads that stay without work.
    package var permanent = 0
    /// Whether the permanent threads start with the pool; otherwise they start with the first work.
    package var startsAtOnce = false
    /// The most threads at the same time.
    package var most = Int.max
    /// The time after which a further thread without work ends, ms.
    package var idleTime: Int64 = 0
    /// The bytes of each stack.
    package var stackSize = 1 << 20
    package var withoutThread = WithoutThread.refused
    /// Starts a thread with a name, a size of the stack and a body; must not use the pool.
    var start: @Sendable (String, Int, @escaping @Sendable () -> Void) -> Thread? = {
        Thread.start($0, stackSize: $1, $2)
    }

    package init(name: String) { self.name = name }
}

/// Threads that run work in the order of its arrival.
///
/// Added work wakes a thread that waits. If there is none, it gets a new thread, up to the limit; beyond the limit it
/// waits. A pool that is released finishes its work, and its threads end.
package final class ThreadPool<Work: Sendable>: Sendable {
    package typealias Settings = ThreadPoolSettings

    /// The place of added work in the order.
    package struct Ticket: Sendable { fileprivate let number: Int }

    // The threads keep the core alive, but not the pool: so the pool can be released.
    private let core: Core

    /// - Parameter makeWorker: Makes the function that runs the work, once on each thread.
    package init(_ settings: Settings, _ makeWorker: @escaping @Sendable () -> (Work) -> Void) {
        core = Core(settings, makeWorker)
        if settings.startsAtOnce { core.startPermanent() }
    }

    deinit { core.close() }

    /// Adds work; returns nil if the pool is closed, or the system refuses the only thread.
    ///
    /// - Returns: The ticket for ``cancel(_:)``.
    @discardableResult package func add(_ work: Work) -> Ticket? { core.add(work) }

    /// Removes work that still waits; returns false if it was begun.
    package func cancel(_ ticket: Ticket) -> Bool { core.cancel(ticket) }

    /// Refuses further work, and waits until the threads have ended; must not be called by work of the pool.
    ///
    /// - Parameter isDropping: Whether waiting work is dropped; otherwise it is run.
    package func close(dropping isDropping: Bool = false) {
        let dropped = isDropping ? core.drop() : []
        for thread in core.close() { thread.join() }
        // Work may use the pool when it is released, so no lock is held here.
        _ = dropped
    }

    /// The current number of threads.
    package var threads: Int { core.state.withLock(\.threads.count) }
    /// The number of threads that run work, or are about to.
    package var busy: Int { core.state.withLock { $0.threads.count - $0.idle } }
    /// The number of works that wait for a thread.
    package var waiting: Int { core.state.withLock(\.waiting.count) }
    /// Whether further work would wait for a thread.
    package var isFull: Bool {
        core.state.withLock { state in
            state.waiting.count > state.coming || (state.idle == 0 && state.threads.count >= core.settings.most)
        }
    }
}

extension ThreadPool where Work == @Sendable () -> Void {
    package convenience init(_ settings: Settings) { self.init(settings) { { $0() } } }

    /// Runs `body` on a thread; the calling task waits without blocking a thread.
    ///
    /// If the pool refuses the work, `body` runs here.
    package func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            if add({ continuation.resume(returning: body()) }) == nil { continuation.resume(returning: body()) }
        }
    }
}

extension ThreadPool {
    fileprivate struct State {
        var waiting = WaitingWork<Work>()
        /// The number of threads that wait and were not woken.
        var idle = 0
        /// The number of threads that were woken or started and have not looked for work yet.
        var coming = 0
        var threads: [Int: Thread] = [:]
        var lastThread = 0
        var isClosed = false
    }

    /// The state of a thread that looks for work.
    private enum Situation { case isReady, isComing, hasWaited }

    private enum Action {
        case run(Work)
        /// Waits for at most these ms; nil for no limit.
        case wait(Int64?)
        case end
    }

    fileprivate final class Core: Sendable {
        let settings: Settings
        let state = Mutex(State())
        private let makeWorker: @Sendable () -> (Work) -> Void
        private let wake = TimedSemaphore(value: 0)

        init(_ settings: Settings, _ makeWorker: @escaping @Sendable () -> (Work) -> Void) {
            self.settings = settings
            self.makeWorker = makeWorker
        }

        func startPermanent() {
            state.withLock { state in
                for _ in 0..<min(settings.permanent, settings.most) { guard startThread(&state) else { return } }
            }
        }

        /// Starts a thread while the lock is held, so that work never waits for a thread that the system refuses.
        private func startThread(_ state: inout State) -> Bool {
            let number = state.lastThread &+ 1
            guard let thread = settings.start(settings.name, settings.stackSize, { [self] in serve(number) }) else {
                return false
            }
            state.lastThread = number
            state.threads[number] = thread
            state.coming += 1
            return true
        }

        // MARK: Adding

        func add(_ work: Work) -> Ticket? {
            let (ticket, isWaking, isClosed) = state.withLock { state -> (Ticket?, Bool, Bool) in
                if state.isClosed { return (nil, false, true) }
                var isWaking = false
                // A thread that has ended other work may take work for which one is coming. Then that one takes this.
                if state.waiting.count >= state.coming {
                    if state.idle > 0 {
                        state.idle -= 1
                        state.coming += 1
                        isWaking = true
                    } else if state.threads.count < max(1, settings.most), !startThread(&state), state.threads.isEmpty {
                        return (nil, false, false)
                    }
                }
                return (Ticket(number: state.waiting.add(work)), isWaking, false)
            }
            if isWaking { wake.signal() }
            if ticket != nil || isClosed || settings.withoutThread == .refused { return ticket }
            makeWorker()(work)
            return Ticket(number: 0)
        }

        func cancel(_ ticket: Ticket) -> Bool { state.withLock { $0.waiting.remove(ticket.number) } != nil }

        // MARK: Threads

        private func serve(_ number: Int) {
            let worker = makeWorker()
            var situation = Situation.isComing
            while true {
                switch next(number, situation) {
                case .run(let work):
                    worker(work)
                    situation = .isReady
                case .wait(nil):
                    wake.wait()
                    situation = .isComing
                case .wait(let time?): situation = wake.wait(milliseconds: time) ? .isComing : .hasWaited
                case .end: return
                }
            }
        }

        private func next(_ number: Int, _ situation: Situation) -> Action {
            state.withLock { state in
                switch situation {
                case .isReady: break
                case .isComing: state.coming -= 1
                case .hasWaited:
                    // If no thread counts as idle, this one is being woken.
                    guard state.idle > 0 else { return .wait(nil) }
                    state.idle -= 1
                }
                if let work = state.waiting.removeFirst() { return .run(work) }
                let isPermanent = state.threads.count <= settings.permanent
                let isOver = !isPermanent && (situation == .hasWaited || settings.idleTime <= 0)
                if isOver || state.isClosed {
                    state.threads[number] = nil
                    return .end
                }
                state.idle += 1
                return .wait(isPermanent ? nil : settings.idleTime)
            }
        }

        // MARK: End

        func drop() -> [Work] {
            state.withLock { state in
                state.isClosed = true
                return state.waiting.removeAll()
            }
        }

        /// Ends the threads when no work waits; returns them.
        @discardableResult func close() -> [Thread] {
            let (woken, threads) = state.withLock { state in
                state.isClosed = true
                let woken = state.idle
                state.coming += woken
                state.idle = 0
                return (woken, Array(state.threads.values))
            }
            for _ in 0..<woken { wake.signal() }
            return threads
        }
    }
}

/// Work that waits, in order; any of it can be removed.
private struct WaitingWork<Work> {
    /// The entries from ``first`` on wait, except those whose work is nil.
    private var entries: [(number: Int, work: Work?)] = []
    private var first = 0
    private var last = 0
    private(set) var count = 0

    mutating func add(_ work: Work) -> Int {
        last &+= 1
        entries.append((last, work))
        count += 1
        return last
    }

    mutating func removeFirst() -> Work? {
        while first < entries.count {
            let work = entries[first].work
            entries[first].work = nil
            first += 1
            guard let work else { continue }
            count -= 1
            trim()
            return work
        }
        return nil
    }

    mutating func remove(_ number: Int) -> Work? {
        var (low, high) = (first, entries.count)
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].number < number { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].number == number, let work = entries[low].work else { return nil }
        entries[low].work = nil
        count -= 1
        trim()
        return work
    }

    mutating func removeAll() -> [Work] {
        defer { self = WaitingWork() }
        return entries.compactMap(\.work)
    }

    /// Removes the entries without work, if they are most.
    private mutating func trim() {
        if count == 0 {
            entries.removeAll(keepingCapacity: entries.capacity <= 1024)
            first = 0
        } else if entries.count > 2 * count + 64 {
            entries.removeAll { $0.work == nil }
            first = 0
        }
    }
}
