import Platform
import Synchronization
import Testing

@testable import HTTP

@Suite("Threads of handlers")
struct HandlerThreadsTests {
    /// Requests on one connection: each job adds the next one at its end.
    private final class Chain: Sendable {
        let threads: HandlerThreads
        let left: Atomic<Int>
        let isDone = TimedSemaphore(value: 0)

        init(_ threads: HandlerThreads, _ count: Int) {
            self.threads = threads
            left = Atomic(count)
        }

        func next() {
            if left.subtract(1, ordering: .relaxed).newValue < 0 { return isDone.signal() }
            if !threads.run({ [self] in next() }) { isDone.signal() }
        }
    }

    @Test("a few connections with many requests need a few threads")
    func fewThreads() {
        let threads = HandlerThreads(most: 512, stackSize: 1 << 20)
        let chains = (0..<8).map { _ in Chain(threads, 5000) }
        for chain in chains { chain.next() }
        for chain in chains { #expect(chain.isDone.wait(milliseconds: 120_000)) }
        #expect(threads.count <= 40)
    }

    @Test("a job behind one that blocks gets a thread of its own")
    func blockingJobs() {
        let threads = HandlerThreads(most: 64, stackSize: 1 << 20)
        for _ in 0..<20 {
            let (go, ended) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
            for _ in 0..<20 {
                #expect(
                    threads.run {
                        _ = go.wait(milliseconds: 60_000)
                        ended.signal()
                    })
            }
            let quick = TimedSemaphore(value: 0)
            #expect(threads.run { quick.signal() })
            #expect(quick.wait(milliseconds: 30_000))
            for _ in 0..<20 { go.signal() }
            for _ in 0..<20 { #expect(ended.wait(milliseconds: 60_000)) }
        }
        #expect(threads.count <= 64)
    }
}
