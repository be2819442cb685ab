import Encoding
import GoCompatibility
import Model
import Platform
import Synchronization

/// The reading of a checkpoint: the labels on one thread, the states of the groups on the others.
extension Head {
    /// The damage in a checkpoint, with its offsets.
    private typealias Failures = [(offset: Int, error: String)]

    /// The result of reading a checkpoint, besides what the head has of it.
    struct Restored {
        /// Whether there is a checkpoint.
        var isThere = false
        /// The first log segment to read; 0 without a checkpoint or its header.
        var segment: UInt64 = 0
        /// The last trusted time, ms.
        var trusted: Int64?
        /// The number of blocks of the store.
        var blocks: UInt64 = 0
        /// The damage, each part with its offset.
        var damage: [String] = []
    }

    /// Reads the checkpoint.
    ///
    /// - Throws: Also the limit that the data has reached: what does not fit is not damage.
    func restore(
        _ path: String, _ fileSystem: any FileSystem, records: (inout ByteReader) throws -> Void
    ) throws -> Restored {
        guard try fileSystem.exists(path) else { return Restored() }
        let checkpoint = try CheckpointReader(path, fileSystem)
        let decompressor = try ZstdDecompressor()
        if !checkpoint.damage.isEmpty { restored = [] }
        var segment: UInt64 = 0
        var trusted: Int64?
        var blocks: UInt64 = 0
        var layout = SeriesState.firstLayout
        var hasEnd = false
        var failures: Failures = []
        func forEach(_ kind: UInt32, _ body: (inout ByteReader) throws -> Void) {
            for frame in checkpoint.frames where frame.kind == kind {
                do { try checkpoint.read(frame, decompressor, body) } catch {
                    if !isShortage(error) { failures.append((frame.offset, "\(error)")) }
                }
            }
        }
        forEach(CheckpointFrame.header) { reader in
            let number = try reader.varint()
            guard number <= WriteAheadLog.lastSegment else {
                throw DecodeError(expected: "the number of a segment", offset: reader.offset)
            }
            segment = number
            idEnd = max(idEnd, UInt32(min(capacity, try reader.count(Self.maxSeries))))
            // The block duration is not used: a store with another duration has been emptied before.
            _ = try reader.zigzag()
            raiseNewest(try reader.zigzag())
            if !reader.isAtEnd { trusted = try reader.zigzag() }
            if trusted == .max { trusted = nil }
            if !reader.isAtEnd { blocks = try reader.varint() }
            if !reader.isAtEnd { layout = try reader.u32() }
            if !reader.isAtEnd {
                writtenSpace.sealedChunks = try reader.count(Int.max)
                writtenSpace.chunkBlocks = try reader.count(Int.max)
            }
        }
        let hasOwnLayout = layout == SeriesState.layout
        if !hasOwnLayout {
            // All frames of states count as damaged.
            restored = []
            failures.append((0, Self.otherLayout(layout)))
        }
        failures += try restoreSeriesAndStates(checkpoint, withStates: hasOwnLayout)
        forEach(CheckpointFrame.records, records)
        forEach(CheckpointFrame.end) { reader in
            hasEnd = true
            for _ in 0..<(try reader.count(Int(UInt16.max))) {
                let number = UInt16(truncatingIfNeeded: try reader.count(Int(UInt16.max)))
                let windowEnd = try reader.zigzag()
                spill.restore(windowEnd: windowEnd, number: number, size: try reader.count(Int(UInt32.max)))
            }
        }
        if let limit = shortage.withLock({ $0 }) { throw limit }
        if let restored { findDoubtful(restored) }
        // Without the list, all existing spill files are used: each record has its own checksum.
        if !hasEnd { spill.restoreAll() }
        let missing = checkpoint.damage.map { "offset \($0): expected a whole frame" }
        failures.sort { $0.offset < $1.offset }
        return Restored(
            isThere: true, segment: segment, trusted: trusted, blocks: blocks,
            damage: missing + failures.map { "offset \($0.offset): \($0.error)" })
    }

    /// Whether an error reports a lack of memory; it is noted as the limit that the data has reached.
    private func isShortage(_ error: any Error) -> Bool {
        guard let limit = StorageError.shortage(error) else { return false }
        note(limit)
        return true
    }

    private static func otherLayout(_ layout: UInt32) -> String {
        func text(_ layout: UInt32) -> String { "0x" + UInt64(layout).zeroPadded(8, radix: 16) }
        return "expected series states of layout \(text(SeriesState.layout)), which this program has in memory; "
            + "those of layout \(text(layout)) cannot be read"
    }

