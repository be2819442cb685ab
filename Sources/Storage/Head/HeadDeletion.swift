import Model
import Synchronization
import Telemetry

/// The deletion of samples in the head.
///
/// A deletion is carried out immediately: chunks are written again without the samples, instead of a time range being
/// hidden. Samples that are stored later are therefore visible, even if they are out of order and at a deleted time.
extension Head {
    /// Removes the samples of series between two times, inclusive; needs the `maintenanceLock`.
    ///
    /// A chunk that cannot be read stays; its readers report the damage.
    ///
    /// - Returns: The number of chunks that stayed although they have or may have such samples: they cannot be read, or
    ///   there was no memory to write them.
    func delete(_ ids: some Sequence<UInt32>, from: Int64, to: Int64) -> Int {
        maintenanceLock.assertHeld()
        var failed = 0
        for id in ids where id < idEnd {
            guard let group = group(states[id].group) else { continue }
            failed += group.lock.withLock { delete(id, from: from, to: to, group) }
        }
        return failed
    }

    /// Checks whether the chunks with samples of series between two times can be read; needs the `maintenanceLock`.
    ///
    /// - Throws: The error of the first chunk that cannot be read.
    func requireReadable(_ ids: some Sequence<UInt32>, from: Int64, to: Int64) throws {
        maintenanceLock.assertHeld()
        guard from <= to else { return }
        var columns = SampleColumns(capacity: HeadChunk.capacity)
        for id in ids where id < idEnd {
            guard let group = group(states[id].group) else { continue }
            try group.lock.withLock {
                guard states[id].labels != 0 else { return }
                for part in parts(id, from: from, to: to) {
                    if let file = part.file { try Self.read(sealed[part.entry], file, into: &columns) }
                }
            }
        }
    }

    /// Removes the samples of series of one group; needs the group's lock as well.
    func delete(_ ids: some Sequence<UInt32>, from: Int64, to: Int64, _ group: HeadGroup) -> Int {
        maintenanceLock.assertHeld()
        group.lock.assertHeld()
        return ids.reduce(0) { $0 + delete($1, from: from, to: to, group) }
    }

    /// A sealed chunk of a series.
    private struct Part {
        var entry: UInt32
        /// The file of a chunk with samples to delete; nil if the chunk stays as it is.
        var file: SpillFile?
    }

    private func delete(_ id: UInt32, from: Int64, to: Int64, _ group: HeadGroup) -> Int {
        let state = states.at(id)
        guard state.pointee.labels != 0, from <= to else { return 0 }
        group.outOfOrder[id]?.removeAll { $0.time >= from && $0.time <= to }
        if group.outOfOrder[id]?.isEmpty == true { group.outOfOrder[id] = nil }
        if state.pointee.lastTime != .min, from <= state.pointee.lastTime, state.pointee.lastTime <= to {
            state.pointee.isNewestDeleted = true
        }
        if state.pointee.run != 0, state.pointee.count > 0 {
            let run = group.runs[state.pointee.run]
            let first = Int(state.pointee.first)
            let last = first &+ Int(state.pointee.count) &- 1
            if run.time(first) <= to, run.time(last) >= from { seal(id, group) }
        }
        let parts = parts(id, from: from, to: to)
        return parts.contains { $0.file != nil } ? replace(parts, from: from, to: to, id, group) : 0
    }

    /// The sealed chunks of a series, oldest first.
    private func parts(_ id: UInt32, from: Int64, to: Int64) -> [Part] {
        var parts: [Part] = []
        let isRewound = states[id].isRewound
        // The start of the next newer chunk, which is later than the last sample of this chunk unless the series is
        // rewound.
        var newer = Int64.max
        var next = states[id].sealed
        while next != 0 {
            var part = Part(entry: next, file: nil)
            let chunk = sealed[next]
            next = chunk.next
            if let file = spill[chunk.file] {
                let first = file.windowEnd &- blockDuration &+ Int64(chunk.start)
                let isBefore = file.windowEnd <= from || !isRewound && newer <= from
                newer = first
                if first <= to, !isBefore, mayHold(chunk, file, from: from, to: to) { part.file = file }
            }
            parts.append(part)
        }
        return parts.reversed()
    }

