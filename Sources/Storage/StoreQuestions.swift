import Encoding
import Model
import Synchronization
import Telemetry

/// The operations of the store besides storing and selecting samples.
extension TimeSeriesStore {
    /// Deletes the samples of matching series between two times, inclusive; returns the number of matching series.
    ///
    /// Samples that are acknowledged after the return are kept, whatever their time.
    ///
    /// - Throws: An error if something cannot be read or written. What can be read is read before the first change, so
    ///   that nothing is deleted if a file is unreadable. If a write fails, series may be deleted in part: in memory as
    ///   after the next start.
    @discardableResult
    public func deleteSeries(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Int {
        let matching = try head.ids(matching: matchers)
        try matchers.requireAnswers()
        let ids = head.registry.withLock { matching.filter { head.states[$0].labels != 0 } }
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        // The waiting records are written before the deletion, so that a log that cannot be written is detected now.
        try log.flush()
        try blockSet.settle()
        // An older checkpoint may have samples that are now only in blocks, of series that the head does not have any
        // more.
        if isCheckpointBehindCut.load(ordering: .relaxed) { try writeCheckpointWithinSize() }
        let isInHead = !ids.isEmpty && head.newest.load(ordering: .relaxed) >= minTime
        if isInHead { try head.requireReadable(ids, from: minTime, to: maxTime) }
        let (touched, inBlocks) = try blockSet.delete(matchers, minTime: minTime, maxTime: maxTime)
        guard isInHead else { return touched }
        var result = HeadDeletion()
        do { try deleteInHead(ids, minTime, maxTime, &result) } catch {
            if !result.hasBegun { blockSet.reverse(inBlocks) }
            throw error
        }
        if result.failed > 0 {
            // The log has the deletion of these chunks, but the next start finds them in the checkpoint.
            try writeCheckpointWithinSize()
            throw StorageError.damaged(
                "\(result.failed) chunks that cannot be read, or not be written without the samples")
        }
        try log.sync()
        return max(ids.count, touched)
    }

    /// The results of a deletion in the head.
    private struct HeadDeletion {
        /// Whether the deletion is in the log for some series.
        var hasBegun = false
        /// The number of chunks that stayed because they cannot be read, or because there was no memory.
        var failed = 0
    }

    /// The number of series that are deleted while samples of their group wait.
    private static let deletedAtOnce = 256

    /// Deletes in memory and in the log.
    ///
    /// For each group, the deletion is at the same position among its samples in both, so that a replay of the log
    /// finds the same samples before and after it.
    private func deleteInHead(_ ids: [UInt32], _ minTime: Int64, _ maxTime: Int64, _ result: inout HeadDeletion) throws
    {
        let byGroup = head.registry.withLock { Dictionary(grouping: ids) { head.states[$0].group } }
        for (number, ids) in byGroup.sorted(by: { $0.key < $1.key }) {
            guard let group = head.group(number) else { continue }
            let sorted = ids.sorted()
            for start in stride(from: 0, to: sorted.count, by: Self.deletedAtOnce) {
                let some = sorted[start..<min(start + Self.deletedAtOnce, sorted.count)]
                try group.lock.withLock {
                    let record = LogRecord.deletion(some, minTime, maxTime)
                    try log.append(record)
                    result.hasBegun = true
                    // The record is written twice, in separate frames, so that damage to one frame does not restore
                    // deleted samples. No record of the group is between them.
                    try? log.append(record)
                    result.failed += head.delete(some, from: minTime, to: maxTime, group)
                }
            }
        }
    }

    /// The metadata of a metric, or of all: the metadata received last, otherwise those of the newest block that has
    /// some.
    public func metadata(metric: ExactText? = nil) -> [ExactText: MetricMetadata] {
        var result = metadataTable.withLock { table in
            guard let metric else { return table.byName }
            return table.byName[metric].map { [metric: $0] } ?? [:]
        }
        if metric != nil, !result.isEmpty { return result }
        for block in blockSet.readers.sorted(by: { $0.maxTime > $1.maxTime }) {
            do {
                for (name, one) in try block.metadata() where result[name] == nil && (metric ?? name) == name {
                    result[name] = one
                }
            } catch {
                // Samples do not depend on metadata.
                logger.error("The metadata of a block is left out", about: [block.meta.id], ["err": "\(error)"])
            }
        }
        return result
    }

    /// The exemplars of matching series within the time range of a request, by series, sorted by labels; oldest first.
    public func exemplars(_ request: SelectRequest) throws -> [(
        labels: Labels, exemplars: [Exemplar]
    )] {
        let matching = try head.ids(matching: request.matchers, check: request.check)
        try request.matchers.requireAnswers()
        let ids = Set(head.registry.withLock { matching.filter { head.states[$0].labels != 0 } })
        var byId: [UInt32: [Exemplar]] = [:]
        for entry in exemplarRing.exemplars(from: request.minTime, to: request.maxTime, { ids.contains($0) }) {
            byId[entry.id, default: []].append(entry.exemplar)
        }
        return head.registry.withLock {
            byId.map { (head.index.labels(record: head.states[$0.key].labels), $0.value) }
        }
        .map { series in
            // An out-of-order exemplar was stored after newer ones.
            (series.0, Self.byTime(series.1))
        }
        .sorted { $0.0 < $1.0 }
    }

    private static func byTime(_ exemplars: [Exemplar]) -> [Exemplar] {
        let isSorted = zip(exemplars, exemplars.dropFirst()).allSatisfy { $0.timestamp <= $1.timestamp }
        return isSorted ? exemplars : exemplars.sorted { $0.timestamp < $1.timestamp }
    }

    /// The statistics of the store; `limit` is the greatest length of the lists.
    public func statistics(limit: Int = 10) -> StoreStatistics {
        var result = StoreStatistics()
        let labels = LabelStatistics(head, limit: limit)
        result.labelPairs = labels.pairs
        result.seriesByMetric = labels.seriesByMetric
        result.valuesByLabel = labels.valuesByLabel
        result.bytesByLabel = labels.bytesByLabel
        result.seriesByPair = labels.seriesByPair
        let figures = headFigures()
        result.series = figures.series
        result.chunks = figures.chunks
        result.minTime = figures.minTime
        result.maxTime = figures.maxTime
        result.spillBytes = figures.spillBytes
        result.memory = memory
        result.blocks = blockSet.readers.count
        result.blockBytes = blockSet.size
        result.walBytes = log.writtenBytes
        result.damagedRecords = damagedRecords
        return result
    }

    /// The number of series in the head.
    public var headSeries: Int { head.registry.withLock { head.liveSeries } }

    /// The bytes of the head's memory, by part.
    public var memory: [(name: String, value: Int)] {
        let (states, labels, groups) = head.registry.withLock {
            (
                head.live.usedRows * LiveIds.row * MemoryLayout<SeriesState>.stride, head.index.usedBytes, head.groups
            )
        }
        let times = groups.reduce(0) { sum, group in sum + group.lock.withLock { group.runs.usedBytes } }
        let spill = head.spill.files.reduce(0) { $0 + $1.unwritten }
        return [
            ("states", states), ("labels", labels), ("times", times), ("open chunks", head.arena.usedBytes),
            ("sealed chunk lists", head.sealed.usedBytes), ("unwritten chunks", spill),
        ]
    }

    /// The number of samples that are only in memory because the log cannot be written, and of those that were refused
    /// for this reason since the start.
    public var unloggedSamples: (inMemory: Int, refused: Int) { (unlogged.current.samples, unlogged.refused) }

    /// Syncs the log to disk; a failure is logged once, and the sync is tried again.
    func syncLog() {
        var failure: String?
        look()
        do {
            if log.hasPending { try log.flush() }
            try log.sync()
        } catch { failure = "\(error)" }
        let before = logFailure.withLock { known in
            defer { known = failure }
            return known
        }
        if let failure, before == nil {
            logger.error("The log cannot be brought to the disk; it is tried again and again", ["err": failure])
        }
    }
}
