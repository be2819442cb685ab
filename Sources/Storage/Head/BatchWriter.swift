import Encoding
import Model
import Synchronization

/// The samples of one group in a batch that is being committed: the accepted samples, and their record for the log.
///
/// A commit uses the same cache lines three times: `validate` decides, `encode` writes differences to the newest values
/// without changing them, and `apply` appends after the log has the record.
///
/// Writers are kept in a pool of the store, not per group: a few writers, which stay in the processor's cache, suffice
/// for all groups.
struct BatchWriter: ~Copyable {
    /// The accepted samples: position in the batch, series, time, whether it is out of order.
    private(set) var positions: FixedBuffer<Int32>
    private(set) var ids: FixedBuffer<UInt32>
    private(set) var times: FixedBuffer<Int64>
    private(set) var outOfOrder: FixedBuffer<Bool>
    private(set) var count = 0
    private var capacity = 64
    /// The accepted samples whose start timestamp differs from the previous one of their series: the number among the
    /// accepted samples, and the start timestamp.
    ///
    /// Out-of-order samples are always in it.
    var starts: [(number: Int, start: Int64)] = []
    var hasOutOfOrder = false
    /// Whether a sample starts its series again at an earlier time.
    var hasRewinds = false
    var sink = ByteSink()

    init() {
        positions = FixedBuffer(allocating: 64)
        ids = FixedBuffer(allocating: 64)
        times = FixedBuffer(allocating: 64)
        outOfOrder = FixedBuffer(allocating: 64)
    }

    deinit { free() }

    private borrowing func free() {
        positions.deallocate()
        ids.deallocate()
        times.deallocate()
        outOfOrder.deallocate()
    }

    /// The number of windows that the batch has added to the head's list.
    var addedWindows = 0
    /// The newest stored times, before the batch, of series that occur at several positions in the batch.
    private(set) var storedTimes: [UInt32: Int64] = [:]

    /// Removes the state of the previous batch.
    mutating func beginBatch() {
        addedWindows = 0
        if !storedTimes.isEmpty { storedTimes.removeAll() }
    }

    /// Notes that a series occurs again in the batch, at another position.
    mutating func noteAgain(_ id: UInt32, stored time: Int64) {
        if storedTimes[id] == nil { storedTimes[id] = time }
    }

    /// The newest time of a series before the batch.
    func storedTime(_ id: UInt32, _ state: SeriesState) -> Int64 {
        storedTimes.isEmpty ? state.lastTime : storedTimes[id] ?? state.lastTime
    }

    /// Removes the samples and reserves memory for `expected` of them.
    mutating func begin(_ expected: Int) {
        count = 0
        hasOutOfOrder = false
        hasRewinds = false
        guard expected > capacity else { return }
        free()
        capacity = max(expected, capacity &* 2)
        positions = FixedBuffer(allocating: capacity)
        ids = FixedBuffer(allocating: capacity)
        times = FixedBuffer(allocating: capacity)
        outOfOrder = FixedBuffer(allocating: capacity)
    }

    /// Adds a sample; the capacity must suffice.
    @inline(__always)
    mutating func add(_ position: Int, _ id: UInt32, _ time: Int64, isOutOfOrder: Bool) {
        positions[count] = Int32(truncatingIfNeeded: position)
        ids[count] = id
        times[count] = time
        outOfOrder[count] = isOutOfOrder
        count &+= 1
    }
}

/// A writer of the pool, with a packer for the log.
final class PooledWriter: @unchecked Sendable {
    // SAFETY: one commit at a time uses it, and takes it out of the pool before.
    var writer = BatchWriter()
    let packer: LogPacker

    init(_ options: StoreOptions) { packer = LogPacker(shortest: options.shortestPackedFrame) }
}

