import Model
@testable import Notify
import TestSupport
import Testing

@Suite("Silences that are found by the labels of an alert")
struct SilenceIndexTests {
    /// Silences under random changes, and the time.
    struct Model {
        var silences = Silences()
        var now: Int64 = 1000
        private var count = 0

        static func labels(_ random: inout SeededRandom) -> Labels {
            Labels(["a", "b", "c"].map { ($0, ["", "1", "2", "é"].randomElement(using: &random) ?? "") })
        }

        static func matcher(_ random: inout SeededRandom) throws -> Matcher {
            let name = ["a", "b", "c", "d"].randomElement(using: &random) ?? ""
            let texts = ["", "1", "2", "é", "e\u{301}"]
            let many = (0..<100).map { "\($0)" }.joined(separator: "|")
            let patterns = texts + ["1|2", "(1|2)", "1|", ".*", ".+", "1.*", "[12]", "(?i)x|1", many]
            let kind = Matcher.Kind.allCases.randomElement(using: &random) ?? .equal
            let values = kind == .equal || kind == .notEqual ? texts : patterns
            return try Matcher(name, kind, values.randomElement(using: &random) ?? "", dot: .noLineFeed)
        }

        /// A silence that is pending, active or expired, or empty.
        private func silence(_ random: inout SeededRandom, id: String = "") throws -> Silence {
            let start = now + Int64.random(in: -20...20, using: &random)
            let end = start + Int64.random(in: 0...40, using: &random)
            let matchers = try (0...Int.random(in: 0...2, using: &random)).map { _ in try Self.matcher(&random) }
            return Silence(id: id, matchers: matchers, startsAt: start, endsAt: end, updatedAt: now)
        }

        /// Makes one change, or lets time pass.
        mutating func act(_ random: inout SeededRandom) throws {
            count += 1
            let old = silences.byID.values.sorted { $0.id < $1.id }.randomElement(using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<3: _ = try? silences.set(silence(&random), now: now, newID: "\(count)")
            case 3:
                guard var old else { return }
                if Bool.random(using: &random) { old.endsAt += Int64.random(in: -20...20, using: &random) }
                if Bool.random(using: &random) { old.startsAt += Int64.random(in: -20...20, using: &random) }
                if Int.random(in: 0..<4, using: &random) == 0 { old.matchers = [try Self.matcher(&random)] }
                _ = try? silences.set(old, now: now, newID: "\(count)")
            case 4: for one in (try? silences.expiring(old?.id ?? "", now: now)) ?? [] { silences.restore(one) }
            case 5:
                // As a ledger stored it, at any time.
                var stored = try silence(&random, id: old?.id ?? "\(count)")
                stored.updatedAt += Int64.random(in: -30...30, using: &random)
                if Bool.random(using: &random) { swap(&stored.startsAt, &stored.endsAt) }
                silences.restore(stored)
            case 6: if let old { silences.remove(old.id) }
            case 7: now -= Int64.random(in: 0...30, using: &random)
            default: now += Int64.random(in: 0...10, using: &random)
            }
        }
    }

    @Test("random silences, changes and clock steps mute what a comparison with all silences says")
    func random() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var muted = 0
        for _ in 0..<100 {
            var model = Model()
            for _ in 0..<100 {
                try model.act(&random)
                for _ in 0..<Int.random(in: 0...3, using: &random) {
                    let (labels, now) = (Model.labels(&random), model.now)
                    let index = model.silences.active(at: now)
                    let expected = model.silences.byID.values
                        .filter { $0.state(at: now) == .active && $0.matches(labels) }.map(\.id).sorted()
                    #expect(index.silencers(of: labels) == expected, "\(labels) at \(now)")
                    #expect(index.mutes(labels) == !expected.isEmpty)
                    muted += expected.isEmpty ? 0 : 1
                }
            }
        }
        #expect(muted > 1000)
    }

    @Test("an alert is compared with few of a thousand silences, whatever label they have in common")
    func comparisons() throws {
        var silences = Silences()
        _ = silences.active(at: 10)
        for number in 0..<1000 {
            let own: Matcher =
                number % 2 == 0
                ? Matcher(name: "host", equals: "\(number)")
                : try Matcher("host", .regex, "\(number)|x\(number)", dot: .noLineFeed)
            let matchers = [Matcher(name: "severity", equals: "page"), own, try Matcher("zone", .notEqual, "z")]
            _ = try silences.set(
                Silence(matchers: matchers, startsAt: 0, endsAt: 100), now: 10, newID: "\(number)")
        }
        func comparisons(_ index: SilenceIndex) -> Int {
            (0..<1000).reduce(0) { sum, number in
                let labels = Labels([("host", "\(number)"), ("severity", "page")])
                #expect(index.silencers(of: labels) == ["\(number)"])
                return sum + index.candidates(of: labels).joined().count
            }
        }
        let changed = silences.active(at: 10)
        #expect(silences.builds == 1)
        #expect(comparisons(changed) < 4000)
        #expect(comparisons(SilenceIndex(silences.byID.values, at: 10)) < 4000)
        #expect(silences.active(at: 101).candidates(of: Labels([("severity", "page")])).isEmpty)
    }

    @Test("all silences are looked at again only when one begins or ends by time")
    func builds() throws {
        var silences = Silences()
        func add(_ id: String, _ start: Int64, _ end: Int64, now: Int64) throws {
            _ = try silences.set(
                Silence(matchers: [Matcher(name: "a", equals: id)], startsAt: start, endsAt: end), now: now, newID: id)
        }
        func active(_ now: Int64) -> [String] {
            let index = silences.active(at: now)
            return ["x", "y", "z"].filter { index.mutes(Labels([("a", $0)])) }
        }
        try add("x", 0, 100, now: 10)
        #expect(active(10) == ["x"])
        try add("y", 50, 200, now: 20)
        for silence in try silences.expiring("x", now: 30) { silences.restore(silence) }
        #expect(active(30) == [])
        try add("z", 0, 90, now: 40)
        for now in Int64(40)..<50 { #expect(active(now) == ["z"]) }
        #expect(silences.builds == 1)
        #expect(active(50) == ["y", "z"])
        #expect(silences.builds == 2)
        // The clock is set back.
        #expect(active(29) == ["x"])
        #expect(silences.builds == 3)
    }
}
