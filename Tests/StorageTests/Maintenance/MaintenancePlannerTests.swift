import TestSupport
import Testing

@testable import Storage

/// The maintenanceLock as transcripts: what is known in a second, and what is done then.
///
/// Windows span two hours and are named by the hour at which they end; their sizes are in MiB.
@Suite struct MaintenancePlannerTests {
    typealias Windows = KeyValuePairs<Int64, Int>
    /// A second of a store's life: the newest sample's hour, the windows of the head, and what is done.
    typealias Row = (second: Int64, newest: Double?, head: Windows, done: String)

    static let hour: Int64 = 3_600_000

    static func limits(cutDelay seconds: Int64 = 0, largestPart: Int? = nil) -> MaintenancePlanner.Limits {
        .init(
            StoreOptions(directory: "", cutDelay: seconds * 1000), retention: 0,
            largestPart: largestPart.map { $0 << 20 })
    }

    static func head(_ second: Int64, _ newest: Double?, _ windows: Windows) -> MaintenancePlanner.HeadFacts {
        .init(
            now: second * 1_000_000_000, newest: newest.map { Int64($0 * Double(hour)) },
            windows: windows.map { .init(end: $0 * hour, sealed: $1 << 20, size: $1 << 20) })
    }

    private static func text(_ action: MaintenancePlanner.Action) -> String {
        switch action {
        case .keepWithinSize: "keep within size"
        case .shrinkLog: "shrink log"
        case .checkpoint: "checkpoint"
        case .cut(let ends): "cut " + ends.map { "\($0 / hour)h" }.joined(separator: "+")
        case .forgetSilent(let age): "forget silent for \(age / 60_000)min"
        case .dropExpired: "drop expired"
        case .compact(let most): "compact \(most) times"
        case .giveBackMemory: "give back memory"
        }
    }

    static func text(_ actions: [MaintenancePlanner.Action]) -> String {
        actions.map(text).joined(separator: ", ")
    }

    /// Expects what is done about the windows in the seconds of a table; each cut succeeds.
    static func expect(_ rows: [Row], _ limits: MaintenancePlanner.Limits = limits()) {
        var planner = MaintenancePlanner(limits)
        for row in rows {
            let actions = planner.cut(head(row.second, row.newest, row.head))
            #expect(text(actions) == row.done, "second \(row.second)")
            for case .cut(let ends) in actions { planner.noteCut(ends, at: row.second * 1_000_000_000) }
        }
    }

    @Test func `blocks use a part of the files that may be open`() {
        var limits = Self.limits()
        limits.openFiles = 40
        func cuts(blocks: Int, newest: Double = 1000, _ ends: [Int64]) -> (String, Bool) {
            var planner = MaintenancePlanner(limits)
            var facts = Self.head(0, newest, [:])
            facts.windows = ends.map { .init(end: $0 * Self.hour, sealed: 1, size: 1) }
            facts.blocks = blocks
            let text = Self.text(planner.cut(facts).filter { if case .cut = $0 { true } else { false } })
            return (text, planner.lacksOpenFiles)
        }
        let (old, present) = ([10, 40, 70, 100] as [Int64], [10, 40, 998] as [Int64])
        #expect(cuts(blocks: 0, old) == ("cut 10h, cut 40h, cut 70h, cut 100h", false))
        #expect(cuts(blocks: 8, old) == ("cut 70h, cut 100h", false))
        #expect(cuts(blocks: 10, old) == ("cut 100h", false))
        #expect(cuts(blocks: 19, old) == ("cut 100h", false))
        #expect(cuts(blocks: 20, old) == ("", true))
        #expect(cuts(blocks: 20, present) == ("", true))
        limits.openFiles = 200
        #expect(cuts(blocks: 100, old) == ("", true))
        #expect(cuts(blocks: 100, present) == ("cut 998h", true))
        // A start accepts 136 blocks.
        #expect(cuts(blocks: 135, [998]) == ("cut 998h", false))
        #expect(cuts(blocks: 136, [998]) == ("", true))
    }

