import TestSupport
import Testing

@testable import Storage

/// What holds in random lives of a store, whatever its limits are, and whichever action fails.
@Suite struct MaintenancePropertyTests {
    private static let second: Int64 = 1_000_000_000

    /// A head whose windows grow at random, and what became of them.
    private struct Life {
        var random: SeededRandom
        let limits: MaintenancePlanner.Limits
        var planner: MaintenancePlanner
        var now: Int64 = 0
        var newest: Int64
        /// Sealed and open bytes by the windows' ends.
        var head: [Int64: (sealed: Int, open: Int)] = [:]
        /// When a window was cut last.
        var cutAt: [Int64: Int64] = [:]
        /// Since when a window could be cut, without a break.
        var ripeSince: [Int64: Int64] = [:]
        /// Since when there was one that could, without a break, and none was cut for it.
        var waitingSince: Int64?

        init(seed: UInt64) {
            random = SeededRandom(seed: seed)
            let largest = Bool.random(using: &random) ? nil : 1 << Int.random(in: 16...27, using: &random)
            let options = StoreOptions(
                directory: "", blockDuration: Bool.random(using: &random) ? 7_200_000 : 600_000,
                cutDelay: Bool.random(using: &random) ? 0 : 30_000)
            limits = .init(
                options, retention: [0, 86_400_000 * 15, 86_400_000 * 2].randomElement(using: &random) ?? 0,
                largestPart: largest)
            planner = MaintenancePlanner(limits)
            newest = Int64.random(in: 100_000_000...1_800_000_000_000, using: &random)
        }

        func isOver(_ end: Int64) -> Bool { newest - limits.blockDuration / 2 >= end }

        /// Whether a window may be cut once it has waited.
        func isRipe(_ window: MaintenancePlanner.Window) -> Bool {
            let age = cutAt[window.end].map { now - $0 } ?? .max
            return isOver(window.end) && (age >= 60 * second || window.sealed >= limits.enough)
        }

        /// Lets samples come, most of them at the end.
        mutating func grow() {
            now += Int64.random(in: 1...5, using: &random) * second
            newest += Int64.random(in: 0...(limits.blockDuration / 8), using: &random)
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let back = Bool.random(using: &random) ? 0 : Int64.random(in: 0...6, using: &random)
                let time = newest - back * limits.blockDuration
                var end = time / limits.blockDuration * limits.blockDuration
                while end <= time { end += limits.blockDuration }
                head[end, default: (0, 0)].sealed += Int.random(in: 0...(4 << 20), using: &random)
                head[end, default: (0, 0)].open = Int.random(in: 0...(1 << 18), using: &random)
            }
        }

