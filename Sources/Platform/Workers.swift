import Glibc
import Synchronization

/// Threads that work for callers, and the limit of how many work at once.
///
/// The limit may count callers, too: they always work, and workers are added while fewer threads than the limit work.
public final class Workers: Sendable {
    private typealias Pool = ThreadPool<@Sendable () -> Void>

    private let limit: Int
    private let working = Atomic<Int>(0)
    private let pool: Pool

    /// - Parameters:
    ///   - limit: The most threads that work at once.
    ///   - permanent: The number of workers that stay without work, once they have started.
    package convenience init(_ name: String, limit: Int, permanent: Int = 0, stackSize: Int = 1 << 20) {
        var settings = ThreadPoolSettings(name: name)
        settings.permanent = permanent
        settings.stackSize = stackSize
        self.init(settings, limit: limit)
    }

    init(_ settings: ThreadPoolSettings, limit: Int) {
        self.limit = limit
        var settings = settings
        // A worker that has left may still run: it takes the next work, so no further thread is needed.
        settings.most = limit
        pool = ThreadPool(settings)
    }

    /// The most workers of a caller that is counted.
    package var maxPerCaller: Int { max(0, limit - 1) }

    /// Counts a caller.
    package func enter() { working.wrappingAdd(1, ordering: .relaxed) }
    package func leave() { working.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a worker; returns false if enough threads work already.
    package func tryEnter() -> Bool {
        if working.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    /// Runs `body` on a worker; returns false if enough threads work already, or the system has no thread.
    package func start(_ body: @escaping @Sendable () -> Void) -> Bool { add(ended: nil, body) != nil }

    private func add(ended: TimedSemaphore?, _ body: @escaping @Sendable () -> Void) -> Pool.Ticket? {
        guard tryEnter() else { return nil }
        let ticket = pool.add { [self] in
            body()
            leave()
            ended?.signal()
        }
        if ticket == nil { leave() }
        return ticket
    }

    /// Calls `body` with each number below `parts`, on this thread and on workers; returns after the last call has
    /// ended.
    ///
    /// Parts are begun in ascending order, so put the longest first. A worker is added whenever the limit permits it.
    package func run(_ parts: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let shared = Shared(parts)
        var tickets: [Pool.Ticket] = []
        while let own = shared.take() {
            while tickets.count < shared.left {
                let ticket = add(ended: shared.ended) { while let part = shared.take() { body(part) } }
                guard let ticket else { break }
                tickets.append(ticket)
            }
            body(own)
        }
        for ticket in tickets {
            // A worker that has not begun would find nothing to do.
            if pool.cancel(ticket) { leave() } else { shared.ended.wait() }
        }
    }

    /// Returns the results of `body` for each number below `count`, in order; see ``run(_:_:)``.
    package func map<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) -> [Result] {
        let results = Mutex([Result?](repeating: nil, count: count))
        run(count) { part in
            let result = body(part)
            results.withLock { $0[part] = result }
        }
        return results.withLock { $0.compactMap { $0 } }
    }

    /// The numbers of parts, which threads take one by one.
    private final class Shared: Sendable {
        let ended = TimedSemaphore(value: 0)
        private let count: Int
        private let next = Atomic<Int>(0)

        init(_ count: Int) { self.count = count }

        /// The number of parts that no thread has taken.
        var left: Int { count - next.load(ordering: .relaxed) }

        func take() -> Int? {
            let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
            return part < count ? part : nil
        }
    }
}

extension Workers {
    /// The number of cores that may be used, at most 8.
    public static var count: Int { max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    /// Calls `body` once for each part, on `threads` threads including the caller's, which end afterwards.
    public static func run(pieces: Int, threads: Int = Workers.count, _ body: @escaping @Sendable (Int) -> Void) {
        let workers = Workers("worker", limit: threads - 1)
        workers.run(pieces, body)
        workers.pool.close()
    }
}