    /// Whether a chunk has samples between two times; true if it cannot be read.
    private func mayHold(_ chunk: SealedChunk, _ file: SpillFile, from: Int64, to: Int64) -> Bool {
        guard let times = try? SealedRecord.times(chunk, file) else { return true }
        let end = Int(chunk.first) &+ Int(chunk.count)
        return end > times.count || times[Int(chunk.first)..<end].contains { $0 >= from && $0 <= to }
    }

    /// Replaces `columns` by all samples of a chunk.
    private static func read(_ chunk: SealedChunk, _ file: SpillFile, into columns: inout SampleColumns) throws {
        columns.removeAll()
        try SealedRecord.append(chunk, file, try SealedRecord.times(chunk, file), to: &columns)
    }

    /// Reads the samples of a chunk outside of `range`; returns false if the chunk cannot be read.
    private func read(
        _ chunk: SealedChunk, _ file: SpillFile, without range: ClosedRange<Int64>, into columns: inout SampleColumns
    ) -> Bool {
        do { try Self.read(chunk, file, into: &columns) } catch {
            logger.warn(
                "A chunk with deleted samples cannot be read, and is left as it is", about: [file.path],
                ["file": file.path, "err": "\(error)"])
            return false
        }
        _ = columns.remove([(range.lowerBound, range.upperBound)], from: 0)
        return true
    }

    /// Replaces the sealed chunks of a series; returns the number of chunks that stayed because they cannot be read or
    /// because there was no memory.
    private func replace(_ parts: [Part], from: Int64, to: Int64, _ id: UInt32, _ group: HeadGroup) -> Int {
        let state = states.at(id)
        // Chunks are written through the state, so the open chunk is set aside meanwhile.
        let open = state.pointee
        let histograms = group.histograms.removeValue(forKey: id)
        let latest = group.runs.latest
        let serial = latest > 0 ? group.runs[latest].serial : 0
        HeadChunk.forget(state)
        state.pointee.sealed = 0
        var failed = 0
        var columns = SampleColumns(capacity: HeadChunk.capacity)
        for part in parts {
            var stays = true
            if let file = part.file {
                if read(sealed[part.entry], file, without: from...to, into: &columns) {
                    stays = columns.count > 0 && !addSealed(columns, id, group)
                }
                failed += stays ? 1 : 0
            }
            if stays {
                sealed[part.entry].next = state.pointee.sealed
                state.pointee.sealed = part.entry
            } else {
                sealed.release(part.entry)
                chunksRemoved.wrappingAdd(1, ordering: .relaxed)
            }
        }
        let list = state.pointee.sealed
        state.pointee = open
        state.pointee.sealed = list
        group.histograms[id] = histograms
        // The run of the next samples is found through `latest`, which the writing of chunks changes.
        if latest > 0, group.runs[latest].isInUse, group.runs[latest].serial == serial { group.runs.latest = latest }
        return failed
    }

    /// Adds sealed chunks with these samples to a series without an open chunk; returns false, and adds none, if there
    /// was no memory.
    private func addSealed(_ columns: borrowing SampleColumns, _ id: UInt32, _ group: HeadGroup) -> Bool {
        let state = states.at(id)
        let before = state.pointee.sealed
        var isDone = true
        var (at, histogram) = (0, 0)
        while at < columns.count {
            let time = columns.timestamps[at]
            if histogram < columns.histograms.count, columns.histograms[histogram].index == at {
                isDone = append(id, time, columns.histograms[histogram].histogram, group)
                histogram += 1
            } else {
                isDone = append(id, time, columns.values[at], 0, -1, group)
            }
            guard isDone else { break }
            at += 1
        }
        seal(id, group)
        var (next, count) = (state.pointee.sealed, 0)
        while next != before, next != 0 {
            count += Int(sealed[next].count)
            next = sealed[next].next
        }
        if isDone, count == columns.count { return true }
        // The original chunk stays, so these samples are not lost.
        lost.subtract(max(0, at - count), ordering: .relaxed)
        while state.pointee.sealed != before, state.pointee.sealed != 0 {
            let entry = state.pointee.sealed
            state.pointee.sealed = sealed[entry].next
            sealed.release(entry)
            chunksRemoved.wrappingAdd(1, ordering: .relaxed)
        }
        return false
    }
}
