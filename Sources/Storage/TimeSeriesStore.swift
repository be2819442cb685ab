import Encoding
import Model
import Platform
import Synchronization
import Telemetry

/// The time-series database: stores batches of samples, and returns them by labels and time.
///
/// A commit writes the log before it changes memory, so that acknowledged samples survive a killed process. Selects
/// copy the data that they need under each group's lock, and hold no lock afterwards. The path of a sample: log → open
/// chunk → sealed chunk in the spill file → block.
public final class TimeSeriesStore: SampleStore, SeriesSource {
    public let options: StoreOptions
    let fileSystem: any FileSystem
    let clock: any Clock
    let head: Head
    let log: WriteAheadLog
    let exemplarRing: ExemplarRing
    private let labelAnswers = LabelAnswers()
    let metadataTable = Mutex(MetadataTable())
    /// The number of series that were not made because their labels are longer than a block allows.
    let refusedSeries = Atomic<Int>(0)
    let blockSet: BlockSet
    let reserve: DiskReserve
    let diskSpace: DiskSpaceWatch
    /// The file system that knows and limits the size of the directory.
    private let watched: BoundedFileSystem
    /// The file system that limits the size of the directory; nil if there is no limit.
    var quota: BoundedFileSystem? { watched.limit < .max ? watched : nil }
    /// Whether the directory had no space when its limit was set, so that the log may use the space that a checkpoint
    /// needs.
    let isOversized = Atomic(false)
    private let changeable: Mutex<StoreSettings>
    /// The settings that may change while the store is open.
    public var settings: StoreSettings { changeable.withLock { $0 } }
    let trustedTime: Mutex<TrustedTime>
    let clockSteps = Mutex(ClockSteps())
    /// The reason why retention waits; nil if it does not.
    let retentionWaits = Mutex<String?>(nil)
    let unlogged = UnloggedSamples()
    let rejected = RejectedSamples()
    let counters = StoreCounters()
    /// The plan of maintenance.
    let maintenance: Mutex<MaintenancePlanner>
    /// The bytes of the last checkpoint.
    let checkpointSize = Atomic<Int>(0)
    /// The schedule of the checks of the blocks' files.
    let lastLook = Mutex(LookPace())
    let maintenanceFailure = Mutex<String?>(nil)
    /// Whether it was reported that blocks use too many of the files that may be open.
    let lacksOpenFiles = Atomic(false)
    /// The windows whose spill files the system could not read, by their start, and the time of the first failure in ns
    /// of the monotonic clock.
    let unreadableSince = Mutex<[Int64: Int64]>([:])
    let logFailure = Mutex<String?>(nil)
    /// The problem that a path is not a directory but should be, or the other way round; nil if there is none.
    let misplaced = Mutex<String?>(nil)
    /// Whether a window was made a block after the last checkpoint was written.
    let isCheckpointBehindCut = Atomic(false)
    /// The segments of the log that were damaged at the start.
    let damagedSegments = Mutex<Set<UInt64>>([])
    /// The damage and losses that this start and earlier ones found.
    let damageNotes = Mutex(DamageNotes())
    private let writers = Mutex<[PooledWriter]>([])
    private let isClosed = Atomic(false)
    private let lockFile: (any DirectoryLock)?
    public let damagedRecords: Int
    let logger = Log("storage")
    let background = BackgroundLoop()
    /// The lock for changes to the set of files.
    var maintenanceLock: Lock { head.maintenanceLock }

    deinit { background.stop() }

    /// Makes a store of parts into which all data was read.
    init(_ parts: StoreParts, _ recovery: StoreRecovery) {
        options = parts.options
        watched = parts.watched
        fileSystem = parts.watched
        clock = parts.clock
        isOversized.store(parts.isOversized, ordering: .relaxed)
        changeable = Mutex(StoreSettings(parts.options))
        maintenance = Mutex(
            MaintenancePlanner(.init(parts.options, retention: parts.options.retentionTime, largestPart: nil)))
        lockFile = parts.lock
        reserve = parts.reserve
        diskSpace = parts.diskSpace
        head = parts.head
        blockSet = parts.blockSet
        exemplarRing = parts.exemplars
        trustedTime = Mutex(recovery.trustedTime)
        log = recovery.log
        damagedRecords = recovery.plan.count
        // Foreign files do not show that they are segments, so they are not renamed.
        damagedSegments.withLock { $0 = recovery.replay.damagedSegments.subtracting(recovery.replay.foreign) }
        checkpointSize.store(recovery.checkpointSize, ordering: .relaxed)
        metadataTable.withLock { $0 = recovery.metadata }
    }

