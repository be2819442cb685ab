import Glibc
import Model
import Notify
import Platform
import TestSupport
import Testing

/// Alerts while the disk of the ledger fails: a start must not find an older state.
@Suite("Alerts on a failing disk")
struct LedgerFaultTests {
    private static func notifier(_ files: FaultyFileSystem, _ clock: ManualClock) throws -> Notifier {
        try Timeline.notifier(files, clock, groupWait: 500)
    }

    private static func firing(_ notifier: Notifier) -> [String] {
        notifier.alerts().map { $0.alert.alert.labels["a"] ?? "" }.sorted()
    }

    @Test(
        "an alert that has ended does not fire after a restart if one write fails",
        arguments: [FaultyFileSystem.Fault.fail(EIO), .fail(ENOSPC), .tear], [false, true])
    func ended(_ fault: FaultyFileSystem.Fault, stops: Bool) async throws {
        for number in 1...12 {
            let files = FaultyFileSystem()
            let clock = ManualClock(now: Timeline.start)
            let notifier = try Self.notifier(files, clock)
            func push(_ a: String, end: Int64 = 0) {
                notifier.send([Alert(labels: Labels([("a", a)]), startsAt: Timeline.start, endsAt: end)])
                _ = notifier.step(at: clock.now())
            }
            push("1")
            push("2")
            #expect(Self.firing(notifier) == ["1", "2"])
            files.inject(fault, at: files.operations.count + number)
            clock.advance(to: clock.now() + 10_000)
            push("1", end: clock.now() - 1)
            clock.advance(to: clock.now() + 1000)
            push("3")
            #expect(Self.firing(notifier) == ["2", "3"])
            if stops { await notifier.stop() }
            let next = try Self.notifier(files.afterPowerCut(.kept), clock)
            #expect(Self.firing(next) == ["2", "3"], "\(fault) at \(number)")
        }
    }
}
