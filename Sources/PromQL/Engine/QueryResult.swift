import Model

/// A histogram that many columns may share.
package final class HistogramBox: Sendable {
    package let histogram: FloatHistogram
    package init(_ histogram: FloatHistogram) { self.histogram = histogram }
}

/// One series over the steps of a query.
///
/// `values[i]` belongs to step i. A step without a sample holds ``absent``; a step with a native histogram holds
/// ``histogramMark``, and the histogram stands in `histograms[i]`.
package struct Column: Sendable {
    package var labels: Labels
    package var values: [Double]
    /// Empty for a column of floats; else one entry per step.
    package var histograms: [HistogramBox?] = []
    /// With delayed name removal: the name will go when the query is done.
    package var dropsName = false

    package init(labels: Labels, values: [Double], histograms: [HistogramBox?] = [], dropsName: Bool = false) {
        self.labels = labels
        self.values = values
        self.histograms = histograms
        self.dropsName = dropsName
    }

    /// Marks a step without a sample: the staleness marker, which no result can hold.
    @inlinable package static var absent: Double { Staleness.marker }
    /// Marks a step with a histogram; a signalling NaN that no arithmetic makes.
    @inlinable package static var histogramMark: Double { Double(bitPattern: 0x7FF0_0000_0000_0003) }

    /// Whether the value of a step is a sample, float or histogram.
    @inlinable @inline(__always)
    package static func isPresent(_ value: Double) -> Bool { value.bitPattern != Staleness.bits }

    /// Whether the value of a step stands for a histogram.
    @inlinable @inline(__always)
    package static func isHistogram(_ value: Double) -> Bool { value.bitPattern == 0x7FF0_0000_0000_0003 }

    /// Whether the value of a step is a float sample.
    @inlinable @inline(__always)
    package static func isFloat(_ value: Double) -> Bool { isPresent(value) && !isHistogram(value) }

    /// Whether no step has a sample.
    package var isEmpty: Bool { !values.contains(where: Self.isPresent) }
}

/// One series of a range-vector result, with its own times.
package struct RangeSeries: Sendable {
    package var labels: Labels
    package var timestamps: [Int64]
    package var values: [Double]
    /// By position, ascending; the value there is meaningless.
    package var histograms: [(index: Int, histogram: FloatHistogram)]
}

/// What a query evaluates to.
package enum QueryValue: Sendable {
    case scalar(Double)
    case string(String)
    /// One sample per series, at the query's time, in order of evaluation; columns of one step.
    case vector([Column])
    /// A range query's series, sorted by labels; columns over all steps.
    case matrix([Column])
    /// An instant query's range vector, sorted by labels.
    case ranges([RangeSeries])
}

/// The answer to a query.
package struct QueryResult: Sendable {
    package var value: QueryValue
    /// First step, ms.
    package var start: Int64
    /// Distance of the steps, ms.
    package var step: Int64
    /// Number of steps; 1 for an instant query.
    package var steps: Int
    /// With prefix and position, as the API shows them.
    package var warnings: [String] = []
    package var infos: [String] = []
    package var statistics = QueryStatistics()
    /// If it was asked for.
    package var explanation: QueryExplanation?
    /// What the result's memory is charged to, until it goes; what is made of the result is charged there, too.
    package var memory: MemoryAccount?
}

/// What a query cost.
package struct QueryStatistics: Sendable {
    /// Samples that were looked at, summed over steps.
    package var totalSamples = 0
    /// The same, but samples that stay in a window for several steps count once.
    package var samplesRead = 0
    /// Most samples held at once.
    package var peakSamples = 0
    /// ``totalSamples`` by step; nil unless asked for.
    package var samplesPerStep: [Int]?
    /// ``samplesRead`` by step; nil unless asked for.
    package var samplesReadPerStep: [Int]?
    /// Seconds in line, which the caller measures.
    package var queueTime = 0.0
    /// Seconds.
    package var preparationTime = 0.0
    package var evaluationTime = 0.0
}