    /// Changes the settings that may change while the store is open.
    public func change(_ settings: StoreSettings) {
        changeable.withLock { $0 = settings }
        exemplarRing.setLimits(
            capacity: settings.maxExemplars, outOfOrderWindow: settings.outOfOrderWindow)
        watched.setLimit(Int(clamping: settings.retentionSize))
        if watched.spaceLeft == 0 { isOversized.store(true, ordering: .relaxed) }
        if settings.retentionSize > 0 { log.limitSegments(to: max(1 << 14, watched.limit / 16)) }
    }

    /// Syncs all data to disk and ends; later calls throw ``StorageError/closed``.
    ///
    /// - Parameter keepsLock: Whether the directory stays locked until ``releaseLock()``, for other code that still
    ///   writes there.
    public func close(keepsLock: Bool = false) throws {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        background.stop()
        maintenanceLock.lock()
        defer {
            log.close()
            if !keepsLock { lockFile?.release() }
            maintenanceLock.unlock()
        }
        // The log is first, because it must not be lost; the checkpoint only makes the next start faster.
        var failure: (any Error)?
        do {
            try log.flush()
            try log.sync()
        } catch { failure = error }
        do { try writeCheckpointWithinSize() } catch {
            // If a size limit leaves no space for it, the next start reads the log, which is on disk.
            let isLogged = failure == nil && unlogged.current.samples == 0
            guard isLogged, quota != nil, (error as? FileError)?.isFull == true else { throw failure ?? error }
            logger.info("There is no space for a checkpoint; the next start reads the log", ["err": "\(error)"])
        }
    }

    /// Unlocks the directory; the end of the process does so, too.
    public func releaseLock() { lockFile?.release() }

    /// The reason why samples cannot be stored or kept now; nil if they can; for `/-/ready`.
    public var unhealthyReason: String? {
        if isClosed.load(ordering: .acquiring) { return "the storage is closed" }
        if let lost = log.lost { return "samples cannot be stored: \(lost)" }
        if let failure = log.failure { return "samples cannot be stored: \(failure)" }
        return misplaced.withLock { $0 }.map { "samples cannot be kept for long: \($0)" }
    }

    /// Whether samples can be stored.
    public var isHealthy: Bool { unhealthyReason == nil }

    // MARK: SampleStore

    public func openGroup(_ name: String) -> SeriesGroup {
        let group = head.group(name)
        group.lock.withLock {
            if !group.isLogged {
                log.enqueue(LogRecord.group(group.id, name))
                group.isLogged = true
            }
            group.isClosed = false
        }
        return SeriesGroup(raw: group.id)
    }

    public func closeGroup(_ group: SeriesGroup) {
        var next = head.group(group.raw)
        while let group = next {
            let name = group.lock.withLock {
                group.isClosed = true
                head.offer(group)
                return group.name
            }
            next = head.sibling(of: group, name)
        }
    }

    public func resolve(_ labels: Labels, in group: SeriesGroup) throws -> SeriesRef {
        if labels.isEmpty { throw UnusableLabels(description: "empty labelset: invalid sample") }
        guard labels.bytes.count <= BlockFormat.maxLabelBytes else {
            refusedSeries.add(1, ordering: .relaxed)
            throw UnusableLabels(
                description: "labels of \(labels.bytes.count) bytes, more than \(BlockFormat.maxLabelBytes)")
        }
        if let found = find(labels) { return found }
        let hash = labels.stableHash
        do throws(StorageError) { return try make(labels, hash, in: group) } catch {
            switch error {
            case .limit, .outOfMemory: throw StoreFull(description: "\(error)")
            default: throw error
            }
        }
    }

    public func find(_ labels: Labels) -> SeriesRef? {
        head.find(labels, hash: labels.stableHash).map { SeriesRef(raw: UInt64($0) + 1) }
    }

    /// Makes a series, unless another thread has made it meanwhile.
    private func make(_ labels: Labels, _ hash: UInt64, in group: SeriesGroup) throws(StorageError) -> SeriesRef {
        guard var owner = head.group(group.raw) else { throw StorageError.invalidLabels("unknown series group") }
        while owner.lock.withLock({ owner.isFull }) { owner = try sibling(of: owner) }
        // The group's lock is taken before the registry's, as everywhere.
        return try owner.lock.withLock { () throws(StorageError) in
            try head.registry.withLock { () throws(StorageError) in
                if let id = head.findLocked(labels, hash: hash) { return SeriesRef(raw: UInt64(id) + 1) }
                let id = try head.insert(labels, hash: hash, group: owner.id)
                owner.add(id)
                log.enqueue(LogRecord.series(id, group: owner.id, labels))
                counters.seriesCreated.wrappingAdd(1, ordering: .relaxed)
                return SeriesRef(raw: UInt64(id) + 1)
            }
        }
    }

