import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Platform

@Suite("Thread pools")
struct ThreadPoolTests {
    private typealias Pool = ThreadPool<@Sendable () -> Void>

    /// A system that may refuse threads.
    private final class System: Sendable {
        let refuses = Atomic(false)

        func settings(_ change: (inout ThreadPoolSettings) -> Void = { _ in }) -> ThreadPoolSettings {
            var settings = ThreadPoolSettings(name: "test-pool")
            settings.stackSize = 1 << 18
            settings.start = { [self] name, stackSize, body in
                refuses.load(ordering: .acquiring) ? nil : Thread.start(name, stackSize: stackSize, body)
            }
            change(&settings)
            return settings
        }
    }

    /// Jobs that wait until they are told to end, and the order in which they began.
    private final class Jobs: Sendable {
        private let gates: [TimedSemaphore]
        private let order = Mutex<[Int]>([])

        init(_ count: Int) { gates = (0..<count).map { _ in TimedSemaphore(value: 0) } }

        var begun: [Int] { order.withLock { $0 } }
        func run(_ number: Int) {
            order.withLock { $0.append(number) }
            gates[number].wait()
        }
        func end(_ number: Int) { gates[number].signal() }
    }

    private func waitFor(_ condition: () -> Bool) -> Bool {
        for _ in 0..<60_000 {
            if condition() { return true }
            usleep(200)
        }
        return false
    }

    /// The rules of a pool whose threads end at once.
    private struct Model {
        let permanent: Int
        let most: Int
        var begun: [Int] = []
        var running: [Int] = []
        var waiting: [Int] = []
        var threads = 0

        private mutating func begin() {
            guard running.count < threads, !waiting.isEmpty else { return }
            running.append(waiting.removeFirst())
            begun.append(running[running.count - 1])
        }

        /// Adds a job; returns false if it is refused.
        mutating func add(_ job: Int, refuses: Bool) -> Bool {
            if running.count == threads, threads < most, !refuses { threads += 1 }
            if threads == 0 { return false }
            waiting.append(job)
            begin()
            return true
        }

        mutating func end(_ job: Int) {
            running.removeAll { $0 == job }
            begin()
            if running.count < threads, threads > permanent { threads -= 1 }
        }

        mutating func cancel(_ job: Int) -> Bool {
            guard let place = waiting.firstIndex(of: job) else { return false }
            waiting.remove(at: place)
            return true
        }
    }

