import Dispatch
import Platform
import TestSupport
import Testing

@testable import martlet

/// The order and the limits of a shutdown, as transcripts of plans that are carried out without clocks and threads.
@Suite("Shutdown plan")
struct ShutdownPlanTests {
    /// How a step goes: how long it takes, ms, and whether a signal makes haste meanwhile.
    private struct Course {
        var duration: Int64 = 100
        var isHurried = false
    }

    /// What happens if steps go as `courses` say: one line a step, with its limit, and when it ends or is left behind.
    private static func transcript(
        grace: Int64 = 20_000, _ courses: [ShutdownPlan.Step: Course] = [:], isHurried: Bool = false
    ) -> [String] {
        var plan = ShutdownPlan(grace: grace)
        var (now, isHurried, lines) = (Int64(0), isHurried, [String]())
        while let (step, limit) = plan.next(elapsed: now, isHurried: isHurried) {
            let course = courses[step] ?? Course()
            isHurried = isHurried || course.isHurried
            let isLate = limit.map { course.duration > $0 || course.isHurried } ?? false
            now += course.isHurried ? 0 : min(course.duration, limit ?? .max)
            if isLate { plan.leave(step) }
            lines.append(
                "\(step.name) in \(limit.map { "\($0)" } ?? "any time"): \(isLate ? "left" : "ended") at \(now)")
        }
        #expect(plan.next(elapsed: now, isHurried: isHurried) == nil)
        return lines
    }

    @Test("what adds samples comes first in half of the grace period, then the store, then partners in what is left")
    func order() {
        #expect(
            Self.transcript() == [
                "stop rules in 10000: ended at 100", "last scrape in 9900: ended at 200",
                "last evaluation in 9800: ended at 300", "close storage in any time: ended at 400",
                "last deliveries in 19600: ended at 500",
            ])
    }

    @Test("a scrape that hangs costs half of the grace period, and no sample")
    func hungScrape() {
        #expect(
            Self.transcript([.lastScrape: Course(duration: .max)]) == [
                "stop rules in 10000: ended at 100", "last scrape in 9900: left at 10000",
                "last evaluation in 0: left at 10000", "close storage in any time: ended at 10100",
                "last deliveries in 9900: ended at 10200",
            ])
    }

    @Test("no evaluation begins while an old one still runs")
    func hungRules() {
        #expect(
            Self.transcript([.stopRules: Course(duration: .max)]) == [
                "stop rules in 10000: left at 10000", "last scrape in 0: left at 10000",
                "close storage in any time: ended at 10100", "last deliveries in 9900: ended at 10200",
            ])
    }

    @Test("a store that takes long has all its time, and partners have what is left of theirs")
    func slowStore() {
        #expect(
            Self.transcript([.closeStore: Course(duration: 60_000)]).suffix(2) == [
                "close storage in any time: ended at 60300", "last deliveries in 0: left at 60300",
            ])
        #expect(
            Self.transcript([.leavePartners: Course(duration: .max)]).last == "last deliveries in 19600: left at 20000")
    }

    @Test("without a grace period only the store is waited for")
    func noGrace() {
        #expect(
            Self.transcript(grace: 0) == [
                "stop rules in 0: left at 0", "last scrape in 0: left at 0",
                "close storage in any time: ended at 100", "last deliveries in 0: left at 100",
            ])
    }

    @Test("in a hurry nothing but closing the store is left, whichever step it meets")
    func hurriedPlan() {
        let close = "close storage in any time: ended at"
        #expect(Self.transcript(isHurried: true) == [close + " 100"])
        #expect(
            Self.transcript([.lastScrape: Course(isHurried: true)]) == [
                "stop rules in 10000: ended at 100", "last scrape in 9900: left at 100", close + " 200",
            ])
        #expect(
            Self.transcript([.closeStore: Course(isHurried: true)]).last == close + " 300")
    }

    @Test("a hurry ends the wait for a step, and later ones at once")
    func hurry() {
        let hurry = Hurry()
        let (begun, never) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let second = Thread.start("second signal") {
            begun.wait()
            hurry.begin()
        }
        let hasEnded = StepThread.run("hangs", within: .max, hurry) {
            begun.signal()
            never.wait()
        }
        #expect(hasEnded == .overdue)
        #expect(hurry.isOn)
        // A step that begins later is not waited for either.
        #expect(StepThread.run("hangs", within: .max, hurry) { never.wait() } == .overdue)
        never.signal()
        never.signal()
        second?.join()
    }

    @Test("a step that hangs is left behind, one that ends is waited for")
    func run() {
        let never = DispatchSemaphore(value: 0)
        #expect(StepThread.run("hangs", within: 10) { never.wait() } == .overdue)
        never.signal()
        #expect(StepThread.run("ends", within: 60_000) {} == .ended)
    }

    @Test("the first signal begins, the second hurries, the third ends; one that follows at once repeats")
    func signals() {
        let clock = ManualClock(now: 1000)
        let request = StopRequest(clock: clock)
        #expect(request.meaning(isStopping: false) == .begin)
        clock.advance(to: 1299)
        #expect(request.meaning(isStopping: true) == .repetition)
        clock.advance(to: 1599)
        #expect(request.meaning(isStopping: true) == .hurry)
        request.hurry.begin()
        clock.advance(to: 2000)
        #expect(request.meaning(isStopping: true) == .exit)
        // After `/-/quit` the first signal is a second wish.
        #expect(StopRequest(clock: clock).meaning(isStopping: true) == .hurry)
    }
}
