import Model

/// A histogram that many columns may share.
package final class HistogramBox: Sendable {
    package let histogram: FloatHistogram
    package init(_ histogram: FloatHistogram) { self.histogram = histogram }
}

/// One series over the steps of a query.
///
/// `values[i]` is the value at step i. It is ``absent`` for a step without a sample. It is ``histogramMark`` for a step
/// with a native histogram, which is in `histograms[i]`.
package struct Column: Sendable {
    package var labels: Labels
    package var values: [Double]
    /// One entry per step; empty for a column of floats.
    package var histograms: [HistogramBox?] = []
    /// Whether the name is removed at the end of the query; only used with delayed name removal.
    package var dropsName = false

    package init(labels: Labels, values: [Double], histograms: [HistogramBox?] = [], dropsName: Bool = false) {
        self.labels = labels
        self.values = values
        self.histograms = histograms
        self.dropsName = dropsName
    }

    /// The value of a step without a sample: the stale marker, which is never a result.
    @inlinable package static var absent: Double { Staleness.marker }
    /// The value of a step with a histogram: a signalling NaN, which is never the result of arithmetic.
    @inlinable package static var histogramMark: Double { Double(bitPattern: 0x7FF0_0000_0000_0003) }

    /// Whether the value of a step is a sample, float or histogram.
    @inlinable @inline(__always)
    package static func isPresent(_ value: Double) -> Bool { value.bitPattern != Staleness.bits }

    /// Whether the value of a step marks a histogram.
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
    /// The histograms by index, ascending; `values` has no meaning at these indices.
    package var histograms: [(index: Int, histogram: FloatHistogram)]
}

/// The value of a query.
package enum QueryValue: Sendable {
    case scalar(Double)
    case string(String)
    /// The samples of an instant query, one per series, in order of evaluation; columns of one step.
    case vector([Column])
    /// The series of a range query, sorted by labels; columns over all steps.
    case matrix([Column])
    /// The range vector of an instant query, sorted by labels.
    case ranges([RangeSeries])
}

/// The result of a query.
package struct QueryResult: Sendable {
    package var value: QueryValue
    /// The first step, ms.
    package var start: Int64
    /// The distance of the steps, ms.
    package var step: Int64
    /// The number of steps; 1 for an instant query.
    package var steps: Int
    /// The warnings with prefix and position, as in answers of the API.
    package var warnings: [String] = []
    /// The annotations that are not warnings, with prefix and position.
    package var infos: [String] = []
    package var statistics = QueryStatistics()
    /// The explanation; nil if it was not requested.
    package var explanation: QueryExplanation?
    /// The account that holds the charge for the result; the answer that is made of the result is charged to it, too.
    package var memory: MemoryAccount?
}

/// The statistics of a query.
package struct QueryStatistics: Sendable {
    /// The number of processed samples, summed over steps.
    package var totalSamples = 0
    /// The number of processed samples, where a sample that stays in a window for several steps counts once.
    package var samplesRead = 0
    /// The most samples that were held at once.
    package var peakSamples = 0
    /// ``totalSamples`` by step; nil if it was not requested.
    package var samplesPerStep: [Int]?
    /// ``samplesRead`` by step; nil if it was not requested.
    package var samplesReadPerStep: [Int]?
    /// The seconds in the queue, which the caller measures.
    package var queueTime = 0.0
    /// The seconds until the evaluation began.
    package var preparationTime = 0.0
    /// The seconds of the evaluation.
    package var evaluationTime = 0.0
}
