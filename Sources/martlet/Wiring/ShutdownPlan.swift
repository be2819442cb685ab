/// The order of a shutdown, and how long each step may take.
///
/// Everything that adds samples comes first, in half of the grace period; then the store is closed, which takes as long
/// as it takes; partners in the network get what is left. So a partner that does not answer can cost its own
/// messages, but no sample.
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

    /// ms.
    let grace: Int64

    /// ms that a step may take when `elapsed` ms of the shutdown are over; nil for no limit.
    func limit(of step: Step, elapsed: Int64) -> Int64? {
        switch step {
        case .stopRules, .lastScrape, .lastEvaluation: max(0, grace / 2 - elapsed)
        case .closeStore: nil
        case .leavePartners: max(0, grace - elapsed)
        }
    }

    /// Whether a step makes sense after `overdue` steps did not end in time.
    ///
    /// - Parameter isHurried: Whether nobody is to be waited for; what remains is to close the store.
    func runs(_ step: Step, after overdue: Set<Step>, isHurried: Bool = false) -> Bool {
        if isHurried { return step == .closeStore }
        // An evaluation that still runs holds the state of its group.
        return step != .lastEvaluation || !overdue.contains(.stopRules)
    }
}
