import Encoding
import Model
import Platform
import Synchronization
import Telemetry

extension TimeSeriesStore {
    /// Opens the store in a directory, which is made if it is missing, and reads the samples that are not in blocks
    /// yet.
    ///
    /// - Throws: `FileError` if the directory cannot be used or another process uses it, `StorageError` if there is not
    ///   enough memory; then no file was removed or renamed, and a start with enough memory has all data. Damaged parts
    ///   of files are left out, logged and counted; they do not stop the start.
    public static func open(
        options: StoreOptions, fileSystem: any FileSystem = RealFileSystem(), clock: any Clock = SystemClock()
    ) throws -> TimeSeriesStore {
        let isEmptied = try emptyHead(options, fileSystem, clock)
        let store = try TimeSeriesStore(options, fileSystem, clock)
        store.diskSpace.look()
        store.tendReserve()
        if store.damagedRecords > 0 || isEmptied || store.head.hasOtherSpace {
            // All data that could be read is written to a new checkpoint, so that nothing depends on the damaged files.
            // With another space, the next start must know the space in which samples were stored.
            do { try store.maintenanceLock.withLock { try store.writeCheckpoint() } } catch {
                store.logger.error("The checkpoint cannot be written", ["err": "\(error)"])
            }
        }
        try store.maintenanceLock.withLock { try store.keepWithinSize() }
        if options.runsInBackground { store.startMaintenance() }
        return store
    }

    private func startMaintenance() {
        // The thread ends when nothing refers to the store any more.
        background.start([
            .init(interval: max(50, options.walSyncInterval)) { [weak self] in self?.syncLog() },
            .init(interval: 1000) { [weak self] in self?.runMaintenance() },
        ])
    }

    /// Makes blocks of the samples in the head if the head was written with another block duration.
    ///
    /// - Returns: Whether it did; the checkpoint must then be written again.
    private static func emptyHead(
        _ options: StoreOptions, _ fileSystem: any FileSystem, _ clock: any Clock
    ) throws -> Bool {
        guard let duration = try blockDuration(of: options.directory, fileSystem), duration != options.blockDuration
        else { return false }
        var old = options
        old.blockDuration = duration
        let store = try TimeSeriesStore(old, fileSystem, clock)
        do {
            store.logger.info(
                "Blocks are to span another time; what the head holds is made blocks",
                ["before_ms": "\(duration)", "now_ms": "\(options.blockDuration)"])
            store.tendReserve()
            try store.maintenanceLock.withLock {
                try store.keepWithinSize()
                for end in store.head.windows() {
                    try store.mergeForOpenFiles()
                    try store.cutWithinSize([end])
                }
            }
            // If the directory is larger than its limit, the log can only be removed after the checkpoint is written.
            if let quota = store.quota { try quota.withoutLimit { try store.close() } } else { try store.close() }
            return true
        } catch {
            store.abandon()
            throw error
        }
    }

    /// Opens the store and notes the damage; it neither writes a checkpoint nor starts maintenance.
    private convenience init(_ options: StoreOptions, _ fileSystem: any FileSystem, _ clock: any Clock) throws {
        let parts = try StoreParts(options, fileSystem, clock)
        let recovery = try StoreRecovery(parts)
        self.init(parts, recovery)
        head.admittedWindows.replace(head.windows())
        for group in head.groups { group.lock.withLock { head.offer(group) } }
        noteDamage(recovery.plan)
        note(recovery)
    }

    /// Counts and logs what was read.
    private func note(_ recovery: StoreRecovery) {
        counters.startedClean.store(damagedRecords == 0 && !recovery.replay.hasContent, ordering: .relaxed)
        counters.replaySeconds.store(recovery.seconds.bitPattern, ordering: .relaxed)
        counters.seriesCreated.store(head.liveSeries, ordering: .relaxed)
        let begun = head.groups.reduce(0) { $0 + $1.chunksBegun }
        counters.chunksAtOpen.store(headFigures().chunks - begun, ordering: .relaxed)
        guard recovery.replay.samples > 0 else { return }
        let took = (clock.monotonic() - recovery.started) / 1_000_000
        logger.info(
            "Read the write-ahead log",
            ["samples": "\(recovery.replay.samples)", "series": "\(head.liveSeries)", "duration_ms": "\(took)"])
    }
}

