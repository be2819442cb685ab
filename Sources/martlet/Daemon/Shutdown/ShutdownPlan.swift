/// The order of a shutdown, and how long each step may take.
///
/// Everything that adds samples comes first, in half of the grace period. Then the store is closed, which takes as long
/// as it takes. Partners in the network get what is left. So a partner that does not answer can cost its own
/// messages, but no sample.
///
/// A value without clocks and threads: whoever runs the steps says how much time is over, and which steps did not end.
struct ShutdownPlan: Sendable {
    enum Step: Sendable, CaseIterable {
        /// Lets evaluations of rules end.
        case stopRules
        /// Scrapes the targets on this machine once more, and ends scraping.
        case lastScrape
        /// Evaluates all rules once for the moment of the end.
        case lastEvaluation
        /// Brings all samples to the disk.
        case closeStore
        /// Delivers what waits for Alertmanagers and receivers, and ends the HTTP server.
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

    /// How long handlers may go on that do not notice the end, and clients may take their answers, ms.
    static let handlerTime: Int64 = 1500

    /// ms.
    let grace: Int64
    private var remaining = Step.allCases[...]
    /// Steps that did not end in time, and may still run.
    private(set) var overdue: Set<Step> = []

    init(grace: Int64) { self.grace = grace }

    /// The next step and how many ms it may take, nil for no limit; nil after the last step.
    ///
    /// - Parameters:
    ///   - elapsed: ms of the shutdown that are over.
    ///   - isHurried: Whether nobody is to be waited for; what remains is to close the store.
    mutating func next(elapsed: Int64, isHurried: Bool) -> (step: Step, limit: Int64?)? {
        while let step = remaining.popFirst() {
            if runs(step, isHurried: isHurried) { return (step, limit(of: step, elapsed: elapsed)) }
        }
        return nil
    }

    /// Notes that a step did not end in time, or could not run.
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
        // An evaluation that still runs holds the state of its group.
        return step != .lastEvaluation || !overdue.contains(.stopRules)
    }
}