extension Head {
    /// Validates samples of a batch that belong to `group`; returns the number in `own` where it stopped.
    ///
    /// Needs the group's lock.
    ///
    /// It stops before a sample of a series that the batch already had at another position, because the earlier sample
    /// must be appended first.
    func validate(
        _ batch: borrowing SampleBatch, _ own: BatchOwners.Part, _ group: HeadGroup, _ bounds: AcceptanceBounds,
        _ writer: inout BatchWriter, _ outcome: inout CommitOutcome, _ histogramAt: (Int) -> Int?
    ) -> Int {
        group.lock.assertHeld()
        group.mark &+= 1
        let mark = group.mark
        let (hasTimes, idEnd) = (batch.timestamps.count == batch.refs.count, UInt64(idEnd))
        var (lastRaw, lastTime, lastValue, lastKind): (UInt64, Int64, Double, Int) = (0, 0, 0, -1)
        var (bounds, admitted) = (bounds, group.admitted)
        defer { group.admitted = admitted }
        for number in own.numbers {
            let i = own.position(number)
            let raw = batch.refs[i].raw
            guard raw > 0, raw <= idEnd else {
                outcome.rejected.append((i, .unknownSeries))
                continue
            }
            let id = UInt32(truncatingIfNeeded: raw &- 1)
            let state = states.at(id)
            // The series may have been removed since its group was found.
            guard state.pointee.group == group.id, state.pointee.labels != 0 else {
                outcome.rejected.append((i, .unknownSeries))
                continue
            }
            let time = hasTimes ? batch.timestamps[i] : batch.timestamp
            let isOwn = batch.delay != nil && time == batch.timestamp
            if let reason = refusal(of: time, isOwn: isOwn, &admitted, &bounds, &writer) {
                // An optional sample is left out without an error.
                if !batch.isOptional(i) { outcome.rejected.append((i, reason)) }
                continue
            }
            let isAdjacent = raw == lastRaw
            if !isAdjacent, state.pointee.mark == mark {
                writer.noteAgain(id, stored: state.pointee.lastTime)
                return number
            }
            if !isAdjacent, batch.commitsFloatMarkersLast, bounds.outOfOrderFrom.map({ time < $0 }) ?? true,
                Self.isMarkerBeforeHistogram(batch, i, histogramAt), state.pointee.isHistogram
            {
                continue
            }
            if !batch.histograms.isEmpty, let at = histogramAt(i),
                (try? batch.histograms[at].histogram.validate()) == nil
            {
                outcome.rejected.append((i, .invalidHistogram))
                continue
            }
            state.pointee.mark = mark
            let previous = isAdjacent ? lastTime : state.pointee.lastTime
            var isOutOfOrder = false
            if time < previous, !isAdjacent, previous > (isOwn ? bounds.ownFutureFrom : bounds.futureFrom),
                !batch.isOptional(i)
            {
                writer.hasRewinds = true
                (lastRaw, lastTime, lastValue) = (raw, time, batch.values[i])
                lastKind = batch.histograms.isEmpty ? -1 : histogramAt(i) ?? -1
            } else if time <= previous {
                if batch.isOptional(i) {
                    // It is left out without an error, so that later samples of the series do not have to wait for it.
                    if !isAdjacent { state.pointee.mark = mark &- 1 }
                    continue
                }
                if time > writer.storedTime(id, state.pointee) { outcome.overtaken.append(i) }
                let kind = histogramAt(i)
                // A deleted newest sample does not count: its time may be stored again, out of order.
                let isGone = time == previous && !isAdjacent && state.pointee.isNewestDeleted
                if time == previous, !isGone {
                    let isSame =
                        isAdjacent
                        ? Self.isRepeated(batch, i, kind, of: lastValue, lastKind)
                        : isNewest(id, batch.values[i], kind.map { batch.histograms[$0].histogram }, group)
                    if isSame { outcome.appended += 1 } else { outcome.rejected.append((i, .duplicate)) }
                    continue
                }
                guard let from = bounds.outOfOrderFrom, time >= from else {
                    outcome.rejected.append(
                        (i, isGone ? .duplicate : bounds.outOfOrderFrom == nil ? .outOfOrder : .tooOld))
                    continue
                }
                isOutOfOrder = true
                writer.hasOutOfOrder = true
            } else {
                lastRaw = raw
                lastTime = time
                lastValue = batch.values[i]
                lastKind = batch.histograms.isEmpty ? -1 : histogramAt(i) ?? -1
            }
            writer.add(i, id, time, isOutOfOrder: isOutOfOrder)
            outcome.appended += 1
        }
        return own.numbers.upperBound
    }

    /// The reason to refuse a sample because of its time, whatever its series has.
    @inline(__always)
    private func refusal(
        of time: Int64, isOwn: Bool, _ admitted: inout AdmittedWindow, _ bounds: inout AcceptanceBounds,
        _ writer: inout BatchWriter
    ) -> SampleRejection? {
        if time < bounds.earliest, !isOwn { return bounds.reason }
        if admitted.admits(time, self, presentFrom: bounds.presentFrom, &writer.addedWindows) { return nil }
        // A sender that sends the batch again must not find later samples of it stored.
        if bounds.maySendAgain { bounds.presentFrom = .max }
        // An out-of-order batch that took most of the windows itself would take the same ones each time it is sent.
        let isEndless = bounds.outOfOrderFrom != nil && writer.addedWindows >= admittedWindows.most / 2
        return isEndless ? bounds.reason : .tooManyWindows
    }

