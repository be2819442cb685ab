import Model
import Platform
import Synchronization
import Telemetry

/// Head compaction: moving the samples of a window from the head into a block.
extension Head {
    /// The ends of the windows with samples in the head, ascending.
    func windows() -> [Int64] {
        var ends = Set(spill.files.map(\.windowEnd))
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                for run in group.runs.numbers where group.runs[run].isInUse {
                    ends.insert(group.runs[run].windowEnd)
                }
                for samples in group.outOfOrder.values { addWindows(of: samples, to: &ends) }
            }
        }
        return ends.sorted()
    }

    /// The approximate bytes of the open chunks of each window when they are sealed, by the end of the window.
    func openBytes() -> [Int64: Int] {
        var (chunks, all): ([Int64: Int], Int) = ([:], 0)
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                for run in group.runs.numbers where group.runs[run].isInUse {
                    let references = Int(group.runs[run].references)
                    all &+= references
                    chunks[group.runs[run].windowEnd, default: 0] &+= references
                }
            }
        }
        guard all > 0 else { return [:] }
        // Each chunk has a checksum, a header and a constant, and its part of the words.
        let words = arena.usedBytes / all
        return chunks.mapValues { $0 &* 20 &+ words &* $0 }
    }

    /// Whether the head may have samples in the requested time range.
    func overlaps(_ request: SelectRequest) -> Bool {
        let newest = newest.load(ordering: .relaxed)
        guard newest >= request.minTime, let first = windows().first else { return false }
        return request.maxTime >= first.subtractingReportingOverflow(blockDuration).partialValue
    }

    /// Ends the restoring of a checkpoint; afterwards other threads may use the index.
    func finishRestoring() {
        index.share(under: registry)
        for group in registry.withLock({ groups }) { group.lock.withLock { group.runs.finishRestoring() } }
    }

    /// Seals all open chunks of a window, and detaches the files with its chunks, so that later chunks are written to
    /// another file; returns the files.
    func close(windowEnd end: Int64) -> [SpillFile] {
        let groups = registry.withLock { self.groups }
        for group in groups {
            group.lock.lock()
            defer { group.lock.unlock() }
            guard group.runs.holds(windowEnd: end) else { continue }
            for extent in group.extents {
                for id in extent {
                    let run = states[id].run
                    guard run != 0, group.runs[run].windowEnd == end else { continue }
                    group.runs.close(run)
                    seal(id, group)
                }
            }
        }
        let files = spill.detach(windowEnd: end)
        // A thread that got a file before it was detached holds its group's lock meanwhile; this waits for it.
        for group in groups { group.lock.withLock { () -> Void in } }
        return files
    }

    /// The result of ``write(_:_:to:)``.
    struct Written {
        /// The files with a damaged chunk, which was left out.
        var damaged: [SpillFile] = []
        /// The out-of-order samples in the block, by series; more samples of the window may have been added since,
        /// or have replaced them.
        var outOfOrder: [UInt32: [OutOfOrderSample]] = [:]
    }

    /// The series with chunks in these files, or with out-of-order samples, in the order of their labels.
    private func seriesToWrite(_ numbers: Set<UInt16>, _ memory: MemoryRequest) throws -> [UInt32] {
        var ids: [UInt32] = []
        // A sort needs a copy of a half.
        let most = registry.withLock { liveSeries }
        try memory.ask(most &* 6, for: "the order of \(most) series")
        ids.reserveCapacity(most)
        for group in registry.withLock({ groups }) {
            try group.lock.withLock {
                for extent in group.extents {
                    for id in extent where states[id].labels != 0 {
                        var next = states[id].sealed
                        var found = !group.outOfOrder.isEmpty && group.outOfOrder[id] != nil
                        while next != 0, !found {
                            found = numbers.contains(sealed[next].file)
                            next = sealed[next].next
                        }
                        if found {
                            try memory.reserve(1, in: &ids, for: "the order of series")
                            ids.append(id)
                        }
                    }
                }
            }
        }
        ids.sort { index.isBefore(states[$0].labels, states[$1].labels) }
        return ids
    }

    /// Writes the samples of a time range as a block; a group is only locked while a series' entries are copied.
    ///
    /// - Parameter leavesUnreadable: Whether chunks that the disk cannot read are left out as damaged ones are.
    /// - Throws: `FileError` if the system cannot read a chunk now: nothing is left out, and the caller tries again.
    func write(
        _ window: Range<Int64>, _ files: [SpillFile], to writer: BlockWriter, leavesUnreadable: Bool = false
    ) throws -> Written {
        var written = Written()
        var damaged: Set<UInt16> = []
        let numbers = Set(files.map(\.number))
        var byNumber: [UInt16: SpillFile] = [:]
        for file in files { byNumber[file.number] = file }
        var columns = SampleColumns(capacity: 1024)
        var piece = SampleColumns()
        var spare = SampleColumns()
        var cache: (key: UInt64, times: [Int64]) = (0, [])
        for id in try seriesToWrite(numbers, writer.memory) {
            columns.removeAll()
            guard let group = group(states[id].group) else { continue }
            var chunks: [SealedChunk] = []
            var outOfOrder: [OutOfOrderSample] = []
            var starts = StartTimes()
            var isRewound = false
            group.lock.withLock {
                isRewound = states[id].isRewound
                var next = states[id].sealed
                while next != 0 {
                    let chunk = sealed[next]
                    if numbers.contains(chunk.file) { chunks.append(chunk) }
                    next = chunk.next
                }
                if !group.outOfOrder.isEmpty, let samples = group.outOfOrder[id] {
                    outOfOrder = samples.elements(in: window)
                }
                if !group.starts.isEmpty, let own = group.starts[id] { starts = own }
            }
            for chunk in chunks.reversed() {
                guard let file = byNumber[chunk.file] else { continue }
                do {
                    let key = UInt64(chunk.file) << 32 | UInt64(chunk.timesOffset)
                    if key != cache.key || cache.times.isEmpty {
                        cache = (key, try SealedRecord.times(chunk, file))
                    }
                    if isRewound {
                        piece.removeAll()
                        try SealedRecord.append(chunk, file, cache.times, to: &piece)
                        columns.merge(piece, spare: &spare)
                    } else {
                        try SealedRecord.append(chunk, file, cache.times, to: &columns)
                    }
                } catch {
                    let isLasting = leavesUnreadable && error is FileError
                    guard StorageError.shortage(error) == nil, error is StorageError || isLasting else { throw error }
                    // One damaged record must not keep the rest of the window in the head forever.
                    damagedRecords.add(1, ordering: .relaxed)
                    damaged.insert(chunk.file)
                    logger.error("A sealed chunk is left out", about: ["\(error)"], ["err": "\(error)"])
                }
            }
            if !outOfOrder.isEmpty {
                try writer.memory.reserve(in: written.outOfOrder, for: "out-of-order samples")
                written.outOfOrder[id] = outOfOrder
                HeadSnapshot.merge(outOfOrder, &columns)
            }
            columns.starts = starts
            try writer.add(index.labels(record: states[id].labels), columns)
        }
        written.damaged = files.filter { damaged.contains($0.number) }
        return written
    }

    /// Removes the chunks in `files`, and out-of-order samples, which a block has now or which are dropped.
    ///
    /// A sample that has replaced one of them stays.
    func forget(_ files: [SpillFile], outOfOrder: [UInt32: [OutOfOrderSample]]) {
        let numbers = Set(files.map(\.number))
        var removed = 0
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                for extent in group.extents {
                    for id in extent {
                        // The last entry that stays in the list; 0 as long as there is none.
                        var kept: UInt32 = 0
                        var next = states[id].sealed
                        while next != 0 {
                            let entry = sealed[next]
                            let following = entry.next
                            if numbers.contains(entry.file) {
                                if kept != 0 { sealed[kept].next = following } else { states[id].sealed = following }
                                sealed.release(next)
                                removed += 1
                            } else {
                                kept = next
                            }
                            next = following
                        }
                    }
                }
                for id in Array(group.outOfOrder.keys) {
                    guard let samples = outOfOrder[id] else { continue }
                    let gone = Set(samples)
                    group.outOfOrder[id]?.removeAll { gone.contains($0) }
                    if group.outOfOrder[id]?.isEmpty == true { group.outOfOrder[id] = nil }
                }
            }
        }
        chunksRemoved.wrappingAdd(removed, ordering: .relaxed)
        for file in files { spill.remove(file.number) }
        let oldest = windows().first.map { $0.subtractingReportingOverflow(blockDuration).partialValue } ?? .max
        for group in registry.withLock({ groups }) {
            group.lock.withLock {
                if !group.starts.isEmpty { group.forgetStarts(before: oldest) }
                endRewinds(group, from: oldest)
            }
        }
    }

    /// The out-of-order samples of a window, by series.
    func outOfOrderSamples(
        in window: Range<Int64>, _ memory: MemoryRequest = MemoryRequest()
    ) throws -> [UInt32: [OutOfOrderSample]] {
        var found: [UInt32: [OutOfOrderSample]] = [:]
        for group in registry.withLock({ groups }) {
            try group.lock.withLock {
                for (id, samples) in group.outOfOrder {
                    let own = samples.elements(in: window)
                    if own.isEmpty { continue }
                    try memory.reserve(in: found, for: "out-of-order samples")
                    found[id] = own
                }
            }
        }
        return found
    }

    /// Removes the chunks of spill files that head compaction removed after the checkpoint that names them was written.
    ///
    /// A kill or a power cut between the block of a head compaction and its checkpoint leaves such a checkpoint. Any
    /// other missing file stays named, so that its samples are reported as left out. This is called before the log is
    /// read, because the log fills files that are not on disk yet.
    ///
    /// - Parameter cut: The cut files according to the manifest.
    /// - Returns: The names of the files that are missing.
    func forgetCutFiles(_ fileSystem: any FileSystem, cut: Set<CutFile>) -> [String] {
        let known = Set(cut.map { [$0.windowEnd, Int64($0.number)] })
        var missing: [String] = []
        for file in spill.files where (try? fileSystem.exists(file.path)) == false {
            if known.contains([file.windowEnd, Int64(file.number)]) {
                forget([file], outOfOrder: [:])
            } else if hasChunks(in: file.number) {
                missing.append(FilePath.name(file.path))
            }
        }
        return missing
    }

    /// Whether a series has a chunk in a spill file.
    private func hasChunks(in number: UInt16) -> Bool {
        for group in registry.withLock({ groups }) {
            let isNamed = group.lock.withLock {
                group.extents.joined().contains { id in
                    var next = states[id].sealed
                    while next != 0 {
                        if sealed[next].file == number { return true }
                        next = sealed[next].next
                    }
                    return false
                }
            }
            if isNamed { return true }
        }
        return false
    }

    /// Removes the series without a sample since `time` and without samples in the head; returns their number.
    ///
    /// Closed groups that have no series any more are offered to new names.
    ///
    /// Needs the `maintenanceLock`.
    func sweep(olderThan time: Int64) -> Int {
        maintenanceLock.assertHeld()
        var dead: [UInt32] = []
        for group in registry.withLock({ groups }) {
            group.lock.lock()
            registry.lock()
            let before = dead.count
            var living = 0
            for extent in group.extents {
                for id in extent {
                    let state = states.at(id)
                    if state.pointee.labels != 0 { living += 1 }
                    guard state.pointee.labels != 0, state.pointee.run == 0, state.pointee.sealed == 0,
                        state.pointee.lastTime < time, group.outOfOrder[id] == nil
                    else { continue }
                    if state.pointee.lastTime == .min, !state.pointee.isUnused {
                        // The series was made just now, or its samples were refused.
                        state.pointee.isUnused = true
                        continue
                    }
                    group.forgetStarts(of: id)
                    index.remove(id, record: state.pointee.labels)
                    state.pointee = SeriesState.none
                    live.remove(id)
                    dead.append(id)
                }
            }
            if living == dead.count - before {
                group.replaceExtents(IdRuns())
            } else if dead.count > before {
                group.replaceExtents(live.compacted(group.extents))
            }
            registry.unlock()
            offer(group)
            group.lock.unlock()
        }
        guard !dead.isEmpty else { return 0 }
        registry.withLock {
            discardStates(of: dead)
            deadLabels += dead.count
        }
        return dead.count
    }

    /// Returns the memory of the states in rows without a live series to the system; needs the registry's lock.
    private func discardStates(of dead: [UInt32]) {
        registry.assertHeld()
        let size = LiveIds.row
        var (start, end) = (0, 0)
        for id in dead.sorted() where Int(id) >= end {
            let first = Int(id) / size * size
            // New series use the next ids without a check of the memory, so an incomplete row stays.
            guard first &+ size <= Int(idEnd), live.isRowEmpty(id) else { continue }
            if first > end || end == 0 {
                discardStates(start..<end)
                start = first
            }
            end = first &+ size
        }
        discardStates(start..<end)
    }
}
