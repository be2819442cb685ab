import Model
import Notify
import Platform
import Synchronization
import TestSupport
import Testing

/// A wall clock that is set while groups wait: lengths of time stay what they are.
@Suite("Notifier under a wall clock that is set")
struct NotifierClockTests {
    static let steps: [Int64] = [-3_600_000, -300_000, -45_000, 45_000, 600_000, 3_600_000, 30 * 86_400_000]

    /// Sets the clock as a machine does; the loop sees it with its next turn.
    private func set(_ time: Timeline, by step: Int64) {
        time.notifier.followClock()
        time.clock.set(by: step)
        time.notifier.followClock()
    }

    /// When what was received came, in seconds of the monotonic clock since the start, up to a moment of that clock.
    private func received(_ time: Timeline, until seconds: Double, after step: Int64) async -> [String] {
        let shift = Double(step) / 1000
        return await time.received(until: seconds + shift).map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return "\(Int((Double(parts[0]) ?? .nan) - shift)):\(parts[1])"
        }
    }

    @Test("group_wait neither ends early nor lasts longer", arguments: steps)
    func groupWait(_ step: Int64) async throws {
        let time = try Timeline(NotifierTests.configuration)
        await time.push(at: 0, [("a", "1")])
        await time.run(until: 10)
        set(time, by: step)
        #expect(await received(time, until: 29, after: step) == [])
        #expect(await received(time, until: 60, after: step) == ["30: +1"])
    }

    @Test("group_interval neither ends early nor lasts longer", arguments: steps)
    func groupInterval(_ step: Int64) async throws {
        let time = try Timeline(NotifierTests.configuration)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        await time.push(at: 61, [("a", "1")])
        await time.push(at: 62, [("a", "2")])
        set(time, by: step)
        #expect(await received(time, until: 329, after: step) == [])
        #expect(await received(time, until: 331, after: step) == ["330: +1 +2"])
    }

    @Test("repeat_interval neither ends early nor lasts longer", arguments: steps)
    func repeatInterval(_ step: Int64) async throws {
        let time = try Timeline(NotifierTests.configuration)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        set(time, by: step)
        let shift = Double(step) / 1000
        var times: [String] = []
        for minute in stride(from: 2.0, through: 80, by: 2) {
            await time.push(at: minute * 60 + shift, [("a", "1")])
            times += await received(time, until: minute * 60 + 1, after: step)
        }
        // The first flush later than an hour after the notification.
        #expect(times == ["3930: +1"])
    }

    @Test("a notification that is under way while the clock is set counts from when it began", arguments: steps)
    func underWay(_ step: Int64) async throws {
        let clock = ManualClock(now: Timeline.start)
        let transport = HoldingTransport()
        let notifier = try Notifier(
            settings: Timeline.settings(NotifierTests.configuration, transport), ledger: nil, clock: clock,
            externalURL: "http://here")
        notifier.followClock()
        func push() {
            notifier.send([
                Alert(
                    labels: Labels([("a", "1")]), annotations: Labels([]), startsAt: clock.now(), endsAt: 0,
                    generatorURL: "")
            ])
            _ = notifier.step(at: clock.now())
        }
        push()
        clock.advance(to: clock.now() + 30_000)
        _ = notifier.step(at: clock.now())
        await transport.waitForCall(1)
        clock.set(by: step)
        notifier.followClock()
        transport.release()
        await notifier.settle()
        // Alerts of rules are sent again all the time.
        for minute in 1...80 {
            clock.advance(to: clock.now() + 60_000)
            push()
            notifier.followClock()
            _ = notifier.step(at: clock.now())
            await notifier.settle()
            #expect(transport.count == (minute <= 60 ? 1 : transport.count), "minute \(minute)")
        }
        #expect(transport.count == 2)
    }

    @Test("retries end with the flush, whatever the wall clock is set to meanwhile", arguments: steps)
    func retries(_ step: Int64) async throws {
        let time = try Timeline(NotifierTests.configuration)
        let transport = SettingTransport(time.clock, step)
        time.notifier.reload(try Timeline.settings(NotifierTests.configuration, transport))
        await time.push(at: 0, [("a", "1")])
        await time.run(until: 29)
        time.clock.advance(to: Timeline.time(30))
        let began = time.clock.monotonic()
        _ = time.notifier.step(at: time.clock.now())
        await time.notifier.settle()
        let seconds = (time.clock.monotonic() - began) / 1_000_000_000
        #expect(seconds > 200 && seconds <= 300, "gave up after \(seconds) s")
        #expect(transport.count > 4)
    }

    @Test("what a clock that was ahead left in the ledger does not silence a group for long")
    func ledgerOfTheFuture() async throws {
        let folder = try TemporaryFolder()
        let ahead = ManualClock(now: Timeline.start + 30 * 86_400_000, jumps: true)
        var time = try Timeline(NotifierTests.configuration, folder: folder.path, clock: ahead)
        let shift = 30 * 86_400.0
        await time.push(at: shift, [("a", "1")])
        #expect(await time.received(until: shift + 60) == ["\(Int(shift) + 30): +1"])
        await time.notifier.stop()
        time = try Timeline(NotifierTests.configuration, folder: folder.path)
        var times: [String] = []
        for minute in stride(from: 0.0, through: 80, by: 2) {
            await time.push(at: minute * 60, [("a", "1")])
            times += await time.received(until: minute * 60 + 1)
        }
        // Once, an hour after the start, for what was notified by a wrong clock counts as notified then.
        #expect(times.count == 1, "\(times)")
        #expect(times.first.map { $0.hasSuffix("+1") } == true)
    }
}

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }

    /// Counts one more; how many there are now.
    func add() -> Int {
        count.withLock { count in
            count += 1
            return count
        }
    }
}

/// A transport that holds its first call until it is released.
private final class HoldingTransport: NotificationTransport {
    private let calls = Counter()
    private let gate = AsyncStream<Void>.makeStream()

    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        if calls.add() == 1 { for await _ in gate.stream {} }
        return ReceiverAnswer(status: 200)
    }

    var count: Int { calls.value }
    func release() { gate.continuation.finish() }
    func waitForCall(_ number: Int) async { while calls.value < number { await Task.yield() } }
}

/// A transport that sets the wall clock with its first call and always fails.
private final class SettingTransport: NotificationTransport {
    private let calls = Counter()
    private let clock: ManualClock
    private let step: Int64

    init(_ clock: ManualClock, _ step: Int64) {
        self.clock = clock
        self.step = step
    }

    var count: Int { calls.value }

    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        if calls.add() == 1 { clock.set(by: step) }
        return ReceiverAnswer(status: 503)
    }
}
