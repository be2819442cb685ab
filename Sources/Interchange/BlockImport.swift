import Model
import Platform
import Storage

/// Imports the data of a stopped Prometheus into a storage: its blocks and its head.
///
/// Samples that the storage has are skipped, so that a second import, or overlapping blocks, add no duplicates.
package enum BlockImport {
    /// The results of an import.
    package struct Report: Sendable {
        package var blocks = 0
        /// The number of blocks without data in the selected time range.
        package var blocksOutside = 0
        /// Whether there was a write-ahead log, which was read.
        package var hasHead = false
        /// Whether there is a write-ahead log that was not imported because a block could not be read.
        ///
        /// The blocks determine where the head begins and which samples of it were deleted. Without one of them, the
        /// head would have samples that no later import removes.
        package var isHeadLeftOut = false
        /// The number of different series.
        package var series = 0
        /// The number of samples that were found.
        package var samples = 0
        /// The number of samples that the storage did not have.
        package var added = 0
        /// The number of native histograms that were skipped because their parts are inconsistent.
        package var refused = 0
        /// The place and the reason of the first skipped histogram.
        package var firstRefusal: String?
        /// The number of samples that were skipped because their times are before the year 0 or after the year 9999.
        package var impossibleTimes = 0
        /// The directories that could not be read, with the reasons; none of their samples was imported.
        package var failures: [(directory: String, reason: String)] = []
        /// The damaged parts of files whose other parts were imported.
        package var damage: [PrometheusHead.Damage] = []
        /// The number of records of exemplars, and of samples without a series; they are not imported.
        package var exemplars = 0
        package var orphans = 0
        /// The number of chunks of the head that cannot be read, and the reason for the first.
        package var unreadableChunks = 0
        package var firstUnreadableChunk: String?

        fileprivate var distinct: Set<UInt64> = []
    }

    /// The directories of blocks in a directory, which may be a block itself, in the order of their names.
    ///
    /// As for Prometheus, a directory with another name than that of a block is none.
    package static func blocks(_ files: any FileSystem, _ directory: String) throws -> [String] {
        if try files.exists(directory + "/meta.json") { return [directory] }
        return try files.list(directory).filter(BlockMeta.isID).map { directory + "/" + $0 }.filter { path in
            do throws(FileError) { return try files.status(path).isDirectory } catch {
                // The reading of the block fails alike, and is reported.
                return !error.isNotFound
            }
        }
    }

    /// Throws an error that names the missing files of a block.
    private static func requireFiles(_ files: any FileSystem, _ block: String) throws {
        let missing = try ["meta.json", "index"].map { block + "/" + $0 }.filter { try !files.exists($0) }
        if missing.isEmpty { return }
        throw MissingFiles(description: missing.joined(separator: " and ") + ": missing")
    }

    private struct MissingFiles: Error, CustomStringConvertible { let description: String }

    /// The selection of the samples to import.
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
    /// Of several samples with the same time, the one that was pushed last is imported, since the others may have been
    /// deleted: first those of the log of out-of-order samples, then the blocks from the newest on, then the rest of
    /// the head.
    ///
    /// - Throws: An error of a file of the head, before samples of blocks are added, or of the storage.
    /// - Parameter progress: Called with the finished parts, the number of parts, and the finished share of the current
    ///   part, 0…1.
    package static func run(
        _ directory: String, into store: TimeSeriesStore, selection: Selection = Selection(), files: any FileSystem,
        progress: (Int, Int, Double) -> Void = { _, _, _ in }
    ) throws -> Report {
        var report = Report()
        let found = try blocks(files, directory)
        let head = try takeLate(directory, selection, into: store, files, &report)
        let late = report
        var headStart = HeadStart()
        for (at, path) in found.reversed().enumerated() {
            progress(at, found.count + 1, 0)
            do {
                try requireFiles(files, path)
                let block = try PrometheusBlock(files, path)
                try headStart.see(block, path)
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
        if !report.failures.isEmpty {
            report.isHeadLeftOut = try files.exists(directory + "/wal")
        } else if let head {
            try takeHead(head, selection, from: headStart, into: store, &report) {
                progress(found.count, found.count + 1, $0)
            }
            if report.hasHead {
                // They are samples of the head, too.
                report.samples -= late.samples
                report.impossibleTimes -= late.impossibleTimes
            }
        }
        progress(found.count + 1, found.count + 1, 0)
        report.series = report.distinct.count
        report.distinct = []
        return report
    }

    /// Opens the head, if there is one, and adds the samples of its log of out-of-order samples.
    private static func takeLate(
        _ directory: String, _ selection: Selection, into store: TimeSeriesStore, _ files: any FileSystem,
        _ report: inout Report
    ) throws -> PrometheusHead? {
        guard let head = try PrometheusHead(files, directory, minTime: .max) else { return nil }
        guard head.hasLateSamples else { return head }
        try take(.min ... .max, selection, into: store, &report, metadata: head.metadata) { take in
            try head.forEach(isOnlyLate: true, take)
        }
        return head
    }

    private static func takeHead(
        _ head: PrometheusHead, _ selection: Selection, from start: HeadStart, into store: TimeSeriesStore,
        _ report: inout Report, progress: (Double) -> Void
    ) throws {
        do { try head.use(start) } catch let error as UnreadBlock {
            report.failures.append((error.directory, error.reason))
            report.isHeadLeftOut = true
            return
        }
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

    /// Adds the selected samples of all series that `each` passes as one block.
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
