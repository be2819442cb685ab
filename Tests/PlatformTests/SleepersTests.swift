import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Platform

/// Waits that end after a length of time.
@Suite("Sleepers and timed semaphores")
struct SleepersTests {
    @Test("sleepers wake in the order of their ends, none of them early")
    func order() async throws {
        let sleepers = Sleepers()
        let clock = SystemClock()
        let woken = await withTaskGroup(of: (length: Int64, slept: Int64).self) { group in
            for length in [90, 10, 50, 0, 30, 70] as [Int64] {
                group.addTask {
                    let began = clock.monotonic()
                    try? await sleepers.sleep(nanoseconds: length * 1_000_000)
                    return (length, (clock.monotonic() - began) / 1_000_000)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(woken.count == 6)
        for (length, slept) in woken { #expect(slept >= length) }
        #expect(sleepers.counts.sleeping == 0)
    }

    @Test("a sleeper wakes before one that began earlier and sleeps longer")
    func overtakes() async throws {
        let sleepers = Sleepers()
        let long = Task { try await sleepers.sleep(nanoseconds: .max) }
        while sleepers.counts.sleeping < 1 { await Task.yield() }
        try await sleepers.sleep(nanoseconds: 1_000_000)
        #expect(sleepers.counts.sleeping == 1)
        long.cancel()
        await #expect(throws: CancellationError.self) { try await long.value }
        #expect(sleepers.counts.sleeping == 0)
    }

    @Test("sleeping and cancelling 10,000 times leaves nothing behind")
    func repeated() async {
        await #expect(processExitsWith: .success) {
            let sleepers = Sleepers()
            try await sleepers.sleep(nanoseconds: 1)
            let before = ProcessUse()
            for round in 0..<10_000 {
                let task = Task { try await sleepers.sleep(nanoseconds: Int64(1_000_000_000) * Int64(60 + round % 7)) }
                // Half of them are cancelled before they sleep.
                if round % 2 == 0 { while sleepers.counts.sleeping == 0 { await Task.yield() } }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            let counts = sleepers.counts
            #expect(counts.sleeping == 0)
            #expect(counts.alarms <= 65)
            #expect(ProcessUse().growth(since: before) == [])
        }
    }

    @Test("many sleepers wake, whatever others are cancelled")
    func many() async throws {
        let sleepers = Sleepers()
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let tasks = (0..<2000).map { index in
            let length = Int64.random(in: 0..<50_000_000, using: &random)
            return (index, Task { try await sleepers.sleep(nanoseconds: index % 3 == 0 ? .max : length) })
        }
        for (index, task) in tasks where index % 3 == 0 { task.cancel() }
        for (index, task) in tasks {
            switch await task.result {
            case .success: #expect(index % 3 != 0)
            case .failure(let error): #expect(index % 3 == 0 && error is CancellationError)
            }
        }
        #expect(sleepers.counts.sleeping == 0)
    }

    @Test("a timed semaphore counts, waits as long as it was asked and no shorter")
    func semaphore() throws {
        let semaphore = TimedSemaphore(value: 2)
        #expect(semaphore.wait(milliseconds: 0))
        semaphore.wait()
        let clock = SystemClock()
        let began = clock.monotonic()
        #expect(!semaphore.wait(milliseconds: 20))
        #expect(clock.monotonic() - began >= 20_000_000)
        #expect(!semaphore.wait(milliseconds: -1))
        let thread = try #require(Thread.start("signal") { for _ in 0..<10_000 { semaphore.signal() } })
        for round in 0..<10_000 {
            if round % 2 == 0 { semaphore.wait() } else { #expect(semaphore.wait(milliseconds: .max)) }
        }
        thread.join()
        #expect(!semaphore.wait(milliseconds: 0))
    }
}
