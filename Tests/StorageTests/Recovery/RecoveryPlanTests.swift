import TestSupport
import Testing

@testable import Storage

/// Starts of a store as transcripts: what lies in the directory, and what is read, lost and removed.
@Suite struct RecoveryPlanTests {
    /// A start.
    struct Start {
        var checkpoint: RecoveryPlan.Checkpoint
        var hasNoBlocks = false
        var directory: RecoveryPlan.Directory
        var log = RecoveryPlan.LogFindings()

        /// - Parameters:
        ///   - checkpoint: The segment that it names; nil if there is none.
        ///   - log: The segments that are there.
        ///   - spills: Spill files that the checkpoint does not name.
        init(_ checkpoint: UInt64?, log: [UInt64], spills: [String] = []) {
            self.checkpoint = .init(isThere: checkpoint != nil, segment: checkpoint ?? 0)
            directory = .init(segments: log, strangers: spills)
        }

        func with(_ change: (inout Start) -> Void) -> Start {
            var start = self
            change(&start)
            return start
        }

        var plan: RecoveryPlan {
            var plan = RecoveryPlan(checkpoint, hasNoBlocks: hasNoBlocks)
            let told = plan.losses + plan.note(directory) + plan.note(log)
            #expect(told == plan.losses, "each loss is told once")
            return plan
        }

        /// What is read, the next number, what is lost, and what becomes of unnamed spill files.
        var transcript: String {
            let plan = plan
            let losses = plan.losses.map { "\($0.kind.rawValue) \($0.file)" }
            var parts = ["read \(plan.segments)", "next \(plan.newSegment)"] + losses
            if case .setAside(let names) = plan.strangers, !names.isEmpty { parts.append("keep \(names.joined())") }
            return parts.joined(separator: ", ")
        }
    }

    private static let spill = ["7200000-1.spill"]

    private static func irregular(_ place: IrregularFiles.Found.Place, _ name: String) -> IrregularFiles.Found {
        .init(place: place, name: name, kept: name)
    }

    @Test func `ordinary starts, and those after a kill, lose nothing`() {
        let table: [(String, Start, String)] = [
            ("the first start", Start(nil, log: []), "read [], next 1"),
            ("after an end", Start(5, log: [5]), "read [5], next 6"),
            ("killed while it ran", Start(5, log: [5, 6, 7]), "read [5, 6, 7], next 8"),
            // The log holds what lies in the spill files: they are made anew.
            ("killed before a checkpoint", Start(nil, log: [1, 2], spills: Self.spill), "read [1, 2], next 3"),
            ("killed before old segments went", Start(5, log: [3, 4, 5, 6]), "read [5, 6], next 7"),
            (
                "numbers that the log says were never used",
                Start(5, log: [5, 8]).with { $0.log.unused = [6..<8] }, "read [5, 8], next 9"
            ),
            ("a store without blocks", Start(5, log: [5]).with { $0.hasNoBlocks = true }, "read [5], next 6"),
        ]
        for (name, start, transcript) in table {
            #expect(start.transcript == transcript, "\(name)")
            #expect(start.plan.count == 0 && start.plan.strangers == .remove, "\(name)")
        }
    }

