import Dispatch
import Synchronization

/// The pool of query workers: it limits how many threads work for queries at once.
///
/// The threads of the queries themselves always work, and are counted. Workers are added while fewer threads than the
/// limit work.
package final class WorkerPool: Sendable {
    private let limit: Int
    private let working = Atomic<Int>(0)

    package init(limit: Int) { self.limit = max(1, limit) }

    /// The most workers that a query may have besides its own thread.
    var maxPerQuery: Int { limit - 1 }

    /// Counts a query's own thread, which always works.
    func enter() { working.wrappingAdd(1, ordering: .relaxed) }
    func leave() { working.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a worker; returns false if enough threads work already.
    func tryEnter() -> Bool {
        if working.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    /// Runs `body` on a worker; returns false if enough threads work already.
    func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard tryEnter() else { return false }
        DispatchQueue.global(qos: .userInitiated).async {
            body()
            self.leave()
        }
        return true
    }

    /// Calls `body` with each number below `parts`, on this thread and on workers; returns after the last call has
    /// ended.
    package func run(_ parts: Int, _ body: @escaping @Sendable (Int) -> Void) {
        enter()
        defer { leave() }
        let work = Parts(count: parts, body)
        let done = DispatchSemaphore(value: 0)
        var workers = 0
        while workers < min(parts - 1, maxPerQuery) {
            let isStarted = start {
                work.run()
                done.signal()
            }
            guard isStarted else { break }
            workers += 1
        }
        work.run()
        for _ in 0..<workers { done.wait() }
    }

    /// The numbers of parts, which threads take one by one.
    private final class Parts: Sendable {
        private let count: Int
        private let body: @Sendable (Int) -> Void
        private let next = Atomic<Int>(0)

        init(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
            self.count = count
            self.body = body
        }

        func run() {
            while true {
                let part = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard part < count else { return }
                body(part)
            }
        }
    }
}
