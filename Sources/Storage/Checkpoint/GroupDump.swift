import Encoding
import Model
import Platform

/// The conversion of a group of the head to bytes, and back.
///
/// States are written as they are in memory, so that only a program with the same layout reads them.
extension Head {
    /// Writes the frames of a group: the first one has the group, the others its states.
    ///
    /// The group's lock is held during the copy. The frames are written afterwards; without memory for all of them, they
    /// are written during the copy, which then takes longer.
    func dump(
        _ group: HeadGroup, _ memory: MemoryRequest, to write: (_ kind: UInt32, _ frame: [UInt8]) throws -> Void
    ) throws {
        var held: [(kind: UInt32, frame: [UInt8])] = []
        func writeHeld() throws {
            for (kind, frame) in held { try write(kind, frame) }
            held.removeAll()
        }
        try group.lock.withLock {
            held.append((CheckpointFrame.group, groupFrame(group)))
            var frame: [UInt8] = []
            var words = [UInt32](repeating: 0, count: HeadChunk.maxWords + 4)
            for extent in group.extents {
                for id in extent where states[id].labels != 0 {
                    dump(id, group, &words, to: &frame)
                    guard frame.count >= CheckpointWriter.frameSize else { continue }
                    held.append((CheckpointFrame.states, frame))
                    frame = []
                    if !memory.canAllocate(2 * CheckpointWriter.frameSize) { try writeHeld() }
                }
            }
            if !frame.isEmpty { held.append((CheckpointFrame.states, frame)) }
        }
        try writeHeld()
    }

    /// The frame with a group's name, its position in the log and its times.
    private func groupFrame(_ group: HeadGroup) -> [UInt8] {
        var frame: [UInt8] = []
        frame.appendSized(Array(group.name.utf8))
        frame.appendVarint(group.segment)
        frame.appendVarint(group.sequence)
        frame.appendZigzag(group.logTime)
        for number in group.runs.numbers {
            let run = group.runs[number]
            guard run.isInUse else { continue }
            frame.appendVarint(UInt64(number))
            frame.appendZigzag(run.base)
            frame.appendZigzag(run.windowEnd)
            frame.appendVarint(UInt64(run.next))
            // Only a record of all times is useful to a reader.
            let isSpilled = run.isClosed && run.spilledCount == run.count
            frame.appendLittle(isSpilled ? run.spilledAt : .max)
            frame.appendLittle(run.spilledFile)
            frame.append(run.limit)
            frame.append(run.isClosed ? 1 : 0)
            frame.appendVarint(Int(run.count))
            var last: UInt32 = 0
            for i in 0..<Int(run.count) {
                frame.appendVarint(UInt64(run.offset(i) &- last))
                last = run.offset(i)
            }
        }
        frame.appendVarint(0)
        return frame
    }

    private func dump(_ id: UInt32, _ group: HeadGroup, _ words: inout [UInt32], to frame: inout [UInt8]) {
        let state = states[id]
        frame.appendVarint(UInt64(id) + 1)
        // Values that the reader makes again are left out, because they would not compress.
        var lasting = state
        (lasting.firstBlock, lasting.lastBlock, lasting.sealed, lasting.mark) = (0, 0, 0, 0)
        (lasting.labels, lasting.group) = (0, 0)
        withUnsafeBytes(of: lasting) { frame.append(contentsOf: $0) }
        let size = words.withUnsafeMutableBufferPointer { buffer in
            HeadChunk.copyWords(state, arena, to: buffer)
        }
        frame.appendVarint(size)
        words.withUnsafeBytes { frame.append(contentsOf: $0[0..<(size * 4)]) }
        var chunks: [SealedChunk] = []
        var next = state.sealed
        while next != 0 {
            chunks.append(sealed[next])
            next = sealed[next].next
        }
        frame.appendVarint(chunks.count)
        // Each chunk is after the previous one in its file.
        var before = SealedChunk(next: 0, offset: 0, timesOffset: 0, start: 0, length: 0, file: 0, first: 0, count: 0)
        for chunk in chunks.reversed() {
            frame.appendZigzag(Int64(chunk.offset) &- Int64(before.offset))
            frame.appendZigzag(Int64(chunk.timesOffset) &- Int64(before.timesOffset))
            frame.appendVarint(UInt64(chunk.start))
            frame.appendVarint(UInt64(chunk.length))
            frame.appendVarint(UInt64(chunk.file))
            frame.append(chunk.first)
            frame.append(chunk.count)
            before = chunk
        }
        frame.appendSized(group.histograms[id]?.bytes ?? [])
        let outOfOrder = group.outOfOrder[id]?.elements ?? []
        let starts = group.starts[id]?.steps ?? []
        frame.appendVarint(outOfOrder.count + starts.count)
        for sample in outOfOrder {
            frame.appendZigzag(sample.time)
            frame.appendLittle(sample.value.bitPattern)
            frame.append(sample.histogram == nil ? 0 : 1)
            if let histogram = sample.histogram { HistogramBytes.append(histogram, to: &frame) }
        }
        for step in starts {
            frame.appendZigzag(step.time)
            frame.appendLittle(UInt64(bitPattern: step.start))
            frame.append(Self.startStep)
        }
    }

