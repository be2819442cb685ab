import Model

/// The checks and charges of a node that reads or makes native histograms.
///
/// It checks the limits of the query in proportion to the size of the histograms, and charges the memory of new ones.
///
/// A histogram can have a million buckets, so that checks per series and per sample would be too rare.
final class HistogramWork {
    /// The bytes of a histogram per unit of its ``FloatHistogram/sampleCost``.
    private static let bytesPerCost = 16
    /// The temporary bytes of a computation per byte of its histogram: old and new lists of buckets with their indices
    /// and compensations.
    private static let passing = 6
    /// The bytes of a histogram's text per byte of the histogram; also the factor by which making the text takes longer
    /// than other work.
    private static let textFactor = 16
    /// The smallest cost of a histogram for which the temporary memory is checked.
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

    /// Begins a series; the histograms of the previous series do not belong to this node any more.
    func beginSeries() { bytes = 0 }

    /// Counts processed samples, each as one.
    func look(at samples: Int) throws { try checks.add(samples) }

    /// Counts a histogram that is read or computed with.
    func look(at histogram: FloatHistogram) throws {
        let cost = histogram.sampleCost
        try checks.add(cost)
        if cost >= Self.largeCost { try budget.memory.requireSpace(cost &* Self.bytesPerCost &* Self.passing) }
    }

    /// Counts a histogram from which one of the same size is made, and charges the new one.
    func make(from histogram: FloatHistogram) throws {
        try look(at: histogram)
        try hold(histogram.sampleCost &* Self.bytesPerCost)
    }

    /// Counts a histogram whose text is made; the text is charged until the next series begins.
    func describe(_ histogram: FloatHistogram) throws {
        try checks.add(histogram.sampleCost &* Self.textFactor)
        try hold(histogram.sampleCost &* Self.bytesPerCost &* Self.textFactor)
    }

    /// Charges bytes that the node holds until its end.
    func hold(_ more: Int) throws {
        bytes &+= more
        try reservation.charge(bytes)
    }

    func release() { reservation.release() }
}