    /// Whether sample `i` of a batch equals the previous sample of its series: a float, or the histogram at `lastKind`.
    private static func isRepeated(
        _ batch: borrowing SampleBatch, _ i: Int, _ kind: Int?, of lastValue: Double, _ lastKind: Int
    ) -> Bool {
        guard let kind else { return lastKind < 0 && batch.values[i].bitPattern == lastValue.bitPattern }
        guard lastKind >= 0 else { return false }
        return HistogramBytes.equal(batch.histograms[kind].histogram, batch.histograms[lastKind].histogram)
    }

    /// Whether a sample is a stale marker in the form of a float, and the next sample is a histogram of the same
    /// series.
    private static func isMarkerBeforeHistogram(
        _ batch: borrowing SampleBatch, _ i: Int, _ histogramAt: (Int) -> Int?
    ) -> Bool {
        guard !batch.histograms.isEmpty, Staleness.isMarker(batch.values[i]), histogramAt(i) == nil else {
            return false
        }
        let next = i &+ 1
        return next < min(batch.refs.count, batch.values.count) && batch.refs[next].raw == batch.refs[i].raw
            && histogramAt(next) != nil
    }

    /// Whether the newest sample of a series equals this one.
    private func isNewest(_ id: UInt32, _ value: Double, _ histogram: FloatHistogram?, _ group: HeadGroup) -> Bool {
        let state = states[id]
        if let histogram {
            guard state.isHistogram, let last = group.histograms[id]?.last else { return false }
            return HistogramBytes.equal(last, histogram)
        }
        if state.isHistogram { return false }
        if state.isStale { return value.bitPattern == Staleness.bits }
        return value.bitPattern == state.lastValue.bitPattern
    }

    /// Encodes the log record of the accepted samples into the writer's sink; needs the group's lock.
    func encode(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, segment: UInt64, _ writer: inout BatchWriter,
        _ histogramAt: (Int) -> Int?
    ) {
        group.lock.assertHeld()
        let count = writer.count
        findStarts(batch, group, &writer, histogramAt)
        encodeHeader(batch, group, segment: segment, &writer)
        let bits = writer.sink.appendZeros((count &+ 7) >> 3)
        writer.sink.reserve(count &* ValueCode.maxSize &+ 16)
        let low = UInt16(truncatingIfNeeded: segment)
        let hasHistograms = !batch.histograms.isEmpty
        let hasDecimals = batch.mantissas.count == batch.refs.count && batch.scales.count == batch.refs.count
        // A series that is new in the segment starts at 0 with its first float.
        var (lastId, base, isFresh): (UInt32, Double, Bool) = (.max, 0, false)
        for k in 0..<count {
            let (i, id) = (Int(writer.positions[k]), writer.ids[k])
            let state = states.at(id)
            if id != lastId {
                isFresh = state.pointee.logSegment != low
                base = isFresh ? 0 : state.pointee.lastValue
                lastId = id
            }
            let value = batch.values[i]
            if hasHistograms, let at = histogramAt(i) {
                writer.sink.setBit(k, from: bits)
                var bytes = [writer.outOfOrder[k] ? ValueCode.outOfOrderHistogram : ValueCode.histogram]
                HistogramBytes.append(batch.histograms[at].histogram, to: &bytes)
                writer.sink.append(bytes)
                writer.sink.reserve((count &- k) &* ValueCode.maxSize)
                continue
            }
            if writer.hasOutOfOrder, writer.outOfOrder[k] {
                writer.sink.setBit(k, from: bits)
                writer.sink.put(ValueCode.outOfOrder)
                writer.sink.putLittle(value.bitPattern, 8)
                continue
            }
            if value.bitPattern == Staleness.bits {
                writer.sink.setBit(k, from: bits)
                writer.sink.put(ValueCode.stale)
                continue
            }
            if isFresh {
                state.pointee.logSegment = low
                state.pointee.logScale = 0
                isFresh = false
            }
            if value.bitPattern == base.bitPattern { continue }
            writer.sink.setBit(k, from: bits)
            ValueCode.put(
                value, after: base, scale: &state.pointee.logScale, mantissa: hasDecimals ? batch.mantissas[i] : 0,
                mantissaScale: hasDecimals ? batch.scales[i] : -1, to: &writer.sink)
            base = value
        }
    }

    /// Encodes the part of the record before the values: the group, the series, their times and start timestamps.
    private func encodeHeader(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, segment: UInt64, _ writer: inout BatchWriter
    ) {
        let count = writer.count
        let hasTimes = batch.timestamps.count == batch.refs.count
        if group.segment != segment {
            group.segment = segment
            group.sequence = 0
            group.logTime = 0
        }
        writer.sink.reserve(64)
        writer.sink.put(LogRecord.samples)
        writer.sink.putVarint(UInt64(group.id))
        writer.sink.putVarint(group.sequence)
        writer.sink.put(
            (hasTimes ? LogRecord.ownTimes : 0) | (writer.starts.isEmpty ? 0 : LogRecord.starts)
                | (writer.hasRewinds ? LogRecord.rewinds : 0))
        writer.sink.putVarint(UInt64(count))
        LogRecord.putIds(writer.ids.elements(0..<count), to: &writer.sink)
        if hasTimes {
            LogRecord.putTimes(writer.times.elements(0..<count), base: group.logTime, to: &writer.sink)
        } else {
            writer.sink.reserve(16)
            writer.sink.putZigzag(batch.timestamp &- group.logTime)
        }
        if !writer.starts.isEmpty { putStarts(&writer) }
    }

