import Config
import Glibc
import Exposition
import HTTP
import Model
import Telemetry

/// Memory that one worker reuses for all its scrapes.
struct AppendScratch {
    var batch = SampleBatch()
    var text = SeriesText()
    /// The template's slot of each sample of the batch; `UInt32.max` for samples without one.
    var slotOfSample: [UInt32] = []
    /// Reports the end of scraping.
    let cancellation: Cancellation
    /// The number of samples between two checks for the end.
    private static let portion = 512

    init(cancellation: Cancellation = Cancellation()) { self.cancellation = cancellation }

    /// Throws within a body when scraping ends.
    @inline(__always)
    func checkEnd(_ counts: AppendCounts) throws(ScrapeFailure) {
        guard counts.scraped % Self.portion == 0, cancellation.isOn else { return }
        throw ScrapeFailure(.cancelled, "context canceled")
    }

    mutating func removeAll() {
        batch.removeAll()
        slotOfSample.removeAll(keepingCapacity: true)
    }
}

/// The counts of a scrape body.
struct AppendCounts {
    /// The number of sample lines.
    var scraped = 0
    /// The number of samples that relabelling kept.
    var kept = 0
    /// The number of series that this target did not have, at least not recently.
    var added = 0
    /// The number of samples too far in the future to be explained by a wrong clock.
    var outOfBounds = 0
}

/// Converts the samples of a target to series, with the state that is kept from scrape to scrape.
///
/// One worker uses it at a time.
struct ScrapeAppender {
    var template = ScrapeTemplate()
    var metadata = PageMetadata()
    private var labelling: SeriesLabelling
    private var config: ScrapeConfig
    let store: any SampleStore
    let group: SeriesGroup
    /// The number of series of the current body that the storage cannot accept now, and the first reason.
    private(set) var unfit: (count: Int, reason: StoreFull?) = (0, nil)
    private var report: [String: SeriesRef] = [:]
    /// Whether known series may return in changed lines.
    private var hasForgotten = false
    let features: ScrapeFeatures
    private var created = CreatedLines()
    /// The start times of the last zeros by series.
    private var zeros: [SeriesRef: Int64] = [:]

    /// The most ms by which the own time of a sample may be after the scrape.
    static let futureMax: Int64 = 600_000

    init(
        labels: Labels, config: ScrapeConfig, store: any SampleStore, group: SeriesGroup, features: ScrapeFeatures
    ) {
        labelling = SeriesLabelling(target: labels, config: config)
        self.config = config
        self.store = store
        self.group = group
        self.features = features
    }

    /// Continues with another configuration; series stay active if they occur again.
    mutating func reconfigure(_ config: ScrapeConfig) {
        labelling = SeriesLabelling(target: labelling.target, config: config)
        self.config = config
        template.forgetMeanings()
        hasForgotten = true
    }

