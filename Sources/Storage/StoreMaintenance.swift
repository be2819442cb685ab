import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// The maintenance, which runs in the background or is called by tests.
extension TimeSeriesStore {
    /// Does everything that is due: complete windows become blocks, blocks are merged and dropped, a checkpoint is
    /// written.
    public func runMaintenance() {
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        do {
            diskSpace.look()
            tendReserve()
            observeClocks()
            if lastLook.withLock({ $0.isDue(clock.monotonic()) }) {
                blockSet.look()
                lookAtDamage()
            }
            look()
            reportLost()
            // A disk that is full or fails is reported elsewhere, and this is tried again.
            if log.failure == nil { try? blockSet.noteSegment(log.newestWithFrame) }
            guard try carryOutRound() else { return }
            maintenanceFailure.withLock { $0 = nil }
        } catch {
            let text = "\(error)"
            let isNew = maintenanceFailure.withLock { failure in
                defer { failure = text }
                return failure != text
            }
            // The text has the name of the block, which is another one each time.
            if isNew {
                logger.error("Maintenance of the storage failed; it will be tried again", about: [], ["err": text])
            }
        }
    }

    /// Logs the number of samples that found no place in a spill file since the last call.
    private func reportLost() {
        let lost = head.lost.exchange(0, ordering: .relaxed)
        guard lost > 0 else { return }
        logger.error("Samples found no place in a spill file and are lost", ["samples": "\(lost)"])
    }

    /// Carries out a round of ``MaintenancePlanner``; returns false if the store is being closed meanwhile.
    private func carryOutRound() throws -> Bool {
        let limits = maintenanceLimits
        let isOversized = isOversized.load(ordering: .relaxed)
        var round = Round()
        let begin = maintenance.withLock { $0.begin(limits, isOversized: isOversized) }
        guard carryOut(begin, &round) else { return false }
        let log = logFacts
        guard carryOut(maintenance.withLock { $0.save(log) }, &round) else { return false }
        let head = headFacts
        let cuts = maintenance.withLock { $0.cut(head) }
        reportLackOfFiles()
        guard carryOut(cuts, &round) else { return false }
        let end = MaintenancePlanner.EndFacts(
            hasCut: round.cuts > 0, logBytes: self.log.writtenBytes,
            checkpointBytes: checkpointSize.load(ordering: .relaxed), needsSpace: needsCheckpointForSpace,
            blocks: blockSet.possibleCount)
        guard carryOut(maintenance.withLock { $0.finish(end) }, &round) else { return false }
        if let failure = round.failure { throw failure }
        return true
    }

    /// The results of the actions of a round.
    private struct Round {
        /// The number of times that windows became a block.
        var cuts = 0
        /// Whether no window can become a block at the moment, so that the others are not tried.
        var isCutFailing = false
        /// The first error.
        var failure: (any Error)?
    }

    /// Carries actions out in their order; returns false if it left some out because the store is being closed.
    ///
    /// An action that fails does not prevent the next ones.
    private func carryOut(_ actions: [MaintenancePlanner.Action], _ round: inout Round) -> Bool {
        for action in actions {
            do {
                switch action {
                case .keepWithinSize: try keepWithinSize()
                case .shrinkLog: try shrinkLog()
                case .checkpoint: try writeCheckpointWithinSize()
                case .cut(let ends): try cut(ends, &round)
                case .forgetSilent(let age): if round.cuts > 0 { try forgetSilent(for: age) }
                case .dropExpired: try dropExpired()
                case .compact(let most):
                    let planner = CompactionPlanner(retention: settings.retentionTime)
                    var merged = 0
                    while merged < most, !background.isStoppingNow, try compact(planner) { merged += 1 }
                case .giveBackMemory:
                    head.arena.trim()
                    head.sealed.trim()
                    Heaps.giveBack()
                }
            } catch { round.failure = round.failure ?? error }
            if background.isStoppingNow { return false }
        }
        return true
    }

