import Glibc
import Synchronization

/// Runs independent parts of work on the machine's cores.
public enum Workers {
    /// The number of cores that may be used, at most 8.
    public static var count: Int { max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    /// Calls `body` once for each part, on `threads` threads including the caller's; returns when all are done.
    ///
    /// Parts are begun in ascending order, so put the longest first.
    public static func run(pieces: Int, threads: Int = Workers.count, _ body: @escaping @Sendable (Int) -> Void) {
        let shared = Shared()
        let work: @Sendable () -> Void = {
            while true {
                let piece = shared.take()
                guard piece < pieces else { return }
                body(piece)
            }
        }
        // If there is no thread, the caller does all of it.
        let others = (1..<max(1, min(threads, pieces))).compactMap { Thread.start("worker \($0)", work) }
        work()
        for thread in others { thread.join() }
    }

    private final class Shared: Sendable {
        private let next = Atomic<Int>(0)

        func take() -> Int { next.add(1, ordering: .relaxed).oldValue }
    }
}
