import Model

/// The preparation of the samples of one series for windows.
enum RangeWindows {
    /// Removes stale markers, in place.
    static func removeStale(_ samples: inout SampleColumns) {
        let (times, values) = (samples.timestamps, samples.values)
        if samples.histograms.isEmpty {
            // Most series have no stale markers. This loop has no branches, so that it processes several values at
            // once.
            var found: UInt64 = 0
            for i in 0..<samples.count { found |= Staleness.isMarker(values[i]) ? 1 : 0 }
            if found == 0 { return }
            var kept = 0
            for i in 0..<samples.count where !Staleness.isMarker(values[i]) {
                if kept != i {
                    times[kept] = times[i]
                    values[kept] = values[i]
                }
                kept &+= 1
            }
            if kept != samples.count { samples.timestampKey = 0 }
            samples.count = kept
            return
        }
        var kept = 0
        var histogram = 0
        var keptHistograms: [(index: Int, histogram: FloatHistogram)] = []
        for i in 0..<samples.count {
            var isStale = Staleness.isMarker(values[i])
            if histogram < samples.histograms.count, samples.histograms[histogram].index == i {
                isStale = Staleness.isMarker(samples.histograms[histogram].histogram.sum)
                if !isStale { keptHistograms.append((kept, samples.histograms[histogram].histogram)) }
                histogram += 1
            }
            if isStale { continue }
            times[kept] = times[i]
            values[kept] = values[i]
            kept += 1
        }
        samples.count = kept
        samples.histograms = keptHistograms
        samples.timestampKey = 0
    }
}