    /// Reads a scrape body in text format into the batch.
    ///
    /// - Parameter isSecondLook: Whether only lines are used whose series must be resolved again.
    mutating func append(
        _ page: UnsafeBufferPointer<UInt8>, isOpenMetrics: Bool, now: Int64, _ scratch: inout AppendScratch,
        counts: inout AppendCounts, isSecondLook: Bool = false
    ) throws(ScrapeFailure) {
        var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics, seed: SeriesHash.processSeed)
        // The metadata before the error of an invalid body are used.
        defer {
            if !isSecondLook {
                endMetadata(UnsafeBufferPointer(rebasing: page[..<min(page.count, reader.position)]), isOpenMetrics)
            }
        }
        try append(page, &reader, now: now, &scratch, counts: &counts, isSecondLook: isSecondLook)
    }

    private mutating func append(
        _ page: UnsafeBufferPointer<UInt8>, _ reader: inout ExpositionReader, now: Int64,
        _ scratch: inout AppendScratch, counts: inout AppendCounts, isSecondLook: Bool
    ) throws(ScrapeFailure) {
        let (seed, isOpenMetrics) = (SeriesHash.processSeed, reader.isOpenMetrics)
        let hasStarts = features.readsStarts && isOpenMetrics
        var family = PageFamily(hasLabels: features.typeAndUnitLabels, hasStarts: hasStarts)
        let (limit, honorTimestamps) = (config.limits.samples, config.honorTimestamps)
        let trackAll = config.trackTimestampsStaleness
        if isSecondLook {
            template.rewind()
        } else {
            begin()
        }
        if hasStarts {
            do throws(ExpositionError) {
                try created.read(page, seed: seed, &scratch.text)
            } catch {
                throw ScrapeFailure(.syntax, error.message)
            }
        }
        while true {
            let expected = template.expected
            let entry: ExpositionEntry
            do throws(ExpositionError) {
                entry = try reader.next(expectedLength: expected.length, hash: expected.hash ^ family.key)
            } catch {
                throw ScrapeFailure(.syntax, error.message)
            }
            if entry != .series {
                if entry == .end { break }
                family.see(entry, reader)
                if !isSecondLook { metadata.see(reader.bytes(reader.metadataLine), seed: seed) }
                continue
            }
            if hasStarts, created.holds(reader.seriesHash) { continue }
            counts.scraped &+= 1
            try scratch.checkEnd(counts)
            let slot: Int
            var isFresh = false
            let hash = reader.seriesHash ^ family.key
            if let found = template.find(hash) {
                slot = found
                if template.slots[slot].ref == .none, !template.slots[slot].has(ScrapeTemplate.Slot.dropped) {
                    if let ref = try resolve(reader, family, &scratch.text, &counts) {
                        template.setRef(slot, ref, isDropped: false)
                        isFresh = true
                    } else {
                        template.setRef(slot, .none, isDropped: true)
                    }
                }
            } else {
                // Above the limit no series are made; the lines are only counted.
                if limit > 0, counts.kept >= limit {
                    if try labels(reader, family, &scratch.text, &counts) != nil { counts.kept &+= 1 }
                    continue
                }
                let ref = try resolve(reader, family, &scratch.text, &counts)
                slot = template.add(
                    hash: hash, length: reader.seriesEnd &- reader.seriesStart, ref: ref ?? .none,
                    flags: ref == nil ? ScrapeTemplate.Slot.dropped : 0)
                isFresh = true
            }
            if isSecondLook, !isFresh { continue }
            let ref = template.slots[slot].ref
            let hasTime = honorTimestamps && reader.hasTimestamp
            if ref == .none {
                template.markSeen(slot, isTracked: false)
                continue
            }
            let isAdded = template.markSeen(slot, isTracked: !hasTime || trackAll)
            counts.kept &+= 1
            if limit > 0, counts.kept > limit { continue }
            let number = reader.number
            if hasTime, reader.timestamp > now &+ Self.futureMax {
                counts.outOfBounds &+= 1
                continue
            }
            if isAdded { counts.added &+= 1 }
            let start = hasStarts ? try start(reader, family, &scratch) : 0
            if start != 0 { appendZero(ref, start, before: hasTime ? reader.timestamp : now, nil, now: now, &scratch) }
            if hasTime {
                scratch.batch.append(
                    ref, number.value, at: reader.timestamp, mantissa: number.mantissa, scale: number.scale)
            } else {
                scratch.batch.append(ref, number.value, mantissa: number.mantissa, scale: number.scale)
            }
            if features.startTimes { scratch.batch.setStart(start) }
            scratch.slotOfSample.append(UInt32(truncatingIfNeeded: slot))
            if !reader.exemplar.isEmpty { try appendExemplar(reader, ref, now: now, &scratch, &counts) }
        }
        try checkSampleLimit(counts)
    }

    /// Reads the metadata of the used part of a body, if any line of it has changed.
    private mutating func endMetadata(_ page: UnsafeBufferPointer<UInt8>, _ isOpenMetrics: Bool) {
        guard metadata.end() else { return }
        let news = metadata.read(page, isOpenMetrics: isOpenMetrics)
        if !news.isEmpty { store.setMetadata(news, in: group) }
    }

    /// The start timestamp of the current line's sample, ms; 0 if there is none.
    private mutating func start(
        _ reader: ExpositionReader, _ family: PageFamily, _ scratch: inout AppendScratch
    ) throws(ScrapeFailure) -> Int64 {
        do throws(ExpositionError) {
            return try created.start(reader, family, &scratch.text)
        } catch {
            throw ScrapeFailure(.syntax, error.message)
        }
    }

    /// Appends a sample of zero at the start of a counter, if this is enabled and new.
    ///
    /// - Parameters:
    ///   - start: The start timestamp, ms.
    ///   - time: The time of the sample.
    ///   - histogram: The sample, if it is a native histogram.
    mutating func appendZero(
        _ ref: SeriesRef, _ start: Int64, before time: Int64, _ histogram: FloatHistogram?, now: Int64,
        _ scratch: inout AppendScratch
    ) {
        guard features.zerosAtStart, start < time, start > now &- Self.oldestZero, zeros[ref] != start else { return }
        if zeros.count > 2 * template.slots.count + 1024 { zeros.removeAll(keepingCapacity: true) }
        zeros[ref] = start
        scratch.batch.optional.append(scratch.batch.count)
        if let histogram {
            let zero = FloatHistogram(
                resetHint: .reset, schema: histogram.schema, zeroThreshold: histogram.zeroThreshold,
                customBounds: histogram.customBounds, hasFloatCounts: histogram.hasFloatCounts)
            scratch.batch.append(ref, zero, at: start)
        } else {
            scratch.batch.append(ref, 0, at: start, mantissa: 0, scale: 0)
        }
        scratch.slotOfSample.append(.max)
    }

    /// The age of a start, ms, above which no zero is written, because the storage does not accept new series of that
    /// age.
    private static let oldestZero: Int64 = 3_600_000

    private func labels(
        _ reader: ExpositionReader, _ family: PageFamily, _ text: inout SeriesText,
        _ counts: inout AppendCounts
    ) throws(ScrapeFailure) -> Labels? {
        do throws(ExpositionError) {
            try reader.readLabels(&text)
        } catch {
            // An invalid line is not a sample.
            counts.scraped &-= 1
            throw ScrapeFailure(.syntax, error.message)
        }
        let own = text.metricName.map { family.typeAndUnit(of: text.string($0)) }
        return try labelling.labels(text, type: family.type, typeAndUnit: own ?? .none)
    }

    /// The series of the current line, or nil if relabelling drops it.
    private mutating func resolve(
        _ reader: ExpositionReader, _ family: PageFamily, _ text: inout SeriesText,
        _ counts: inout AppendCounts
    ) throws(ScrapeFailure) -> SeriesRef? {
        guard let labels = try labels(reader, family, &text, &counts) else { return nil }
        return try resolve(labels)
    }

    /// The series of a label set, nil if the storage refuses it, or `SeriesRef.none` if it is full and must be asked
    /// again at the next scrape; the other series of the body are stored nevertheless.
    private mutating func resolve(_ labels: Labels) throws(ScrapeFailure) -> SeriesRef? {
        do {
            return try store.resolve(labels, in: group)
        } catch let error as UnusableLabels {
            let (metric, job) = (labels.metricName, labels["job"] ?? "")
            Log("scrape").warn(
                "A series cannot be stored and is left out", about: [metric, job],
                ["metric": metric, "job": job, "err": "\(error)"])
            return nil
        } catch let error as StoreFull {
            unfit = (unfit.count + 1, unfit.reason ?? error)
            return SeriesRef.none
        } catch {
            throw ScrapeFailure(.store, "\(error)")
        }
    }

    /// The series of parsed labels, or nil if relabelling drops it.
    mutating func resolve(
        _ text: SeriesText, type: MetricType, typeAndUnit: TypeAndUnit
    ) throws(ScrapeFailure) -> SeriesRef? {
        guard let labels = try labelling.labels(text, type: type, typeAndUnit: typeAndUnit) else { return nil }
        return try resolve(labels)
    }

    /// Whether timestamps of the body are used.
    var honorsTimestamps: Bool { config.honorTimestamps }

    /// Whether series with their own timestamps become stale.
    var tracksTimestamps: Bool { config.trackTimestampsStaleness }

    /// Begins to read a body.
    mutating func begin() {
        unfit = (0, nil)
        template.begin()
        metadata.begin()
    }

    /// Throws if the body has more samples than the job allows.
    func checkSampleLimit(_ counts: AppendCounts) throws(ScrapeFailure) {
        if config.limits.samples > 0, counts.kept > config.limits.samples {
            throw ScrapeFailure(.sampleLimit, "sample limit exceeded")
        }
    }

    private func appendExemplar(
        _ reader: ExpositionReader, _ ref: SeriesRef, now: Int64, _ scratch: inout AppendScratch,
        _ counts: inout AppendCounts
    ) throws(ScrapeFailure) {
        do throws(ExpositionError) {
            guard let found = try reader.readExemplar(&scratch.text) else { return }
            let time = found.timestamp ?? (config.honorTimestamps && reader.hasTimestamp ? reader.timestamp : now)
            scratch.batch.exemplars.append(
                (
                    ref,
                    Exemplar(
                        labels: found.labels, value: found.value, timestamp: time,
                        hasTimestamp: found.timestamp != nil)
                ))
        } catch {
            // An invalid line is not a sample.
            counts.scraped &-= 1
            counts.kept &-= 1
            throw ScrapeFailure(.syntax, error.message)
        }
    }

    /// Ends a successful scrape: writes stale markers for the series that have disappeared.
    ///
    /// - Parameter isEmpty: Whether the body had no bytes.
    mutating func finish(isEmpty: Bool, _ scratch: inout AppendScratch) {
        // A line after other metadata counts as another line; its series may be the same.
        let mayComeBack = hasForgotten || features.typeAndUnitLabels
        hasForgotten = false
        var present: Set<SeriesRef>?
        template.finish(isEmpty: isEmpty) { slot in
            if mayComeBack {
                let known = present ?? Set(scratch.batch.refs)
                present = known
                if known.contains(slot.ref) { return }
            }
            Self.appendMarker(slot, &scratch)
        }
    }

    /// Ends a failed scrape: removes its samples, and writes a stale marker for every series.
    mutating func fail(_ scratch: inout AppendScratch) {
        scratch.removeAll()
        forgetZeros()
        template.endAll { Self.appendMarker($0, &scratch) }
    }

    private static func appendMarker(_ slot: ScrapeTemplate.Slot, _ scratch: inout AppendScratch) {
        guard slot.ref != .none else { return }
        if slot.has(ScrapeTemplate.Slot.histogram) {
            scratch.batch.append(
                slot.ref, FloatHistogram(sum: Staleness.marker), at: scratch.batch.timestamp)
        } else {
            scratch.batch.append(slot.ref, Staleness.marker)
        }
        scratch.slotOfSample.append(.max)
    }

    /// Lets the next scrape write all zeros at starts again, because those of this scrape are not stored.
    mutating func forgetZeros() { zeros.removeAll() }

    /// Forgets the series of samples that the storage has removed, so that they are resolved again.
    ///
    /// - Returns: Whether there are any.
    mutating func forget(_ rejected: [(index: Int, reason: SampleRejection)], _ scratch: AppendScratch) -> Bool {
        var found = false
        for (position, reason) in rejected where reason == .unknownSeries {
            guard position < scratch.slotOfSample.count else { continue }
            let slot = Int(scratch.slotOfSample[position])
            if slot < template.slots.count {
                template.setRef(slot, .none, isDropped: false)
                found = true
            } else {
                report.removeAll()
            }
        }
        return found
    }

    /// Appends a series about the scrape itself, for example `up`.
    mutating func appendReport(_ name: String, _ value: Double, _ scratch: inout AppendScratch) {
        guard let ref = reportRef(name) else { return }
        if value.isFinite, value.magnitude < 0x1p53, value == value.rounded(.towardZero) {
            scratch.batch.append(ref, value, mantissa: Int64(value), scale: 0)
        } else {
            scratch.batch.append(ref, value)
        }
        scratch.slotOfSample.append(.max)
    }

    private mutating func reportRef(_ name: String) -> SeriesRef? {
        if let known = report[name] { return known }
        var builder = LabelsBuilder()
        builder.set(Labels.nameLabel, name)
        // As in Prometheus: each label of the target removes an earlier label with the name that its own would get in a
        // conflict.
        for label in labelling.target.pairs {
            builder.set("exported_" + label.name, label.name == Labels.nameLabel ? name : "")
            builder.set(label.name, label.value)
        }
        // A storage that accepts no series reports this when the batch is committed.
        guard let ref = try? store.resolve(builder.labels(), in: group) else { return nil }
        report[name] = ref
        return ref
    }

    /// Writes stale markers for all series, including those about the scrape.
    mutating func end(_ scratch: inout AppendScratch) {
        template.endAll { Self.appendMarker($0, &scratch) }
        for ref in report.values {
            scratch.batch.append(ref, Staleness.marker)
            scratch.slotOfSample.append(.max)
        }
        report.removeAll()
    }
}
