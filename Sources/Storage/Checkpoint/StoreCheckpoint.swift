import Encoding
import Model
import Platform
import Synchronization
import Telemetry

/// Writing and reading the checkpoint: the head as it was at one place of the log, group by group.
extension TimeSeriesStore {
    /// Writes a checkpoint while samples go on being stored, and removes the log before it.
    ///
    /// Fuzzy: each group is copied at another moment and notes its own place in the log; a reader skips what a group
    /// has already. The upkeep lock is held.
    func writeCheckpoint() throws {
        let path = options.directory + "/checkpoint"
        unlogged.beginCheckpoint()
        let segment = try log.rotate()
        do { try writeCheckpoint(path, segment) } catch {
            // What was written of it would take the room that others wait for.
            try? fileSystem.remove(path + ".tmp")
            throw error
        }
        try log.remove(below: segment)
        let (saved, refused) = unlogged.finishCheckpoint()
        report(saved, "The disk takes samples again; what was in memory only is saved")
        report(refused, "Samples were refused while the disk took none; these are missing unless they are sent again")
    }

    private func report(_ span: UnloggedSamples.Span, _ message: String) {
        guard span.samples > 0 else { return }
        logger.warn(
            message,
            ["samples": "\(span.samples)", "from": TimeText.rfc3339(span.from), "to": TimeText.rfc3339(span.to)])
    }

    private func writeCheckpoint(_ path: String, _ segment: UInt64) throws {
        let file = try fileSystem.open(path + ".tmp", .replace)
        defer { file.close() }
        var writer = try CheckpointWriter(file)
        let (idEnd, groups) = head.registry.withLock { (head.idEnd, head.groups) }
        var frame = [CheckpointFrame.header]
        frame.appendVarint(segment)
        frame.appendVarint(UInt64(idEnd))
        frame.appendZigzag(options.blockDuration)
        frame.appendZigzag(head.newest.load(ordering: .relaxed))
        try writer.write(frame)
        for group in groups { try writeSeries(group, &writer) }
        for group in groups { for frame in head.dump(group) { try writer.write(frame) } }
        try writer.write(sideRecords())
        frame = [CheckpointFrame.end]
        let files = head.spill.files
        frame.appendVarint(files.count)
        for file in files {
            // Everything a dumped series names lies before this size.
            frame.appendVarint(UInt64(file.number))
            frame.appendZigzag(file.windowEnd)
            frame.appendVarint(try file.sync())
        }
        try writer.write(frame)
        try file.syncData()
        try fileSystem.syncDirectory(head.spill.directory)
        try fileSystem.rename(path + ".tmp", to: path)
        try fileSystem.syncDirectory(options.directory)
        checkpointSize.store(writer.size, ordering: .relaxed)
    }

    /// Labels of a group's series: group, then id + 1 and sized labels each.
    private func writeSeries(_ group: HeadGroup, _ writer: inout CheckpointWriter) throws {
        let live = group.lock.withLock {
            group.extents.flatMap { extent in
                extent.compactMap { id -> (UInt32, UInt32)? in
                    let record = head.states[Int(id)].labels
                    return record == 0 ? nil : (id, record)
                }
            }
        }
        var frame = [CheckpointFrame.series]
        frame.appendVarint(UInt64(group.id))
        let start = frame
        for (id, record) in live {
            frame.appendVarint(UInt64(id) + 1)
            frame.appendSized(head.index.labels(record: record).bytes)
            if frame.count >= CheckpointWriter.frameSize {
                try writer.write(frame)
                frame = start
            }
        }
        if frame.count > start.count { try writer.write(frame) }
    }

    /// Metadata, exemplars and deletions, as the log writes them.
    private func sideRecords() -> [UInt8] {
        var frame = [CheckpointFrame.records]
        for (metric, metadata) in metadataTable.withLock({ $0 }) { frame += LogRecord.metadata(metric, metadata) }
        for entry in exemplarRing.exemplars(from: .min, to: .max, { _ in true }) {
            frame += LogRecord.exemplar(entry.id, entry.exemplar)
        }
        for deletion in deletions.withLock({ $0 }) {
            frame += LogRecord.deletion(deletion.ids, deletion.from, deletion.to)
        }
        return frame
    }
}

extension Head {
    /// Reads the checkpoint.
    ///
    /// - Returns: The segment of the log to go on with, 0 if there is no checkpoint, or not its beginning; and what is
    ///   damaged in it, each part with its offset.
    /// - Throws: If it was made with another span of blocks.
    func restore(
        _ path: String, _ fileSystem: any FileSystem, records: (inout ByteReader) throws -> Void
    ) throws -> (segment: UInt64, damage: [String]) {
        guard try fileSystem.exists(path) else { return (0, []) }
        let reader = try CheckpointReader(path, fileSystem)
        if !reader.damage.isEmpty { restored = [] }
        var segment: UInt64 = 0
        var foreign: StorageError?
        var hasEnd = false
        let failures = reader.forEach { kind, reader in
            switch kind {
            case CheckpointFrame.header:
                segment = try reader.varint()
                idEnd = max(idEnd, UInt32(try reader.count(Self.maxSeries)))
                let duration = try reader.zigzag()
                if duration != blockDuration {
                    foreign = .damaged("\(path): blocks of \(duration) ms, configured are \(blockDuration) ms")
                }
                raiseNewest(try reader.zigzag())
            case CheckpointFrame.series:
                let group = UInt32(try reader.count(Self.maxGroups - 1))
                while !reader.isAtEnd {
                    let id = try Self.id(&reader)
                    try restoreSeries(id, group, Labels(packed: Array(try reader.sizedRun())))
                }
            case CheckpointFrame.group: try restoreGroup(&reader)
            case CheckpointFrame.states: try restoreStates(&reader)
            case CheckpointFrame.records: try records(&reader)
            case CheckpointFrame.end:
                hasEnd = true
                for _ in 0..<(try reader.count(Int(UInt16.max))) {
                    let number = UInt16(truncatingIfNeeded: try reader.count(Int(UInt16.max)))
                    let windowEnd = try reader.zigzag()
                    spill.restore(windowEnd: windowEnd, number: number, size: try reader.count(Int(UInt32.max)))
                }
            default: break
            }
        }
        if let foreign { throw foreign }
        if let restored { findDoubtful(restored) }
        // Without the list, what lies there is taken: each record has a checksum of its own.
        if !hasEnd { spill.restoreAll() }
        let missing = reader.damage.map { "offset \($0): expected a whole frame" }
        return (segment, missing + failures.map { "offset \($0.offset): \($0.error)" })
    }

    /// Notes the series whose states are missing: the log goes on from where the group was, not from where they are.
    private func findDoubtful(_ restored: Set<UInt32>) {
        for group in groups where group.isRestored {
            for id in group.extents.joined() where !restored.contains(id) {
                doubtful[id] = UInt16(truncatingIfNeeded: group.segment)
            }
        }
        self.restored = nil
    }
}
