import Model

/// The work of a node that makes native histograms: it looks at the query's limits by the size of what it goes through,
/// and charges what it makes.
///
/// A histogram can have a million buckets: the checks per series and per sample come too seldom then.
struct HistogramWork {
    private var checks: SampleChecks
    private var reservation: MemoryReservation
    private var bytes = 0

    init(_ budget: QueryBudget) {
        checks = SampleChecks(budget)
        reservation = MemoryReservation(budget)
    }

    /// Begins a series: what was made of the one before is not this node's any more.
    mutating func beginSeries() { bytes = 0 }

    /// Counts a histogram that is looked at.
    mutating func look(at histogram: FloatHistogram) throws { try checks.add(histogram.sampleCost) }

    /// Counts a histogram of which one of its size is made.
    mutating func make(from histogram: FloatHistogram) throws {
        try checks.add(histogram.sampleCost)
        try hold(histogram.sampleCost &* 16)
    }

    /// Charges bytes that the node holds until the end.
    mutating func hold(_ more: Int) throws {
        bytes &+= more
        try reservation.charge(bytes)
    }

    func release() { reservation.release() }
}
