import TestSupport
import Testing

@testable import HTTP

/// Turns of clients as a value, in random histories.
@Suite("Turns that clients share")
struct ClientTurnsTests {
    private enum Kind: CaseIterable { case query, overview, list, search }
    private typealias Turns = ClientTurns<Kind, Int>
    private typealias Key = Turns.Key

    private static func turns(_ count: Int) -> Turns { Turns(count, modest: [.list, .search]) }

    /// Requests that come, run, end and leave at random.
    private struct History {
        var turns: Turns
        var running: [Key] = []
        /// The waiting requests, oldest first, and the number of ended requests when each came.
        var waiting: [(number: Int, key: Key, since: Int)] = []
        var ended = 0
        private var nextNumber = 0

        init(turns: Turns) { self.turns = turns }

        func held(_ isPart: (Key) -> Bool) -> Int { running.count(where: isPart) }

        /// Returns whether the request has a turn at once.
        @discardableResult
        mutating func enter(_ key: Key) -> Bool {
            nextNumber += 1
            guard turns.take(key, orLater: nextNumber) else {
                waiting.append((nextNumber, key, ended))
                return false
            }
            running.append(key)
            return true
        }

        mutating func finish(_ index: Int) {
            let key = running.remove(at: index)
            ended += 1
            guard let number = turns.leave(key) else { return }
            guard let at = waiting.firstIndex(where: { $0.number == number }) else {
                Issue.record("\(number) does not wait")
                return
            }
            let called = waiting.remove(at: at)
            #expect(!waiting.contains { $0.key == called.key && $0.number < number }, "a later one is first")
            running.append(called.key)
        }

        mutating func leave(_ index: Int) {
            let one = waiting.remove(at: index)
            turns.remove(one.key) { $0 == one.number }
        }

        /// What is true at any time.
        func check() {
            #expect(turns.free == turns.count - running.count && turns.free >= 0)
            let clients = Dictionary(grouping: running, by: \.client)
            #expect(clients.allSatisfy { $0.value.count <= turns.clientShare })
            let kinds = Dictionary(grouping: running) { $0 }
            #expect(kinds.allSatisfy { $0.value.count <= turns.share(of: $0.key.kind) })
            // A turn is free only if each waiting request would be beyond the share of its client or kind.
            for one in waiting where turns.free > 0 {
                let isFull =
                    held { $0.client == one.key.client } == turns.clientShare
                    || held { $0 == one.key } == turns.share(of: one.key.kind)
                #expect(isFull, "\(one.key) waits beside a free turn")
            }
        }
    }

    @Test("shares leave a turn to others wherever there is one")
    func shares() {
        for (count, client, list) in [
            (-1, 1, 1), (1, 1, 1), (2, 1, 1), (3, 2, 1), (4, 3, 2), (8, 6, 5), (20, 15, 12), (100, 75, 57),
        ] {
            let turns = Self.turns(count)
            #expect(turns.clientShare == client && turns.share(of: .list) == list, "\(count)")
            #expect(turns.share(of: .query) == client && turns.share(of: .overview) == client)
        }
    }

    @Test(
        "in any history nobody has more than a share, and no turn is free without need",
        arguments: [1, 2, 3, 4, 5, 8, 20])
    func histories(count: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for clients in [1, 2, 5] {
            var history = History(turns: Self.turns(count))
            for _ in 0..<600 {
                let client = "\(Int.random(in: 0..<clients, using: &random))"
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<5:
                    let kind = Kind.allCases.randomElement(using: &random) ?? .query
                    history.enter(Key(kind: kind, client: client))
                case 5..<9:
                    guard let index = history.running.indices.randomElement(using: &random) else { continue }
                    history.finish(index)
                default:
                    guard let index = history.waiting.indices.randomElement(using: &random) else { continue }
                    history.leave(index)
                }
                history.check()
            }
            while !history.running.isEmpty { history.finish(0) }
            #expect(history.waiting.isEmpty)
            #expect(history.turns.free == max(1, count))
            let isEmpty = Mirror(reflecting: history.turns).children.allSatisfy { child in
                (child.value as? [Key: Int])?.isEmpty ?? (child.value as? [String: Int])?.isEmpty
                    ?? (child.value as? [Key])?.isEmpty ?? (child.value as? [Key: [Int]])?.isEmpty ?? true
            }
            #expect(isEmpty, "counts of clients that are gone are kept")
        }
    }

    @Test("a client with any number of requests leaves a turn to another client", arguments: 2...24)
    func otherClient(count: Int) {
        for kind in Kind.allCases {
            var history = History(turns: Self.turns(count))
            for _ in 0..<100 { history.enter(Key(kind: kind, client: "a")) }
            let most = history.turns.share(of: kind)
            #expect(history.running.count == most)
            for other in Kind.allCases {
                var next = history
                let isFree = next.enter(Key(kind: other, client: "b"))
                #expect(isFree, "\(kind), \(other)")
            }
            // A query of the same client finds a turn beside requests of another kind.
            guard most < history.turns.clientShare else { continue }
            let isFree = history.enter(Key(kind: .query, client: "a"))
            #expect(isFree, "\(kind)")
        }
    }

    @Test("two clients together use all turns", arguments: 2...24)
    func allTurns(count: Int) {
        var history = History(turns: Self.turns(count))
        for _ in 0..<100 {
            for client in ["a", "b"] { history.enter(Key(kind: .query, client: client)) }
        }
        #expect(history.turns.free == 0)
    }

    @Test("nobody waits forever, whatever comes meanwhile", arguments: [1, 2, 3, 4, 7, 20])
    func waits(count: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var history = History(turns: Self.turns(count))
        // All queues are long all the time, and any running request ends next.
        let keys = ["a", "b", "c"].flatMap { client in
            Kind.allCases.map { Key(kind: $0, client: client) }
        }
        for _ in 0..<1500 {
            let queues = Dictionary(grouping: history.waiting, by: \.key)
            for key in keys {
                for _ in (queues[key]?.count ?? 0)..<2 { history.enter(key) }
            }
            history.finish(Int.random(in: history.running.indices, using: &random))
        }
        // Each of the 2 requests in a queue waits for one of each other queue, and for turns of its own client to end.
        let longest = history.waiting.map { history.ended - $0.since }.max() ?? 0
        #expect(longest < 40 * keys.count, "\(longest)")
    }

    @Test("clients that wait take turns")
    func turns() {
        typealias Turns = ClientTurns<Kind, String>
        var turns = Turns(4)
        for (client, count) in [("a", 6), ("b", 4), ("c", 1)] {
            for number in 0..<count {
                _ = turns.take(Turns.Key(kind: .query, client: client), orLater: "\(client)\(number)")
            }
        }
        let next = (0..<4).map { _ in turns.leave(Turns.Key(kind: .query, client: "a")) ?? "" }
        #expect(next == ["a3", "b1", "c0", "a4"])
    }
}
