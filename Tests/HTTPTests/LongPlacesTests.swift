import TestSupport
import Testing

@testable import HTTP

@Suite("Places of long handlers")
struct LongPlacesTests {
    @Test("a client whose requests wait leaves places to others", arguments: [1, 2, 3, 4, 18, 384])
    func share(most: Int) {
        var places = LongPlaces<Int>(most: most)
        var taken = 0
        for number in 0..<(2 * most) where places.take(for: "attacker", orLater: number) { taken += 1 }
        #expect(taken == places.share && places.share == max(1, most - max(1, most / 4)))
        let isTaken = places.take(for: "other", orLater: -1)
        #expect(isTaken == (most > 1))
        // The attacker's next request does not wait for other clients.
        let next = places.leave("attacker")
        #expect(next != nil)
    }

    @Test("whatever comes and goes, no place is lost, and nobody waits forever")
    func random() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<200 {
            var places = LongPlaces<Int>(most: Int.random(in: 1...20, using: &random))
            var running: [(client: String, job: Int)] = []
            var waiting: [Int: (client: String, since: Int)] = [:]
            func held(_ client: String) -> Int { running.filter { $0.client == client }.count }
            func leave(_ at: Int, _ step: Int) {
                guard let next = places.leave(running.remove(at: at).client) else { return }
                guard let waited = waiting.removeValue(forKey: next) else {
                    Issue.record("job \(next) did not wait")
                    return
                }
                running.append((waited.client, next))
                // Of one client, the first comes first.
                #expect(!waiting.values.contains { $0.client == waited.client && $0.since < waited.since })
            }
            for step in 0..<400 {
                if Bool.random(using: &random) {
                    let client = "c\(Int.random(in: 0...4, using: &random))"
                    if places.take(for: client, orLater: step) {
                        running.append((client, step))
                    } else {
                        waiting[step] = (client, step)
                        #expect(running.count == places.most || held(client) == places.share)
                    }
                } else if !running.isEmpty {
                    leave(Int.random(in: 0..<running.count, using: &random), step)
                }
                #expect(places.used == running.count && running.count <= places.most)
                // A place is free only if those who wait have their share.
                let isFree = running.count < places.most
                #expect(!isFree || waiting.values.allSatisfy { held($0.client) == places.share })
            }
            while !running.isEmpty { leave(0, 400) }
            #expect(waiting.isEmpty && places.used == 0)
        }
    }

    @Test("clients that wait take turns")
    func turns() {
        var places = LongPlaces<String>(most: 4)
        for number in 0..<6 { _ = places.take(for: "a", orLater: "a\(number)") }
        _ = places.take(for: "b", orLater: "b0")
        for number in 1..<4 { _ = places.take(for: "b", orLater: "b\(number)") }
        _ = places.take(for: "c", orLater: "c0")
        let next = (0..<4).map { _ in places.leave("a") ?? "" }
        #expect(next == ["a3", "b1", "c0", "a4"])
    }
}
