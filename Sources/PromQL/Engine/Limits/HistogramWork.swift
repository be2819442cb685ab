import Model

/// The work of a node that looks at native histograms or makes some: it looks at the query's limits by the size of what it
/// goes through, and charges what it makes.
///
/// A histogram can have a million buckets: the checks per series and per sample come too seldom then.
final class HistogramWork {
    /// Bytes of a histogram for each of its ``FloatHistogram/sampleCost``.
    private static let bytesPerCost = 16
    /// Bytes that computing with a histogram takes for a moment, for each byte of it: lists of its buckets with their
    /// indices and rests, old and new.
    private static let passing = 6
    /// Bytes of a histogram's text for each byte of it, and how much longer than other work making it takes.
    private static let textFactor = 16
    /// Costs from which on the space for it is asked for.
    private static let largeCost = 1 << 14

    private let budget: QueryBudget
    private var checks: SampleChecks
    private var reservation: MemoryReservation
    private var bytes = 0

    init(_ budget: QueryBudget) {
        self.budget = budget
        checks = SampleChecks(budget)
        reservation = MemoryReservation(budget)
    }

    /// Begins a series: what was made of the one before is not this node's any more.
    func beginSeries() { bytes = 0 }

    /// Counts samples that are looked at, each as one.
    func look(at samples: Int) throws { try checks.add(samples) }

    /// Counts a histogram that is looked at, or computed with.
    func look(at histogram: FloatHistogram) throws {
        let cost = histogram.sampleCost
        try checks.add(cost)
        if cost >= Self.largeCost { try budget.memory.requireSpace(cost &* Self.bytesPerCost &* Self.passing) }
    }

    /// Counts a histogram of which one of its size is made, and charges that.
    func make(from histogram: FloatHistogram) throws {
        try look(at: histogram)
        try hold(histogram.sampleCost &* Self.bytesPerCost)
    }

    /// Counts a histogram whose text is made; the text is charged until the next series begins.
    func describe(_ histogram: FloatHistogram) throws {
        try checks.add(histogram.sampleCost &* Self.textFactor)
        try hold(histogram.sampleCost &* Self.bytesPerCost &* Self.textFactor)
    }

    /// Charges bytes that the node holds until the end.
    func hold(_ more: Int) throws {
        bytes &+= more
        try reservation.charge(bytes)
    }

    func release() { reservation.release() }
}
