import Encoding
import Model
import Synchronization

/// One group's part of a batch on its way: what was accepted, and its record for the log.
///
/// Three passes over the same cache lines: `validate` decides, `encode` writes differences to the newest values
/// without changing them, and only when the log has the record, `apply` appends.
///
/// Kept in a pool of the store, not by group: a few that stay in the cache serve all.
struct BatchWriter: ~Copyable {
    /// Accepted samples: position in the batch, series, time, whether it is out of order.
    private(set) var positions: FixedBuffer<Int32>
    private(set) var ids: FixedBuffer<UInt32>
    private(set) var times: FixedBuffer<Int64>
    private(set) var outOfOrder: FixedBuffer<Bool>
    private(set) var count = 0
    private var capacity = 64
    /// Samples whose start timestamp is another than their series' before: number among the accepted, and it.
    var starts: [(number: Int, start: Int64)] = []
    var hasOutOfOrder = false
    /// A sample begins its series anew at an earlier time.
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

    /// The newest stored times of series that a batch holds at several places, from before the batch.
    private(set) var storedTimes: [UInt32: Int64] = [:]

    /// Forgets the batch before.
    mutating func beginBatch() {
        if !storedTimes.isEmpty { storedTimes.removeAll() }
    }

    /// Notes that a series comes again in the batch, at another place.
    mutating func noteAgain(_ id: UInt32, stored time: Int64) {
        if storedTimes[id] == nil { storedTimes[id] = time }
    }

    /// The newest time of a series before the batch.
    func storedTime(_ id: UInt32, _ state: SeriesState) -> Int64 {
        storedTimes.isEmpty ? state.lastTime : storedTimes[id] ?? state.lastTime
    }

    /// Forgets the samples and makes room for `room` of them.
    mutating func begin(_ room: Int) {
        count = 0
        hasOutOfOrder = false
        hasRewinds = false
        guard room > capacity else { return }
        free()
        capacity = max(room, capacity &* 2)
        positions = FixedBuffer(allocating: capacity)
        ids = FixedBuffer(allocating: capacity)
        times = FixedBuffer(allocating: capacity)
        outOfOrder = FixedBuffer(allocating: capacity)
    }

    /// Takes a sample; there must be room.
    @inline(__always)
    mutating func add(_ position: Int, _ id: UInt32, _ time: Int64, isOutOfOrder: Bool) {
        positions[count] = Int32(truncatingIfNeeded: position)
        ids[count] = id
        times[count] = time
        outOfOrder[count] = isOutOfOrder
        count &+= 1
    }
}

/// A writer on loan.
final class PooledWriter: @unchecked Sendable {
    // SAFETY: used by one commit at a time, which takes it out of the pool.
    var writer = BatchWriter()
    let packer: LogPacker

    init(_ options: StoreOptions) { packer = LogPacker(shortest: options.shortestPackedFrame) }
}

extension Head {
    /// Decides about samples from `start` on that belong to `group`; returns where it had to stop.
    ///
    /// Needs the group's lock.
    ///
    /// It stops before a sample of a series that the batch held already at another place, for its predecessor must be
    /// appended first. Unknown series are told by the first of the groups that a batch touches.
    func validate(
        _ batch: borrowing SampleBatch, from start: Int, _ group: HeadGroup, _ bounds: AcceptanceBounds,
        _ writer: inout BatchWriter, _ outcome: inout CommitOutcome, isFirst: Bool,
        _ histogramAt: (Int) -> Int?
    ) -> Int {
        group.lock.assertHeld()
        group.mark &+= 1
        let mark = group.mark
        let hasTimes = batch.timestamps.count == batch.refs.count
        var (lastRaw, lastTime, lastValue, lastKind): (UInt64, Int64, Double, Int) = (0, 0, 0, -1)
        let end = min(batch.refs.count, batch.values.count)
        let idEnd = UInt64(idEnd)
        for i in start..<end {
            let raw = batch.refs[i].raw
            guard raw > 0, raw <= idEnd else {
                if isFirst { outcome.rejected.append((i, .unknownSeries)) }
                continue
            }
            let id = UInt32(truncatingIfNeeded: raw &- 1)
            let state = states.at(id)
            guard state.pointee.group == group.id else { continue }
            guard state.pointee.labels != 0 else {
                outcome.rejected.append((i, .unknownSeries))
                continue
            }
            let time = hasTimes ? batch.timestamps[i] : batch.timestamp
            let isOwn = batch.delay != nil && time == batch.timestamp
            if time < bounds.earliest, !isOwn {
                // As if it had not been there.
                if !batch.isOptional(i) { outcome.rejected.append((i, bounds.reason)) }
                continue
            }
            let isAdjacent = raw == lastRaw
            if !isAdjacent, state.pointee.mark == mark {
                writer.noteAgain(id, stored: state.pointee.lastTime)
                return i
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
                    // As if it had not been there: what follows of the series need not wait for it.
                    if !isAdjacent { state.pointee.mark = mark &- 1 }
                    continue
                }
                if time > writer.storedTime(id, state.pointee) { outcome.overtaken.append(i) }
                let kind = histogramAt(i)
                // At the time of a newest sample that is deleted there is none: it may come anew, out of order.
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
        return end
    }

    /// Whether sample `i` of a batch has the value of one before it: a float, or the histogram at `lastKind`.
    private static func isRepeated(
        _ batch: borrowing SampleBatch, _ i: Int, _ kind: Int?, of lastValue: Double, _ lastKind: Int
    ) -> Bool {
        guard let kind else { return lastKind < 0 && batch.values[i].bitPattern == lastValue.bitPattern }
        guard lastKind >= 0 else { return false }
        return HistogramBytes.equal(batch.histograms[kind].histogram, batch.histograms[lastKind].histogram)
    }

    /// Whether a sample is a staleness marker in the form of a float, and the next one a histogram of the same series.
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

    /// Appends the log's record of the accepted samples; needs the group's lock.
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
        // A series that the segment does not know yet begins at 0, with its first float.
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

    /// Writes what comes before the values: the group, the series, their times and start timestamps.
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

    /// Finds the samples whose start timestamp is another than that of the samples before.
    private func findStarts(
        _ batch: borrowing SampleBatch, _ group: HeadGroup, _ writer: inout BatchWriter, _ histogramAt: (Int) -> Int?
    ) {
        writer.starts.removeAll(keepingCapacity: true)
        guard !batch.starts.isEmpty || group.hasHadStarts else { return }
        var next = 0
        var (lastId, newest): (UInt32, Int64) = (.max, 0)
        for k in 0..<writer.count {
            let (i, id) = (Int(writer.positions[k]), writer.ids[k])
            while next < batch.starts.count, batch.starts[next].index < i { next &+= 1 }
            let start = next < batch.starts.count && batch.starts[next].index == i ? batch.starts[next].start : 0
            if writer.outOfOrder[k] {
                // Always said: a replay over an older checkpoint knows steps that a cut has taken from memory since.
                writer.starts.append((k, start))
                continue
            }
            let sum = histogramAt(i).map { batch.histograms[$0].histogram.sum } ?? batch.values[i]
            // A marker has none, and says nothing of the samples around it.
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

    /// Appends the accepted samples, after the log has them, or although it has not; needs the group's lock.
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
        for k in 0..<writer.count {
            let (i, id, time) = (Int(writer.positions[k]), writer.ids[k], writer.times[k])
            if time > latest { latest = time }
            if writer.hasRewinds, !writer.outOfOrder[k] { rewindIfLater(id, than: time, group) }
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
