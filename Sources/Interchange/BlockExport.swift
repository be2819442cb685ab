import Model
import Platform
import Storage

/// Writes the samples of a storage as Prometheus's blocks.
package enum BlockExport {
    /// The longest range of a block, ms: blocks of this size are not compacted by a Prometheus with its default
    /// settings.
    private static let span: Int64 = 86_400_000

    /// Writes blocks with the samples of `from` ≤ time ≤ `to` into `directory`, and returns their names and sizes.
    ///
    /// - Parameter progress: Called with the finished share, 0…1.
    package static func run(
        _ source: any SeriesSource, times: ClosedRange<Int64>, matchers: [Matcher] = [], to directory: String,
        files: any FileSystem, progress: (Double) -> Void = { _ in }
    ) throws -> [(name: String, series: Int, samples: Int)] {
        var result: [(name: String, series: Int, samples: Int)] = []
        // Without it, promtool does not accept the directory as one of Prometheus's.
        try files.createDirectory(directory + "/wal")
        let times = times.clamped(to: ImportTimes.all)
        for start in try spans(source, times, matchers) {
            let end = start + span
            let set = try source.select(
                SelectRequest(
                    matchers: matchers, minTime: max(start, times.lowerBound), maxTime: min(end - 1, times.upperBound)))
            var symbols: Set<ExactText> = []
            for i in 0..<set.count {
                for pair in set.labels(i).pairs {
                    symbols.insert(ExactText(pair.name))
                    symbols.insert(ExactText(pair.value))
                }
            }
            let id = BlockMeta.makeID(now: min(end - 1, times.upperBound))
            let writer = try PrometheusBlockWriter(files, parent: directory, id: id, symbols: symbols)
            var (series, samples) = (0, 0)
            do {
                var columns = SampleColumns()
                for i in 0..<set.count {
                    try set.read(i, into: &columns)
                    try writer.add(set.labels(i), columns)
                    if columns.count > 0 { series += 1 }
                    samples += columns.count
                    if i % 1024 == 0 {
                        let share = Double(start - times.lowerBound) + Double(span) * Double(i) / Double(set.count)
                        progress(max(0, min(1, share / Double(times.upperBound - times.lowerBound + 1))))
                    }
                }
                if let name = try writer.finish() { result.append((name, series, samples)) }
            } catch {
                writer.abandon()
                throw error
            }
        }
        progress(1)
        return result
    }

    /// The starts of the blocks: of the whole range, or, if that is longer than some years, of the blocks with samples.
    private static func spans(
        _ source: any SeriesSource, _ times: ClosedRange<Int64>, _ matchers: [Matcher]
    ) throws -> [Int64] {
        func start(_ time: Int64) -> Int64 { time - ((time % span) + span) % span }
        let (first, last) = (start(times.lowerBound), start(times.upperBound))
        if (last - first) / span < 1000 { return Array(stride(from: first, through: last, by: Int64.Stride(span))) }
        let set = try source.select(
            SelectRequest(matchers: matchers, minTime: times.lowerBound, maxTime: times.upperBound))
        var found: Set<Int64> = []
        var columns = SampleColumns()
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            for at in 0..<columns.count { found.insert(start(columns.timestamps[at])) }
        }
        return found.sorted()
    }
}