/// The parts of a store in a directory that this process has locked, before the log and the checkpoint are read.
struct StoreParts {
    let options: StoreOptions
    let clock: any Clock
    /// The file system that knows and limits the size of the directory.
    let watched: BoundedFileSystem
    /// Whether the directory has reached its limit.
    let isOversized: Bool
    let lock: (any DirectoryLock)?
    /// The things that are not regular files and were set aside.
    let irregular: [IrregularFiles.Found]
    let reserve: DiskReserve
    let diskSpace: DiskSpaceWatch
    let head: Head
    let blockSet: BlockSet
    let exemplars: ExemplarRing

    var wal: String { options.directory + "/wal" }
    var checkpoint: String { options.directory + "/checkpoint" }

    /// Locks the directory, which is made if it is missing, and opens the parts.
    init(_ options: StoreOptions, _ unbounded: any FileSystem, _ clock: any Clock) throws {
        let directory = options.directory
        var options = options
        watched = try TimeSeriesStore.watch(options, unbounded)
        if watched.limit < .max {
            // Segments are removed as a whole, so none may be a large part of the limit.
            options.walSegmentSize = min(options.walSegmentSize, max(1 << 14, watched.limit / 16))
        }
        isOversized = watched.spaceLeft == 0
        self.options = options
        self.clock = clock
        (lock, irregular) = try DirectoryCheck.take(
            directory, watched, usesLockFile: options.usesLockFile, id: options.makeIdentity)
        reserve = DiskReserve(directory, fileSystem: watched)
        diskSpace = DiskSpaceWatch(directory, watched)
        let spill = try SpillStore(directory + "/spill", fileSystem: watched)
        head = try Head(
            blockDuration: options.blockDuration, spill: spill, space: options.space, openFiles: options.openFiles)
        blockSet = try BlockSet(
            directory + "/blocks", fileSystem: watched, usesXOROnly: options.usesXOROnly, openFiles: options.openFiles)
        exemplars = ExemplarRing(capacity: options.maxExemplars, outOfOrderWindow: options.outOfOrderWindow)
        try watched.createDirectory(wal)
        // The names of the directories must survive a power cut, as their content does.
        try watched.syncDirectory(directory)
        try watched.syncDirectory(FilePath.parent(directory))
    }
}

/// Reads the checkpoint and the log into the parts of a store according to ``RecoveryPlan``, and reports what is
/// damaged or missing.
struct StoreRecovery {
    private let parts: StoreParts
    private let logger = Log("storage")
    /// The start, ns of the monotonic clock, and the duration until the log was read, s.
    let started: Int64
    let seconds: Double
    private(set) var plan: RecoveryPlan
    private(set) var replay: LogReplay
    let metadata: MetadataTable
    let trustedTime: TrustedTime
    let checkpointSize: Int
    /// The log for new records.
    let log: WriteAheadLog

    init(_ parts: StoreParts) throws {
        let (head, files, logger) = (parts.head, parts.watched, self.logger)
        self.parts = parts
        var metadata = MetadataTable()
        var replay = try LogReplay(head)
        replay.onMetadata = { _ = metadata.set($0, $1) }
        replay.onExemplar = { parts.exemplars.add($0, $1, isReplayed: true) }
        started = parts.clock.monotonic()
        let identity = try StoreIdentity.of(parts.options.directory, files)
        replay.store = identity.id
        if let id = identity.id { head.spill.belongs(to: id) }
        let restored = try parts.fitting(parts.checkpoint) {
            // Nothing of it is read, so that its series are not taken for those of the log.
            if identity.isCheckpointOther { return Head.Restored(isThere: true, damage: [StoreIdentity.otherStore]) }
            return try head.restore(parts.checkpoint, files) { reader in
                if try replay.apply(&reader) != nil { throw DecodeError(expected: "no samples", offset: reader.offset) }
            }
        }
        var trusted = TrustedTime(limit: restored.trusted, longestWait: parts.options.retentionWait)
        trusted.observe(wall: parts.clock.now(), monotonic: parts.clock.monotonic() / 1_000_000)
        trustedTime = trusted
        let kept = restored.damage.isEmpty ? nil : parts.setCheckpointAside(logger)
        var plan = RecoveryPlan(
            .init(
                isThere: restored.isThere, segment: restored.segment, blocks: restored.blocks, damage: restored.damage,
                keptAs: kept ?? "checkpoint"), hasNoBlocks: parts.blockSet.wasEmpty)
        parts.report(plan.losses, logger)
        head.finishRestoring()
        head.restoreRewinds()
        let missing = head.forgetCutFiles(files, cut: parts.blockSet.cutFiles(since: restored.segment))
        replay.carryOutDeletions()
        parts.report(plan.note(try parts.content(missing)), logger)
        for number in identity.otherSegments.sorted() { replay.refuse(number, WriteAheadLog.path(parts.wal, number)) }
        let segments = plan.segments.filter { !identity.otherSegments.contains($0) }
        for number in segments {
            let path = WriteAheadLog.path(parts.wal, number)
            try parts.fitting(path) { try replay.read(number, path, isLast: number == segments.last, files) }
        }
        head.keepReserve()
        head.doubtful = [:]
        replay.cutTornEnd(files)
        replay.reportShortSegments(parts.wal)
        parts.report(plan.note(replay.findings), logger)
        parts.letGo(plan.strangers, logger)
        let id = identity.settle(parts.options.directory, new: parts.options.makeIdentity, files)
        if let id { head.spill.belongs(to: id) }
        seconds = Double(parts.clock.monotonic() - started) / 1e9
        log = try WriteAheadLog(
            parts.wal, first: plan.newSegment, segmentSize: parts.options.walSegmentSize, fileSystem: files,
            reserve: parts.reserve,
            behind: .init(store: id, written: replay.sizes.values.reduce(0, +), whole: replay.whole))
        checkpointSize = (try? files.status(parts.checkpoint))?.size ?? 0
        self.plan = plan
        self.replay = replay
        self.metadata = metadata
    }
}

