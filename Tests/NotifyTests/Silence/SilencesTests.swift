import Model
import TestSupport
import Testing

@testable import Notify

extension Silences {
    /// Makes the changes that ``setting(_:now:newID:)`` returns.
    mutating func set(_ silence: Silence, now: Int64, newID: String) throws -> [Silence] {
        let changed = try setting(silence, now: now, newID: newID)
        for silence in changed { restore(silence) }
        return changed
    }
}

@Suite("Silences")
struct SilencesTests {
    static let matcher = Matcher(name: "a", equals: "1")

    @Test("an active silence mutes what all its matchers accept")
    func active() throws {
        var silences = Silences()
        _ = try silences.set(
            Silence(matchers: [Self.matcher, try Matcher("b", .notEqual, "2")], startsAt: 10, endsAt: 20), now: 5,
            newID: "x")
        #expect(silences.active(at: 9).silencers(of: Labels([("a", "1")])) == [])
        #expect(silences.active(at: 10).silencers(of: Labels([("a", "1")])) == ["x"])
        #expect(silences.active(at: 10).silencers(of: Labels([("a", "1"), ("b", "2")])) == [])
        #expect(silences.active(at: 20).silencers(of: Labels([("a", "1")])) == ["x"])
        #expect(silences.active(at: 21).silencers(of: Labels([("a", "1")])) == [])
    }

