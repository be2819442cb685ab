import Model

/// The samples of one series with histograms, by kind.
struct MixedSeries {
    var floatTimes: [Int64] = []
    var floats: [Double] = []
    var histogramTimes: [Int64] = []
    var histograms: [HistogramBox] = []
    /// The start timestamps of the samples that the function uses.
    let starts: StartTimes
    /// The cost in statistics of all histograms before each one.
    private var costs = [0]

    /// Splits samples without stale markers.
    ///
    /// - Parameter seesStarts: Whether start timestamps are used.
    init(_ samples: borrowing SampleColumns, seesStarts: Bool = false) {
        starts = seesStarts ? samples.starts : StartTimes()
        var next = 0
        for i in 0..<samples.count {
            if next < samples.histograms.count, samples.histograms[next].index == i {
                histogramTimes.append(samples.timestamps[i])
                histograms.append(HistogramBox(samples.histograms[next].histogram))
                costs.append(costs[next] + samples.histograms[next].histogram.sampleCost)
                next += 1
            } else {
                floatTimes.append(samples.timestamps[i])
                floats.append(samples.values[i])
            }
        }
    }

    /// The samples in (`start`, `end`]; windows must be requested in ascending order with one `cursor`.
    func window(_ start: Int64, _ end: Int64, _ cursor: inout Cursor) -> MixedWindow {
        func advance(_ times: [Int64], _ range: inout (low: Int, high: Int)) {
            while range.high < times.count, times[range.high] <= end { range.high += 1 }
            while range.low < range.high, times[range.low] <= start { range.low += 1 }
        }
        advance(floatTimes, &cursor.floats)
        advance(histogramTimes, &cursor.histograms)
        let (f, h) = (cursor.floats, cursor.histograms)
        return MixedWindow(
            start: start, end: end, floatTimes: floatTimes[f.low..<f.high], floats: floats[f.low..<f.high],
            histogramTimes: histogramTimes[h.low..<h.high], histograms: histograms[h.low..<h.high], starts: starts,
            cost: f.high - f.low + costs[h.high] - costs[h.low])
    }

    /// The position of the last window.
    struct Cursor {
        fileprivate var floats = (low: 0, high: 0)
        fileprivate var histograms = (low: 0, high: 0)
    }
}

/// The samples of one window, by kind; each kind ascending in time.
struct MixedWindow {
    /// The start, ms; exclusive.
    var start: Int64
    /// The end, ms; inclusive.
    var end: Int64
    var floatTimes: ArraySlice<Int64>
    var floats: ArraySlice<Double>
    var histogramTimes: ArraySlice<Int64>
    var histograms: ArraySlice<HistogramBox>
    /// The start timestamps of the series that the function uses.
    var starts: StartTimes
    /// The number of samples for which they count in statistics.
    var cost: Int

    /// The cost of the samples after `time`.
    func cost(after time: Int64) -> Int {
        if time <= start { return cost }
        let floats = floatTimes.reversed().prefix { $0 > time }.count
        let new = histogramTimes.reversed().prefix { $0 > time }.count
        return histograms.suffix(new).reduce(floats) { $0 + $1.histogram.sampleCost }
    }

    var isEmpty: Bool { floats.isEmpty && histograms.isEmpty }
    var isMixed: Bool { !floats.isEmpty && !histograms.isEmpty }
    var count: Int { floats.count + histograms.count }

    /// A sample of either kind; the time in ms.
    typealias Sample = (time: Int64, value: SampleValue)

    /// All samples, ascending in time.
    var merged: [Sample] {
        var result: [Sample] = []
        result.reserveCapacity(count)
        var (f, h) = (floatTimes.startIndex, histogramTimes.startIndex)
        while f < floatTimes.endIndex || h < histogramTimes.endIndex {
            if h == histogramTimes.endIndex || (f < floatTimes.endIndex && floatTimes[f] <= histogramTimes[h]) {
                result.append((floatTimes[f], .float(floats[f])))
                f += 1
            } else {
                result.append((histogramTimes[h], .histogram(histograms[h].histogram)))
                h += 1
            }
        }
        return result
    }
}