    /// Makes a block of windows in a round.
    private func cut(_ ends: [Int64], _ round: inout Round) throws {
        guard !round.isCutFailing else { return }
        counters.compactionsTriggered.wrappingAdd(1, ordering: .relaxed)
        do {
            try cutWithinSize(ends)
            round.cuts += 1
            head.admittedWindows.replace(head.windows())
        } catch {
            // The other windows do not wait for windows that cannot be read; they would meet any other error, too.
            round.isCutFailing = !(error is UnreadableWindows)
            throw error
        }
    }

    /// Logs that old windows wait because blocks use too many of the files that may be open, once.
    private func reportLackOfFiles() {
        let lacks = maintenance.withLock { $0.lacksOpenFiles }
        guard lacks != lacksOpenFiles.exchange(lacks, ordering: .relaxed), lacks else { return }
        logger.error(
            "Blocks use half of the files that may be open; old samples wait for a higher limit",
            ["blocks": "\(blockSet.count)", "limit": "\(options.openFiles)"])
    }

    /// The limits for ``MaintenancePlanner``.
    private var maintenanceLimits: MaintenancePlanner.Limits {
        MaintenancePlanner.Limits(
            options, retention: settings.retentionTime, largestPart: quota == nil ? nil : largestPart)
    }

    private var logFacts: MaintenancePlanner.LogFacts {
        .init(
            hasUnlogged: !unlogged.isEmpty, isFailing: log.failure != nil, isLost: log.lost != nil,
            isCheckpointGone: isCheckpointGone)
    }

    private var headFacts: MaintenancePlanner.HeadFacts {
        let newest = newestUntilNow
        let windows = headWindows
        head.admittedWindows.replace(windows.map(\.end))
        // The windows of an empty head do not matter here.
        guard newest != .min else { return .init(now: clock.monotonic(), newest: nil, windows: []) }
        return .init(
            now: clock.monotonic(), newest: newest, windows: windows, blocks: blockSet.possibleCount,
            isAwaited: head.admittedWindows.isAwaited(clock.monotonic()))
    }

    /// The windows with samples in the head, ascending.
    private var headWindows: [MaintenancePlanner.Window] {
        let (ends, sealed, sizes) = (head.windows(), sealedSizes(), windowSizes())
        return ends.map { .init(end: $0, sealed: sealed[$0] ?? 0, size: sizes[$0] ?? 0) }
    }

    /// Checks whether the log and the directories are still the original ones.
    func look() {
        log.look()
        let directory = options.directory
        func isDirectory(_ name: String) -> Bool? { try? fileSystem.status("\(directory)/\(name)").isDirectory }
        var problem = ["blocks", "spill"].first { isDirectory($0) == false }.map {
            "\(directory)/\($0) is no directory"
        }
        if problem == nil, isDirectory("checkpoint") == true { problem = "\(directory)/checkpoint is a directory" }
        let before = misplaced.withLock { known in
            defer { known = problem }
            return known
        }
        guard let problem, before == nil else { return }
        logger.error("The data directory was changed by somebody else; samples stay in the log only", ["err": problem])
    }

    /// Whether the checkpoint was removed by something else.
    private var isCheckpointGone: Bool {
        guard checkpointSize.load(ordering: .relaxed) > 0 else { return false }
        return (try? fileSystem.exists(options.directory + "/checkpoint")) == false
    }

    /// Removes series without samples in the head that were silent for `age` ms; needs the `maintenanceLock`.
    func forgetSilent(for age: Int64) throws {
        maintenanceLock.assertHeld()
        let started = clock.monotonic()
        let swept = head.sweep(olderThan: newestUntilNow &- age)
        counters.observeForget(Double(clock.monotonic() - started) / 1e9)
        guard swept > 0 else { return }
        counters.seriesRemoved.wrappingAdd(swept, ordering: .relaxed)
        logger.info("Forgot silent series", ["series": "\(swept)"])
        try head.compactLabels()
    }