    /// The group for further series of a full group.
    private func sibling(of group: HeadGroup) throws(StorageError) -> HeadGroup {
        let name = group.lock.withLock { group.name }
        if let known = head.sibling(of: group, name) { return known }
        let made = head.group(openGroup(Head.siblingName(name)).raw)
        // Without a number for a new group, it is one that others share.
        guard let made, made !== group, made.lock.withLock({ made.name == Head.siblingName(name) || !made.isFull })
        else { throw .limit("\(Head.maxGroups) groups of series") }
        group.lock.withLock { group.sibling = made }
        return made
    }

    public func commit(_ batch: borrowing SampleBatch, in group: SeriesGroup, durability: Durability) throws
        -> CommitOutcome
    {
        var outcome = CommitOutcome()
        guard !isClosed.load(ordering: .acquiring) else { throw StorageError.closed }
        guard let own = head.group(group.raw) else { throw StorageError.invalidLabels("unknown series group") }
        try refuseIfFull(durability)
        var histogramAt: [Int: Int] = [:]
        for (k, entry) in batch.histograms.enumerated() { histogramAt[entry.index] = k }
        let owners = BatchOwners(batch, own, head)
        let groups = owners.groups
        counters.commits.wrappingAdd(1, ordering: .relaxed)
        counters.activeCommits.wrappingAdd(1, ordering: .relaxed)
        defer { counters.activeCommits.wrappingSubtract(1, ordering: .relaxed) }
        for group in groups { group.lock.lock() }
        defer { for group in groups { group.lock.unlock() } }
        var bounds = bounds(batch)
        head.admitWindows(batch, &bounds) { clock.monotonic() }
        var unfit: StoreBusy?
        let pooled = writers.withLock { $0.popLast() } ?? PooledWriter(options)
        defer { writers.withLock { $0.append(pooled) } }
        pooled.writer.beginBatch()
        for (owner, samples) in owners.parts {
            var part = samples
            while !part.numbers.isEmpty {
                pooled.writer.begin(part.numbers.count)
                let next = head.validate(batch, part, owner, bounds, &pooled.writer, &outcome) { histogramAt[$0] }
                part.numbers = next..<part.numbers.upperBound
                if pooled.writer.count == 0 { continue }
                do {
                    _ = try write(batch, owner, &pooled.writer, pooled.packer, durability) { histogramAt[$0] }
                } catch {
                    // Only some samples lack memory; the rest of the batch is stored nevertheless.
                    guard case StorageError.outOfMemory = error else { throw error }
                    unfit = StoreBusy(description: "\(error)")
                }
                counters.noteStored(pooled.writer, hasHistograms: !batch.histograms.isEmpty) { histogramAt[$0] }
            }
        }
        if !outcome.rejected.isEmpty {
            if outcome.rejected.contains(where: { $0.reason == .tooManyWindows }) { background.hurry() }
            rejected.note(batch, outcome, head, group: own.name)
            counters.noteRefused(batch, outcome) { histogramAt[$0] }
        }
        if !batch.exemplars.isEmpty {
            storeExemplars(batch, &outcome)
            if durability != .whenPossible, log.hasPending { try log.flush() }
        }
        // The log is synced even if nothing was new, because existing samples may not be on disk yet.
        if durability == .synced || options.walSyncInterval == 0 {
            do { try log.sync() } catch {
                // A sender that cannot send the samples again gets no error; the background loop tries again and logs
                // it.
                if durability != .whenPossible { throw error }
            }
        }
        if let unfit { throw unfit }
        return outcome
    }

    private func bounds(_ batch: borrowing SampleBatch) -> AcceptanceBounds {
        let first = batch.timestamps.count == batch.refs.count ? batch.timestamps.first : nil
        return AcceptanceBounds(
            newest: head.newest.load(ordering: .relaxed), first: first ?? batch.timestamp, wall: clock.now(),
            delay: batch.delay, blockDuration: options.blockDuration, settings: settings)
    }

    /// The most bytes that may wait in memory while the log cannot be written.
    static let maxUnwritten = 64 << 20

