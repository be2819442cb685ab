import Encoding
import Model
import Platform

/// The samples of some series, copied from the head at one moment per group.
final class HeadSnapshot: @unchecked Sendable {
    // SAFETY: it is only read once it is shared, except the cache of times, which has a lock.

    /// The copied data of a series.
    struct Entry {
        var id: UInt32
        var labels: UInt32
        var state: SeriesState
        /// The position in `words` of the open chunk's bits, and in `runs` of its times; −1 if the open chunk is not
        /// wanted.
        var words = -1
        var times = -1
        /// The wanted sealed chunks, in `chunks`, newest first.
        var chunks: Range<Int> = 0..<0
        /// The position in `histograms` of the open chunk of native histograms; −1 if there is none.
        var histograms = -1
        /// The position in `outOfOrder`; −1 if there is none.
        var outOfOrder = -1
        /// Whether only the newest sample is wanted.
        var isNewest = false
    }

    fileprivate struct Run {
        var serial: UInt64
        var times: [Int64]
    }

    private let head: Head
    private let minTime: Int64
    private let maxTime: Int64
    private let content: Content
    /// The index to which the records of the entries' labels belong.
    private let index: LabelIndex
    private let cache = Guarded<[UInt64: [Int64]]>([:])

    /// Copies the data that `request` needs of the series `ids`, which its matchers accept.
    ///
    /// - Throws: The error of the request's charge.
    init(_ head: Head, _ ids: [UInt32], _ request: SelectRequest) throws {
        self.head = head
        minTime = request.minTime
        maxTime = request.maxTime
        while true {
            let index = head.registry.withLock { head.index }
            let content = try Content(head, ids, request)
            // If the index was replaced meanwhile, the records may belong to either index, so the copy is made again.
            guard index === head.registry.withLock({ head.index }) else { continue }
            (self.index, self.content) = (index, content)
            return
        }
    }

    var entries: [Entry] { content.entries }

    /// The approximate bytes that were copied.
    var heldBytes: Int { content.heldBytes }

    /// The labels of an entry.
    func labels(_ at: Int) -> Labels { index.labels(record: content.entries[at].labels) }

    /// Sorts the entries by their labels.
    func sort() {
        guard entries.count > 1 else { return }
        // The newest histograms are found by the positions of entries, which must not change; so positions are sorted.
        order.sort { index.isBefore(entries[Int($0)].labels, entries[Int($1)].labels) }
    }

    /// The positions of the entries, in the order of labels after ``sort()``.
    private(set) lazy var order = (0..<Int32(truncatingIfNeeded: entries.count)).map { $0 }

    /// Appends the samples of an entry in the requested time range.
    ///
    /// - Parameter leaveOut: A function that is called for each chunk that cannot be read; the other chunks are read.
    func read(_ at: Int, into columns: inout SampleColumns, leaveOut: (String) -> Void) throws {
        let entry = content.entries[at]
        defer {
            if !content.starts.isEmpty, let starts = content.starts[at], columns.count > 0 {
                columns.starts.append(starts, from: columns.timestamps[0])
            }
        }
        if entry.isNewest {
            if let histogram = content.newestHistograms[at] {
                columns.append(entry.state.lastTime, histogram)
            } else {
                columns.append(entry.state.lastTime, entry.state.isStale ? Staleness.marker : entry.state.lastValue)
            }
            return
        }
        if entry.state.isRewound { return try readRewound(entry, into: &columns, leaveOut) }
        var key: UInt64 = columns.count == 0 ? 1 : 0
        let leftOut = StoredHistograms.leftOut
        for i in entry.chunks.reversed() {
            try readSealed(content.chunks[i].chunk, content.chunks[i].file, &columns, &key, leaveOut)
        }
        try readOpen(entry, &columns, &key, leaveOut)
        // If a sample was left out, the times are not those of the key.
        columns.timestampKey = leftOut == StoredHistograms.leftOut ? key : 0
        mergeOutOfOrder(entry, &columns)
    }

    private func readOpen(_ entry: Entry, _ columns: inout SampleColumns, _ key: inout UInt64) throws {
        if entry.words >= 0 {
            columns.cost.chunks &+= 1
            columns.cost.bytes &+=
                entry.histograms >= 0 ? content.histograms[entry.histograms].count : Int(entry.state.bits) >> 3
            let run = content.runs[entry.times]
            let (first, count) = (Int(entry.state.first), Int(entry.state.count))
            Self.mix(&key, run.serial, first, count)
            if entry.histograms >= 0 {
                try content.histograms[entry.histograms].withUnsafeBytes { bytes in
                    try appendHistograms(bytes, run.times, first, count, &columns)
                }
            } else {
                try content.words.withUnsafeBufferPointer { buffer in
                    let view = ChunkView(
                        entry.state, words: UnsafeBufferPointer(rebasing: buffer[min(entry.words, buffer.count)...]))
                    try append(view, run.times, first, &columns)
                }
            }
        }
    }