    @Test("nonsense is refused")
    func refused() throws {
        var silences = Silences()
        func failure(_ silence: Silence) -> String? {
            do {
                _ = try silences.set(silence, now: 100, newID: "x")
                return nil
            } catch { return "\(error)" }
        }
        #expect(
            failure(Silence(matchers: [], startsAt: 1, endsAt: 200)) == "invalid silence: matcher set 0 is empty")
        for empty in [Matcher(name: "a", equals: ""), try Matcher("a", .regex, ".*")] {
            #expect(
                failure(Silence(matchers: [empty], startsAt: 1, endsAt: 200))
                    == "invalid silence: matcher set 0: at least one matcher must not match the empty string")
        }
        for start in [Int64(200), 300] {
            #expect(
                failure(Silence(matchers: [Self.matcher], startsAt: start, endsAt: 200))
                    == "Failed to create silence: start time must be before end time")
        }
        #expect(
            failure(Silence(matchers: [Self.matcher], startsAt: 1, endsAt: 99))
                == "Failed to create silence: end time can't be in the past")
        #expect(
            failure(Silence(id: "no", matchers: [Self.matcher], startsAt: 1, endsAt: 200)) == "silence not found")
        // A negative matcher is specific, whatever it accepts.
        #expect(failure(Silence(matchers: [try Matcher("a", .notEqual, "x")], startsAt: 1, endsAt: 200)) == nil)
        #expect(throws: SilenceError.self) { try silences.expiring("no", now: 100) }
    }

    @Test("matchers of a request are refused with their place")
    func matchers() throws {
        func failure(_ drafts: [(String, Matcher.Kind, String)]) -> String? {
            do throws(SilenceError) {
                _ = try Silence.matchers(drafts.map { Silence.MatcherDraft(name: $0.0, kind: $0.1, value: $0.2) })
                return nil
            } catch { return error.description }
        }
        #expect(
            failure([("a", .equal, "1"), ("", .equal, "x")])
                == "invalid silence: invalid label matcher 1 in set 0: invalid label name \"\"")
        #expect(
            failure([("a", .regex, "(")])
                == "invalid silence: invalid label matcher 0 in set 0: invalid regular expression \"(\": "
                + "error parsing regexp: missing closing ): `(`")
        #expect(failure([("a b", .notRegex, "x|y")]) == nil)
    }

    @Test("number and size are limited")
    func limits() throws {
        var silences = Silences()
        var large = Silence(matchers: [Self.matcher], startsAt: 1, endsAt: 200)
        large.comment = String(repeating: "x", count: Silence.mostBytes)
        do {
            _ = try silences.set(large, now: 100, newID: "x")
            Issue.record("a large silence was accepted")
        } catch {
            #expect("\(error)".hasPrefix("silence exceeded maximum size: "))
            #expect("\(error)".hasSuffix(" bytes (limit: 32768 bytes)"))
        }
        for number in 0..<Silences.most {
            silences.restore(Silence(id: "\(number)", matchers: [Self.matcher], startsAt: 1, endsAt: 200))
        }
        #expect {
            try silences.set(Silence(matchers: [Self.matcher], startsAt: 1, endsAt: 200), now: 100, newID: "x")
        } throws: { "\($0)" == "exceeded maximum number of silences: 10000 (limit: 10000)" }
        // A change in place needs no place.
        #expect(
            try silences.set(Silence(id: "7", matchers: [Self.matcher], startsAt: 1, endsAt: 300), now: 100, newID: "x")
                .map(\.id) == ["7"])
    }

    @Test("the memory of regular expressions is limited over all silences")
    func memory() throws {
        var silences = Silences()
        var refused: String?
        let matchers = try (0..<20).map { try Matcher("a\($0)", .regex, "x.{900}", dot: .noLineFeed) }
        for number in 0..<Silences.most where refused == nil {
            do {
                _ = try silences.set(
                    Silence(matchers: matchers, startsAt: 1, endsAt: 200), now: 100, newID: "\(number)")
            } catch { refused = "\(error)" }
        }
        #expect(refused?.hasPrefix("exceeded maximum memory of silences: ") == true, "\(refused ?? "")")
        #expect(silences.cost <= Silences.mostCost)
        for id in silences.byID.keys { silences.remove(id) }
        #expect(silences.cost == 0)
    }

    @Test("ids are UUIDs of version 4")
    func ids() {
        let ids = (0..<1000).map { _ in Silence.newID() }
        #expect(Set(ids).count == ids.count)
        #expect(
            ids.allSatisfy {
                $0.wholeMatch(of: #/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/#) != nil
            })
        for variant in "89ab" { #expect(ids.contains { Array($0)[19] == variant }) }
    }

    @Test(
        "active silences are listed by their end, then pending ones by their start, then expired ones from the last end"
    )
    func order() {
        var silences = Silences()
        for (id, start, end) in [
            ("e1", 1, 20), ("e2", 1, 30), ("p1", 200, 900), ("p2", 150, 950), ("a1", 1, 500), ("a2", 2, 400),
        ] as [(String, Int64, Int64)] {
            silences.restore(Silence(id: id, matchers: [Self.matcher], startsAt: start, endsAt: end))
        }
        #expect(silences.listed(at: 100).map(\.id) == ["a2", "a1", "p2", "p1", "e2", "e1"])
    }

    @Test("what a change keeps of a silence depends on its state")
    func changes() throws {
        /// The ids after a change at 100,000: the first is the answer.
        func ids(_ old: Silence, _ change: (inout Silence) -> Void) throws -> [String] {
            var silences = Silences()
            silences.restore(old)
            var new = old
            change(&new)
            return try silences.set(new, now: 100_000, newID: "new").map(\.id)
        }
        let active = Silence(id: "old", matchers: [Self.matcher], startsAt: 50_000, endsAt: 200_000)
        #expect(try ids(active) { $0.endsAt = 300_000 } == ["old"])
        #expect(try ids(active) { $0.startsAt = 50_999 } == ["old"])
        #expect(try ids(active) { $0.startsAt = 51_000 } == ["new", "old"])
        #expect(try ids(active) { $0.matchers = [Matcher(name: "b", equals: "1")] } == ["new", "old"])
        #expect(try ids(active) { ($0.comment, $0.annotations) = ("x", Labels([("k", "v")])) } == ["old"])
        let pending = Silence(id: "old", matchers: [Self.matcher], startsAt: 150_000, endsAt: 200_000)
        #expect(try ids(pending) { $0.startsAt = 100_000 } == ["old"])
        #expect(try ids(pending) { $0.startsAt = 99_999 } == ["new", "old"])
        let expired = Silence(id: "old", matchers: [Self.matcher], startsAt: 1, endsAt: 99_999)
        #expect(try ids(expired) { $0.endsAt = 200_000 } == ["new"])
    }

    @Test("an end is at once, of a pending silence too, and a second one changes nothing")
    func ends() throws {
        for start in [Int64(50), 100, 150] {
            var silences = Silences()
            silences.restore(Silence(id: "x", matchers: [Self.matcher], startsAt: start, endsAt: 200))
            for silence in try silences.expiring("x", now: 100) { silences.restore(silence) }
            #expect(silences.byID["x"]?.state(at: 100) == .expired)
            #expect(!silences.active(at: 100).mutes(Labels([("a", "1")])))
            #expect(try silences.expiring("x", now: 110).isEmpty)
        }
    }

    @Test("a longer end keeps the id, other matchers make a new silence and expire the old")
    func change() throws {
        var silences = Silences()
        var silence = try silences.set(
            Silence(matchers: [Self.matcher], startsAt: 10, endsAt: 20), now: 10, newID: "x")[0]
        silence.endsAt = 30
        #expect(try silences.set(silence, now: 15, newID: "y").map(\.id) == ["x"])
        silence.matchers = [Matcher(name: "b", equals: "1")]
        #expect(try silences.set(silence, now: 16, newID: "z").map(\.id) == ["z", "x"])
        #expect(silences.byID["x"]?.state(at: 16) == .expired)
        #expect(silences.byID["z"]?.startsAt == 16)
    }

    @Test("expired silences are kept for a while")
    func retention() throws {
        var silences = Silences()
        _ = try silences.set(Silence(matchers: [Self.matcher], startsAt: 0, endsAt: 20), now: 10, newID: "x")
        #expect(silences.removeExpired(now: 20 + Silences.retention) == [])
        #expect(silences.removeExpired(now: 21 + Silences.retention) == ["x"])
    }
}
