import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Segments of the log that are missing: each that held something is reported, and no other.
@Suite struct LogGapTests {
    private static let start: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: start + 6_000_000) { ($0.blockDuration, $0.walSegmentSize) = (600_000, 4096) }
    }

    /// Stores some samples; on a disk that takes none they stay in memory.
    private static func push(_ store: TimeSeriesStore, _ steps: Range<Int>) throws {
        var random = SeededRandom(seed: UInt64(steps.lowerBound))
        let group = store.openGroup("g")
        for step in steps {
            var batch = SampleBatch(timestamp: start + Int64(step) * 1000)
            for series in 0..<8 {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m\(series)"])
                batch.append(try store.resolve(labels, in: group), .random(in: 0...1, using: &random))
            }
            _ = try store.commit(batch, in: group, durability: .whenPossible)
        }
    }

    @Test(arguments: [false, true], ["the newest", "all", "the directory"])
    func `the newest segment of a killed store is missed`(withCheckpoint: Bool, what: String) throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        try Self.push(store, 0..<100)
        if withCheckpoint { try store.checkpoint() }
        store.runMaintenance()
        #expect(store.blockSet.newestSegment == store.log.newestWithFrame)
        try Self.push(store, 100..<200)
        try store.maintenanceLock.withLock { try store.blockSet.noteSegment(store.log.newestWithFrame) }
        store.abandon()
        let segments = try files.list("data/wal").sorted()
        #expect(segments.count > 1)
        for segment in what == "the newest" ? segments.suffix(1) : segments[...] {
            try files.remove("data/wal/" + segment)
        }
        if what == "the directory" { try files.removeDirectory("data/wal") }
        let newest = try #require(segments.last)
        for round in 0..<3 {
            let again = try Self.open(files)
            #expect((again.damagedRecords > 0) == (round == 0))
            let names = again.leftOut.map(\.name)
            #expect(names.contains { $0.hasPrefix("wal/") && $0.hasSuffix(newest) }, "round \(round): \(names)")
            // What comes after it is kept, and is not taken for the missing segment.
            try Self.push(again, (300 + round * 10)..<(310 + round * 10))
            again.abandon()
        }
        let request = SelectRequest(matchers: [], minTime: Self.start + 300_000, maxTime: Self.start + 329_000)
        let kept = try Self.open(files).select(request)
        #expect(kept.count == 8)
    }

    @Test func `a segment whose size is known is missed, whatever is said to be unused`() throws {
        let gaps = RecoveryPlan.gaps([3, 9], from: 3, to: 9, unused: [4..<9], needed: [5, 6, 8, 9, 12])
        #expect(gaps == [5...6, 8...8])
        #expect(RecoveryPlan.gaps([3], from: 3, to: 7, unused: [], needed: [7]) == [4...7])
        #expect(RecoveryPlan.gaps([], from: 7, to: 7, unused: [], needed: [7]) == [7...7])
    }

    @Test func `a part of a frame that could not be removed is no damage`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        try Self.push(store, 0..<10)
        let next = files.operations.count + 1
        files.inject(.tear, at: next)
        for later in 1...3 { files.inject(.fail(EIO), at: next + later) }
        try Self.push(store, 10..<12)
        files.heal()
        try Self.push(store, 12..<20)
        store.syncLog()
        try Self.push(store, 20..<30)
        store.abandon()
        let segments = try files.list("data/wal").sorted()
        let again = try Self.open(files.afterPowerCut(.kept))
        #expect(again.leftOut.isEmpty && again.damagedRecords == 0, "\(segments): \(again.leftOut)")
        // Bytes before the known size are damage, as before.
        let damaged = files.afterPowerCut(.kept)
        damaged.damage("data/wal/" + segments[0]) { $0[$0.count / 3] ^= 1 }
        #expect(try !Self.open(damaged).leftOut.isEmpty)
    }

    /// A full disk tears a frame, the part cannot be cut off, and the reserve makes space for the same frame.
    @Test func `what is acknowledged behind a torn frame that could not be cut off is kept`() throws {
        var given = 0
        for spare in 0..<80 {
            let files = FaultyFileSystem()
            files.setCapacity(1 << 30)
            let store = try Self.open(files)
            store.runMaintenance()
            var acknowledged = Set<Int64>()
            func push(_ steps: Range<Int>) throws {
                for step in steps {
                    let time = Self.start + Int64(step) * 1000
                    let stored = try? store.push("m", at: [time], durability: .synced)
                    acknowledged.formUnion(stored ?? [])
                }
            }
            try push(0..<10)
            #expect(try files.exists("data/reserve"))
            files.setCapacity(files.used + spare)
            // The write is the next operation, the truncation the one after it.
            files.inject(.fail(EIO), at: files.operations.count + 2)
            try push(10..<12)
            if try !files.exists("data/reserve") { given += 1 }
            // The next write fails, too, and is cut off.
            files.setCapacity(files.used + 8)
            try push(12..<20)
            store.abandon()
            files.setCapacity(1 << 30)
            let again = try Self.open(files.afterPowerCut(.kept))
            let kept = Set(try again.stored(named: "m").times)
            #expect(acknowledged.isSubset(of: kept), "with \(spare) bytes: \(acknowledged.subtracting(kept))")
            #expect(again.leftOut.isEmpty, "with \(spare) bytes: \(again.leftOut)")
        }
        #expect(given > 0, "the reserve was never given up")
    }

    /// What happens to a store between two starts.
    private static func live(_ files: FaultyFileSystem, _ first: Int, _ random: inout SeededRandom) throws {
        let store = try open(files)
        var step = first
        for _ in 0..<Int.random(in: 1...12, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4: break
            // Enough for the start of a segment, perhaps, and not for a frame.
            case 4, 5: files.setCapacity(files.used + Int.random(in: 0...60, using: &random))
            case 6:
                let next = files.operations.count + Int.random(in: 1...12, using: &random)
                files.inject(.fail([EIO, ENOSPC].randomElement(using: &random) ?? EIO), at: next)
            case 7: files.setCapacity(1 << 30)
            case 8: try? store.checkpoint()
            default: store.runMaintenance()
            }
            let count = Int.random(in: 0...12, using: &random)
            try push(store, step..<(step + count))
            step += count
        }
        if Bool.random(using: &random) { files.setCapacity(1 << 30) }
        if Bool.random(using: &random) { try? store.close() } else { store.abandon() }
        files.heal()
        files.setCapacity(1 << 30)
    }

    @Test func `no segment is missed that nobody removed, whatever the disk does`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for history in 0..<300 {
            let files = FaultyFileSystem()
            for life in 0..<4 {
                try Self.live(files, life * 200, &random)
                let after = files.afterPowerCut(.kept)
                let store = try Self.open(after)
                let missing = store.leftOut.filter { $0.kind == .missing }.map(\.name)
                #expect(missing.isEmpty, "history \(history), life \(life): \(missing)")
                if !missing.isEmpty { return }
            }
        }
    }
}
