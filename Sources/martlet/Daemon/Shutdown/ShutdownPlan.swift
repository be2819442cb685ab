/// The order of a shutdown, and the time limit of each step.
///
/// All steps that add samples are first, in half of the grace period. Then the storage is closed without a time limit.
/// Receivers in the network get the remaining time. So a receiver that does not answer can cost its own messages, but
/// no sample.
///
/// This is a value without clocks and threads: the runner of the steps reports the elapsed time, and the steps that did
/// not end.
struct ShutdownPlan: Sendable {
    enum Step: Sendable, CaseIterable {
        /// Lets evaluations of rules finish.
        case stopRules
        /// Scrapes the targets on this machine once more, and stops scraping.
        case lastScrape
        /// Evaluates all rules once at the time of the end.
        case lastEvaluation
        /// Syncs all samples to disk.
        case closeStore
        /// Delivers the pending messages for Alertmanagers and receivers, and stops the HTTP server.
        case leavePartners

        /// The step's name in the log.
        var name: String {
            switch self {
            case .stopRules: "stop rules"
            case .lastScrape: "last scrape"
            case .lastEvaluation: "last evaluation"
            case .closeStore: "close storage"
            case .leavePartners: "last deliveries"
            }
        }
    }

    /// The time for handlers that do not notice the end, and for clients to read their answers, ms.
    static let handlerTime: Int64 = 1500

    /// ms.
    let grace: Int64
    private var remaining = Step.allCases[...]
    /// The steps that did not end in time, and may still run.
    private(set) var overdue: Set<Step> = []

    init(grace: Int64) { self.grace = grace }

    /// The next step and its time limit in ms, nil for no limit; nil after the last step.
    ///
    /// - Parameters:
    ///   - elapsed: The elapsed time of the shutdown, ms.
    ///   - isHurried: Whether the shutdown waits for nothing; only closing the storage remains.
    mutating func next(elapsed: Int64, isHurried: Bool) -> (step: Step, limit: Int64?)? {
        while let step = remaining.popFirst() {
            if runs(step, isHurried: isHurried) { return (step, limit(of: step, elapsed: elapsed)) }
        }
        return nil
    }

    /// Records that a step did not end in time, or could not run.
    mutating func leave(_ step: Step) { overdue.insert(step) }

    private func limit(of step: Step, elapsed: Int64) -> Int64? {
        switch step {
        case .stopRules, .lastScrape, .lastEvaluation: max(0, grace / 2 - elapsed)
        case .closeStore: nil
        case .leavePartners: max(0, grace - elapsed)
        }
    }

    private func runs(_ step: Step, isHurried: Bool) -> Bool {
        if isHurried { return step == .closeStore }
        // An evaluation that still runs locks the state of its group.
        return step != .lastEvaluation || !overdue.contains(.stopRules)
    }
}