    @Test("random work, cancellations, refused threads and closes agree with the rules", arguments: 0..<40)
    func random(_ round: UInt64) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ round)
        func pick(_ below: Int) -> Int { Int.random(in: 0..<below, using: &random) }
        let system = System()
        var model = Model(permanent: pick(4), most: 1 + pick(6))
        let pool = Pool(
            system.settings {
                $0.permanent = min(model.permanent, model.most)
                $0.most = model.most
            })
        let jobs = Jobs(120)
        // A test that fails must not leave threads that wait.
        defer { for job in 0..<120 { jobs.end(job) } }
        var tickets: [Int: Pool.Ticket] = [:]
        for job in 0..<120 {
            system.refuses.store(pick(4) == 0, ordering: .releasing)
            let ticket = pool.add { jobs.run(job) }
            #expect((ticket != nil) == model.add(job, refuses: system.refuses.load(ordering: .relaxed)))
            tickets[job] = ticket
            if pick(3) > 0, !model.running.isEmpty {
                let ended = model.running[pick(model.running.count)]
                model.end(ended)
                jobs.end(ended)
            }
            if pick(3) == 0, let (other, ticket) = tickets.min(by: { $0.key * 7 % 11 < $1.key * 7 % 11 }) {
                // The job may be about to begin.
                try #require(waitFor { jobs.begun.count == model.begun.count })
                #expect(pool.cancel(ticket) == model.cancel(other))
                tickets[other] = nil
            }
            // Two threads that take jobs at the same time may begin them in another order.
            try #require(waitFor { jobs.begun.sorted() == model.begun.sorted() })
            try #require(waitFor { pool.threads == model.threads && pool.busy == model.running.count })
            #expect(pool.waiting == model.waiting.count)
        }
        let isDropping = pick(2) == 0
        for job in 0..<120 { jobs.end(job) }
        pool.close(dropping: isDropping)
        #expect(pool.threads == 0 && pool.waiting == 0 && pool.add {} == nil)
        let expected = isDropping ? Set(model.begun) : Set(model.begun + model.waiting)
        #expect(isDropping ? Set(jobs.begun).isSuperset(of: expected) : Set(jobs.begun) == expected)
        #expect(Set(jobs.begun).count == jobs.begun.count)
    }

    @Test("one thread runs work in its order, with a worker of its own")
    func order() {
        let seen = Mutex<[Int]>([])
        let (gate, isMade) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
        let pool = ThreadPool<Int>(System().settings { ($0.permanent, $0.most) = (1, 1) }) {
            isMade.signal()
            gate.wait()
            return { number in seen.withLock { $0.append(number) } }
        }
        for number in 0..<10_000 { pool.add(number) }
        isMade.wait()
        #expect(pool.waiting == 10_000 && pool.threads == 1)
        gate.signal()
        pool.close()
        #expect(seen.withLock { $0 } == Array(0..<10_000))
        #expect(!isMade.wait(milliseconds: 0))
    }

    @Test("a system without threads: work is refused, or its caller runs it, or it waits for the thread that there is")
    func exhaustion() async {
        let system = System()
        system.refuses.store(true, ordering: .releasing)
        let refusing = Pool(system.settings())
        #expect(refusing.add { Issue.record("refused work ran") } == nil)
        #expect(refusing.threads == 0 && refusing.waiting == 0)
        #expect(await refusing.run { 7 } == 7)

        let caller = pthread_self()
        let running = Pool(
            system.settings {
                ($0.withoutThread, $0.permanent, $0.startsAtOnce) = (.callerRuns, 2, true)
            })
        #expect(running.threads == 0)
        let runner = Mutex<pthread_t?>(nil)
        let ticket = running.add { runner.withLock { $0 = pthread_self() } }
        #expect(ticket.map { running.cancel($0) } == false)
        #expect(runner.withLock { $0 } == caller)

        system.refuses.store(false, ordering: .releasing)
        let jobs = Jobs(3)
        #expect(running.add { jobs.run(0) } != nil)
        #expect(waitFor { jobs.begun == [0] })
        system.refuses.store(true, ordering: .releasing)
        #expect(running.add { jobs.run(1) } != nil && running.waiting == 1)
        jobs.end(1)
        jobs.end(0)
        running.close()
        #expect(jobs.begun == [0, 1])
        #expect(running.add { jobs.run(2) } == nil)
        #expect(jobs.begun == [0, 1])
    }

    @Test("work that blocks does not stop work behind it, and further threads end")
    func blocked() {
        for idleTime in [Int64(0), 20] {
            let pool = Pool(
                System().settings { ($0.permanent, $0.most, $0.idleTime, $0.startsAtOnce) = (2, 6, idleTime, true) })
            #expect(pool.threads == 2)
            let jobs = Jobs(6)
            for job in 0..<5 { pool.add { jobs.run(job) } }
            #expect(waitFor { jobs.begun.count == 5 } && pool.threads == 5 && !pool.isFull)
            pool.add { jobs.run(5) }
            #expect(waitFor { jobs.begun.count == 6 } && pool.isFull)
            for job in 0..<6 { jobs.end(job) }
            #expect(waitFor { pool.threads == 2 && pool.busy == 0 })
        }
    }

    @Test("work of many threads is run or cancelled once, also while threads end for lack of work")
    func concurrent() {
        let pool = Pool(System().settings { ($0.permanent, $0.most, $0.idleTime) = (1, 5, 1) })
        let counts = (0..<40_000).map { _ in Counter() }
        let adders = (0..<4).compactMap { part in
            Thread.start("adds") {
                var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(part))
                for number in stride(from: part, to: counts.count, by: 4) {
                    let ticket = pool.add { counts[number].ran.add(1, ordering: .relaxed) }
                    if Int.random(in: 0..<3, using: &random) == 0, let ticket, pool.cancel(ticket) {
                        counts[number].ran.add(1, ordering: .relaxed)
                    }
                    if Int.random(in: 0..<400, using: &random) == 0 { usleep(1500) }
                }
            }
        }
        #expect(adders.count == 4)
        for adder in adders { adder.join() }
        #expect(pool.threads <= 5)
        pool.close()
        #expect(counts.allSatisfy { $0.ran.load(ordering: .relaxed) == 1 })
    }

    final class Counter: Sendable { let ran = Atomic(0) }

    @Test("10,000 pools that are closed, released or kept leave neither threads nor memory behind")
    func repetitions() async {
        await #expect(processExitsWith: .success) {
            func repeats(_ count: Int) {
                let ran = Counter()
                var settings = ThreadPoolSettings(name: "test-pool")
                settings.permanent = 1
                settings.stackSize = 1 << 18
                let kept = ThreadPool<@Sendable () -> Void>(settings)
                let done = TimedSemaphore(value: 0)
                for round in 0..<count {
                    let pool = ThreadPool<@Sendable () -> Void>(settings)
                    let bytes = [UInt8](repeating: 1, count: 4096)
                    pool.add { ran.ran.add(bytes.count, ordering: .relaxed) }
                    if round % 2 == 0 { pool.close() }
                    kept.add { done.signal() }
                    done.wait()
                    for _ in 0..<3 where kept.add({ usleep(0) }).map(kept.cancel) == nil { abort() }
                }
                kept.close()
                while ran.ran.load(ordering: .relaxed) < count * 4096 { sched_yield() }
            }
            repeats(1000)
            let before = ProcessUse()
            repeats(10_000)
            #expect(ProcessUse().growth(since: before, maps: 256) == [])
        }
    }
}
