import Model
import Synchronization
import Telemetry

/// Deleting samples that are in the head.
///
/// A deletion is carried out at once: chunks are written anew without the samples, instead of hiding what lies in a time
/// range. So whatever is stored later is there, also if it is out of order and at a time that was deleted.
extension Head {
    /// Removes what series have between two times, inclusive; needs the upkeep's lock.
    ///
    /// A chunk that cannot be read stays: whoever reads it reports the damage.
    ///
    /// - Returns: How many chunks stayed although they hold such samples, or may do so: they cannot be read, or there was no
    ///   memory to write them.
    func delete(_ ids: some Sequence<UInt32>, from: Int64, to: Int64) -> Int {
        upkeep.assertHeld()
        var failed = 0
        for id in ids where id < idEnd {
            guard let group = group(states[id].group) else { continue }
            failed += group.lock.withLock { delete(id, from: from, to: to, group) }
        }
        return failed
    }

    /// ``delete(_:from:to:)`` of series of one group; needs its lock as well.
    func delete(_ ids: some Sequence<UInt32>, from: Int64, to: Int64, _ group: HeadGroup) -> Int {
        upkeep.assertHeld()
        group.lock.assertHeld()
        return ids.reduce(0) { $0 + delete($1, from: from, to: to, group) }
    }

    /// A sealed chunk of a series.
    private struct Part {
        var entry: UInt32
        /// The file of a chunk that holds samples to delete; nil if it stays as it is.
        var file: SpillFile?
    }

    private func delete(_ id: UInt32, from: Int64, to: Int64, _ group: HeadGroup) -> Int {
        let state = states.at(id)
        guard state.pointee.labels != 0, from <= to else { return 0 }
        if let samples = group.outOfOrder[id] {
            let kept = samples.filter { $0.time < from || $0.time > to }
            group.outOfOrder[id] = kept.isEmpty ? nil : kept
        }
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
        // Where the chunk behind begins, which is later than the last sample of this one.
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

    /// Whether a chunk holds samples between two times; true as well if it cannot be read.
    private func mayHold(_ chunk: SealedChunk, _ file: SpillFile, from: Int64, to: Int64) -> Bool {
        guard let times = try? SealedRecord.times(chunk, file) else { return true }
        let end = Int(chunk.first) &+ Int(chunk.count)
        return end > times.count || times[Int(chunk.first)..<end].contains { $0 >= from && $0 <= to }
    }

    /// Reads what stays of a chunk; false if it cannot be read.
    private func read(
        _ chunk: SealedChunk, _ file: SpillFile, without range: ClosedRange<Int64>, into columns: inout SampleColumns
    ) -> Bool {
        columns.removeAll()
        do {
            try SealedRecord.append(chunk, file, try SealedRecord.times(chunk, file), to: &columns)
        } catch {
            logger.warn(
                "A chunk with deleted samples cannot be read, and is left as it is",
                ["file": file.path, "err": "\(error)"])
            return false
        }
        _ = columns.remove([(range.lowerBound, range.upperBound)], from: 0)
        return true
    }

    /// Gives a series its sealed chunks anew; returns how many stayed for want of memory.
    private func replace(_ parts: [Part], from: Int64, to: Int64, _ id: UInt32, _ group: HeadGroup) -> Int {
        let state = states.at(id)
        // The state is what chunks are written with; the open chunk is put aside meanwhile.
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
        // What samples come into next is found by it.
        if latest > 0, group.runs[latest].isInUse, group.runs[latest].serial == serial { group.runs.latest = latest }
        return failed
    }

    /// Adds sealed chunks of these samples to a series without an open chunk; false if there was no memory, and then adds
    /// none.
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
        // The chunk that they come from stays.
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
