import Model
import Notify
import Testing

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
        #expect(silences.active(at: 20).silencers(of: Labels([("a", "1")])) == [])
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
        #expect(failure(Silence(matchers: [], startsAt: 1, endsAt: 200)) == "at least one matcher required")
        #expect(
            failure(Silence(matchers: [Matcher(name: "a", equals: "")], startsAt: 1, endsAt: 200))
                == "at least one matcher must not match the empty string")
        #expect(
            failure(Silence(matchers: [Self.matcher], startsAt: 300, endsAt: 200))
                == "end time must not be before start time")
        #expect(
            failure(Silence(matchers: [Self.matcher], startsAt: 1, endsAt: 50)) == "end time can't be in the past")
        #expect(
            failure(Silence(id: "no", matchers: [Self.matcher], startsAt: 1, endsAt: 200)) == "silence not found")
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
