import Dispatch
import Platform
import Testing

@testable import martlet

@Suite("Shutdown plan")
struct ShutdownPlanTests {
    @Test("the store is closed before any partner is waited for, and nothing limits closing it")
    func order() throws {
        let steps = ShutdownPlan.Step.allCases
        let store = try #require(steps.firstIndex(of: .closeStore))
        let partners = try #require(steps.firstIndex(of: .leavePartners))
        #expect(store < partners)
        #expect(partners == steps.count - 1)
        for grace in [Int64(0), 1, 20_000] {
            let plan = ShutdownPlan(grace: grace)
            for elapsed in [Int64(0), grace / 2, grace, grace * 3] {
                #expect(plan.limit(of: .closeStore, elapsed: elapsed) == nil)
            }
        }
    }

    @Test("what adds samples has half of the grace period together, partners what is left")
    func budget() {
        let plan = ShutdownPlan(grace: 20_000)
        #expect(plan.limit(of: .stopRules, elapsed: 0) == 10_000)
        #expect(plan.limit(of: .lastScrape, elapsed: 4_000) == 6_000)
        #expect(plan.limit(of: .lastEvaluation, elapsed: 12_000) == 0)
        #expect(plan.limit(of: .leavePartners, elapsed: 10_100) == 9_900)
        #expect(plan.limit(of: .leavePartners, elapsed: 30_000) == 0)
    }

    @Test("no evaluation begins while an old one still runs")
    func overdueRules() {
        let plan = ShutdownPlan(grace: 20_000)
        #expect(!plan.runs(.lastEvaluation, after: [.stopRules]))
        #expect(plan.runs(.lastEvaluation, after: [.lastScrape]))
        for step in ShutdownPlan.Step.allCases where step != .lastEvaluation {
            #expect(plan.runs(step, after: Set(ShutdownPlan.Step.allCases)))
        }
    }

    @Test("in a hurry nothing but closing the store is left, and nobody is waited for")
    func hurry() {
        let plan = ShutdownPlan(grace: 20_000)
        #expect(ShutdownPlan.Step.allCases.filter { plan.runs($0, after: [], isHurried: true) } == [.closeStore])
        let hurry = Hurry()
        let (begun, never) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let second = Thread.start("second signal") {
            begun.wait()
            hurry.begin()
        }
        let hasEnded = Daemon.run("hangs", within: .max, hurry) {
            begun.signal()
            never.wait()
        }
        #expect(hasEnded == .overdue)
        #expect(hurry.isOn)
        // A step that begins later is not waited for either.
        #expect(Daemon.run("hangs", within: .max, hurry) { never.wait() } == .overdue)
        never.signal()
        never.signal()
        second?.join()
    }

    @Test("a step that hangs is left behind, one that ends is waited for")
    func run() {
        let never = DispatchSemaphore(value: 0)
        #expect(Daemon.run("hangs", within: 10) { never.wait() } == .overdue)
        never.signal()
        #expect(Daemon.run("ends", within: 60_000) {} == .ended)
    }
}
