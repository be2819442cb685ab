import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// What is done now and then, in the background or by tests.
extension TimeSeriesStore {
    /// Does what is due: windows that are over become blocks, blocks are merged and dropped, a checkpoint is written.
    public func runMaintenance() {
        upkeep.lock()
        defer { upkeep.unlock() }
        do {
            diskSpace.look()
            tendReserve()
            observeClocks()
            if lastLook.withLock({ $0.isDue(clock.monotonic()) }) {
                blockSet.look()
                lookAtDamage()
            }
            look()
            try keepWithinSize()
            try shrinkLog()
            // What only memory holds goes first.
            if !unlogged.isEmpty && log.failure == nil || log.lost != nil || isCheckpointGone {
                try writeCheckpointWithinSize()
            }
            let newest = newestUntilNow
            var cut = 0
            for ends in newest == .min ? [] : dueWindows(newest) {
                counters.compactionsTriggered.wrappingAdd(1, ordering: .relaxed)
                try cutWithinSize(ends)
                cut += 1
                if background.isStoppingNow { return }
            }
            if cut > 0 {
                // Within a size, a checkpoint of those that are gone takes the room of samples.
                try forgetSilent(for: quota == nil ? options.blockDuration / 2 : options.blockDuration / 24)
            }
            let isDue = checkpointPace.withLock {
                $0.isDue(
                    log: log.writtenBytes, checkpoint: checkpointSize.load(ordering: .relaxed),
                    short: options.walSegmentSize, largest: largestPart)
            }
            if cut > 0 || isDue || needsCheckpointForRoom { try writeCheckpointWithinSize() }
            try tendBlocks()
            if cut > 0 {
                // What is sealed and cut has left much memory free, and making blocks takes some on several threads, whose
                // allocators would keep it.
                head.arena.trim()
                head.sealed.trim()
                Heaps.giveBack()
            }
            upkeepFailure.withLock { $0 = nil }
        } catch {
            let text = "\(error)"
            let isNew = upkeepFailure.withLock { failure in
                defer { failure = text }
                return failure != text
            }
            if isNew { logger.error("Upkeep of the storage failed; it will be tried again", ["err": text]) }
        }
    }

    /// Looks whether the log and the directories are still what they were.
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

    /// Whether somebody has removed the checkpoint.
    private var isCheckpointGone: Bool {
        guard checkpointSize.load(ordering: .relaxed) > 0 else { return false }
        return (try? fileSystem.exists(options.directory + "/checkpoint")) == false
    }

    /// Windows to be made blocks now, those of one block together.
    ///
    /// History that is pushed late passes through the windows in seconds. Each would become a block, all to be merged
    /// again: so windows that are over wait for each other, and one that was cut waits for what may still come.
    private func dueWindows(_ newest: Int64) -> [[Int64]] {
        let now = clock.monotonic()
        let recent = cutTimes.withLock { times in
            times = times.filter { now - $0.value < 60_000_000_000 }
            return Set(times.keys)
        }
        let enough = min(64 << 20, largestPart)
        let all = head.windows()
        let over = all.filter {
            newest &- options.blockDuration / 2 >= $0 && (!recent.contains($0) || spilled($0) >= enough)
        }
        let waited = waitingSince.withLock { since in
            since = over.isEmpty ? nil : since ?? now
            return since.map { now - $0 } ?? 0
        }
        let isRipe = waited >= options.cutDelay * 1_000_000 || over.reduce(0) { $0 + spilled($1) } >= enough
        let large = all.filter { size($0) > largestPart && !(isRipe && over.contains($0)) }
        guard isRipe, !over.isEmpty else { return large.map { [$0] } }
        waitingSince.withLock { $0 = nil }
        return groups(over) + large.map { [$0] }
    }

    /// Forgets series of which the head holds no sample and that were silent for `age` ms; needs the upkeep's lock.
    func forgetSilent(for age: Int64) throws {
        upkeep.assertHeld()
        let started = clock.monotonic()
        let swept = head.sweep(olderThan: newestUntilNow &- age)
        counters.observeForget(Double(clock.monotonic() - started) / 1e9)
        guard swept > 0 else { return }
        counters.seriesRemoved.wrappingAdd(swept, ordering: .relaxed)
        logger.info("Forgot silent series", ["series": "\(swept)"])
        try head.compactLabels()
    }

    /// Windows in the blocks that they are to be in: neighbours within the longest span of a block, and of a bounded size.
    private func groups(_ ends: [Int64]) -> [[Int64]] {
        let span = CompactionPlanner(retention: settings.retentionTime).ranges.last ?? options.blockDuration
        var result: [[Int64]] = []
        var size = 0
        for end in ends {
            let own = spilled(end)
            let isNeighbour = result.last?.last.map { before in
                end &- options.blockDuration == before && (end &- 1) / span == (before &- 1) / span
                    && size &+ own <= largestPart
            }
            if isNeighbour == true {
                result[result.count - 1].append(end)
                size &+= own
            } else {
                result.append([end])
                size = own
            }
        }
        return result
    }

