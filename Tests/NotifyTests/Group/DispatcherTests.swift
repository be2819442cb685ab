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

    @Test("the flushes of a group leave its alerts in place, also when resolved ones leave the group")
    func flushInPlace() async throws {
        let time = try Timeline(NotifierGroupTests.plain)
        func place() -> UInt? {
            time.notifier.state.withLock { $0.dispatcher.groups.values.first.map { Self.place($0.alerts) } }
        }
        for a in ["1", "2", "3"] { await time.push(at: 0, [("a", a)]) }
        let before = place()
        #expect(await time.received(until: 31) == ["30: +1 +2 +3"])
        for a in ["2", "3"] { await time.push(at: 200, [("a", a)]) }
        await time.push(at: 201, [("a", "1")], resolved: true)
        #expect(await time.received(until: 331) == ["330: -1 +2 +3"])
        #expect(place() == before)
    }

    @Test("alerts are taken without being sorted or copied, and a flush has all of them")
    func taking() throws {
        var dispatcher = Dispatcher(root: Route(receiver: "r", groupWait: 0))
        for number in 0..<500 { dispatcher.insert(Self.alert("\(number)", endsAt: number % 2 == 0 ? 0 : 50), now: 100) }
        let group = try #require(dispatcher.groups.values.first)
        let due = dispatcher.takeDue(at: 100)
        #expect(dispatcher.groups.values.map { Self.place($0.alerts) } == [Self.place(group.alerts)])
        let flush = try #require(due.first?.flush)
        #expect(flush.alerts.map(\.fingerprint) == group.alerts.values.map(\.fingerprint))
        #expect(flush.alerts.count { $0.alert.endsAt == 0 } == 250)
        #expect(dispatcher.takeDue(at: 100).isEmpty)
    }

    @Test("small groups are taken first, and large ones in several steps, but the one that waits longest always")
    func largeGroups() {
        var dispatcher = Dispatcher(root: Route(receiver: "r", groupBy: ["g"], groupWait: 10, groupInterval: 1000))
        let large = Dispatcher.alertsTaken / 2 + 1
        for (group, count, time) in [("a", large, 1), ("b", large, 2), ("c", large, 3), ("d", large, 3), ("e", 1, 4)] {
            for number in 0..<count { dispatcher.insert(Self.alert("\(number)", group: group), now: Int64(time)) }
        }
        func take(at now: Int64) -> [String] { dispatcher.takeDue(at: now).map { $0.flush.groupLabels["g"] ?? "" } }
        #expect(take(at: 5) == [])
        #expect(take(at: 20) == ["e", "a", "b"])
        #expect(dispatcher.nextDeadline == 13)
        dispatcher.insert(Self.alert("0", group: "f"), now: 11)
        #expect(take(at: 21) == ["f", "c", "d"])
        #expect(take(at: 22) == [])
        #expect(dispatcher.nextDeadline == nil)
    }

    @Test("many alerts are all taken in, beside reloads, and are all removed after their end")
    func manyAlerts() async throws {
        let time = try Timeline(NotifierGroupTests.plain)
        let (notifier, now) = (time.notifier, time.clock.now())
        let settings = try Timeline.settings(NotifierGroupTests.plain, time.transport)
        func counts() -> [Int] {
            notifier.state.withLock { state in
                [
                    state.memory.alerts.byFingerprint.count,
                    state.dispatcher.groups.values.reduce(0) { $0 + $1.alerts.count },
                ]
            }
        }
        func send(_ numbers: Range<Int>, endsAt: Int64 = 0) {
            let start = endsAt == 0 ? now : 1
            notifier.send(numbers.map { Alert(labels: Labels([("a", "\($0)")]), startsAt: start, endsAt: endsAt) })
        }
        let reloads = Task.detached { for _ in 0..<20 { notifier.reload(settings) } }
        for round in 0..<5 {
            send(round * 400..<round * 400 + 400)
            _ = notifier.step(at: now)
        }
        await reloads.value
        #expect(counts() == [2000, 2000])
        await time.run(until: 31)
        send(0..<2000, endsAt: time.clock.now() - 1)
        await time.run(until: 340)
        #expect(counts() == [2000, 0])
        await time.run(until: 700)
        #expect(counts() == [0, 0])
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
                    let flushes = dispatcher.takeDue(at: now).map(\.flush)
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
