import Exposition
import Model
import Platform
import Storage

/// Imports the samples of an OpenMetrics file with their times into a storage, as `promtool tsdb create-blocks-from`
/// does.
package enum OpenMetricsImport {
    /// The error of a file that cannot be imported; none of its samples was imported.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    private struct Series {
        var times: [Int64] = []
        var values: [Double] = []
    }

    /// Reads `path` and adds a block with its samples, all of which are in memory meanwhile.
    ///
    /// Of several samples of a series at the same time the first one is taken.
    ///
    /// - Parameter progress: Called with the finished share, 0…1.
    package static func run(
        _ path: String, into store: TimeSeriesStore, files: any FileSystem,
        progress: (Double) -> Void = { _ in }
    ) throws -> (series: Int, samples: Int) {
        let mapping = try files.map(path)
        var metadata: [ExactText: MetricMetadata] = [:]
        let series = try read(mapping.bytes, path, &metadata) { progress($0 / 2) }
        let sorted = series.keys.sorted()
        let first = series.values.compactMap { $0.times.min() }.min() ?? 0
        let last = series.values.compactMap { $0.times.max() }.max() ?? 0
        var samples = 0
        var known = try KnownSamples(store, first...max(first, last), comparesValues: true)
        var fresh = SampleColumns()
        _ = try store.addBlock(baseTime: first) { writer in
            writer.metadata = metadata
            var columns = SampleColumns()
            for (at, labels) in sorted.enumerated() {
                if at % 256 == 0 { progress(0.5 + Double(at) / Double(sorted.count) / 2) }
                guard let one = series[labels] else { continue }
                columns.removeAll()
                let order = one.times.indices.sorted { (one.times[$0], $0) < (one.times[$1], $1) }
                for at in order {
                    if columns.count > 0, columns.timestamps[columns.count - 1] == one.times[at] { continue }
                    columns.append(one.times[at], one.values[at])
                }
                samples += columns.count
                try known.difference(labels, columns, into: &fresh)
                try writer.add(labels, fresh)
            }
        }
        return (sorted.count, samples)
    }

    /// The most labels of a series.
    private static let mostLabels = 10_000

    /// The line of an offset, counted from 1.
    private static func line(_ page: UnsafeBufferPointer<UInt8>, _ offset: Int) -> Int {
        1 + page.prefix(max(0, offset)).count { $0 == 0x0A }
    }

    private static func read(
        _ bytes: UnsafeRawBufferPointer, _ path: String, _ metadata: inout [ExactText: MetricMetadata],
        progress: (Double) -> Void
    ) throws -> [Labels: Series] {
        var series: [Labels: Series] = [:]
        let page = bytes.bindMemory(to: UInt8.self)
        guard let base = page.baseAddress else { throw Failure(description: "\(path): the file is empty") }
        var reader = ExpositionReader(page, isOpenMetrics: true)
        var text = SeriesText()
        var lines = 0
        do {
            while true {
                lines += 1
                if lines % 8192 == 0 { progress(Double(reader.seriesEnd) / Double(bytes.count)) }
                let entry = try reader.next()
                switch entry {
                case .end: return series
                case .type, .help, .unit: reader.addMetadata(of: entry, to: &metadata)
                case .series:
                    try text.parse(base, reader.seriesStart, reader.seriesEnd, isOpenMetrics: true)
                    guard text.pairs.count <= mostLabels else {
                        throw Failure(
                            description: "\(path): line \(line(page, reader.seriesStart)): a series with "
                                + "\(text.pairs.count) labels; at most \(mostLabels) are supported")
                    }
                    var builder = LabelsBuilder()
                    for pair in text.pairs { builder.set(text.string(pair.name), text.string(pair.value)) }
                    if let name = text.metricName { builder.set(Labels.nameLabel, text.string(name)) }
                    let labels = builder.labels()
                    guard reader.hasTimestamp else {
                        throw Failure(
                            description: "\(path): line \(line(page, reader.seriesStart)): \(labels): "
                                + "expected timestamp for series, got none")
                    }
                    guard ImportTimes.all.contains(reader.timestamp) else {
                        throw Failure(
                            description: "\(path): line \(line(page, reader.seriesStart)): \(labels): "
                                + "the timestamp is before the year 0 or after the year 9999")
                    }
                    series[labels, default: Series()].times.append(reader.timestamp)
                    series[labels]?.values.append(reader.number.value)
                }
            }
        } catch let error as ExpositionError {
            throw Failure(description: "\(path): \(error.located)")
        }
    }
}