    private func mergeOutOfOrder(_ entry: Entry, _ columns: inout SampleColumns) {
        if entry.outOfOrder >= 0 {
            Self.merge(
                content.outOfOrder[entry.outOfOrder].elements(from: minTime, to: maxTime), &columns)
        }
    }

    /// Appends the samples of a series whose chunks are not in the order of time.
    private func readRewound(
        _ entry: Entry, into columns: inout SampleColumns, _ leaveOut: (String) -> Void
    ) throws {
        var next = SampleColumns()
        var spare = SampleColumns()
        var key: UInt64 = 0
        func join(_ columns: inout SampleColumns) {
            columns.cost += next.cost
            next.cost = ReadCost()
            columns.merge(next, spare: &spare)
            spare.cost = ReadCost()
            next.removeAll()
        }
        for i in entry.chunks.reversed() {
            try readSealed(content.chunks[i].chunk, content.chunks[i].file, &next, &key, leaveOut)
            join(&columns)
        }
        try readOpen(entry, &next, &key, leaveOut)
        join(&columns)
        columns.timestampKey = 0
        mergeOutOfOrder(entry, &columns)
    }

    private static func mix(_ key: inout UInt64, _ serial: UInt64, _ first: Int, _ count: Int) {
        guard key != 0 else { return }
        var mixed = key &* 0x9E37_79B9_7F4A_7C15 ^ serial
        mixed = (mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9
        key = (mixed ^ UInt64(first << 16 | count)) | 1
    }

    private func readOpen(
        _ entry: Entry, _ columns: inout SampleColumns, _ key: inout UInt64, _ leaveOut: (String) -> Void
    ) throws {
        let count = columns.count
        do { try readOpen(entry, &columns, &key) } catch { try leave(error, count, &columns, &key, leaveOut) }
    }

    private func readSealed(
        _ chunk: SealedChunk, _ file: SpillFile, _ columns: inout SampleColumns, _ key: inout UInt64,
        _ leaveOut: (String) -> Void
    ) throws {
        let count = columns.count
        do { try readSealed(chunk, file, &columns, &key) } catch { try leave(error, count, &columns, &key, leaveOut) }
    }

    /// Leaves out a chunk that cannot be read: `columns` get back the `count` samples that they had before it.
    ///
    /// - Throws: `error`, if it is no property of the chunk.
    private func leave(
        _ error: any Error, _ count: Int, _ columns: inout SampleColumns, _ key: inout UInt64,
        _ leaveOut: (String) -> Void
    ) throws {
        let reason: String
        switch error {
        case StorageError.damaged(let what): reason = what
        // A shortage of the process is no property of the file: the query fails, and may succeed later.
        case let error as FileError where !error.isShortage: reason = "\(error)"
        default: throw error
        }
        columns.count = count
        columns.histograms.removeAll { $0.index >= count }
        key = 0
        leaveOut(reason)
    }

    private func readSealed(
        _ chunk: SealedChunk, _ file: SpillFile, _ columns: inout SampleColumns, _ key: inout UInt64
    ) throws {
        let times = try times(chunk, file)
        columns.cost.chunks &+= 1
        columns.cost.bytes &+= Int(chunk.length)
        Self.mix(&key, UInt64(file.number) << 32 | UInt64(chunk.timesOffset), Int(chunk.first), Int(chunk.count))
        try SealedRecord.withRecord(chunk, file) { record in
            if record.codec == SeriesState.histogram {
                try appendHistograms(record.payload, times, Int(chunk.first), Int(chunk.count), &columns)
            } else {
                try append(record.view, times, Int(chunk.first), &columns)
            }
        }
    }

    private func times(_ chunk: SealedChunk, _ file: SpillFile) throws -> [Int64] {
        let key = UInt64(file.number) << 32 | UInt64(chunk.timesOffset)
        if let known = cache.withLock({ $0[key] }) { return known }
        let times = try SealedRecord.times(chunk, file)
        cache.withLock { $0[key] = times }
        return times
    }

    private func append(
        _ view: ChunkView, _ times: [Int64], _ first: Int, _ columns: inout SampleColumns
    ) throws {
        let count = view.count
        guard first &+ count <= times.count, count <= HeadChunk.capacity else {
            throw StorageError.damaged("a chunk of \(count) samples with \(times.count) times")
        }
        columns.reserve(count)
        var (from, to) = (first, first &+ count)
        while from < to, times[from] < minTime { from &+= 1 }
        while to > from, times[to &- 1] > maxTime { to &-= 1 }
        guard from < to else { return }
        let target = columns.values + columns.count
        guard view.decode(into: UnsafeMutableBufferPointer(start: target, count: count)) else {
            throw StorageError.damaged("a chunk in the spill file")
        }
        if from > first { target.update(from: target + (from &- first), count: to &- from) }
        for i in from..<to { columns.timestamps[columns.count &+ i &- from] = times[i] }
        columns.count &+= to &- from
    }

    private func appendHistograms(
        _ bytes: UnsafeRawBufferPointer, _ times: [Int64], _ first: Int, _ count: Int, _ columns: inout SampleColumns
    ) throws {
        guard first &+ count <= times.count else { throw StorageError.damaged("a histogram chunk's times") }
        var reader = ByteReader(bytes)
        for i in first..<(first &+ count) {
            let isWanted = times[i] >= minTime && times[i] <= maxTime
            if try reader.byte() == 0 {
                if isWanted { columns.append(times[i], Staleness.marker) }
            } else if let histogram = try HistogramBytes.read(&reader), isWanted {
                columns.append(times[i], histogram)
            }
        }
    }

    /// Merges out-of-order samples into `columns`; at equal times, the samples of `columns` stay.
    static func merge(_ wanted: [OutOfOrderSample], _ columns: inout SampleColumns) {
        var joined = SampleColumns(capacity: columns.count &+ wanted.count)
        joined.cost = columns.cost
        joined.starts = columns.starts
        var (i, j, h) = (0, 0, 0)
        while i < columns.count || j < wanted.count {
            if i < columns.count, j >= wanted.count || columns.timestamps[i] <= wanted[j].time {
                let isReplaced = j < wanted.count && columns.timestamps[i] == wanted[j].time
                if h < columns.histograms.count, columns.histograms[h].index == i {
                    if !isReplaced { joined.append(columns.timestamps[i], columns.histograms[h].histogram) }
                    h &+= 1
                } else if !isReplaced {
                    joined.append(columns.timestamps[i], columns.values[i])
                }
                i &+= 1
            } else {
                if let histogram = wanted[j].histogram {
                    joined.append(wanted[j].time, histogram)
                } else {
                    joined.append(wanted[j].time, wanted[j].value)
                }
                j &+= 1
            }
        }
        swap(&joined, &columns)
        columns.timestampKey = 0
    }
}

extension HeadSnapshot {
    /// The copied data of all series.
    fileprivate struct Content {
        private(set) var entries: [Entry] = []
        private(set) var words: [UInt32] = []
        private(set) var runs: [Run] = []
        private(set) var chunks: [(chunk: SealedChunk, file: SpillFile)] = []
        private(set) var histograms: [[UInt8]] = []
        private(set) var newestHistograms: [Int: FloatHistogram] = [:]
        /// The start timestamps, by entry.
        private(set) var starts: [Int: StartTimes] = [:]
        private(set) var outOfOrder: [OutOfOrderSamples] = []

        /// The approximate bytes of all this.
        var heldBytes: Int {
            entries.capacity * (MemoryLayout<Entry>.stride + 4) + words.capacity * 4 + chunks.capacity * Self.chunkBytes
                + runs.reduce(0) { $0 + $1.times.count * 8 + 64 } + histograms.reduce(0) { $0 + $1.count + 32 }
        }

        private static let chunkBytes = MemoryLayout<(chunk: SealedChunk, file: SpillFile)>.stride

        /// Reserves memory for `count` more elements, which is charged before.
        private static func grow<T>(_ list: inout [T], by count: Int, _ request: SelectRequest) throws {
            guard list.capacity - list.count < count else { return }
            let capacity = max(list.count + count, list.capacity + list.capacity / 2, 16)
            try request.charge?((capacity - list.capacity) * MemoryLayout<T>.stride)
            list.reserveCapacity(capacity)
        }

        /// Copies the data that `request` needs of the series `ids`, which its matchers accept.
        init(_ head: Head, _ ids: [UInt32], _ request: SelectRequest) throws {
            try request.charge?(ids.count * (MemoryLayout<Entry>.stride + 4))
            entries.reserveCapacity(ids.count)
            var at = 0
            var files: [UInt16: SpillFile] = [:]
            while at < ids.count {
                let groupId = head.states[ids[at]].group
                var end = at &+ 1
                while end < ids.count, head.states[ids[end]].group == groupId { end &+= 1 }
                if let group = head.group(groupId) {
                    group.lock.lock()
                    defer { group.lock.unlock() }
                    var runAt: [UInt32: Int] = [:]
                    for id in ids[at..<end] { try copy(id, head, group, request, &runAt, &files) }
                }
                at = end
            }
        }

        private mutating func copy(
            _ id: UInt32, _ head: Head, _ group: HeadGroup, _ request: SelectRequest,
            _ runAt: inout [UInt32: Int],
            _ files: inout [UInt16: SpillFile]
        ) throws {
            let state = head.states[id]
            guard state.labels != 0 else { return }
            let (minTime, maxTime) = (request.minTime, request.maxTime)
            let outOfOrderSamples = group.outOfOrder.isEmpty ? nil : group.outOfOrder[id]
            var entry = Entry(id: id, labels: state.labels, state: state)
            let own = group.starts.isEmpty || request.labelsOnly ? nil : group.starts[id]
            defer {
                if let own, entries.last?.id == id { starts[entries.count - 1] = own }
            }
            if let outOfOrderSamples, let first = outOfOrderSamples.first?.time,
                let last = outOfOrderSamples.newest?.time,
                first <= maxTime, last >= minTime
            {
                entry.outOfOrder = outOfOrder.count
                outOfOrder.append(outOfOrderSamples)
            }
            guard state.lastTime >= minTime || entry.outOfOrder >= 0 || state.isRewound else { return }
            if request.newestOnly, state.lastTime <= maxTime, state.run != 0 || state.sealed != 0,
                entry.outOfOrder < 0, !state.isRewound, !state.isNewestDeleted
            {
                entry.isNewest = true
                if state.isHistogram, let last = group.histograms[id]?.last {
                    newestHistograms[entries.count] = last
                }
                if !state.isHistogram || newestHistograms[entries.count] != nil {
                    entries.append(entry)
                    return
                }
                entry.isNewest = false
            }
            var has = entry.outOfOrder >= 0
            var newer = Int64.max
            if state.run != 0, state.count > 0 {
                let run = group.runs[state.run]
                newer = run.time(Int(state.first))
                if newer <= maxTime, state.lastTime >= minTime {
                    has = true
                    if !request.labelsOnly { try copyOpen(id, head, state, run, group, request, &entry, &runAt) }
                }
            }
            let start = chunks.count
            var next = state.sealed
            while next != 0 {
                let chunk = head.sealed[next]
                next = chunk.next
                if files[chunk.file] == nil { files[chunk.file] = head.spill[chunk.file] }
                guard let file = files[chunk.file] else { continue }
                let first = file.windowEnd &- head.blockDuration &+ Int64(chunk.start)
                defer { newer = first }
                guard first <= maxTime else { continue }
                if state.isRewound {
                    newer = .max
                    if file.windowEnd <= minTime { continue }
                }
                // The next newer chunk starts after the last sample of this chunk.
                if newer <= minTime { break }
                if file.windowEnd <= minTime { break }
                has = true
                if request.labelsOnly { continue }
                try Self.grow(&chunks, by: 1, request)
                chunks.append((chunk, file))
            }
            entry.chunks = start..<chunks.count
            if has { entries.append(entry) }
        }

        private mutating func copyOpen(
            _ id: UInt32, _ head: Head, _ state: SeriesState, _ run: TimeRun, _ group: HeadGroup,
            _ request: SelectRequest, _ entry: inout Entry, _ runAt: inout [UInt32: Int]
        ) throws {
            if let known = runAt[state.run] {
                entry.times = known
            } else {
                entry.times = runs.count
                runAt[state.run] = runs.count
                runs.append(Run(serial: run.serial, times: (0..<Int(run.count)).map { run.time($0) }))
            }
            entry.words = words.count
            if state.codec == SeriesState.histogram {
                entry.histograms = histograms.count
                histograms.append(group.histograms[id]?.bytes ?? [])
            } else if state.codec != SeriesState.constant {
                let size = Int(state.bits) >> 5 &+ 3
                let start = words.count
                try Self.grow(&words, by: size, request)
                words.append(contentsOf: repeatElement(0, count: size))
                words.withUnsafeMutableBufferPointer { buffer in
                    _ = HeadChunk.copyWords(
                        state, head.arena, to: UnsafeMutableBufferPointer(rebasing: buffer[start...]))
                }
            }
        }
    }
}