    /// Makes the samples of neighbouring windows one block; needs the upkeep's lock.
    func cutWindows(_ ends: [Int64]) throws {
        upkeep.assertHeld()
        guard let first = ends.first, let last = ends.last else { return }
        let window = (first &- options.blockDuration)..<last
        let files = ends.flatMap { head.close(windowEnd: $0) }
        let started = clock.monotonic()
        let writer = try blockSet.writer(now: clock.now(), baseTime: window.lowerBound)
        writer.metadata = metadataTable.withLock { $0.byName }
        counters.isCompacting.store(true, ordering: .relaxed)
        defer { counters.isCompacting.store(false, ordering: .relaxed) }
        do {
            let written = try head.write(window, files, to: writer)
            let meta = try writer.finish()
            try blockSet.replace([], with: meta)
            let finished = clock.monotonic()
            isCheckpointBehindCut.store(true, ordering: .relaxed)
            setAside(written.damaged, window)
            head.forget(files, late: written.late)
            counters.observeForget(Double(clock.monotonic() - finished) / 1e9)
            counters.observeCompaction(Double(finished - started) / 1e9)
            counters.compactions.succeed()
            counters.cuts.succeed()
            cutTimes.withLock { times in for end in ends { times[end] = clock.monotonic() } }
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
            throw error
        }
    }

    private func tendBlocks() throws {
        let planner = CompactionPlanner(retention: settings.retentionTime)
        try dropExpired()
        try keepWithinSize()
        for _ in 0..<4 {
            guard !background.isStoppingNow, try compact(planner) else { return }
        }
    }

    /// Writes the blocks that hold deleted samples anew without them, now rather than at leisure.
    ///
    /// Where the disk has no room for that, they stay as they are: what is deleted is not served in any case.
    public func cleanTombstones() throws {
        upkeep.lock()
        defer { upkeep.unlock() }
        try checkOpen()
        try cutFuture()
        let planner = CompactionPlanner(retention: settings.retentionTime)
        while blockSet.readers.contains(where: \.hasDeletions), try compact(planner) {}
    }

    private func compact(_ planner: CompactionPlanner) throws -> Bool {
        let started = clock.monotonic()
        do {
            let isDone = try blockSet.compact(
                planner, now: clock.now(), maxSize: largestPart,
                makeRoom: {
                    counters.isCompacting.store(true, ordering: .relaxed)
                    return try makeRoom($0, except: $1)
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

    /// The directory of the snapshots; a limit of the size does not count what is in it.
    ///
    /// Their blocks are the store's until those are dropped. Counted, they would make the store drop its blocks one after
    /// the other without freeing anything.
    static let snapshots = "snapshots"

    /// Makes everything blocks, unless the head is to be left out, and links the blocks into `snapshots/NAME`; returns the
    /// name.
    public func snapshot(skipsHead: Bool = false) throws -> String {
        upkeep.lock()
        defer { upkeep.unlock() }
        if !skipsHead {
            for ends in groups(head.windows()) {
                try checkOpen()
                try cutWithinSize(ends)
            }
            try checkOpen()
            try writeCheckpoint()
            while try compact(CompactionPlanner(retention: settings.retentionTime)) {}
        }
        // Nobody waits for what is half done when the store is closed.
        try checkOpen()
        let name = Self.snapshotName(clock.now())
        // A snapshot is a store of its own: a daemon or a tool may open it.
        let target = options.directory + "/" + Self.snapshots + "/" + name + "/blocks"
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
        try manifest.commit(.init(added: blockSet.readers.map(\.meta.id)))
        try fileSystem.syncDirectory(target)
        try fileSystem.syncDirectory(FilePath.parent(target))
        try fileSystem.syncDirectory(FilePath.parent(FilePath.parent(target)))
        return name
    }

    /// Ends long work of a store that is being closed.
    private func checkOpen() throws(StorageError) {
        if background.isStoppingNow { throw .closed }
    }

    /// `20171210T211224Z-` and 16 hexadecimal digits.
    private static func snapshotName(_ now: Int64) -> String {
        let time = GoTime(nanoseconds: now &* 1_000_000).format("20060102T150405Z-")
        return time + UInt64.random(in: .min ... .max).zeroPadded(16, radix: 16)
    }
}

extension TimeSeriesStore {
    /// Ends as a killed process does, for tests and for tools that only read: nothing is written, only the lock is given
    /// back.
    package func abandon() {
        background.stop()
        releaseLock()
    }
}
