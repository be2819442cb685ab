import Testing

@testable import Notify

/// The actions for each task, as a transcript: `record: append - replace + end`.
@Suite("Plan of the ledger")
struct LedgerPlanTests {
    /// A plan with a file that does as it is told.
    private struct Run {
        var plan = LedgerPlan()
        var file = LedgerStatus(size: 100, replacedSize: 100)
        var now: Int64 = 0

        /// Carries out a task.
        ///
        /// - Parameter results: Of each action in turn: `+` it is done, `-` it fails and records are missing, `!` it
        ///   fails and the file is closed, `0` it fails and leaves no trace.
        mutating func callAsFunction(_ task: LedgerPlan.Task, _ results: String = "") -> String {
            var results = Substring(results)
            var text = "\(task):"
            var action = plan.begin(task, file, at: now)
            while true {
                switch action {
                case .end: return text + " end"
                case .wait(let time): return text + " wait \(time)"
                case .append, .replace: break
                }
                let result = results.popFirst() ?? "+"
                text += " \(action) \(result)"
                switch result {
                case "+" where action == .replace: file = LedgerStatus(size: 100, replacedSize: 100)
                case "+": file.size += 1
                case "-": file.condition = file.condition == .closed ? .closed : .incomplete
                case "!": file.condition = .closed
                default: break
                }
                action = plan.next(result == "+", file, at: now)
            }
        }
    }

    @Test("records are appended to a complete file")
    func complete() {
        var run = Run()
        #expect(run(.record) == "record: append + end")
        #expect(run(.change) == "change: append + end")
        #expect(run(.maintain) == "maintain: end")
    }

    @Test("after a failed write the file is replaced at once, and later at most every 5 s")
    func repair() {
        var run = Run()
        #expect(run(.record, "-+") == "record: append - replace + end")
        run.now = 4999
        #expect(run(.record, "-") == "record: append - wait 5000")
        #expect(run(.record) == "record: append + wait 5000")
        run.now = 5000
        #expect(run(.record, "-") == "record: replace - wait 5000")
        #expect(run(.record, "-") == "record: append - wait 5000")
        run.now = 10_000
        #expect(run(.record) == "record: replace + end")
        #expect(run(.record) == "record: append + end")
    }

    @Test("if the new file cannot be written either, the maintenance after the wait replaces it")
    func maintenance() {
        var run = Run()
        #expect(run(.record, "!-") == "record: append ! replace - wait 5000")
        run.now = 1000
        #expect(run(.maintain, "-") == "maintain: replace - wait 5000")
        #expect(run(.maintain) == "maintain: replace + end")
        #expect(run(.maintain) == "maintain: end")
    }

    @Test("a replacement that takes longer than the wait is tried once more, not for ever")
    func slow() {
        var plan = LedgerPlan()
        let file = LedgerStatus(condition: .closed, size: 1, replacedSize: 1)
        #expect(plan.begin(.record, file, at: 0) == .replace)
        #expect(plan.next(false, file, at: 6000) == .replace)
        #expect(plan.next(false, file, at: 12_000) == .wait(5000))
    }

    @Test("a change goes to a file that can be used, whatever the time; a failed one is removed with the file")
    func change() {
        var run = Run()
        #expect(run(.change, "0") == "change: append 0 end")
        #expect(run(.change, "!+") == "change: append ! replace + end")
        #expect(run(.change, "!-") == "change: append ! replace - wait 5000")
        #expect(run(.change) == "change: replace + append + end")
        #expect(run(.change, "!-") == "change: append ! replace - wait 5000")
        #expect(run(.change, "--") == "change: replace - replace - wait 5000")
        #expect(run(.change, "-+") == "change: replace - replace + end")
        #expect(run(.change, "!-") == "change: append ! replace - wait 5000")
        #expect(run(.change, "+!+") == "change: replace + append ! replace + end")
        // The file lacks records, but may be used.
        #expect(run(.change, "-") == "change: append - wait 5000")
        #expect(run(.change) == "change: append + wait 5000")
        #expect(run(.record) == "record: replace + end")
    }

    @Test("a file that has grown above 1 MiB and four times its first size is replaced by the maintenance only")
    func long() {
        var run = Run()
        for (first, size, isLong) in [
            (100, 1 << 20, false), (100, 1 << 20 + 1, true), (1 << 20, 1 << 22, false), (1 << 20, 1 << 22 + 1, true),
        ] {
            run.file = LedgerStatus(size: size - 1, replacedSize: first)
            #expect(run(.record) == "record: append + end")
            #expect(run.file.size == size)
            #expect(run(.maintain, "0") == (isLong ? "maintain: replace 0 end" : "maintain: end"))
        }
        #expect(run(.maintain) == "maintain: replace + end")
    }

    @Test("whatever fails, a task ends after three actions at most, and waits if records are missing")
    func all() {
        for task in LedgerPlan.Task.allCases {
            for condition in [LedgerStatus.Condition.complete, .incomplete, .closed] {
                for number in 0..<64 {
                    let results = (0..<3).map { Array("+-!0")[number >> ($0 * 2) & 3] }
                    var run = Run()
                    run.file.condition = condition
                    let text = run(task, String(results))
                    let actions = text.split(separator: " ").filter { $0 == "append" || $0 == "replace" }
                    #expect(actions.count <= 3, "\(text)")
                    #expect(condition != .closed || actions.first != "append" || task == .record, "\(text)")
                    #expect(text.hasSuffix("wait 5000") == (run.file.condition != .complete), "\(text)")
                }
            }
        }
    }
}