        var facts: MaintenancePlanner.HeadFacts {
            .init(
                now: now, newest: newest,
                windows: head.sorted { $0.key < $1.key }.map {
                    .init(end: $0.key, sealed: $0.value.sealed, size: $0.value.sealed + $0.value.open)
                })
        }
    }

    private static func checkCuts(_ life: Life, _ facts: MaintenancePlanner.HeadFacts, _ cuts: [[Int64]]) {
        let limits = life.limits
        var windows: [Int64: MaintenancePlanner.Window] = [:]
        for window in facts.windows { windows[window.end] = window }
        let all = cuts.joined()
        #expect(Set(all).count == all.count, "a window is cut twice: \(cuts)")
        let ripe = facts.windows.filter(life.isRipe)
        let hasWaited = life.now - (life.waitingSince ?? life.now) >= limits.cutDelay * 1_000_000
        let isMuch = ripe.reduce(0) { $0 + $1.sealed } >= limits.enough
        for ends in cuts {
            let own = ends.compactMap { windows[$0] }
            #expect(own.count == ends.count && !ends.isEmpty, "not in the head: \(ends)")
            #expect(
                zip(ends, ends.dropFirst()).allSatisfy { $1 - $0 == limits.blockDuration }, "no neighbours: \(ends)")
            #expect(
                ends.count == 1 || own.reduce(0) { $0 + $1.sealed } <= limits.largestPart, "too large a block: \(ends)")
            #expect(ends.count == 1 || Int64(ends.count) * limits.blockDuration <= limits.longestBlock)
            for window in own where window.size <= limits.largestPart {
                #expect(life.isRipe(window), "not over, or cut a moment ago: \(window) at \(life.now)")
                #expect(hasWaited || isMuch, "in its delay: \(window) at \(life.now)")
            }
        }
        // Nothing is forgotten in the head either.
        for window in facts.windows {
            if window.size > limits.largestPart { #expect(all.contains(window.end), "not cut, though large") }
            let since = life.ripeSince[window.end] ?? life.now
            if life.isRipe(window), life.now - since > limits.cutDelay * 1_000_000 + 5 * second {
                #expect(all.contains(window.end), "not cut, though it has waited since \(since)")
            }
        }
    }

    @Test func `windows are cut once, when they have waited, and a checkpoint follows`() {
        var cuts = 0
        for number in UInt64(0)..<20 {
            var life = Life(seed: SeededRandom.runSeed &+ number)
            for _ in 0..<300 {
                life.grow()
                let facts = life.facts
                for window in facts.windows {
                    life.ripeSince[window.end] = life.isRipe(window) ? life.ripeSince[window.end] ?? life.now : nil
                }
                life.waitingSince = life.ripeSince.isEmpty ? nil : life.waitingSince ?? life.now
                let actions = life.planner.cut(facts)
                let planned = actions.compactMap { if case .cut(let ends) = $0 { ends } else { nil } }
                Self.checkCuts(life, facts, planned)
                let sizes = Dictionary(uniqueKeysWithValues: facts.windows.map { ($0.end, $0.size) })
                if planned.joined().contains(where: { sizes[$0] ?? 0 <= life.limits.largestPart }) {
                    life.waitingSince = nil
                }
                let others = actions.dropFirst(planned.count)
                #expect(others.count == (planned.isEmpty ? 0 : 1))
                if case .forgetSilent(let age)? = others.first { #expect(age > 0) } else { #expect(planned.isEmpty) }
                var hasFailed = false
                for ends in planned {
                    if Int.random(in: 0..<10, using: &life.random) == 0 {
                        hasFailed = true
                        break
                    }
                    life.planner.noteCut(ends, at: life.now)
                    for end in ends {
                        life.head[end] = nil
                        life.cutAt[end] = life.now
                        life.ripeSince[end] = nil
                    }
                    cuts += 1
                }
                // The wait begins anew for all of them.
                if hasFailed { for end in planned.joined() { life.ripeSince[end] = nil } }
                guard !hasFailed else { continue }
                let end = life.planner.finish(.init(hasCut: !planned.isEmpty))
                #expect((end.first == .checkpoint) == !planned.isEmpty)
                #expect((end.last == .giveBackMemory) == !planned.isEmpty)
            }
        }
        #expect(cuts > 100)
    }

    @Test func `no log grows longer than its checkpoint, and no short one costs a checkpoint`() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var checkpoints = 0
        for _ in 0..<50 {
            let largest = Bool.random(using: &random) ? nil : 1 << Int.random(in: 16...27, using: &random)
            let limits = MaintenancePlanner.Limits(StoreOptions(directory: ""), retention: 0, largestPart: largest)
            var planner = MaintenancePlanner(limits)
            let checkpoint = Int.random(in: 0...(64 << 20), using: &random)
            var log = 0
            for _ in 0..<200 {
                log += Int.random(in: 0...(1 << Int.random(in: 1...24, using: &random)), using: &random)
                let actions = planner.finish(.init(logBytes: log, checkpointBytes: checkpoint))
                let short = min(4 << 20, limits.shortLog, limits.largestPart)
                guard actions.first == .checkpoint else {
                    #expect(log <= max(short, checkpoint) && log <= limits.largestPart)
                    continue
                }
                #expect(log > short, "a log of \(log) bytes beside \(checkpoint)")
                planner.noteCheckpoint(checkpoint)
                checkpoints += 1
                log = 0
            }
        }
        #expect(checkpoints > 50)
    }
}
