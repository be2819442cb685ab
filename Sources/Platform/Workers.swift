import Glibc
import Synchronization

/// Work in independent pieces, spread over the machine's cores.
public enum Workers {
    /// Cores that may be used, at most 8.
    public static var count: Int { max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))) }

    /// Calls `body` once for each piece, on `threads` threads of which the caller's is one; returns when all are done.
    ///
    /// Pieces are begun in ascending order, so the longest go first if they are put there.
    public static func run(pieces: Int, threads: Int = Workers.count, _ body: @escaping @Sendable (Int) -> Void) {
        let shared = Shared()
        let work: @Sendable () -> Void = {
            while true {
                let piece = shared.take()
                guard piece < pieces else { return }
                body(piece)
            }
        }
        // With no thread to be had, the caller does all of it.
        let others = (1..<max(1, min(threads, pieces))).compactMap { Thread.start("worker \($0)", work) }
        work()
        for thread in others { thread.join() }
    }

    private final class Shared: Sendable {
        private let next = Atomic<Int>(0)

        func take() -> Int { next.add(1, ordering: .relaxed).oldValue }
    }
}
