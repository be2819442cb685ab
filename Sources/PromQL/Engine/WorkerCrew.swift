import Dispatch
import Synchronization

/// The threads that work for queries at once: those of the queries' own, and helpers while there are few of them.
package final class WorkerCrew: Sendable {
    private let limit: Int
    private let working = Atomic<Int>(0)

    package init(limit: Int) { self.limit = max(1, limit) }

    /// Helpers that a query may have at most.
    var mostHelpers: Int { limit - 1 }

    /// Counts a query's own thread, which always works.
    func enter() { working.wrappingAdd(1, ordering: .relaxed) }
    func leave() { working.wrappingSubtract(1, ordering: .relaxed) }

    /// Counts a helper; false if enough threads work already.
    func join() -> Bool {
        if working.wrappingAdd(1, ordering: .relaxed).newValue <= limit { return true }
        leave()
        return false
    }

    /// Lets another thread run `body`; false if enough threads work already.
    func help(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard join() else { return false }
        DispatchQueue.global(qos: .userInitiated).async {
            body()
            self.leave()
        }
        return true
    }

    /// Calls `body` with each number below `parts`, on this thread and on helpers; returns when all is done.
    package func run(_ parts: Int, _ body: @escaping @Sendable (Int) -> Void) {
        enter()
        defer { leave() }
        let work = Parts(count: parts, body)
        let done = DispatchSemaphore(value: 0)
        var helpers = 0
        while helpers < min(parts - 1, mostHelpers) {
            let isHelped = help {
                work.run()
                done.signal()
            }
            guard isHelped else { break }
            helpers += 1
        }
        work.run()
        for _ in 0..<helpers { done.wait() }
    }

    /// Numbers that threads take one by one.
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
