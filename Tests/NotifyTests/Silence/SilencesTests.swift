import Model
import Notify
import Testing

@Suite("Silences")
struct SilencesTests {
    static let matcher = Matcher(name: "a", equals: "1")

    @Test("an active silence mutes what all its matchers accept")
    func active() throws {
        var silences = Silences()
        _ = try silences.set(
            Silence(matchers: [Self.matcher, try Matcher("b", .notEqual, "2")], startsAt: 10, endsAt: 20), now: 5,
            newID: "x")
        #expect(silences.silencers(of: Labels([("a", "1")]), at: 9) == [])
        #expect(silences.silencers(of: Labels([("a", "1")]), at: 10) == ["x"])
        #expect(silences.silencers(of: Labels([("a", "1"), ("b", "2")]), at: 10) == [])
        #expect(silences.silencers(of: Labels([("a", "1")]), at: 20) == [])
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
