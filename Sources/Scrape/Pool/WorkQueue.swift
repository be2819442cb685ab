import Glibc
import Platform
import Synchronization

/// Distributes work to a few threads.
final class WorkQueue<Work: Sendable>: Sendable {
    private struct State {
        var waiting: [Work] = []
        var head = 0
        var isClosed = false
    }
    private let state = Mutex(State())
    // SAFETY: a POSIX semaphore may be used from all threads; freed after they are joined.
    nonisolated(unsafe) private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    private let threads = Mutex<[Thread]>([])

    init() { sem_init(signal, 0, 0) }

    deinit {
        sem_destroy(signal)
        signal.deallocate()
    }

    /// Starts `count` threads, each with its own function for the work.
    func start(_ name: String, count: Int, _ makeWorker: @escaping @Sendable () -> ((Work) -> Void)) {
        for _ in 0..<count {
            let thread = Thread.start(name) { [self] in
                let worker = makeWorker()
                while let work = next() { worker(work) }
            }
            if let thread { threads.withLock { $0.append(thread) } }
        }
    }

    func add(_ work: Work) {
        state.withLock { $0.waiting.append(work) }
        sem_post(signal)
    }

    private func next() -> Work? {
        while true {
            while sem_wait(signal) != 0 {}
            let (work, isClosed) = state.withLock { state -> (Work?, Bool) in
                guard state.head < state.waiting.count else { return (nil, state.isClosed) }
                let work = state.waiting[state.head]
                state.head += 1
                if state.head == state.waiting.count {
                    state.waiting.removeAll(keepingCapacity: true)
                    state.head = 0
                } else if state.head >= 1024 {
                    state.waiting.removeFirst(state.head)
                    state.head = 0
                }
                return (work, false)
            }
            if let work { return work }
            if isClosed { return nil }
        }
    }

    /// Lets the threads finish the waiting work, and waits for them.
    func close() {
        let threads = self.threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        state.withLock { $0.isClosed = true }
        for _ in threads { sem_post(signal) }
        for thread in threads { thread.join() }
    }
}