    @Test func `what is missing is told, and nothing goes that may be the last copy`() {
        let table: [(String, Start, String)] = [
            (
                "a checkpoint, as the log has no first segment", Start(nil, log: [4, 5], spills: Self.spill),
                "read [4, 5], next 6, missing checkpoint, keep 7200000-1.spill"
            ),
            (
                "a checkpoint and the log", Start(nil, log: [], spills: Self.spill),
                "read [], next 1, missing checkpoint, keep 7200000-1.spill"
            ),
            (
                "a segment", Start(5, log: [5, 7], spills: Self.spill),
                "read [5, 7], next 8, missing wal/00000006, keep 7200000-1.spill"
            ),
            ("segments", Start(5, log: [5, 9]), "read [5, 9], next 10, missing wal/00000006-00000008"),
            ("the segment that the checkpoint names", Start(5, log: []), "read [], next 6, missing wal/00000005"),
            (
                "all blocks",
                Start(5, log: [5]).with {
                    $0.hasNoBlocks = true
                    $0.checkpoint.blocks = 3
                }, "read [5], next 6, missing blocks"
            ),
        ]
        for (name, start, transcript) in table { #expect(start.transcript == transcript, "\(name)") }
    }

    @Test func `what is damaged is told`() {
        let table: [(String, Start, String)] = [
            (
                "the checkpoint; its log is read all the same",
                Start(5, log: [5], spills: Self.spill).with { $0.checkpoint.damage = ["one", "two"] },
                "read [5], next 6, damaged checkpoint, keep 7200000-1.spill"
            ),
            (
                "the beginning of the checkpoint: nothing says where the log goes on, so all of it is read",
                Start(0, log: [4, 5]).with {
                    $0.checkpoint.damage = ["one"]
                    $0.checkpoint.keptAs = "checkpoint.2"
                }, "read [4, 5], next 6, damaged checkpoint.2"
            ),
            (
                "a segment",
                Start(5, log: [5, 6]).with {
                    $0.log.damaged = 3
                    $0.log.damagedSegments = [5]
                }, "read [5, 6], next 7, damaged wal/00000005"
            ),
            (
                "somebody else's file: none between it and the log is missed, but its number is not used",
                Start(5, log: [5, 90]).with {
                    $0.log.damaged = 1
                    $0.log.damagedSegments = [90]
                    $0.log.foreign = [90]
                }, "read [5, 90], next 91, damaged wal/00000090"
            ),
        ]
        for (name, start, transcript) in table { #expect(start.transcript == transcript, "\(name)") }
        #expect(table.map(\.1.plan.count) == [2, 1, 3, 1])
        #expect(table.map(\.1.plan.touchesCheckpoint) == [true, true, false, false])
    }

    @Test func `what lay in the place of a file is told if that may have held something`() {
        let table: [(String, Start, String)] = [
            (
                "a pipe as the checkpoint: it is not said to be missing, too",
                Start(nil, log: [4]).with { $0.directory.irregular = [Self.irregular(.checkpoint, "checkpoint")] },
                "read [4], next 5, damaged checkpoint"
            ),
            (
                "a directory as a segment: its number is not used again",
                Start(5, log: [5]).with { $0.directory.irregular = [Self.irregular(.segment(6), "wal/00000006")] },
                "read [5], next 7, damaged wal/00000006"
            ),
            (
                "a directory as a segment far behind: none between it and the log is missed",
                Start(5, log: [5]).with { $0.directory.irregular = [Self.irregular(.segment(9), "wal/00000009")] },
                "read [5], next 10, damaged wal/00000009"
            ),
            (
                "a directory as a segment that is not needed any more",
                Start(5, log: [5]).with { $0.directory.irregular = [Self.irregular(.segment(4), "wal/00000004")] },
                "read [5], next 6"
            ),
            (
                "a link as a spill file that the checkpoint names",
                Start(5, log: [5]).with {
                    $0.directory.irregular = [Self.irregular(.spill, "spill/7200000-1.spill")]
                    $0.directory.namedSpills = ["7200000-1.spill"]
                }, "read [5], next 6, damaged spill/7200000-1.spill"
            ),
            (
                "a link as a spill file that nobody names",
                Start(5, log: [5]).with {
                    $0.directory.irregular = [Self.irregular(.spill, "spill/7200000-1.spill")]
                }, "read [5], next 6"
            ),
            (
                "a pipe as a file without samples",
                Start(5, log: [5]).with { $0.directory.irregular = [Self.irregular(.other, "probe")] },
                "read [5], next 6"
            ),
        ]
        for (name, start, transcript) in table { #expect(start.transcript == transcript, "\(name)") }
    }

    /// A start with about anything in the directory.
    private static func anyStart(_ random: inout SeededRandom) -> Start {
        func numbers(_ most: Int) -> Set<UInt64> {
            Set((0..<Int.random(in: 0...most, using: &random)).map { _ in UInt64.random(in: 1...12, using: &random) })
        }
        let present = numbers(8)
        let odd = numbers(2).subtracting(present)
        let named = UInt64.random(in: 1...10, using: &random)
        let hasCheckpoint = Int.random(in: 0..<4, using: &random) > 0
        let spills = Bool.random(using: &random) ? spill : []
        var start = Start(hasCheckpoint ? named : nil, log: present.sorted(), spills: spills)
        start.directory.irregular = odd.sorted().map { irregular(.segment($0), "wal" + WriteAheadLog.path("", $0)) }
        if Int.random(in: 0..<8, using: &random) == 0 { start.checkpoint.damage = ["one"] }
        start.checkpoint.blocks = UInt64.random(in: 0...2, using: &random)
        start.hasNoBlocks = Bool.random(using: &random)
        let read = present.filter { $0 >= start.checkpoint.segment }.sorted()
        if let last = read.last {
            if Int.random(in: 0..<8, using: &random) == 0 { start.log.foreign = [last] }
            if let end = read.randomElement(using: &random), end > 1 {
                start.log.unused = [UInt64.random(in: 1..<end, using: &random)..<end]
            }
        }
        start.log.damagedSegments = start.log.foreign.union(read.filter { $0 % 5 == 0 })
        start.log.damaged = start.log.damagedSegments.count
        return start
    }

    @Test func `whatever lies there, the plan keeps to its rules`() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var (whole, gaps) = (0, 0)
        for _ in 0..<5000 {
            let start = Self.anyStart(&random)
            let plan = start.plan
            let from = start.checkpoint.segment
            // All that the checkpoint does not hold is read once, in order, and nothing else.
            #expect(plan.segments == start.directory.segments.filter { $0 >= from }, "\(start)")
            #expect(plan.segments == Set(plan.segments).sorted(), "\(start)")
            // No number is used twice.
            let used = Set(start.directory.segments + start.directory.irregular.compactMap(\.segment))
            #expect(used.allSatisfy { $0 < plan.newSegment } && from < plan.newSegment, "\(start)")
            // A number is there, explained or missed, once.
            var missing: Set<UInt64> = []
            for case .missingSegments(let numbers) in plan.losses {
                #expect(missing.isDisjoint(with: numbers), "\(start)")
                missing.formUnion(numbers)
                gaps += 1
            }
            #expect(missing.isDisjoint(with: used), "\(start)")
            #expect(missing.allSatisfy { number in !start.log.unused.contains { $0.contains(number) } }, "\(start)")
            #expect(missing.allSatisfy { $0 >= from && $0 < plan.newSegment }, "\(start)")
            let own = Set(start.directory.segments).subtracting(start.log.foreign)
            #expect(missing.allSatisfy { $0 <= max(from, own.max() ?? 0) }, "\(start)")
            if let first = from > 0 ? from : used.min(), let last = own.max(), first <= last {
                for number in first...last where !used.contains(number) {
                    let isUnused = start.log.unused.contains { $0.contains(number) }
                    #expect(missing.contains(number) != isUnused, "\(number): \(start)")
                }
            }
            // Spill files go only if nothing else may have lost what they hold.
            #expect((plan.strangers == .remove) == (plan.count == 0), "\(start)")
            #expect(Set(plan.losses.map { "\($0.kind) \($0.file)" }).count == plan.losses.count, "\(start)")
            if plan.losses.isEmpty { whole += 1 }
        }
        #expect(whole > 100 && gaps > 100)
    }
}