extension StoreParts {
    /// Reads a file into the head; throws ``StorageError/unfit(file:limit:)`` if not all of it fits.
    ///
    /// The file is whole: a start with more memory needs it. So it is neither removed nor renamed.
    fileprivate func fitting<Result>(_ path: String, _ read: () throws -> Result) throws -> Result {
        do {
            let result = try read()
            if let limit = head.shortage.withLock({ $0 }) { throw limit }
            return result
        } catch {
            guard let limit = StorageError.shortage(error) else { throw error }
            throw StorageError.unfit(file: path, limit: "\(limit)")
        }
    }

    /// Gives the damaged checkpoint another name, so that the next checkpoint does not replace it; returns the name,
    /// nil if that failed.
    fileprivate func setCheckpointAside(_ logger: Log) -> String? {
        do { return SetAside.original(FilePath.name(try SetAside.link(checkpoint, watched))) } catch {
            logger.error("The damaged checkpoint cannot be set aside", ["file": checkpoint, "err": "\(error)"])
            return nil
        }
    }

    /// The content of the directory besides blocks and the checkpoint.
    fileprivate func content(_ missing: [String]) throws -> RecoveryPlan.Directory {
        let segments = try WriteAheadLog.segments(wal, watched)
        return RecoveryPlan.Directory(
            segments: segments, newestSegment: blockSet.newestSegment, irregular: irregular,
            namedSpills: Set(head.spill.files.map { FilePath.name($0.path) }), strangers: try head.spill.strangers(),
            missingSpills: missing)
    }

    /// Removes the spill files that no checkpoint names, or sets them aside.
    fileprivate func letGo(_ strangers: RecoveryPlan.Strangers, _ logger: Log) {
        switch strangers {
        case .remove: head.spill.dropStrangers([], isDisowned: true)
        case .setAside(let names):
            head.spill.dropStrangers(names, isDisowned: false)
            guard !names.isEmpty else { return }
            logger.error(
                "Spill files that no checkpoint names are set aside", ["files": names.joined(separator: " ")])
        }
    }

    fileprivate func report(_ losses: [RecoveryPlan.Loss], _ logger: Log) {
        for loss in losses {
            let path = options.directory + "/" + loss.file
            switch loss {
            case .damagedCheckpoint(let places, _):
                for what in places {
                    logger.error(
                        "The checkpoint is damaged; what only the damaged part held is lost",
                        ["file": checkpoint, "err": what])
                }
            case .missingCheckpoint:
                logger.error("The checkpoint is missing; what only it held is lost", ["file": path])
            case .missingBlocks(let number):
                logger.error("All blocks are missing, with the list of them", ["file": path, "blocks": "\(number)"])
            case .missingSpill:
                logger.error("A spill file is missing; the samples that only it held are lost", ["file": path])
            case .missingSegments:
                logger.error("A part of the log is missing; what it held is lost", ["file": path])
            // These were logged when they were found.
            case .irregular, .damagedSegment, .otherSegment: break
            }
        }
    }
}

extension LogReplay {
    /// The findings of the replay for ``RecoveryPlan``.
    fileprivate var findings: RecoveryPlan.LogFindings {
        .init(
            damaged: damaged, damagedSegments: damagedSegments, foreign: foreign, others: others, unused: unused,
            used: Set(saidSizes.keys))
    }
}