    /// Logs and applies the samples of the group's writer; needs the group's lock.
    ///
    /// - Returns: The number of the frame; 0 if the samples are only in memory.
    private func write(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, _ writer: inout BatchWriter, _ packer: LogPacker,
        _ durability: Durability, _ histogramAt: (Int) -> Int?
    ) throws -> UInt64 {
        group.lock.assertHeld()
        while true {
            let segment = log.segment
            writer.sink.removeAll()
            head.encode(batch, group, segment: segment, &writer, histogramAt)
            let written = packer.withContent(writer.sink.bytes) { log.write($0, isPacked: $1, segment: segment) }
            switch written {
            case .done(let frame):
                hurryIfFull()
                try head.apply(batch, group, writer, isLogged: true, histogramAt)
                return frame
            case .otherSegment: continue
            case .failed(let cause):
                let time = writer.times[writer.count - 1]
                let unwritten = head.spill.files.reduce(log.pendingBytes) { $0 + $1.unwritten }
                guard durability == .whenPossible, unwritten < Self.maxUnwritten else {
                    unlogged.refuse(writer.count, at: time)
                    throw refusal(cause, bytes: writer.sink.count &+ log.pendingBytes)
                }
                // The next frame starts a segment, in which no difference refers to samples that the log does not have.
                try head.apply(batch, group, writer, isLogged: false, histogramAt)
                unlogged.add(writer.count, at: time)
                return 0
            }
        }
    }

    public func setMetadata(_ metadata: [(metric: String, metadata: MetricMetadata)], in group: SeriesGroup) {
        var records: [UInt8] = []
        let memory = MemoryRequest(isUrgent: false)
        metadataTable.withLock { table in
            for (metric, value) in metadata {
                if table.lacksSpace(memory), table.byName[ExactText(metric)] == nil {
                    table.refuse()
                } else if table.set(metric, value) {
                    records += LogRecord.metadata(metric, value)
                }
            }
        }
        if !records.isEmpty { log.enqueue(records) }
    }

    // MARK: SeriesSource

    public func select(_ request: SelectRequest) throws -> any SeriesSet {
        let series = try SelectedSeries(self, request)
        try request.matchers.requireAnswers()
        return series
    }

    public func labelNames(_ request: SelectRequest) throws -> [String] {
        let blocks = blocks(request)
        if request.matchers.isEmpty {
            return try labelAnswers.answer(key(nil, request, blocks)) {
                var names: Set<ExactText> = []
                if head.overlaps(request) {
                    names = Set(head.registry.withLock { head.index.names() }.lazy.map { ExactText($0) })
                }
                for block in blocks { try block.add(request, to: &names) { try block.labelNames([]) } }
                return names
            }
        }
        var names: Set<ExactText> = []
        try forEachHeadSeries(request) { labels in for label in labels.pairs { names.insert(ExactText(label.name)) } }
        for block in blocks {
            try block.add(request, to: &names) { try block.labelNames(request.matchers, check: request.check) }
        }
        try request.matchers.requireAnswers()
        return names.sorted().map(\.text)
    }

    public func labelValues(_ name: String, _ request: SelectRequest) throws -> [String] {
        let blocks = blocks(request)
        if request.matchers.isEmpty {
            return try labelAnswers.answer(key(name, request, blocks)) {
                var values: Set<ExactText> = []
                if head.overlaps(request) {
                    values = Set(head.registry.withLock { head.index.values(name) }.lazy.map { ExactText($0) })
                }
                for block in blocks { try block.add(request, to: &values) { try block.labelValues(name, []) } }
                return values
            }
        }
        var values: Set<ExactText> = []
        try forEachHeadSeries(request) { labels in if let value = labels[name] { values.insert(ExactText(value)) } }
        for block in blocks {
            try block.add(request, to: &values) { try block.labelValues(name, request.matchers, check: request.check) }
        }
        try request.matchers.requireAnswers()
        return values.sorted().map(\.text)
    }

    /// The key of a request about all series.
    ///
    /// It is taken before the answer is made, so that a change made meanwhile leads to another key for the next
    /// request.
    private func key(_ name: String?, _ request: SelectRequest, _ blocks: [BlockReader])
        -> LabelAnswers.Key
    {
        LabelAnswers.Key(
            name: name.map { ExactText($0) },
            head: head.overlaps(request) ? head.registry.withLock { head.index.generation } : nil,
            blocks: blocks.map(\.frames.identity))
    }

    private func blocks(_ request: SelectRequest) -> [BlockReader] {
        warn(request)
        return blockSet.readers.filter { $0.minTime <= request.maxTime && $0.maxTime >= request.minTime }
    }

    private func forEachHeadSeries(_ request: SelectRequest, _ body: (Labels) -> Void) throws {
        let ids = try head.ids(matching: request.matchers, check: request.check)
        let snapshot = try HeadSnapshot(head, ids, request.withoutSamples)
        for at in snapshot.entries.indices { body(snapshot.labels(at)) }
    }
}

extension SelectRequest {
    /// The same request without samples.
    var withoutSamples: SelectRequest {
        var request = self
        request.labelsOnly = true
        request.newestOnly = false
        return request
    }
}