    /// The kind of an entry among the out-of-order samples that is a change of the start timestamp.
    private static let startStep: UInt8 = 2

    /// The highest number of a run: an open chunk holds each run, and a group has one open chunk for each series.
    private static let maxRuns = 2 * HeadGroup.maxSeries

    /// Reads the id of a series, which is written with one added; it may be too large for the capacity.
    func id(_ reader: inout ByteReader) throws(DecodeError) -> UInt32 {
        let number = try reader.count(Self.maxSeries)
        guard number > 0 else { throw DecodeError(expected: "an id", offset: reader.offset) }
        return UInt32(number) &- 1
    }

    /// Restores a group's position in the log and its runs.
    func restoreGroup(_ id: UInt32, _ reader: inout ByteReader) throws {
        let name = String(decoding: try reader.sizedRun(), as: UTF8.self)
        let group = restoreGroup(id, name)
        group.lock.lock()
        defer { group.lock.unlock() }
        // The first of two copies is used, as for states.
        guard !group.isRestored else { throw DecodeError(expected: "each group once", offset: reader.offset) }
        group.isRestored = true
        group.segment = try reader.varint()
        group.sequence = try reader.varint()
        group.logTime = try reader.zigzag()
        while true {
            let number = try reader.count(Self.maxRuns)
            if number == 0 { return }
            guard !group.runs.numbers.contains(UInt32(number)) || !group.runs[UInt32(number)].isInUse else {
                throw DecodeError(expected: "each run once", offset: reader.offset)
            }
            let (base, windowEnd) = (try reader.zigzag(), try reader.zigzag())
            let next = UInt32(try reader.count(Int(UInt32.max)))
            let (spilledAt, spilledFile) = (try reader.u32(), try reader.u16())
            let (limit, closed) = (try reader.byte(), try reader.byte())
            let count = try reader.count(256)
            var times: [UInt32] = []
            var last: UInt32 = 0
            for _ in 0..<count {
                last = last &+ UInt32(truncatingIfNeeded: try reader.varint())
                times.append(last)
            }
            group.runs.restore(
                number,
                TimeRun(
                    base: base, times: nil, windowEnd: windowEnd, serial: nextSerial(), references: 0, next: next,
                    spilledAt: spilledAt, spilledFile: spilledFile,
                    spilledCount: UInt16(count), count: 0, capacity: 0, limit: limit,
                    isClosed: closed != 0), times)
        }
    }

    /// The value in a state whose labels are not restored yet.
    static let awaitsLabels = UInt32.max

