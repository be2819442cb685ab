import Model
import Platform
import PromQL
import TestSupport
import Testing

@testable import Rules

@Suite("Expected heartbeats")
struct HeartbeatsTests {
    private static let minute: Int64 = 60_000

    private final class Fixture {
        let clock = ManualClock(now: 1_700_000_000_000)
        let sink = RecordingSink()
        let store: ArrayStore
        let heartbeats: Heartbeats
        let manager: RuleManager

        init(
            _ expected: [Heartbeats.Expected] = [.init(name: "backup", interval: 10 * minute)],
            store: ArrayStore = ArrayStore(), at time: Int64? = nil
        ) throws {
            self.store = store
            if let time { clock.advance(to: time) }
            heartbeats = Heartbeats(store: store, source: store, clock: clock)
            heartbeats.apply(expected)
            manager = RuleManager(
                environment: RuleEnvironment(
                    engine: QueryEngine(options: EngineOptions()), source: store, store: store, alerts: sink,
                    clock: clock))
            try manager.apply([try heartbeats.rules(evaluationInterval: minute)])
        }

        func pass(minutes: Int) {
            for _ in 0..<minutes {
                clock.advance(to: clock.now() + minute)
                manager.evaluateOnce(at: clock.now())
            }
        }

        var firing: [Labels] { manager.status().flatMap(\.rules).flatMap(\.alerts).map(\.labels) }
    }

    @Test("an alert fires when a heartbeat does not come in time, and ends with the next one")
    func missed() throws {
        let fixture = try Fixture([
            .init(name: "backup", interval: 10 * Self.minute, labels: [Label(name: "team", value: "db")]),
            .init(name: "other", interval: 60 * Self.minute),
        ])
        fixture.pass(minutes: 9)
        #expect(try fixture.heartbeats.call("backup") == 10 * Self.minute)
        fixture.pass(minutes: 10)
        #expect(fixture.firing == [])
        fixture.pass(minutes: 1)
        #expect(
            fixture.firing == [
                Labels([
                    ("alertname", "MartletHeartbeatMissed"), ("heartbeat", "backup"), ("severity", "warning"),
                    ("team", "db"),
                ])
            ])
        #expect(
            fixture.sink.take().first?.annotations["summary"] == "Heartbeat backup has not come for 11m 0s")
        _ = try fixture.heartbeats.call("backup")
        fixture.pass(minutes: 1)
        #expect(fixture.firing == [])
    }

    @Test("a heartbeat that never came counts from its declaration, and only declared ones are taken")
    func neverCame() throws {
        let fixture = try Fixture()
        #expect(try fixture.heartbeats.call("other") == nil)
        fixture.pass(minutes: 10)
        #expect(fixture.firing == [])
        fixture.pass(minutes: 1)
        #expect(fixture.firing.count == 1)
    }

    @Test("a reload keeps the time of the last call, and forgets what is not declared any more")
    func reload() throws {
        let fixture = try Fixture()
        fixture.pass(minutes: 5)
        fixture.heartbeats.apply([
            .init(name: "backup", interval: 5 * Self.minute), .init(name: "new", interval: 5 * Self.minute),
        ])
        fixture.pass(minutes: 1)
        #expect(fixture.firing.map { $0["heartbeat"] } == ["backup"])
        fixture.heartbeats.apply([.init(name: "new", interval: 5 * Self.minute)])
        fixture.pass(minutes: 1)
        #expect(fixture.firing == [])
        #expect(try fixture.heartbeats.call("backup") == nil)
    }

    @Test("a call just before a kill is not forgotten")
    func kill() throws {
        let first = try Fixture()
        first.pass(minutes: 8)
        first.clock.advance(to: first.clock.now() + 30_000)
        _ = try first.heartbeats.call("backup")
        let next = try Fixture(store: first.store, at: first.clock.now() + Self.minute)
        next.pass(minutes: 9)
        #expect(next.firing == [])
        next.pass(minutes: 2)
        #expect(next.firing.count == 1)
    }

    @Test("the time without the daemon does not count")
    func outage() throws {
        let first = try Fixture()
        _ = try first.heartbeats.call("backup")
        first.pass(minutes: 4)
        let next = try Fixture(store: first.store, at: first.clock.now() + 500 * Self.minute)
        next.pass(minutes: 6)
        #expect(next.firing == [])
        next.pass(minutes: 1)
        #expect(next.firing.count == 1)
    }

    @Test("what was late before a restart is late after it")
    func lateBefore() throws {
        let first = try Fixture()
        first.pass(minutes: 15)
        #expect(first.firing.count == 1)
        let next = try Fixture(store: first.store, at: first.clock.now() + 5 * Self.minute)
        next.pass(minutes: 1)
        #expect(next.firing.count == 1)
    }

    @Test("calls that come at every moment are not stored each")
    func frequent() throws {
        let fixture = try Fixture()
        for _ in 0..<5000 {
            _ = try fixture.heartbeats.call("backup")
            fixture.clock.advance(to: fixture.clock.now() + 1)
        }
        let series = fixture.store.select(
            SelectRequest(
                matchers: [Matcher(name: "__name__", equals: Heartbeats.callMetric)], minTime: 0, maxTime: .max))
        var columns = SampleColumns()
        try series.read(0, into: &columns)
        #expect(columns.count == 5)
    }
}
