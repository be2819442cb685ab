import Model
@testable import Notify
import Synchronization
import TestSupport
import Testing

@Suite("Dispatcher")
struct DispatcherTests {
    private static func alert(_ name: String, group: String = "1", endsAt: Int64 = 0) -> NotifiedAlert {
        NotifiedAlert(Alert(labels: Labels([("a", name), ("g", group)]), startsAt: 1, endsAt: endsAt))
    }

    /// Where a dictionary has its elements.
    ///
    /// A copy is made while the original exists, so it is at another place.
    private static func place<Key, Value>(_ dictionary: [Key: Value]) -> UInt {
        unsafeBitCast(dictionary, to: UInt.self)
    }

    @Test("alerts join a large group and the known alerts in place: the dictionaries move only when they grow")
    func inPlace() throws {
        let time = try Timeline(NotifierGroupTests.plain)
        var moves = (group: 0, alerts: 0)
        var last: (group: UInt, alerts: UInt) = (0, 0)
        for number in 0..<2000 {
            let isResolution = number >= 1000
            let now = time.clock.now()
            time.notifier.send([
                Alert(
                    labels: Labels([("a", "\(number)")]), startsAt: now - (isResolution ? 2 : 0),
                    endsAt: isResolution ? now - 1 : 0)
            ])
            _ = time.notifier.step(at: now)
            let next = time.notifier.state.withLock { state in
                (
                    group: state.dispatcher.groups.values.first.map { Self.place($0.alerts) } ?? 0,
                    alerts: Self.place(state.memory.alerts.byFingerprint)
                )
            }
            if next.group != last.group { moves.group += 1 }
            if next.alerts != last.alerts { moves.alerts += 1 }
            last = next
        }
        #expect(time.notifier.state.withLock { $0.dispatcher.groups.values.map(\.alerts.count) } == [2000])
        #expect((1...20).contains(moves.group))
        #expect((1...20).contains(moves.alerts))
    }

    @Test("the next deadline is the earliest flush of the groups that are not flushing, after any changes")
    func deadline() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let root = Route(receiver: "r", groupBy: ["g"], groupWait: 10, groupInterval: 25)
        for _ in 0..<60 {
            var dispatcher = Dispatcher(root: root)
            var running: [GroupFlush] = []
            var now: Int64 = 100
            for _ in 0..<60 {
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<3:
                    let end = Bool.random(using: &random) ? 0 : now
                    let group = "\(Int.random(in: 0..<5, using: &random))"
                    var alert = Self.alert("\(Int.random(in: 0..<3, using: &random))", group: group, endsAt: end)
                    alert.alert.startsAt = now - Int64.random(in: 0...20, using: &random)
                    dispatcher.insert(alert, now: now)
                case 3:
                    let due = dispatcher.groups.values.filter { $0.nextFlush <= now && !$0.isFlushing }
                    let flushes = dispatcher.takeDue(at: now)
                    #expect(Set(flushes.map(\.groupID)) == Set(due.map(\.id)))
                    running += flushes
                case 4:
                    guard let index = running.indices.randomElement(using: &random) else { continue }
                    dispatcher.finish(running.remove(at: index), succeeded: Bool.random(using: &random))
                case 5: dispatcher.shift(by: Int64.random(in: -9...9, using: &random))
                case 6:
                    let old = dispatcher
                    dispatcher = Dispatcher(root: root)
                    for alert in old.groups.values.flatMap(\.alerts.values) { dispatcher.insert(alert, now: now) }
                    dispatcher.adopt(old)
                default: now += Int64.random(in: 0...12, using: &random)
                }
                let waiting = dispatcher.groups.values.filter { !$0.isFlushing }
                #expect(dispatcher.nextDeadline == waiting.map(\.nextFlush).min())
                let held = Set(dispatcher.groups.values.flatMap(\.alerts.keys))
                for alert in ["0", "1", "2"].map({ Self.alert($0, group: "2") }) {
                    #expect(dispatcher.holds(alert) == held.contains(alert.fingerprint))
                }
            }
        }
    }
}