    /// The block duration, ms, for which a checkpoint was written; nil if that cannot be read.
    ///
    /// - Throws: The lack of memory for reading it.
    static func blockDuration(ofCheckpoint path: String, _ fileSystem: any FileSystem) throws(StorageError) -> Int64? {
        guard (try? fileSystem.exists(path)) == true else { return nil }
        var duration: Int64?
        do {
            let checkpoint = try CheckpointReader(path, fileSystem)
            guard let header = checkpoint.frames.first(where: { $0.kind == CheckpointFrame.header }) else { return nil }
            try checkpoint.read(header, try ZstdDecompressor()) { reader in
                _ = try reader.varint()
                _ = try reader.varint()
                duration = try reader.zigzag()
            }
        } catch {
            if let limit = StorageError.shortage(error) { throw limit }
        }
        return duration.flatMap { $0 >= 1000 ? $0 : nil }
    }

    /// The stored bytes of groups that one thread reads at a time.
    private static let portion = 1 << 18

    /// The stored bytes above which several threads are used.
    static let worthThread = 1 << 15

    /// Splits the frames of groups into portions; all frames of a group are in one portion.
    private static func portions(_ frames: [CheckpointFrame]) -> [Range<Int>] {
        var result: [Range<Int>] = []
        var (first, size) = (0, 0)
        for at in frames.indices {
            size &+= frames[at].stored
            let isLast = at + 1 == frames.count
            if isLast || size >= portion && frames[at + 1].group != frames[at].group {
                result.append(first..<(at + 1))
                (first, size) = (at + 1, 0)
            }
        }
        return result
    }

    private func restoreSeriesAndStates(_ checkpoint: CheckpointReader, withStates: Bool) throws -> Failures {
        let labels = checkpoint.frames.filter { $0.kind == CheckpointFrame.series }
        // The frames of a group may be apart in a damaged file.
        let states = checkpoint.frames
            .filter {
                ($0.kind == CheckpointFrame.group || withStates && $0.kind == CheckpointFrame.states)
                    && $0.group < Self.maxGroups
            }
            .sorted { ($0.group, $0.offset) < ($1.group, $1.offset) }
        let portions = Self.portions(states)
        let failures = Mutex<Failures>([])
        let series = try SeriesRestore(index, capacity: capacity)
        let stateIds = Mutex(IdRuns())
        let isLong = (labels + states).reduce(0) { $0 + $1.stored } > Self.worthThread
        Workers.run(pieces: 1 + portions.count, threads: isLong ? Workers.count : 1) { [self] piece in
            let decompressor: ZstdDecompressor
            do throws(CompressionError) { decompressor = try ZstdDecompressor() } catch {
                if !isShortage(error) { failures.withLock { $0.append((0, "\(error)")) } }
                return
            }
            func read(_ frame: CheckpointFrame, _ body: (inout ByteReader) throws -> Void) {
                do { try checkpoint.read(frame, decompressor, body) } catch {
                    if !isShortage(error) { failures.withLock { $0.append((frame.offset, "\(error)")) } }
                }
            }
            guard piece > 0 else {
                for frame in labels { read(frame) { try series.read(&$0) } }
                return
            }
            var own = IdRuns()
            for frame in states[portions[piece - 1]] {
                read(frame) { reader in
                    if frame.kind == CheckpointFrame.group {
                        try restoreGroup(frame.group, &reader)
                    } else {
                        try restoreStates(frame.group, &reader, ids: &own)
                    }
                }
            }
            stateIds.withLock { $0.add(own) }
        }
        join(series, stateIds.withLock { $0 })
        return failures.withLock { $0 }
    }

    /// Assigns the restored labels to the restored states.
    private func join(_ series: SeriesRestore, _ stateIds: IdRuns) {
        var ids = stateIds
        ids.add(series.ids)
        let all = ids.ascending.runs
        // The id of a state must not be assigned to another series, even if its labels are damaged.
        idEnd = max(idEnd, all.last?.upperBound ?? 0, min(series.idEnd, UInt32(capacity)))
        var owner: HeadGroup?
        func leave() {
            guard let left = owner else { return }
            registry.unlock()
            left.lock.unlock()
        }
        defer { leave() }
        for id in all.joined() {
            let entry = series.found[Int(id)]
            let state = states.at(id)
            let hasState = state.pointee.labels == Self.awaitsLabels
            state.pointee.labels = UInt32(truncatingIfNeeded: entry)
            guard entry != 0 else { continue }
            if !hasState {
                state.pointee.lastTime = .min
                state.pointee.group = UInt32(truncatingIfNeeded: entry >> 32)
            }
            if owner?.id != state.pointee.group {
                leave()
                let next = restoreGroup(state.pointee.group, nil)
                next.lock.lock()
                registry.lock()
                owner = next
            }
            owner?.add(id)
            live.add(id)
        }
    }

    /// Notes the series whose states are missing: the differences in the log of this segment depend on these states.
    private func findDoubtful(_ restored: Set<UInt32>) {
        for group in groups where group.isRestored {
            for id in group.extents.joined() where !restored.contains(id) {
                doubtful[id] = UInt16(truncatingIfNeeded: group.segment)
            }
        }
        self.restored = nil
    }
}
