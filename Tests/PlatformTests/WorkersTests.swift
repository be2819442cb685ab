import Synchronization
import TestSupport
import Testing

@testable import Platform

@Suite struct WorkersTests {
    @Test(arguments: [1, 2, 5]) func `Each piece of work is done once`(threads: Int) {
        let seen = Mutex<[Int]>([])
        Workers.run(pieces: 100, threads: threads) { piece in seen.withLock { $0.append(piece) } }
        #expect(seen.withLock { $0.sorted() } == Array(0..<100))
        Workers.run(pieces: 0) { _ in seen.withLock { $0.append(-1) } }
        #expect(seen.withLock { !$0.contains(-1) })
    }

    @Test func `A worker begins while the caller works`() {
        for permanent in [0, 1] {
            let workers = Workers("test", limit: 1, permanent: permanent)
            for _ in 0..<200 {
                let turn = TimedSemaphore(value: 0)
                // Each of the two parts needs the other one.
                let results = workers.map(2) { part in
                    if part == 1 { turn.signal() }
                    return part == 1 || turn.wait(milliseconds: 60_000)
                }
                #expect(results == [true, true])
            }
        }
    }

    @Test func `Runs inside of runs of the same workers end`() {
        let workers = Workers("test", limit: 2, permanent: 2)
        for _ in 0..<100 {
            let sums = workers.map(5) { part in workers.map(4) { part * 10 + $0 }.reduce(0, +) }
            #expect(sums == (0..<5).map { $0 * 40 + 6 })
        }
    }

    @Test func `The caller does the work of workers that the system refuses`() {
        let refuses = Mutex(true)
        var settings = ThreadPoolSettings(name: "test")
        settings.start = { name, stackSize, body in
            refuses.withLock { $0 } ? nil : Thread.start(name, stackSize: stackSize, body)
        }
        let workers = Workers(settings, limit: 3)
        #expect(workers.map(100) { $0 } == Array(0..<100))
        #expect(!workers.start {})
        refuses.withLock { $0 = false }
        #expect(workers.map(100) { $0 } == Array(0..<100))
        // Refused workers have left.
        #expect(workers.tryEnter() && workers.tryEnter() && workers.tryEnter() && !workers.tryEnter())
    }

    @Test func `10,000 runs keep a few threads and no memory`() async {
        await #expect(processExitsWith: .success) {
            let workers = Workers("test", limit: 3, permanent: 3)
            func repeats(_ count: Int) {
                for _ in 0..<count {
                    #expect(workers.map(8) { $0 } == Array(0..<8))
                    Workers.run(pieces: 2, threads: 2) { _ in }
                }
            }
            repeats(1000)
            let before = ProcessUse()
            repeats(10_000)
            #expect(ProcessUse().growth(since: before, maps: 256) == [])
        }
    }
}
