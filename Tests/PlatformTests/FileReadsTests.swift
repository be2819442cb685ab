import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Platform

/// Files that hang, in the hands of a reader that a test stops and lets go.
@Suite("Reads of files that may hang")
struct FileReadsTests {
    /// Answers with how often a path was asked; paths that begin with `hung` wait for a signal each time.
    private final class Reader: Sendable {
        let gate = TimedSemaphore(value: 0)
        /// Questions that hang or hung.
        let begun = Atomic(0)
        private let counts = Mutex<[[UInt8]: Int]>([:])

        /// How often a path was asked.
        func count(_ path: String) -> Int { counts.withLock { $0[Array(path.utf8)] ?? 0 } }

        func ask(_ question: FileQuestion, _ path: String) -> FileReads.Outcome {
            let count = counts.withLock { counts in
                counts[Array(path.utf8), default: 0] += 1
                return counts[Array(path.utf8)] ?? 0
            }
            if path.hasPrefix("hung") {
                begun.add(1, ordering: .relaxed)
                gate.wait()
            }
            return .success(.names(["\(count)"]))
        }
    }

    private let reader = Reader()
    private let clock = ManualClock(now: 1000)
    private let question = FileQuestion.names

    private func reads(mostThreads: Int = 512) -> FileReads {
        FileReads(clock: clock, mostThreads: mostThreads) { [reader] in reader.ask($0, $1) }
    }

    /// The answer, or the code of the error.
    private func answer(_ reads: FileReads, _ path: String) async -> String {
        do throws(FileError) {
            guard case .names(let texts) = try await reads.answer(.names, path) else { return "" }
            return texts.joined()
        } catch {
            return "\(error.path): \(error.code)"
        }
    }

    private func waitForHung(_ count: Int) async { await waitFor { reader.begun.load(ordering: .relaxed) == count } }

    private func waitFor(_ condition: () -> Bool) async { while !condition() { await Task.yield() } }

