import Glibc
import Model
import Notify
import Platform
import TestSupport
import Testing

/// A change of a silence on a disk that fails: the answer, memory and the silences of the next start must agree.
@Suite("Silences on a failing disk")
struct SilenceFaultTests {
    enum Change: CaseIterable, Sendable {
        case add
        /// The same silence with another end.
        case edit
        /// A new silence instead of the old one: two records.
        case exchange
        case expire
    }

    private static let clock = ManualClock(now: Timeline.start, jumps: true)

    private static func notifier(_ files: FaultyFileSystem, _ clock: ManualClock = clock) throws -> Notifier {
        try Timeline.notifier(files, clock, groupWait: 5)
    }

    private static func silence(_ a: String, end: Double = 7200, id: String = "") -> Silence {
        Silence(
            id: id, matchers: [Matcher(name: "a", equals: a)], startsAt: Timeline.start, endsAt: Timeline.time(end),
            comment: "c")
    }

    private static func make(_ change: Change, _ notifier: Notifier, _ id: String) throws {
        switch change {
        case .add: _ = try notifier.setSilence(silence("2"))
        case .edit: _ = try notifier.setSilence(silence("1", end: 9000, id: id))
        case .exchange: _ = try notifier.setSilence(silence("3", id: id))
        case .expire: try notifier.expireSilence(id)
        }
    }

    /// The operations that a change makes on a sound disk.
    private static func operations(_ change: Change) throws -> Int {
        let files = FaultyFileSystem()
        let notifier = try notifier(files)
        let id = try notifier.setSilence(silence("1"))
        let before = files.operations.count
        try make(change, notifier, id)
        return files.operations.count - before
    }

