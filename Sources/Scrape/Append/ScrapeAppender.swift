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
    /// The template's slot of each sample of the batch; `UInt32.max` for samples that have none.
    var slotOfSample: [UInt32] = []
    /// Tells that scraping ends.
    let cancellation: Cancellation
    /// Samples between two looks at that.
    private static let portion = 512

    init(cancellation: Cancellation = Cancellation()) { self.cancellation = cancellation }

    /// Throws in the middle of a page when scraping ends.
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

/// What a page held.
struct AppendCounts {
    /// Sample lines.
    var scraped = 0
    /// Samples that relabelling kept.
    var kept = 0
    /// Series that this target had not, or not lately.
    var added = 0
    /// Samples from further in the future than anybody's clock may be wrong.
    var outOfBounds = 0
}

/// How the samples of a target become series, and what is remembered from scrape to scrape.
///
/// Used by one worker at a time.
struct ScrapeAppender {
    var template = ScrapeTemplate()
    var metadata = PageMetadata()
    private var labelling: SeriesLabelling
    private var config: ScrapeConfig
    let store: any SampleStore
    let group: SeriesGroup
    private var report: [String: SeriesRef] = [:]
    /// Whether series of before may come back under other lines.
    private var hasForgotten = false
    let features: ScrapeFeatures
    private var created = CreatedLines()
    /// Where series have got a zero last.
    private var zeros: [SeriesRef: Int64] = [:]

    /// How far ahead of the scrape a sample's own time may be, ms.
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

    /// Goes on under another configuration; the series stay alive if they come again.
    mutating func reconfigure(_ config: ScrapeConfig) {
        labelling = SeriesLabelling(target: labelling.target, config: config)
        self.config = config
        template.forgetMeanings()
        hasForgotten = true
    }

    /// Reads a page of text into the batch.
    ///
    /// - Parameter isSecondLook: Only lines are taken whose series has to be resolved again.
    mutating func append(
        _ page: UnsafeBufferPointer<UInt8>, isOpenMetrics: Bool, now: Int64, _ scratch: inout AppendScratch,
        counts: inout AppendCounts, isSecondLook: Bool = false
    ) throws(ScrapeFailure) {
        var reader = ExpositionReader(page, isOpenMetrics: isOpenMetrics, seed: SeriesHash.processSeed)
        // A page that fails half way has still said something about the families before that place.
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
                // Over the limit nothing new is made, the lines are only counted.
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

    /// Reads the metadata of the part of a page that was taken, if any line of it changed.
    private mutating func endMetadata(_ page: UnsafeBufferPointer<UInt8>, _ isOpenMetrics: Bool) {
        guard metadata.end() else { return }
        let news = metadata.read(page, isOpenMetrics: isOpenMetrics)
        if !news.isEmpty { store.setMetadata(news, in: group) }
    }

    /// When the sample of the current line began to count, ms; 0 if no line says so.
    private mutating func start(
        _ reader: ExpositionReader, _ family: PageFamily, _ scratch: inout AppendScratch
    ) throws(ScrapeFailure) -> Int64 {
        do throws(ExpositionError) {
            return try created.start(reader, family, &scratch.text)
        } catch {
            throw ScrapeFailure(.syntax, error.message)
        }
    }

    /// Appends a sample of zero where a counter began, if that is wanted and new.
    ///
    /// - Parameters:
    ///   - start: When it began, ms.
    ///   - time: The time of its sample.
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

    /// What began longer ago than a store takes new series for, ms, gets no zero.
    private static let oldestZero: Int64 = 3_600_000

    private func labels(
        _ reader: ExpositionReader, _ family: PageFamily, _ text: inout SeriesText,
        _ counts: inout AppendCounts
    ) throws(ScrapeFailure) -> Labels? {
        do throws(ExpositionError) {
            try reader.readLabels(&text)
        } catch {
            // A line that does not parse is no sample.
            counts.scraped &-= 1
            throw ScrapeFailure(.syntax, error.message)
        }
        let own = text.metricName.map { family.typeAndUnit(of: text.string($0)) }
        return try labelling.labels(text, type: family.type, typeAndUnit: own ?? .none)
    }

    /// The series of the current line, or nil if relabelling drops it.
    private func resolve(
        _ reader: ExpositionReader, _ family: PageFamily, _ text: inout SeriesText,
        _ counts: inout AppendCounts
    ) throws(ScrapeFailure) -> SeriesRef? {
        guard let labels = try labels(reader, family, &text, &counts) else { return nil }
        return try resolve(labels)
    }

    /// The series of a label set, or nil if no series can have it: the others of the page are taken all the same.
    private func resolve(_ labels: Labels) throws(ScrapeFailure) -> SeriesRef? {
        do {
            return try store.resolve(labels, in: group)
        } catch let error as UnusableLabels {
            Log("scrape").warn(
                "A series cannot be stored and is left out",
                ["metric": String(labels.metricName.prefix(200)), "job": labels["job"] ?? "", "err": "\(error)"])
            return nil
        } catch {
            throw ScrapeFailure(.store, "\(error)")
        }
    }

    /// The series of labels that were taken apart, or nil if relabelling drops it.
    func resolve(
        _ text: SeriesText, type: MetricType, typeAndUnit: TypeAndUnit
    ) throws(ScrapeFailure) -> SeriesRef? {
        guard let labels = try labelling.labels(text, type: type, typeAndUnit: typeAndUnit) else { return nil }
        return try resolve(labels)
    }

    /// Whether times of the page are used.
    var honorsTimestamps: Bool { config.honorTimestamps }

    /// Whether series with times of their own go stale.
    var tracksTimestamps: Bool { config.trackTimestampsStaleness }

    /// Begins to read a page.
    mutating func begin() {
        template.begin()
        metadata.begin()
    }

    /// Throws if the page has more samples than the job allows.
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
            // A line that does not parse is no sample.
            counts.scraped &-= 1
            counts.kept &-= 1
            throw ScrapeFailure(.syntax, error.message)
        }
    }

    /// Ends a scrape that worked: markers for the series that are gone.
    ///
    /// - Parameter isEmpty: The page had no bytes.
    mutating func finish(isEmpty: Bool, _ scratch: inout AppendScratch) {
        // A line behind other metadata is another line; its series may be the same.
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

    /// Ends a scrape that failed: its samples are forgotten, and every series gets a marker.
    mutating func fail(_ scratch: inout AppendScratch) {
        scratch.removeAll()
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

    /// Forgets the series of samples that the store no longer knows, so that they are resolved again.
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

    /// Appends a series about the scrape itself, `up` for instance.
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
        // As Prometheus does: each label of the target takes away one with the name that its own would have got in a
        // clash, if that comes before it.
        for label in labelling.target.pairs {
            builder.set("exported_" + label.name, label.name == Labels.nameLabel ? name : "")
            builder.set(label.name, label.value)
        }
        // A store that takes no series at all says so when the batch is committed.
        guard let ref = try? store.resolve(builder.labels(), in: group) else { return nil }
        report[name] = ref
        return ref
    }

    /// Ends everything: markers for all series, those about the scrape included.
    mutating func end(_ scratch: inout AppendScratch) {
        template.endAll { Self.appendMarker($0, &scratch) }
        for ref in report.values {
            scratch.batch.append(ref, Staleness.marker)
            scratch.slotOfSample.append(.max)
        }
        report.removeAll()
    }
}