    @Test("ten thousand questions about one file that hangs take one thread, and a healthy file none of it")
    func joins() async {
        let reads = reads()
        let first = Task { await answer(reads, "hung") }
        await waitForHung(1)
        await withTaskGroup(of: String.self) { group in
            for _ in 0..<10_000 { group.addTask { await answer(reads, "hung") } }
            await waitFor { reads.waiting == 10_001 }
            #expect(reads.threads == 1)
            #expect(await answer(reads, "fine") == "1")
            #expect(reads.threads <= 2)
            reader.gate.signal()
            #expect(await first.value == "1")
            // Those who came later get what was read after they had asked.
            reader.gate.signal()
            for await text in group { #expect(text == "2") }
        }
        await waitFor { !reads.isBusy }
        #expect(reads.threads <= 2 && reads.waiting == 0)
    }

    @Test("waits end when patience does, and then at once as long as the file hangs; the thread comes back")
    func patience() async throws {
        let reads = reads()
        let slow = "hung: \(FileError.slow)"
        for round in 1...100 {
            let began = clock.now()
            async let first = answer(reads, "hung")
            await waitForHung(round)
            async let second = answer(reads, "hung")
            await waitFor { reads.waiting == 2 }
            await clock.waitForSleeper(until: began + FileReads.timeout)
            clock.advance(to: began + FileReads.timeout)
            let outcomes = await [first, second]
            #expect(outcomes == [slow, slow])
            for _ in 0..<100 { #expect(await answer(reads, "hung") == slow) }
            #expect(throws: FileError("read", "hung", code: FileError.slow)) {
                try reads.waitForAnswer(question, "hung")
            }
            #expect(reads.threads <= 2 && reads.waiting == 0)
            // Nobody waits any more, so nothing is read again.
            reader.gate.signal()
            await waitFor { !reads.isBusy }
            #expect(await answer(reads, "fine") == "\(round)")
        }
    }

    @Test("with as many files that hang as there may be threads, others are refused at once and served afterwards")
    func crowded() async throws {
        let reads = reads(mostThreads: 70)
        await withTaskGroup(of: String.self) { group in
            for number in 0..<70 { group.addTask { await answer(reads, "hung \(number)") } }
            await waitForHung(70)
            #expect(reads.threads == 70)
            // A thread may still be about to be free: this one waits for it.
            let early = Task { await answer(reads, "early") }
            await waitFor { reads.waiting == 71 }
            clock.advance(to: clock.now() + 1000)
            #expect(await answer(reads, "late") == "late: \(FileError.crowded)")
            reader.gate.signal()

            #expect(await early.value == "1")
            #expect(await answer(reads, "late") == "1")
            for _ in 0..<69 { reader.gate.signal() }
            for await text in group { #expect(text == "1") }
        }
        await waitFor { reads.threads <= 2 }
    }

    @Test("at the end of the process waits become short, those under way too")
    func hurry() async {
        let reads = reads()
        let began = clock.now()
        async let waits = answer(reads, "hung")
        await waitForHung(1)
        await clock.waitForSleeper(until: began + FileReads.timeout)
        reads.hurry()
        await clock.waitForSleeper(until: began + FileReads.hurriedTimeout)
        clock.advance(to: began + FileReads.hurriedTimeout)
        let outcome = await waits
        #expect(outcome == "hung: \(FileError.slow)")
        #expect(await answer(reads, "hung") == "hung: \(FileError.slow)")
        #expect(await answer(reads, "fine") == "1")
        reader.gate.signal()
    }

    @Test("a task on threads that may block is on one of them after each wait, too")
    func executor() async {
        let reads = reads()
        let names = Mutex<[String]>([])
        @Sendable func note() {
            let name = (try? RegularFile.content("/proc/thread-self/comm", limit: 100)) ?? []
            names.withLock { $0.append(String(decoding: name.dropLast(), as: UTF8.self)) }
        }
        await BlockingCall.task {
            note()
            for _ in 0..<10 {
                _ = await answer(reads, "fine")
                note()
            }
        }.value
        #expect(names.withLock { $0 } == [String](repeating: "blocking-call", count: 11))
    }

    @Test("without a thread the queries about the path fail, and the next one asks for a thread again")
    func refused() throws {
        var state = FileReadsState(timeout: 10, mostThreads: 2)
        let failed = Mutex(0)
        let path = FileReadsState.Path(text: "a")
        for round in 1...100 {
            guard case .needsThread(path) = state.add(question, "a", 0, { _ in failed.withLock { $0 += 1 } }) else {
                Issue.record("no thread for the path")
                return
            }
            guard case .waits = state.add(.version, "a", 0, { _ in failed.withLock { $0 += 1 } }) else {
                Issue.record("two threads for the path")
                return
            }
            for waiter in state.refuse(path) { waiter.fail(EAGAIN) }
            #expect(failed.withLock { $0 } == 2 * round && state.asked.isEmpty)
            #expect(state.take(path, 0) == nil)
        }
    }

    @Test("texts that differ in their bytes are two paths")
    func bytes() async {
        let reads = reads()
        async let hung = answer(reads, "hung\u{E9}")
        await waitForHung(1)
        async let other = answer(reads, "hunge\u{301}")
        await waitForHung(2)
        #expect(reads.threads == 2)
        reader.gate.signal()
        reader.gate.signal()
        let outcomes = await [hung, other]
        #expect(outcomes == ["1", "1"])
    }

    @Test("random questions about files that hang and answer at random all end, and none gets an older answer")
    func random() async {
        var random = SeededRandom(seed: 7)
        let reads = reads(mostThreads: 8)
        let names = (0..<12).map { $0 < 4 ? "hung \($0)" : "fine \($0)" }
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<3000 {
                let name = names[Int.random(in: 0..<names.count, using: &random)]
                group.addTask {
                    let before = reader.count(name)
                    let text = await answer(reads, name)
                    return Int(text).map { $0 > before } ?? false || text == "\(name): \(FileError.slow)"
                        || text == "\(name): \(FileError.crowded)"
                }
                if Int.random(in: 0..<3, using: &random) == 0 { reader.gate.signal() }
                if Int.random(in: 0..<20, using: &random) == 0 { clock.advance(to: clock.now() + 3000) }
                #expect(reads.threads <= 8)
            }
            let gate = reader.gate
            group.addTask {
                for _ in 0..<9000 { gate.signal() }
                return true
            }
            for await isRight in group { #expect(isRight) }
        }
        #expect(reads.waiting == 0)
        await waitFor { reads.threads <= 2 }
    }
}