    /// Makes a change with faults at the operations `numbers` after the first silence.
    private static func check(_ change: Change, _ fault: FaultyFileSystem.Fault, at numbers: [Int]) throws {
        let files = FaultyFileSystem()
        let notifier = try notifier(files)
        let id = try notifier.setSilence(silence("1"))
        let before = notifier.silences()
        let begin = files.operations.count
        for number in numbers { files.inject(fault, at: begin + number) }
        let what: Comment = "\(change), \(fault) at \(numbers)"
        var failure: (any Error)?
        do { try make(change, notifier, id) } catch { failure = error }
        let after = notifier.silences()
        let isReversed = failure != nil && !(failure is LedgerError)
        if failure == nil { #expect(after != before, what) }
        if isReversed { #expect(after == before, what) }
        // A record that cannot be truncated may or may not be there after a power failure.
        let operations = files.operations
        let isTruncated = !numbers.contains { number in
            let at = begin + number - 1
            return operations.indices.contains(at) && operations[at].name == "truncate"
        }
        for aftermath in FaultyFileSystem.Aftermath.allCases where aftermath == .kept || isTruncated {
            let next = try Self.notifier(files.afterPowerCut(aftermath))
            #expect(next.silences() == after, "\(what), \(aftermath), \(String(describing: failure))")
        }
        files.heal()
        // The refused change succeeds when the disk is sound, and a change that is in force is not lost by the repair.
        if isReversed { try make(change, notifier, id) } else { _ = try notifier.setSilence(silence("4")) }
        #expect(notifier.silences() != after, what)
        for aftermath in FaultyFileSystem.Aftermath.allCases {
            let next = try Self.notifier(files.afterPowerCut(aftermath))
            #expect(next.silences() == notifier.silences(), "\(what), \(aftermath), after the repair")
        }
    }

    @Test(
        "a change that fails has no effect, now and after a restart",
        arguments: Change.allCases, [FaultyFileSystem.Fault.fail(EIO), .fail(ENOSPC), .tear])
    func single(_ change: Change, _ fault: FaultyFileSystem.Fault) throws {
        let count = try Self.operations(change)
        #expect(count >= 2)
        for number in 1...count { try Self.check(change, fault, at: [number]) }
    }

    @Test(
        "a failed change whose repair fails too is the same in memory and after a restart",
        arguments: Change.allCases, [FaultyFileSystem.Fault.fail(EIO), .fail(ENOSPC), .tear])
    func repeated(_ change: Change, _ fault: FaultyFileSystem.Fault) throws {
        for first in 1...2 {
            for length in 2...20 { try Self.check(change, fault, at: Array(first..<(first + length))) }
            // The cut, a sync, or a step of the new file.
            for second in (first + 1)...12 {
                try Self.check(change, fault, at: [first, second])
                for third in (second + 1)...13 { try Self.check(change, fault, at: [first, second, third]) }
            }
        }
    }

    @Test("a refused change is not in the file")
    func file() throws {
        for number in 1...2 {
            let files = FaultyFileSystem()
            let notifier = try Self.notifier(files)
            _ = try notifier.setSilence(Self.silence("1"))
            let content = try files.read("l/ledger")
            files.inject(.fail(EIO), at: files.operations.count + number)
            #expect(throws: FileError.self) { try notifier.setSilence(Self.silence("2")) }
            #expect(try files.read("l/ledger") == content, "operation \(number)")
        }
    }

    @Test("a change on a full disk has no effect")
    func full() throws {
        for room in 0..<400 {
            let files = FaultyFileSystem()
            let notifier = try Self.notifier(files)
            let id = try notifier.setSilence(Self.silence("1"))
            let before = notifier.silences()
            files.setCapacity(files.used + room)
            var isDone = true
            do { _ = try notifier.setSilence(Self.silence("3", id: id)) } catch { isDone = false }
            #expect((notifier.silences() == before) != isDone, "\(room) bytes")
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let next = try Self.notifier(files.afterPowerCut(aftermath))
                #expect(next.silences() == notifier.silences(), "\(room) bytes, \(aftermath)")
            }
        }
    }

    /// Draws one change, or sends an alert and lets what is due happen.
    private static func act(_ notifier: Notifier, _ clock: ManualClock, _ random: inout SeededRandom) async {
        clock.advance(to: clock.now() + 7000)
        let now = clock.now()
        func silence(_ id: String = "") -> Silence {
            Silence(
                id: id, matchers: [Matcher(name: "a", equals: "\(Int.random(in: 0..<3, using: &random))")],
                startsAt: now - 1000, endsAt: now + Int64.random(in: 1...100_000, using: &random))
        }
        let id = notifier.silences().randomElement(using: &random)?.id ?? ""
        switch Int.random(in: 0..<5, using: &random) {
        case 0: _ = try? notifier.setSilence(silence())
        case 1: _ = try? notifier.setSilence(silence(id))
        case 2: try? notifier.expireSilence(id)
        default:
            notifier.send([Alert(labels: Labels([("a", "\(Int.random(in: 0..<9, using: &random))")]), startsAt: now)])
            _ = notifier.step(at: now)
            await notifier.settle()
        }
    }

    @Test("while syncs fail, memory is what a restart reads; then nothing is missing or twice", arguments: 0..<2)
    func random(seed: Int) async throws {
        var random = SeededRandom(seed: UInt64(seed))
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Timeline.start)
        let notifier = try Self.notifier(files, clock)
        files.failSyncs(oneIn: 3, seed: UInt64(seed))
        for _ in 0..<100 {
            await Self.act(notifier, clock, &random)
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let next = try Self.notifier(files.afterPowerCut(aftermath), clock)
                #expect(next.silences() == notifier.silences(), "\(aftermath)")
            }
        }
        files.heal()
        clock.advance(to: clock.now() + 60_000)
        _ = notifier.step(at: clock.now())
        await notifier.settle()
        let next = try Self.notifier(files.afterPowerCut(.dropped), clock)
        #expect(next.silences() == notifier.silences())
        #expect(notifier.deliveries(limit: .max).count > 10)
        #expect(next.deliveries(limit: .max) == notifier.deliveries(limit: .max))
        // An alert that has just ended without being resolved gets some more time after a restart.
        let alerts = Set(notifier.alerts().map(\.alert.fingerprint))
        #expect(alerts.isSubset(of: next.alerts().map(\.alert.fingerprint)))
    }

    @Test("changes at the same time have one order in memory and in the file")
    func order() async throws {
        let files = FaultyFileSystem()
        let notifier = try Self.notifier(files)
        let id = try notifier.setSilence(Self.silence("1"))
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    for end in 0..<200 {
                        _ = try? notifier.setSilence(Self.silence("1", end: Double(1000 * (task + 1) + end), id: id))
                    }
                }
            }
        }
        #expect(try Self.notifier(files.afterPowerCut(.dropped)).silences() == notifier.silences())
    }
}
