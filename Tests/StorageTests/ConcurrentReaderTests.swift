import Foundation
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Readers beside appends, cuts, compactions and retention: never an error, never a sample missing, doubled or wrong,
/// never half a commit.
///
/// `MARTLET_READER_SECONDS` makes it last so long; `make tsan` runs it under ThreadSanitizer.
@Suite struct ConcurrentReaderTests {
    /// What is appended: the value of series s at step k follows from both, so that a reader can tell it.
    private enum Load {
        static let series = 24
        static let origin: Int64 = 1_700_000_000_000
        static let interval: Int64 = 480_000
        /// The shortest with which blocks are merged to 8 h.
        static let retention: Int64 = 80 * 3_600_000

        static func time(_ step: Int) -> Int64 { origin + Int64(step) * interval }

        static func value(_ series: Int, _ step: Int) -> Double {
            switch series % 4 {
            case 0: Double(series)
            case 1: Double(step * (series + 1))
            case 2: Double((step &* 7919 &+ series) % 1000) / 10
            default: 1 / Double(step + series + 1)
            }
        }
    }

    /// What the threads share.
    private final class Scene: Sendable {
        let store: TimeSeriesStore
        let clock: ManualClock
        let syncs: FailingSyncs
        /// Steps that are committed whole, by group.
        let committed = [Progress(), Progress()]
        let isOver = Atomic(false)
        /// Rounds of maintenanceLock that have ended.
        let rounds = Atomic<Int>(0)
        let reads = Atomic<Int>(0)
        let samples = Atomic<Int>(0)
        let failures = Mutex<[String]>([])

        final class Progress: Sendable { let steps = Atomic<Int>(0) }

        init(_ store: TimeSeriesStore, _ clock: ManualClock, _ syncs: FailingSyncs) {
            self.store = store
            self.clock = clock
            self.syncs = syncs
        }

        func fail(_ what: String) {
            failures.withLock { if $0.count < 10 { $0.append(what) } }
            isOver.store(true, ordering: .releasing)
        }
    }

    private static let seconds = Int(ProcessInfo.processInfo.environment["MARTLET_READER_SECONDS"] ?? "") ?? 0
    /// Steps where no time is given: 66 blocks, some 16 compactions and several drops.
    private static let steps = 1000

    @Test(arguments: FailingSyncs.runs.prefix(2))
    func `Readers see each committed sample once while blocks are cut, merged and dropped`(
        _ syncs: FailingSyncs
    ) throws {
        let directory = try TemporaryFolder()
        let clock = ManualClock(now: Load.origin)
        let faulty = FaultyFileSystem()
        let store = try TimeSeriesStore.open(
            options: StoreOptions(
                directory: syncs.seed == nil ? directory.path : "data", retentionTime: Load.retention,
                outOfOrderWindow: 2 * Load.interval, retentionWait: 0, walSegmentSize: 1 << 16,
                runsInBackground: false),
            fileSystem: syncs.seed == nil ? RealFileSystem() : faulty, clock: clock)
        syncs.begin(faulty, oneIn: 25)
        let scene = Scene(store, clock, syncs)
        let deadline = Date(timeIntervalSinceNow: Double(Self.seconds))
        let threads = [
            thread { try Self.write(scene, until: Self.seconds > 0 ? deadline : nil) },
            thread { Self.tend(scene) },
            thread { try Self.read(scene, seed: 1) },
            thread { try Self.read(scene, seed: 2) },
        ]
        for (thread, _) in threads { thread.start() }
        for (_, done) in threads { done.wait() }
        #expect(scene.failures.withLock { $0 } == [])
        #expect(scene.committed[0].steps.load(ordering: .relaxed) >= (Self.seconds > 0 ? 1 : Self.steps))
        #expect(scene.reads.load(ordering: .relaxed) > 10)
        // That there was something to disturb the readers.
        #expect(store.blocks.contains { $0.meta.level > 1 })
        #expect(store.blocks.map(\.minTime).min() ?? Load.origin > Load.origin)
        if Self.seconds > 0 {
            print(
                "readers:", scene.reads.load(ordering: .relaxed), "selects,", scene.samples.load(ordering: .relaxed),
                "samples,", scene.committed[0].steps.load(ordering: .relaxed), "steps")
        }
        faulty.heal()
        try store.close()

        func thread(_ body: @escaping @Sendable () throws -> Void) -> (Foundation.Thread, DispatchSemaphore) {
            let done = DispatchSemaphore(value: 0)
            let thread = Foundation.Thread {
                do { try body() } catch { scene.fail("\(error)") }
                done.signal()
            }
            return (thread, done)
        }
    }