    /// Makes the samples of adjacent windows one block; needs the `maintenanceLock`.
    func cutWindows(_ ends: [Int64]) throws {
        maintenanceLock.assertHeld()
        guard let first = ends.first, let last = ends.last else { return }
        try log.requireHome()
        let window = (first &- options.blockDuration)..<last
        let started = clock.monotonic()
        let writer = try blockSet.writer(now: clock.now(), baseTime: window.lowerBound)
        let files = ends.flatMap { head.close(windowEnd: $0) }
        writer.memory = options.memory
        writer.findMetadata = { [self] metric in metadataTable.withLock { $0.byName[metric] } }
        counters.isCompacting.store(true, ordering: .relaxed)
        defer { counters.isCompacting.store(false, ordering: .relaxed) }
        do {
            let written = try write(window, files, to: writer)
            let meta = try writer.finish()
            try blockSet.replace([], with: meta, cut: cutFiles(files))
            let finished = clock.monotonic()
            isCheckpointBehindCut.store(true, ordering: .relaxed)
            setAside(written.damaged, window)
            head.forget(files, outOfOrder: written.outOfOrder)
            counters.observeForget(Double(clock.monotonic() - finished) / 1e9)
            counters.observeCompaction(Double(finished - started) / 1e9)
            counters.compactions.succeed()
            counters.cuts.succeed()
            maintenance.withLock { $0.noteCut(ends, at: clock.monotonic()) }
            if let meta {
                logger.info(
                    "Wrote a block",
                    [
                        "block": meta.id, "series": "\(meta.seriesCount)", "samples": "\(meta.sampleCount)",
                        "duration_ms": "\((clock.monotonic() - started) / 1_000_000)",
                    ])
            }
        } catch {
            counters.compactions.fail()
            counters.cuts.fail()
            writer.abandon()
            blockSet.discard(writer.meta.id)
            throw error
        }
    }

    /// Writes the samples of a window to a block; chunks that the disk cannot read for a long time are left out.
    private func write(_ window: Range<Int64>, _ files: [SpillFile], to writer: BlockWriter) throws -> Head.Written {
        let now = clock.monotonic()
        let since = unreadableSince.withLock { $0[window.lowerBound] }
        let isLasting = since.map { now &- $0 >= UnreadableWindows.longestWait } ?? false
        do {
            let written = try head.write(window, files, to: writer, leavesUnreadable: isLasting)
            unreadableSince.withLock { $0[window.lowerBound] = nil }
            return written
        } catch let error as FileError where files.contains(where: { $0.path == error.path }) {
            unreadableSince.withLock { if $0[window.lowerBound] == nil { $0[window.lowerBound] = now } }
            throw UnreadableWindows(error: error)
        }
    }

    /// Writes the blocks with deleted samples again without these, now instead of at the next merge.
    ///
    /// If the disk does not have enough space, the blocks stay as they are: deleted samples are not served in any case.
    public func cleanTombstones() throws {
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        try checkOpen()
        try cutFuture()
        let planner = CompactionPlanner(retention: settings.retentionTime)
        while blockSet.readers.contains(where: \.hasDeletions), try compact(planner) {}
    }

    /// Merges blocks before another one is made if they use many open files; needs the `maintenanceLock`.
    ///
    /// - Throws: ``StorageError/tooManyBlocks(_:limit:)`` if they use too many and cannot be merged.
    func mergeForOpenFiles() throws {
        maintenanceLock.assertHeld()
        let places = blockSet.places
        guard blockSet.possibleCount >= places.free else { return }
        mergeAll()
        guard blockSet.possibleCount < places.mostWithOld else {
            throw StorageError.tooManyBlocks(blockSet.count, limit: options.openFiles)
        }
    }

    /// Merges blocks until nothing can be merged; maintenance repeats a merge that fails, and reports it.
    private func mergeAll() {
        let planner = CompactionPlanner(retention: settings.retentionTime)
        while (try? compact(planner)) == true {}
    }

    /// The notes for the manifest about spill files that are cut now.
    func cutFiles(_ files: [SpillFile]) -> [CutFile] {
        let segment = log.segment
        return files.map { CutFile(windowEnd: $0.windowEnd, number: $0.number, segment: segment) }
    }

