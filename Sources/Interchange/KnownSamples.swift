import Model
import Storage

/// The valid times of imported samples, ms: from the year 0 to the year 9999.
package enum ImportTimes {
    package static let all: ClosedRange<Int64> = -62_167_219_200_000...253_402_300_799_999
}

/// Removes the samples that a storage has from an import, so that a second import adds nothing.
///
/// The series must be in the order of their labels.
struct KnownSamples: ~Copyable {
    private let set: any SeriesSet
    private var at = 0
    private var known = SampleColumns()
    /// Whether a sample with the same time and another value counts as new.
    private let comparesValues: Bool
    private let wanted: ClosedRange<Int64>
    /// The number of samples with selected times.
    private(set) var found = 0
    /// The number of samples with invalid times.
    private(set) var impossibleTimes = 0

    /// - Parameters:
    ///   - times: The largest time range of the further samples.
    ///   - wanted: The selected times; other samples are skipped without a report.
    init(
        _ store: any SeriesSource, _ times: ClosedRange<Int64>, wanted: ClosedRange<Int64> = .min ... .max,
        comparesValues: Bool = false
    ) throws {
        set = try store.select(SelectRequest(matchers: [], minTime: times.lowerBound, maxTime: times.upperBound))
        self.wanted = wanted
        self.comparesValues = comparesValues
    }

    /// Replaces `fresh` by the samples of `columns` that the store does not have.
    mutating func difference(
        _ labels: Labels, _ columns: borrowing SampleColumns, into fresh: inout SampleColumns
    ) throws {
        fresh.removeAll()
        while at < set.count, Labels.compare(set.labels(at), labels) < 0 { at += 1 }
        known.removeAll()
        if at < set.count, Labels.compare(set.labels(at), labels) == 0 { try set.read(at, into: &known) }
        var (next, histogram, knownHistogram) = (0, 0, 0)
        for i in 0..<columns.count {
            let time = columns.timestamps[i]
            var own: FloatHistogram?
            if histogram < columns.histograms.count, columns.histograms[histogram].index == i {
                own = columns.histograms[histogram].histogram
                histogram += 1
            }
            guard wanted.contains(time) else { continue }
            found += 1
            guard ImportTimes.all.contains(time) else {
                impossibleTimes += 1
                continue
            }
            while next < known.count, known.timestamps[next] < time { next += 1 }
            while knownHistogram < known.histograms.count, known.histograms[knownHistogram].index < next {
                knownHistogram += 1
            }
            if next < known.count, known.timestamps[next] == time {
                let isHistogram =
                    knownHistogram < known.histograms.count && known.histograms[knownHistogram].index == next
                let isSame = own == nil && !isHistogram && known.values[next].bitPattern == columns.values[i].bitPattern
                if isSame || !comparesValues { continue }
            }
            if let own { fresh.append(time, own) } else { fresh.append(time, columns.values[i]) }
        }
        if fresh.count > 0 { fresh.starts = columns.starts }
    }
}