    /// Commits step after step, in order for one group and each two steps the wrong way round for the other.
    private static func write(_ scene: Scene, until deadline: Date?) throws {
        defer { scene.isOver.store(true, ordering: .releasing) }
        let store = scene.store
        let groups = [store.openGroup("scraped"), store.openGroup("pushed")]
        let refs = try groups.indices.map { g in
            try (0..<Load.series).map { s in
                try store.resolve(
                    TimeSeriesStoreTests.labels(["__name__": "m\(s % 5)", "group": "\(g)", "series": "\(s)"]),
                    in: groups[g])
            }
        }
        func commit(_ g: Int, _ step: Int) throws {
            var batch = SampleBatch(timestamp: Load.time(step))
            for s in 0..<Load.series { batch.append(refs[g][s], Load.value(s, step)) }
            let whole = batch
            let outcome = try scene.syncs.insist {
                try store.commit(whole, in: groups[g], durability: .written)
            }
            if outcome.appended != Load.series { scene.fail("step \(step): \(outcome.appended) samples taken") }
        }
        var step = 0
        var round = 0
        while deadline.map({ Date() < $0 }) ?? (step < steps) {
            if scene.isOver.load(ordering: .acquiring) { return }
            for next in [step, step + 1] {
                try commit(0, next)
                scene.committed[0].steps.store(next + 1, ordering: .releasing)
            }
            for next in [step + 1, step] { try commit(1, next) }
            step += 2
            // Upkeep comes along each eight steps, about a block, as it does in a daemon.
            if step % 8 == 0 {
                while scene.rounds.load(ordering: .acquiring) == round, !scene.isOver.load(ordering: .acquiring) {
                    sched_yield()
                }
                round = scene.rounds.load(ordering: .acquiring)
            }
            scene.committed[1].steps.store(step, ordering: .releasing)
            scene.clock.advance(to: Load.time(step))
        }
    }

    private static func tend(_ scene: Scene) {
        while !scene.isOver.load(ordering: .acquiring) {
            scene.store.syncLog()
            scene.store.runMaintenance()
            if let why = scene.store.maintenanceFailure.withLock({ $0 }) {
                if scene.syncs.seed == nil || !why.contains("input/output error") { scene.fail("upkeep: \(why)") }
            }
            scene.rounds.add(1, ordering: .releasing)
        }
    }

    private static func read(_ scene: Scene, seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var columns = SampleColumns()
        while !scene.isOver.load(ordering: .acquiring) {
            let g = Int.random(in: 0...1, using: &random)
            let before = scene.committed[g].steps.load(ordering: .acquiring)
            if before == 0 { continue }
            let back = Int.random(in: 1...2 * Int(Load.retention / Load.interval), using: &random)
            let from = Load.time(max(0, before - back))
            let to = Bool.random(using: &random) ? Int64.max : Load.time(before - 1 - back / 4)
            if to < from { continue }
            let newestOnly = Int.random(in: 0..<4, using: &random) == 0
            let set = try scene.store.select(
                SelectRequest(
                    matchers: [Matcher(name: "group", equals: "\(g)")], minTime: from, maxTime: to,
                    newestOnly: newestOnly))
            // A commit shows up a moment before it returns; the pushed group commits two steps at a time.
            let after = scene.committed[g].steps.load(ordering: .acquiring) + 2
            var expectation = Expectation(
                from: from, to: to, newestOnly: newestOnly, atLeast: before, atMost: after, isPushed: g == 1)
            if set.count != Load.series { scene.fail("\(set.count) series of \(Load.series)") }
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                let series = Int(set.labels(i)["series"] ?? "") ?? -1
                if let wrong = expectation.check(series, columns) {
                    scene.fail("group \(g), series \(series), \(from)...\(to), newest only \(newestOnly): \(wrong)")
                }
                scene.samples.add(columns.count, ordering: .relaxed)
            }
            scene.reads.add(1, ordering: .relaxed)
        }
    }

    /// What one select may give.
    private struct Expectation {
        let from: Int64
        let to: Int64
        let newestOnly: Bool
        /// Steps committed before the select, and at most those when it was done.
        let atLeast: Int
        let atMost: Int
        /// Each two steps come the wrong way round: the last but one may be missing.
        let isPushed: Bool
        /// The last time of the first series: all end alike.
        var end: Int64?

        mutating func check(_ series: Int, _ columns: borrowing SampleColumns) -> String? {
            let count = columns.count
            let last = min(to, Load.time(atLeast - 1))
            guard count > 0 else { return last >= horizon ? "no samples" : nil }
            let newest = columns.timestamps[count - 1]
            if newest < last { return "ends at \(newest), committed until \(last)" }
            if newest > min(to, Load.time(atMost - 1)) { return "ends at \(newest), which was never asked for" }
            if let end, end != newest { return "ends at \(newest), others at \(end): half a commit" }
            end = newest
            if !newestOnly, columns.timestamps[0] > max(horizon, from) { return "begins at \(columns.timestamps[0])" }
            for i in 0..<count {
                let time = columns.timestamps[i]
                // Of the newest, only the last counts; older ones may come with it, here and there.
                if i > 0, !newestOnly {
                    let distance = time - columns.timestamps[i - 1]
                    let mayMiss = isPushed && time > last
                    guard distance == Load.interval || mayMiss && distance == 2 * Load.interval else {
                        return "\(time) follows \(columns.timestamps[i - 1])"
                    }
                }
                let step = Int((time - Load.origin) / Load.interval)
                let value = Load.value(series, step)
                guard columns.values[i].bitPattern == value.bitPattern else {
                    return "\(columns.values[i]) at \(time), expected \(value)"
                }
            }
            return nil
        }

        /// What is younger may not have been dropped.
        private var horizon: Int64 { Load.time(atMost) - Load.retention }
    }
}
