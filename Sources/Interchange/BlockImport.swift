import Model
import Platform
import Storage

/// Takes Prometheus's blocks into a store.
package enum BlockImport {
    /// What was taken, or left.
    package struct Report: Sendable {
        package var blocks = 0
        package var series = 0
        package var samples = 0
        /// Native histograms that were left out, for their parts contradict each other.
        package var refused = 0
        /// Where and why the first was left out.
        package var firstRefusal: String?
        /// Directories that could not be read, and why; nothing of them was taken.
        package var failures: [(directory: String, reason: String)] = []
    }

    /// The blocks in a directory, which may be one itself, in order of their names.
    package static func blocks(_ files: any FileSystem, _ directory: String) throws -> [String] {
        if try files.exists(directory + "/meta.json") { return [directory] }
        return try files.list(directory).map { directory + "/" + $0 }
            .filter { (try? files.exists($0 + "/meta.json")) ?? false && (try? files.exists($0 + "/index")) ?? false }
    }

    /// Reads all blocks of `directory` into `store`.
    ///
    /// - Parameter progress: Told the blocks done, the blocks there are, and the share of the present one, 0…1.
    package static func run(
        _ directory: String, into store: TimeSeriesStore, files: any FileSystem,
        progress: (Int, Int, Double) -> Void = { _, _, _ in }
    ) throws -> Report {
        var report = Report()
        let found = try blocks(files, directory)
        for (at, path) in found.enumerated() {
            progress(at, found.count, 0)
            do {
                let block = try PrometheusBlock(files, path)
                var (series, samples) = (0, 0)
                _ = try store.addBlock(baseTime: block.minTime) { writer in
                    try block.forEach { labels, columns in
                        try writer.add(labels, columns)
                        series += 1
                        samples += columns.count
                        if series % 1024 == 0 {
                            progress(at, found.count, Double(series) / Double(max(1, block.seriesCount)))
                        }
                    }
                }
                report.blocks += 1
                report.series += series
                report.samples += samples
                report.refused += block.refusals
                report.firstRefusal = report.firstRefusal ?? block.firstRefusal
            } catch let error as FileError where error.isFull {
                throw error
            } catch {
                report.failures.append((path, "\(error)"))
            }
        }
        progress(found.count, found.count, 0)
        return report
    }
}
