import Model
import Platform
import PromQL
import Synchronization
import TestSupport
import Testing

@testable import Rules

@Suite("Expected targets")
struct ExpectedTargetsTests {
    private static let minute: Int64 = 60_000
    private static let day: Int64 = 86_400_000

    /// A daemon with targets that a test changes.
    private final class Fixture {
        let clock = ManualClock(now: 1_700_000_000_000)
        let sink = RecordingSink()
        let store: ArrayStore
        let expected: ExpectedTargets
        let manager: RuleManager
        private let box: Box

        final class Box: Sendable {
            let targets = Mutex<[ExpectedTargets.Target]>([])
        }

        init(after: Int64 = day, store: ArrayStore = ArrayStore(), at time: Int64? = nil) throws {
            let box = Box()
            self.box = box
            self.store = store
            if let time { clock.advance(to: time) }
            expected = ExpectedTargets(after: after) { box.targets.withLock { $0 } }
            expected.restore(from: store, at: clock.now(), outageTolerance: 3_600_000)
            manager = RuleManager(
                environment: RuleEnvironment(
                    engine: QueryEngine(options: EngineOptions()), source: store, store: store, alerts: sink,
                    clock: clock))
            try manager.apply([try expected.group(evaluationInterval: minute)])
            reload(["j": "1"])
        }

        func reload(_ jobs: [String: String]) { expected.apply(jobs.map { ($0.key, $0.value) }, at: clock.now()) }

        /// Sets the targets, as `job/instance` or `job/instance/label`.
        func set(_ targets: [String]) {
            let targets = targets.map { text in
                let parts = text.split(separator: "/").map(String.init)
                var labels = [("job", parts[0]), ("instance", parts[1])]
                if parts.count > 2 { labels.append(("l", parts[2])) }
                return ExpectedTargets.Target(job: parts[0], labels: Labels(labels))
            }
            box.targets.withLock { $0 = targets }
        }

        /// Lets time pass, with evaluations in equal steps.
        func pass(_ time: Int64, evaluations: Int64 = 10) {
            for _ in 0..<evaluations {
                clock.advance(to: clock.now() + time / evaluations)
                manager.evaluateOnce(at: clock.now())
            }
        }

        /// The instances with a firing alert.
        var firing: [String] {
            manager.status().flatMap(\.rules).flatMap(\.alerts).compactMap { $0.labels["instance"] }
        }
    }

    @Test("a target that was there for a day and vanishes raises an alert with its labels, and ends it when it is back")
    func vanish() throws {
        let fixture = try Fixture()
        fixture.set(["j/a/x", "j/b"])
        fixture.pass(2 * Self.day)
        fixture.set(["j/b"])
        fixture.pass(Self.minute, evaluations: 1)
        let sent = try #require(fixture.sink.take().first)
        #expect(
            sent.labels
                == Labels([
                    ("alertname", "MartletTargetVanished"), ("instance", "a"), ("job", "j"), ("l", "x"),
                    ("severity", "warning"),
                ]))
        #expect(sent.annotations["summary"] == "Target a of job j has vanished from discovery")
        fixture.pass(5 * Self.minute, evaluations: 5)
        #expect(fixture.firing == ["a"])
        fixture.set(["j/a/x", "j/b"])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == [])
        // It is expected further on.
        fixture.set(["j/b"])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == ["a"])
    }

    @Test("a target that was there for less than a day may vanish")
    func young() throws {
        let fixture = try Fixture()
        fixture.set(["j/a"])
        fixture.pass(Self.day - Self.minute)
        fixture.set([])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == [])
    }

    @Test("targets that a changed or removed job does not have any more are no surprise")
    func announced() throws {
        for jobs in [["j": "2"], [:]] {
            let fixture = try Fixture()
            fixture.set(["j/a"])
            fixture.pass(2 * Self.day)
            fixture.reload(jobs)
            fixture.pass(Self.minute, evaluations: 1)
            fixture.set([])
            fixture.pass(20 * Self.minute, evaluations: 20)
            #expect(fixture.firing == [])
        }
    }

    @Test("a reload that changes nothing of a job does not hide its targets, and one that changes it ends the alerts")
    func reloads() throws {
        let fixture = try Fixture()
        fixture.set(["j/a"])
        fixture.pass(2 * Self.day)
        fixture.reload(["j": "1", "other": "1"])
        fixture.set([])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == ["a"])
        fixture.reload(["j": "2"])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == [])
    }

    @Test("a target whose other labels change has not vanished")
    func relabelled() throws {
        let fixture = try Fixture()
        fixture.set(["j/a/x"])
        fixture.pass(2 * Self.day)
        fixture.set(["j/a/y"])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing == [])
    }

    @Test("the alert ends after a day")
    func bounded() throws {
        let fixture = try Fixture()
        fixture.set(["j/a"])
        fixture.pass(2 * Self.day)
        fixture.set([])
        fixture.pass(Self.minute, evaluations: 1)
        fixture.pass(Self.day - 2 * Self.minute, evaluations: 1000)
        #expect(fixture.firing == ["a"])
        fixture.pass(3 * Self.minute, evaluations: 1)
        #expect(fixture.firing == [])
    }

    @Test("the number of vanished targets is bounded")
    func most() throws {
        let fixture = try Fixture()
        fixture.set((0..<1500).map { "j/\($0)" })
        fixture.pass(2 * Self.day)
        fixture.set([])
        fixture.pass(Self.minute, evaluations: 1)
        #expect(fixture.firing.count == 1000)
    }

    @Test("a restart keeps the alert, and the time for which a target has been there")
    func restart() throws {
        let first = try Fixture()
        let input = first.store.openGroup("input")
        let up = first.store.resolve(Labels([("__name__", "up"), ("job", "j"), ("instance", "b")]), in: input)
        first.set(["j/a", "j/b"])
        for _ in 0..<50 {
            first.pass(Self.day / 25, evaluations: 1)
            var batch = SampleBatch(timestamp: first.clock.now())
            batch.append(up, 1)
            _ = try first.store.commit(batch, in: input, durability: .whenPossible)
        }
        first.set(["j/b"])
        first.pass(Self.minute, evaluations: 1)
        #expect(first.firing == ["a"])
        let next = try Fixture(store: first.store, at: first.clock.now() + 600_000)
        next.set(["j/b"])
        next.pass(6 * Self.minute, evaluations: 6)
        #expect(next.firing == ["a"])
        next.set([])
        next.pass(Self.minute, evaluations: 1)
        #expect(Set(next.firing) == ["a", "b"])
    }
}
