import Model
import Platform
import Storage

/// Takes the data of a Prometheus that does not run into a store: its blocks and its head.
///
/// Samples that the store has are left out, so importing again, or importing blocks that overlap, adds nothing twice.
package enum BlockImport {
    /// What was taken, or left.
    package struct Report: Sendable {
        package var blocks = 0
        /// Blocks that have nothing between the times that were asked for.
        package var blocksOutside = 0
        /// Whether there was a write-ahead log, which was read.
        package var hasHead = false
        /// Series that differ.
        package var series = 0
        /// Samples that were found.
        package var samples = 0
        /// Samples that the store did not have.
        package var added = 0
        /// Native histograms that were left out, for their parts contradict each other.
        package var refused = 0
        /// Where and why the first was left out.
        package var firstRefusal: String?
        /// Samples that were left out, for their times are before the year 0 or behind the year 9999.
        package var impossibleTimes = 0
        /// Directories that could not be read, and why; nothing of them was taken.
        package var failures: [(directory: String, reason: String)] = []
        /// Damaged parts of files of which the rest was taken.
        package var damage: [PrometheusHead.Damage] = []
        /// Records of exemplars, and samples without a series: they are not taken.
        package var exemplars = 0
        package var orphans = 0
        /// Chunks of the head that cannot be read, and why the first cannot.
        package var unreadableChunks = 0
        package var firstUnreadableChunk: String?

        fileprivate var distinct: Set<UInt64> = []
    }

    /// The blocks in a directory, which may be one itself, in order of their names.
    package static func blocks(_ files: any FileSystem, _ directory: String) throws -> [String] {
        if try files.exists(directory + "/meta.json") { return [directory] }
        return try files.list(directory).filter { !$0.contains(".tmp") }.map { directory + "/" + $0 }
            .filter { (try? files.exists($0 + "/meta.json")) ?? false && (try? files.exists($0 + "/index")) ?? false }
    }

    /// Directories with the name of a block that lack a file without which there is none, with what they lack.
    static func incomplete(_ files: any FileSystem, _ directory: String) throws -> [(directory: String, reason: String)]
    {
        if try files.exists(directory + "/meta.json") { return [] }
        var result: [(directory: String, reason: String)] = []
        for name in try files.list(directory) where BlockMeta.isID(name) {
            let path = directory + "/" + name
            guard (try? files.status(path).isDirectory) == true else { continue }
            let missing = ["meta.json", "index"].filter { (try? files.exists(path + "/" + $0)) != true }
            if !missing.isEmpty {
                result.append((path, missing.map { "\(path)/\($0)" }.joined(separator: " and ") + ": missing"))
            }
        }
        return result
    }

    /// Which samples are taken.
    package struct Selection: Sendable {
        package var times: ClosedRange<Int64>
        package var matchers: [Matcher]

        package init(times: ClosedRange<Int64> = .min ... .max, matchers: [Matcher] = []) {
            self.times = times
            self.matchers = matchers
        }
    }

    /// Reads the selected samples of `directory` into `store`.
    ///
    /// - Parameter progress: Told the parts done, the parts there are, and the share of the present one, 0…1.
    package static func run(
        _ directory: String, into store: TimeSeriesStore, selection: Selection = Selection(), files: any FileSystem,
        progress: (Int, Int, Double) -> Void = { _, _, _ in }
    ) throws -> Report {
        var report = Report()
        let found = try blocks(files, directory)
        report.failures += try incomplete(files, directory)
        var headStart = HeadStart()
        for (at, path) in found.enumerated() {
            progress(at, found.count + 1, 0)
            do {
                let block = try PrometheusBlock(files, path)
                headStart.see(block, path)
                let last = block.maxTime.subtractingReportingOverflow(1).partialValue
                guard block.minTime <= last else { throw PrometheusBlockError(block, "it ends before it begins") }
                guard selection.times.overlaps(block.minTime...last) else {
                    report.blocksOutside += 1
                    continue
                }
                try take(block.minTime...last, selection, into: store, &report) { take in
                    var done = 0
                    try block.forEach { labels, columns in
                        try take(labels, columns)
                        done += 1
                        if done % 1024 == 0 {
                            progress(at, found.count + 1, Double(done) / Double(max(1, block.seriesCount)))
                        }
                    }
                }
                report.blocks += 1
                report.refused += block.refusals
                report.firstRefusal = report.firstRefusal ?? block.firstRefusal
            } catch let error as FileError where error.isFull {
                throw error
            } catch {
                report.failures.append((path, "\(error)"))
            }
        }
        try takeHead(directory, selection, from: headStart, into: store, files, &report) {
            progress(found.count, found.count + 1, $0)
        }
        progress(found.count + 1, found.count + 1, 0)
        report.series = report.distinct.count
        report.distinct = []
        return report
    }

    private static func takeHead(
        _ directory: String, _ selection: Selection, from start: HeadStart, into store: TimeSeriesStore,
        _ files: any FileSystem, _ report: inout Report, progress: (Double) -> Void
    ) throws {
        guard let head = try PrometheusHead(files, directory, start: start) else { return }
        report.hasHead = true
        try take(.min ... .max, selection, into: store, &report, metadata: head.metadata) { take in
            var done = 0
            try head.forEach { labels, columns in
                try take(labels, columns)
                done += 1
                if done % 1024 == 0 { progress(Double(done) / Double(max(1, head.seriesCount))) }
            }
        }
        report.damage += head.damage
        report.exemplars += head.exemplars
        report.orphans += head.orphans
        report.refused += head.refusals
        report.firstRefusal = report.firstRefusal ?? head.firstRefusal
        report.unreadableChunks += head.unreadableChunks
        report.firstUnreadableChunk = head.firstUnreadableChunk
    }

    /// Adds the selected samples of what `each` hands over as one block.
    private static func take(
        _ times: ClosedRange<Int64>, _ selection: Selection, into store: TimeSeriesStore, _ report: inout Report,
        metadata: [ExactText: MetricMetadata] = [:],
        _ each: ((Labels, borrowing SampleColumns) throws -> Void) throws -> Void
    ) throws {
        var added = 0
        var distinct: Set<UInt64> = []
        var known = try KnownSamples(store, times, wanted: selection.times)
        var fresh = SampleColumns()
        _ = try store.addBlock(baseTime: ImportTimes.all.contains(times.lowerBound) ? times.lowerBound : 0) { writer in
            writer.metadata = metadata
            try each { labels, columns in
                guard selection.matchers.allSatisfy({ $0.matches(labels) }) else { return }
                let before = known.found
                try known.difference(labels, columns, into: &fresh)
                try writer.add(labels, fresh)
                if known.found > before { distinct.insert(labels.stableHash) }
                added += fresh.count
            }
        }
        report.distinct.formUnion(distinct)
        report.samples += known.found
        report.added += added
        report.impossibleTimes += known.impossibleTimes
    }
}