    /// Finds the samples whose start timestamp differs from that of the previous sample, and all out-of-order samples.
    private func findStarts(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, _ writer: inout BatchWriter, _ histogramAt: (Int) -> Int?
    ) {
        writer.starts.removeAll(keepingCapacity: true)
        guard !batch.starts.isEmpty || group.hasHadStarts else { return }
        // A batch with several records for a group is not searched from its beginning for each of them.
        var next = writer.count > 0 ? batch.firstStart(from: Int(writer.positions[0])) : 0
        var (lastId, newest): (UInt32, Int64) = (.max, 0)
        for k in 0..<writer.count {
            let (i, id) = (Int(writer.positions[k]), writer.ids[k])
            while next < batch.starts.count, batch.starts[next].index < i { next &+= 1 }
            let start = next < batch.starts.count && batch.starts[next].index == i ? batch.starts[next].start : 0
            if writer.outOfOrder[k] {
                // It is always written: a replay over an older checkpoint may find changes of the start timestamp that
                // a head compaction has removed from memory since then.
                writer.starts.append((k, start))
                continue
            }
            let sum = histogramAt(i).map { batch.histograms[$0].histogram.sum } ?? batch.values[i]
            // A stale marker has no start timestamp, and does not change that of its series.
            if Staleness.isMarker(sum) { continue }
            if id != lastId {
                newest = group.starts[id]?.newest ?? 0
                lastId = id
            }
            if start != newest {
                writer.starts.append((k, start))
                newest = start
            }
        }
    }

    private func putStarts(_ writer: inout BatchWriter) {
        writer.sink.reserve(writer.starts.count &* 20 &+ 16)
        writer.sink.putVarint(UInt64(writer.starts.count))
        var before = 0
        for (number, start) in writer.starts {
            writer.sink.putVarint(UInt64(number &- before))
            writer.sink.putZigzag(start &- writer.times[number])
            before = number
        }
    }

    /// Appends the accepted samples to the head, after the log has them, or without the log; needs the group's lock.
    func apply(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, _ writer: borrowing BatchWriter, isLogged: Bool,
        _ histogramAt: (Int) -> Int?
    ) throws(StorageError) {
        group.lock.assertHeld()
        if isLogged { group.sequence &+= 1 }
        let hasHistograms = !batch.histograms.isEmpty
        let hasDecimals = batch.mantissas.count == batch.refs.count && batch.scales.count == batch.refs.count
        for (k, start) in writer.starts {
            group.setStart(writer.ids[k], writer.times[k], start, isNewest: !writer.outOfOrder[k])
        }
        var latest = Int64.min
        var done = true
        let mayReplace = writer.hasRewinds || group.rewoundUntil != .min
        for k in 0..<writer.count {
            let (i, id, time) = (Int(writer.positions[k]), writer.ids[k], writer.times[k])
            if time > latest { latest = time }
            if mayReplace, !writer.outOfOrder[k] {
                if writer.hasRewinds { rewindIfLater(id, than: time, group) }
                forgetReplaced(id, time, group)
            }
            if writer.hasOutOfOrder, writer.outOfOrder[k] {
                addOutOfOrder(id, time, batch.values[i], histogramAt(i).map { batch.histograms[$0].histogram }, group)
            } else if hasHistograms, let at = histogramAt(i) {
                done = append(id, time, batch.histograms[at].histogram, group) && done
            } else {
                done =
                    append(
                        id, time, batch.values[i], hasDecimals ? batch.mantissas[i] : 0,
                        hasDecimals ? batch.scales[i] : -1, group) && done
            }
        }
        if batch.timestamps.count == batch.refs.count {
            if writer.count > 0 { group.logTime = writer.times[writer.count &- 1] }
        } else {
            group.logTime = batch.timestamp
        }
        raiseNewest(latest)
        if !done { throw .outOfMemory("open chunks") }
    }

    func raiseNewest(_ time: Int64) {
        var old = newest.load(ordering: .relaxed)
        while time > old {
            let (done, seen) = newest.compareExchange(expected: old, desired: time, ordering: .relaxed)
            if done { return }
            old = seen
        }
    }
}
