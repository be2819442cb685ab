import Encoding
import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// The writing of the checkpoint: the head as it was at a position of the log, group by group.
extension TimeSeriesStore {
    /// Writes a checkpoint while samples are stored, and removes the log before it.
    ///
    /// The checkpoint is fuzzy: each group is copied at another moment with its own position in the log; a reader skips
    /// the records that the group has already. Needs the `upkeep` lock.
    func writeCheckpoint() throws {
        upkeep.assertHeld()
        try log.requireHome()
        let path = options.directory + "/checkpoint"
        unlogged.beginCheckpoint()
        let started = clock.monotonic()
        let segment = try log.rotate()
        do {
            try writeCheckpoint(path, segment)
            counters.checkpoints.succeed()
            isCheckpointBehindCut.store(false, ordering: .relaxed)
        } catch {
            counters.checkpoints.fail()
            // The unfinished file would use space that other writers wait for.
            try? fileSystem.remove(path + ".tmp")
            throw error
        }
        log.forget(below: segment)
        do {
            try log.remove(below: segment, damaged: damagedSegments.withLock { $0 })
            counters.logTruncations.succeed()
        } catch {
            counters.logTruncations.fail()
            throw error
        }
        counters.observeTruncation(Double(clock.monotonic() - started) / 1e9)
        let (saved, refused) = unlogged.finishCheckpoint()
        report(saved, "The disk takes samples again; what was in memory only is saved")
        report(refused, "Samples were refused while the disk took none; these are missing unless they are sent again")
    }

    private func report(_ span: UnloggedSamples.Span, _ message: String) {
        guard span.samples > 0 else { return }
        logger.warn(
            message,
            ["samples": "\(span.samples)", "from": RFC3339.text(span.from), "to": RFC3339.text(span.to)])
    }

    private func writeCheckpoint(_ path: String, _ segment: UInt64) throws {
        let file = try fileSystem.open(path + ".tmp", .replace)
        defer { file.close() }
        var writer = try CheckpointWriter(file)
        let (idEnd, groups) = head.registry.withLock { (head.idEnd, head.groups) }
        var frame: [UInt8] = []
        frame.appendVarint(segment)
        frame.appendVarint(UInt64(idEnd))
        frame.appendZigzag(options.blockDuration)
        frame.appendZigzag(head.newest.load(ordering: .relaxed))
        // The largest number stands for no limit, because no clock is trusted that far.
        frame.appendZigzag(trustedTime.withLock { $0.limit } ?? .max)
        frame.appendVarint(UInt64(blockSet.count))
        frame.appendLittle(SeriesState.layout)
        if head.space != HeadSpace() {
            frame.appendVarint(head.space.sealedChunks)
            frame.appendVarint(head.space.chunkBlocks)
        }
        try writer.write(CheckpointFrame.header, frame)
        try writeSeries(idEnd, &writer)
        for group in groups where !group.isUnknown {
            for (i, frame) in head.dump(group).enumerated() {
                try writer.write(i == 0 ? CheckpointFrame.group : CheckpointFrame.states, group: group.id, frame)
            }
        }
        for frame in metadataFrames() + exemplarFrames() {
            try writer.write(CheckpointFrame.records, frame)
        }
        frame = []
        let files = head.spill.files
        frame.appendVarint(files.count)
        for file in files {
            // All records that a dumped series names are before this size.
            frame.appendVarint(UInt64(file.number))
            frame.appendZigzag(file.windowEnd)
            frame.appendVarint(try file.sync())
        }
        try writer.write(CheckpointFrame.end, frame)
        try file.syncData()
        do { try fileSystem.syncDirectory(head.spill.directory) } catch {
            // The disk may lack the names of these files, so they are made again.
            for file in files { file.distrust() }
            throw error
        }
        try fileSystem.rename(path + ".tmp", to: path)
        try fileSystem.syncDirectory(options.directory)
        checkpointSize.store(writer.size, ordering: .relaxed)
        maintenance.withLock { $0.noteCheckpoint(writer.size) }
    }

    /// The number of ids that are read while no series can be added.
    private static let idsAtOnce = 1 << 12

    /// Writes the labels of the series below `idEnd` by ascending ids, which is the order of the posting lists.
    private func writeSeries(_ idEnd: UInt32, _ writer: inout CheckpointWriter) throws {
        var dump = SeriesDump(head.index)
        var live: [(id: UInt32, group: UInt32, record: UInt32)] = []
        var ids: [UInt32] = []
        var next: UInt32 = 0
        while next < idEnd {
            live.removeAll(keepingCapacity: true)
            ids.removeAll(keepingCapacity: true)
            head.registry.withLock {
                next = head.addLiveIds(next..<idEnd, atMost: Self.idsAtOnce, to: &ids)
                for id in ids { live.append((id, head.states[id].group, head.states[id].labels)) }
            }
            for series in live { dump.add(series.id, group: series.group, record: series.record) }
            if dump.size >= CheckpointWriter.frameSize { try writer.write(CheckpointFrame.series, dump.finish()) }
        }
        if !dump.isEmpty { try writer.write(CheckpointFrame.series, dump.finish()) }
    }

    /// Groups records of the log into frames of a limited size, so that damage affects only few of them.
    private static func frames(_ records: some Sequence<[UInt8]>) -> [[UInt8]] {
        var result: [[UInt8]] = []
        for record in records {
            if let last = result.last, last.count + record.count <= CheckpointWriter.recordsSize {
                result[result.count - 1] += record
            } else {
                result.append(record)
            }
        }
        return result
    }

    private func metadataFrames() -> [[UInt8]] {
        Self.frames(metadataTable.withLock { $0.byName }.map { LogRecord.metadata($0.text, $1) })
    }

    private func exemplarFrames() -> [[UInt8]] {
        Self.frames(
            exemplarRing.exemplars(from: .min, to: .max, { _ in true }).map { LogRecord.exemplar($0.id, $0.exemplar) })
    }
}