    @Test func `a round has this order`() {
        var planner = MaintenancePlanner(Self.limits())
        func round(_ limits: MaintenancePlanner.Limits, isOversized: Bool, second: Int64) -> [String] {
            let begun = planner.begin(limits, isOversized: isOversized)
            let saved = planner.save(.init(isCheckpointGone: true))
            let cuts = planner.cut(Self.head(second, 3, [2: 1, 4: 1]))
            return [begun, saved, cuts, planner.finish(.init(hasCut: !cuts.isEmpty))].map(Self.text)
        }
        #expect(
            round(Self.limits(), isOversized: false, second: 0) == [
                "",
                "checkpoint",
                "cut 2h, forget silent for 60min",
                "checkpoint, drop expired, compact 4 times, give back memory",
            ])
        // Within a size, the oldest blocks go first, and what is silent is forgotten sooner.
        #expect(
            round(Self.limits(largestPart: 64), isOversized: true, second: 100) == [
                "keep within size, shrink log",
                "checkpoint",
                "cut 2h, forget silent for 5min",
                "checkpoint, drop expired, keep within size, compact 4 times, give back memory",
            ])
        #expect(Self.text(planner.begin(Self.limits(largestPart: 64), isOversized: false)) == "keep within size")
    }

    @Test func `a window is cut when half a window more is over`() {
        Self.expect([
            (0, nil, [:], ""),
            (1, 1, [2: 1], ""),
            (2, 2.5, [2: 1, 4: 1], ""),
            (3, 3, [2: 1, 4: 1], "cut 2h, forget silent for 60min"),
            (4, 3, [4: 1], ""),
            (5, 5, [4: 1, 6: 1], "cut 4h, forget silent for 60min"),
        ])
    }

    @Test func `windows of pushed history wait for each other, and become one block`() {
        Self.expect(
            [
                (0, 1, [2: 1], ""),
                // The wait of 30 s begins.
                (1, 3, [2: 1, 4: 1], ""),
                (30, 21, [2: 1, 4: 1, 6: 1, 8: 1], ""),
                (31, 21, [2: 1, 4: 1, 6: 1, 8: 1, 22: 1], "cut 2h+4h+6h+8h, forget silent for 60min"),
                // The next wait.
                (32, 25, [22: 1, 24: 1], ""),
                (61, 25, [22: 1, 24: 1], ""),
                (62, 27, [22: 1, 24: 1, 26: 1], "cut 22h+24h, cut 26h, forget silent for 60min"),
            ], Self.limits(cutDelay: 30))
    }

    @Test func `no window waits any more when 64 MiB are sealed`() {
        Self.expect(
            [
                (0, 5, [2: 30, 4: 30], ""),
                (1, 7, [2: 30, 4: 30, 6: 4], "cut 2h+4h+6h, forget silent for 60min"),
            ], Self.limits(cutDelay: 30))
    }

    @Test func `what comes into a window after its cut waits for a minute, unless it is much`() {
        Self.expect([
            (0, 3, [2: 1], "cut 2h, forget silent for 60min"),
            (59, 3, [2: 1], ""),
            (60, 3, [2: 1], "cut 2h, forget silent for 60min"),
            (61, 3, [2: 63], ""),
            (62, 3, [2: 64], "cut 2h, forget silent for 60min"),
        ])
    }

    @Test func `a block spans no more than a day, and no gap`() {
        Self.expect([
            (0, 31, [20: 1, 22: 1, 24: 1, 26: 1, 30: 1], "cut 20h+22h+24h, cut 26h, cut 30h, forget silent for 60min")
        ])
    }

    @Test func `within a size, blocks are small, and a large window is cut before it is over`() {
        Self.expect(
            [
                (0, 7, [2: 4, 4: 4, 6: 1, 8: 3], "cut 2h+4h, cut 6h, forget silent for 5min"),
                (1, 7, [8: 8], ""),
                (2, 7, [8: 9], "cut 8h, forget silent for 5min"),
                // Also at once again.
                (3, 7, [8: 9], "cut 8h, forget silent for 5min"),
            ], Self.limits(largestPart: 8))
    }

    @Test func `a wait begins anew when nothing is over any more`() {
        Self.expect(
            [
                (0, 3, [2: 1], ""),
                // Somebody has taken a snapshot.
                (20, 3, [:], ""),
                (31, 3, [2: 1], ""),
                (60, 3, [2: 1], ""),
                (61, 3, [2: 1], "cut 2h, forget silent for 60min"),
            ], Self.limits(cutDelay: 30))
    }

    @Test func `what only memory holds is saved as soon as the log can be written`() {
        let table: [(MaintenancePlanner.LogFacts, String)] = [
            (.init(), ""),
            (.init(isFailing: true), ""),
            (.init(hasUnlogged: true, isFailing: true), ""),
            (.init(hasUnlogged: true), "checkpoint"),
            // No sync of it proves anything any more.
            (.init(isLost: true), "checkpoint"),
            (.init(isFailing: true, isLost: true), "checkpoint"),
            (.init(isCheckpointGone: true), "checkpoint"),
        ]
        let planner = MaintenancePlanner(Self.limits())
        for (facts, done) in table { #expect(Self.text(planner.save(facts)) == done, "\(facts)") }
    }

    @Test func `a checkpoint is written after a cut, for a log as long as it, and where only it makes room`() {
        let blocks = "drop expired, compact 4 times"
        let table: [(MaintenancePlanner.EndFacts, String)] = [
            (.init(), blocks),
            (.init(hasCut: true), "checkpoint, \(blocks), give back memory"),
            (.init(needsSpace: true), "checkpoint, \(blocks)"),
            (.init(logBytes: 4 << 20), blocks),
            (.init(logBytes: 4 << 20 + 1), "checkpoint, \(blocks)"),
            (.init(logBytes: 50 << 20, checkpointBytes: 50 << 20), blocks),
            (.init(logBytes: 50 << 20 + 1, checkpointBytes: 50 << 20), "checkpoint, \(blocks)"),
        ]
        for (facts, done) in table {
            var planner = MaintenancePlanner(Self.limits())
            #expect(Self.text(planner.finish(facts)) == done, "\(facts)")
        }
    }

    @Test func `when a burst is over, its log is not left to the next start`() {
        var planner = MaintenancePlanner(Self.limits())
        // MiB of the log in each second; the checkpoint has 64.
        let table: [(log: Int, isCheckpoint: Bool)] = [
            (10, false), (20, false), (30, false), (40, false), (41, true), (0, false), (1, false), (6, false),
            (7, false), (36, false), (37, true),
        ]
        for (second, row) in table.enumerated() {
            let actions = planner.finish(.init(logBytes: row.log << 20, checkpointBytes: 64 << 20))
            #expect((actions.first == .checkpoint) == row.isCheckpoint, "second \(second)")
            if row.isCheckpoint { planner.noteCheckpoint(64 << 20) }
        }
    }
}