    private func compact(_ planner: CompactionPlanner) throws -> Bool {
        try log.requireHome()
        let started = clock.monotonic()
        do {
            let isDone = try blockSet.compact(
                planner, now: clock.now(), maxSize: largestPart,
                // In a limited directory, blocks are dropped for the merge.
                freeSpace: quota == nil ? try fileSystem.freeSpace(options.directory) : .max,
                makeSpace: {
                    counters.isCompacting.store(true, ordering: .relaxed)
                    return try makeSpace($0, except: $1)
                }, isCancelled: { background.isStoppingNow })
            counters.isCompacting.store(false, ordering: .relaxed)
            guard isDone else { return false }
            counters.observeCompaction(Double(clock.monotonic() - started) / 1e9)
            counters.compactions.succeed()
            counters.compactionsTriggered.wrappingAdd(1, ordering: .relaxed)
            return true
        } catch {
            counters.isCompacting.store(false, ordering: .relaxed)
            counters.compactions.fail()
            counters.compactionsTriggered.wrappingAdd(1, ordering: .relaxed)
            throw error
        }
    }

    /// The directory of the snapshots, which does not count for a limit of the size.
    ///
    /// The blocks of a snapshot share their files with the store until the store drops its blocks. If they counted, the
    /// store would drop its blocks one after the other without freeing anything.
    static let snapshots = "snapshots"

    /// Makes blocks of all samples, unless the head is left out, and links the blocks into `snapshots/NAME`; returns
    /// the name.
    public func snapshot(skipsHead: Bool = false) throws -> String {
        maintenanceLock.lock()
        defer { maintenanceLock.unlock() }
        if !skipsHead {
            for ends in MaintenancePlanner.groups(headWindows, maintenanceLimits) {
                try checkOpen()
                try mergeForOpenFiles()
                try cutWithinSize(ends)
            }
            try checkOpen()
            try writeCheckpoint()
            mergeAll()
        }
        // A store that is being closed does not finish the snapshot.
        try checkOpen()
        try log.requireHome()
        let name = Self.snapshotName(clock.now())
        let directory = options.directory + "/" + Self.snapshots + "/" + name
        do { try linkBlocks(directory) } catch {
            // The client does not get its name, and its links would keep the space of blocks that are removed later.
            try? fileSystem.removeAll(directory)
            throw error
        }
        return name
    }

    /// Makes a snapshot of the blocks, which is itself a store: a daemon or a tool may open it.
    private func linkBlocks(_ snapshot: String) throws {
        let target = snapshot + "/blocks"
        try fileSystem.createDirectory(target)
        for reader in blockSet.readers {
            let directory = target + "/" + reader.meta.id
            try fileSystem.createDirectory(directory)
            for file in try fileSystem.list(reader.directory) {
                try fileSystem.link(reader.directory + "/" + file, to: directory + "/" + file)
            }
            try fileSystem.syncDirectory(directory)
        }
        let manifest = try Manifest(fileSystem, directory: target)
        let deletions = blockSet.readers.filter(\.hasDeletions).map { ($0.meta.id, $0.deletionCount) }
        try manifest.commit(
            .init(
                added: blockSet.readers.map(\.meta.id), mark: 0,
                notes: ManifestNotes(deletions: Dictionary(uniqueKeysWithValues: deletions))))
        try fileSystem.syncDirectory(target)
        try fileSystem.syncDirectory(snapshot)
        try fileSystem.syncDirectory(FilePath.parent(snapshot))
    }

    /// Throws if the store is being closed, to end long work.
    private func checkOpen() throws(StorageError) {
        if background.isStoppingNow { throw .closed }
    }

    /// The name of a snapshot: `20171210T211224Z-` and 16 hexadecimal digits.
    private static func snapshotName(_ now: Int64) -> String {
        let time = GoTime(nanoseconds: now &* 1_000_000).format("20060102T150405Z-")
        return time + UInt64.random(in: .min ... .max).zeroPadded(16, radix: 16)
    }
}

extension TimeSeriesStore {
    /// Ends as a killed process does, for tests and for tools that only read: nothing is written, and only the lock is
    /// released.
    package func abandon() {
        background.stop()
        releaseLock()
    }
}