    /// Restores the states of series of a group, and adds their ids to `ids`.
    func restoreStates(_ id: UInt32, _ reader: inout ByteReader, ids: inout IdRuns) throws {
        let group = restoreGroup(id, nil)
        group.lock.lock()
        defer { group.lock.unlock() }
        var stretch = BlockStretch(arena)
        var missing = 0
        while !reader.isAtEnd {
            let id = try self.id(&reader)
            guard Int(id) + 1 < capacity else { throw StorageError.limit("\(capacity) series\(AddressSpace.note)") }
            let state = states.at(id)
            let raw = try reader.run(MemoryLayout<SeriesState>.size)
            guard state.pointee.labels != Self.awaitsLabels else {
                throw DecodeError(expected: "each series once", offset: reader.offset)
            }
            // A state of which a part cannot be read must not be in memory.
            let words = try reader.run(try reader.count(HeadChunk.maxWords) * 4)
            ids.add(id)
            state.pointee = raw.loadUnaligned(as: SeriesState.self)
            state.pointee.labels = Self.awaitsLabels
            state.pointee.group = group.id
            if !group.isRestored || restored != nil {
                registry.withLock {
                    if !group.isRestored { doubtful[id] = state.pointee.logSegment }
                    _ = restored?.insert(id)
                }
            }
            let end = Int(state.pointee.first) + Int(state.pointee.count)
            let hasTimes =
                state.pointee.isSound
                && (state.pointee.run == 0 || group.runs.retain(state.pointee.run, upTo: end))
            if hasTimes {
                guard HeadChunk.restore(state, arena, &stretch, words) else {
                    throw StorageError.limit("\(arena.capacity) blocks of open chunks\(AddressSpace.note)")
                }
            } else {
                // The frame with the group's times is damaged; the sealed chunks still exist.
                HeadChunk.forget(state)
                missing += 1
            }
            raiseNewest(state.pointee.lastTime)
            try restoreSealed(state, &reader)
            let histograms = Array(try reader.sizedRun())
            if state.pointee.codec == SeriesState.histogram, state.pointee.run != 0, hasTimes {
                group.histograms[id] = OpenHistograms(bytes: histograms, last: Self.last(histograms))
            }
            for _ in 0..<(try reader.count(reader.remaining)) {
                let time = try reader.zigzag()
                let bits = try reader.u64()
                let kind = try reader.byte()
                if kind == Self.startStep {
                    group.setStart(id, time, Int64(bitPattern: bits), isNewest: true)
                    continue
                }
                let value = Double(bitPattern: bits)
                let histogram = kind == 0 ? nil : try HistogramBytes.read(&reader)
                if kind == 0 || histogram != nil { addOutOfOrder(id, time, value, histogram, group) }
            }
        }
        if missing > 0 { throw StorageError.damaged("the times of \(missing) open chunks are missing, or do not fit") }
    }

    /// Reads the list of the sealed chunks of a series.
    private func restoreSealed(_ state: StateReference, _ reader: inout ByteReader) throws {
        state.pointee.sealed = 0
        var (offset, timesOffset): (Int64, Int64) = (0, 0)
        for _ in 0..<(try reader.count(1 << 20)) {
            offset &+= try reader.zigzag()
            timesOffset &+= try reader.zigzag()
            let chunk = SealedChunk(
                next: state.pointee.sealed, offset: UInt32(truncatingIfNeeded: offset),
                timesOffset: UInt32(truncatingIfNeeded: timesOffset),
                start: UInt32(try reader.count(Int(UInt32.max))),
                length: UInt32(try reader.count(Int(UInt32.max))), file: UInt16(try reader.count(Int(UInt16.max))),
                first: try reader.byte(), count: try reader.byte())
            let entry = sealed.allocate()
            guard entry != 0 else {
                throw StorageError.limit("\(space.sealedChunks) sealed chunks\(AddressSpace.note)")
            }
            sealed[entry] = chunk
            state.pointee.sealed = entry
        }
    }

    /// The newest histogram of an open chunk.
    private static func last(_ bytes: [UInt8]) -> FloatHistogram? {
        bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw)
            var last: FloatHistogram?
            while let kind = try? reader.byte() {
                guard kind != 0 else { continue }
                do throws(DecodeError) { last = try HistogramBytes.read(&reader) ?? last } catch { break }
            }
            return last
        }
    }
}
