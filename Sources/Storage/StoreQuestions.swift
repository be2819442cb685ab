import Encoding
import Model
import Synchronization
import Telemetry

/// What people ask of the store beside samples.
extension TimeSeriesStore {
    /// Hides the samples of matching series between two times, inclusive; returns how many series it touched.
    @discardableResult
    public func deleteSeries(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Int {
        let ids = head.registry.withLock { head.index.match(matchers) { head.liveIds(below: head.idEnd) } }
            .filter { head.states[Int($0)].labels != 0 }
        upkeep.lock()
        defer { upkeep.unlock() }
        var touched = 0
        for block in blockSet.readers where block.minTime <= maxTime && block.maxTime >= minTime {
            let request = SelectRequest(matchers: matchers, minTime: minTime, maxTime: maxTime, labelsOnly: true)
            touched = max(touched, try block.select(request).count)
            try block.delete(matchers, minTime: minTime, maxTime: maxTime)
        }
        guard !ids.isEmpty else { return touched }
        // Samples that come later are not meant.
        let last = min(maxTime, head.newest.load(ordering: .relaxed))
        guard minTime <= last else { return touched }
        let deletion = Deletion(ids: Set(ids), from: minTime, to: last)
        // In two frames: damage to one does not bring back what is deleted.
        for _ in 0..<2 {
            for record in deletion.records { log.enqueue(record) }
            try log.flush()
        }
        try log.sync()
        deletions.withLock { $0.append(deletion) }
        return max(ids.count, touched)
    }

    /// What is known of a metric, or of all: what was said last, else what the newest block says that knows it.
    public func metadata(metric: String? = nil) -> [String: MetricMetadata] {
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
                // Samples do not depend on it.
                logger.error("The metadata of a block is left out", ["err": "\(error)"])
            }
        }
        return result
    }

    /// Exemplars of matching series between two times, by series, sorted by labels; oldest first.
    public func exemplars(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) -> [(
        labels: Labels, exemplars: [Exemplar]
    )] {
        let ids = Set(
            head.registry.withLock { head.index.match(matchers) { head.liveIds(below: head.idEnd) } }
                .filter { head.states[Int($0)].labels != 0 })
        var byId: [UInt32: [Exemplar]] = [:]
        for entry in exemplarRing.exemplars(from: minTime, to: maxTime, { ids.contains($0) }) {
            byId[entry.id, default: []].append(entry.exemplar)
        }
        return head.registry.withLock {
            byId.map { (head.index.labels(record: head.states[Int($0.key)].labels), $0.value) }
        }
        .sorted { $0.0 < $1.0 }
    }

    /// Numbers about the store; `limit` bounds the lists.
    public func statistics(limit: Int = 10) -> StoreStatistics {
        var result = StoreStatistics()
        var metrics: [(String, Int)] = []
        var values: [String: (count: Int, bytes: Int)] = [:]
        var pairs: [(String, Int)] = []
        head.registry.lock()
        result.series = head.liveSeries
        head.index.forEachPairInUse { name, value, count in
            result.labelPairs += 1
            let (name, value) = (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
            if name == Labels.nameLabel { metrics.append((value, count)) }
            let known = values[name] ?? (0, 0)
            values[name] = (known.count + 1, known.bytes + value.utf8.count * count)
            pairs.append(("\(name)=\(value)", count))
        }
        let groups = head.groups
        head.registry.unlock()
        func top(_ list: [(String, Int)]) -> [(name: String, value: Int)] {
            list.sorted { $0.1 != $1.1 ? $0.1 > $1.1 : $0.0 < $1.0 }.prefix(limit).map { (name: $0.0, value: $0.1) }
        }
        result.seriesByMetric = top(metrics)
        result.valuesByLabel = top(values.map { ($0.key, $0.value.count) })
        result.bytesByLabel = top(values.map { ($0.key, $0.value.bytes) })
        result.seriesByPair = top(pairs)
        var open = 0
        for group in groups {
            group.lock.withLock {
                for extent in group.extents {
                    for id in extent where head.states[Int(id)].run != 0 {
                        open += 1
                        let state = head.states[Int(id)]
                        let first = group.runs.runs[Int(state.run)].time(Int(state.first))
                        result.minTime = min(result.minTime ?? first, first)
                    }
                }
            }
        }
        result.chunks = open + head.sealed.inUse
        let newest = head.newest.load(ordering: .relaxed)
        if newest != .min { result.maxTime = newest }
        for file in head.spill.files {
            let start = file.windowEnd - options.blockDuration
            result.minTime = min(result.minTime ?? start, start)
            result.spillBytes += file.size
        }
        result.memory = memory
        result.blocks = blockSet.readers.count
        result.blockBytes = blockSet.size
        result.walBytes = log.writtenBytes
        result.damagedRecords = damagedRecords
        return result
    }

    /// Series in the head.
    public var headSeries: Int { head.registry.withLock { head.liveSeries } }

    /// Bytes of the head's memory by part.
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

    /// Samples that are in memory only, because the disk takes none, and those refused for it since the start.
    public var unloggedSamples: (inMemory: Int, refused: Int) { (unlogged.current.samples, unlogged.refused) }

    /// Brings the log to the disk; failures are told once, kept for ``unhealthyReason`` and tried again.
    func syncLog() {
        var failure: String?
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
