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
    /// the records that the group has already. Needs the `maintenanceLock`.
    func writeCheckpoint() throws {
        maintenanceLock.assertHeld()
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
        if head.space != HeadSpace() || log.store != nil {
            frame.appendVarint(head.space.sealedChunks)
            frame.appendVarint(head.space.chunkBlocks)
        }
        if let id = log.store { frame.appendLittle(id) }
        try writer.write(CheckpointFrame.header, frame)
        try writeSeries(idEnd, &writer)
        for group in groups where !group.isUnknown {
            try head.dump(group, options.memory) { kind, frame in try writer.write(kind, group: group.id, frame) }
        }
        try writeRecords(&writer)
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
        let (index, pairs) = head.registry.withLock { (head.index, head.index.pairCount) }
        var dump = try SeriesDump(index, pairs: pairs, options.memory)
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
            for series in live {
                try dump.add(series.id, group: series.group, record: series.record)
                if dump.size >= CheckpointWriter.frameSize { try writer.write(CheckpointFrame.series, dump.finish()) }
            }
        }
        if !dump.isEmpty { try writer.write(CheckpointFrame.series, dump.finish()) }
    }

    /// The number of metadata or exemplars that are copied at a time.
    private static let recordsAtOnce = 256

    /// Writes the metadata and the exemplars as records of the log.
    private func writeRecords(_ writer: inout CheckpointWriter) throws {
        var frame = RecordFrame()
        var next = 0
        while true {
            let entries = metadataTable.withLock { $0.entries(from: next, atMost: Self.recordsAtOnce) }
            if entries.isEmpty { break }
            next += entries.count
            for entry in entries { try frame.add(LogRecord.metadata(entry.metric, entry.metadata), &writer) }
        }
        try frame.write(to: &writer)
        var position = ExemplarRing.Position()
        while true {
            let entries = exemplarRing.entries(from: &position, atMost: Self.recordsAtOnce)
            if entries.isEmpty { break }
            for entry in entries { try frame.add(LogRecord.exemplar(entry.id, entry.exemplar), &writer) }
        }
        try frame.write(to: &writer)
    }
}

/// Records of the log that become a frame of a limited size, so that damage affects only few of them.
private struct RecordFrame {
    private var bytes: [UInt8] = []

    /// Adds a record; the frame is written before if the record does not fit.
    mutating func add(_ record: [UInt8], _ writer: inout CheckpointWriter) throws {
        if bytes.count &+ record.count > CheckpointWriter.recordsSize { try write(to: &writer) }
        bytes += record
    }

    /// Writes the frame, unless it is empty.
    mutating func write(to writer: inout CheckpointWriter) throws {
        guard !bytes.isEmpty else { return }
        try writer.write(CheckpointFrame.records, bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
