import Model
import Platform
import PromQL
import Synchronization

/// Evaluates expressions of independent rules at the same time, on a limited number of threads.
package final class ConcurrentQueries: Sendable {
    private let free: Mutex<Int>

    /// - Parameter limit: The most expressions at once beside those that the groups' own threads evaluate.
    package init(limit: Int) { free = Mutex(limit) }

    private func take() -> Bool {
        free.withLock { free in
            guard free > 0 else { return false }
            free -= 1
            return true
        }
    }

    private func giveBack() { free.withLock { $0 += 1 } }

    /// Runs `body` for 0 ..< `count`, and returns the results in order.
    ///
    /// The calls without a thread run on this one.
    func map<R: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> R) -> [R] {
        let results = Results<R>(count)
        var threads: [Thread] = []
        for index in 0..<count {
            // A thread for the last call would only leave this one idle.
            if index + 1 < count, take() {
                let thread = Thread.start("rule", stackSize: PromQLParser.stackSize) { [self] in
                    let result = body(index)
                    results.values.withLock { $0[index] = result }
                    giveBack()
                }
                if let thread {
                    threads.append(thread)
                    continue
                }
                giveBack()
            }
            let result = body(index)
            results.values.withLock { $0[index] = result }
        }
        for thread in threads { thread.join() }
        return results.values.withLock { $0.compactMap { $0 } }
    }

    private final class Results<R: Sendable>: Sendable {
        let values: Mutex<[R?]>
        init(_ count: Int) { values = Mutex(Array(repeating: nil, count: count)) }
    }
}
