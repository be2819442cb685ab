import Exposition
import Model

extension ScrapeAppender {
    /// Reads a scrape body of protobuf messages into the batch.
    ///
    /// - Parameter isSecondLook: Whether only samples are used whose series must be resolved again.
    mutating func appendProtobuf(
        _ page: UnsafeBufferPointer<UInt8>, choice: HistogramChoice, now: Int64, _ scratch: inout AppendScratch,
        counts: inout AppendCounts, isSecondLook: Bool = false
    ) throws(ScrapeFailure) {
        var reader = ProtobufReader(page, choice: choice)
        if isSecondLook { template.rewind() } else { begin() }
        var families: [ExactText: MetricMetadata] = [:]
        // The metadata before the error of an invalid body are used.
        defer {
            if !isSecondLook {
                let news = metadata.replace(families)
                if !news.isEmpty { store.setMetadata(news, in: group) }
            }
        }
        var failure: ScrapeFailure?
        while failure == nil {
            do throws(ExpositionError) {
                guard try reader.next() else { break }
            } catch {
                failure = ScrapeFailure(
                    error.message == "histogram bucket limit exceeded" ? .bucketLimit : .syntax, error.message)
            }
            if reader.hasName { families[ExactText(reader.name)] = reader.metadata }
            var own = TypeAndUnit.none
            if features.typeAndUnitLabels { own = TypeAndUnit(type: reader.metadata.type, unit: reader.metadata.unit) }
            let key = Array(own.unit.utf8).withUnsafeBufferPointer { TypeAndUnit.key(own.type, $0) }
            for sample in reader.samples {
                try take(sample, reader, own, key, now: now, &scratch, &counts, isSecondLook: isSecondLook)
            }
        }
        if let failure { throw failure }
        try checkSampleLimit(counts)
    }

    private mutating func take(
        _ sample: ProtobufReader.Sample, _ reader: ProtobufReader, _ own: TypeAndUnit, _ key: UInt64, now: Int64,
        _ scratch: inout AppendScratch, _ counts: inout AppendCounts, isSecondLook: Bool
    ) throws(ScrapeFailure) {
        counts.scraped &+= 1
        try scratch.checkEnd(counts)
        let length = sample.series.count
        let textHash = reader.text.withUnsafeBufferPointer { text -> UInt64 in
            guard let base = text.baseAddress else { return 1 }
            return SeriesHash.hash(base + sample.series.lowerBound, length, seed: SeriesHash.processSeed)
        }
        let hash = textHash ^ key
        let found = template.find(hash)
        var isFresh = false
        let slot: Int
        if let found, template.slots[found].ref != .none || template.slots[found].has(ScrapeTemplate.Slot.dropped) {
            slot = found
        } else {
            let ref = try resolve(reader.text, sample.series, own, &scratch.text)
            isFresh = true
            if let found {
                slot = found
                template.setRef(slot, ref ?? .none, isDropped: ref == nil)
            } else {
                slot = template.add(
                    hash: hash, length: length, ref: ref ?? .none,
                    flags: ref == nil ? ScrapeTemplate.Slot.dropped : 0)
            }
        }
        if isSecondLook, !isFresh { return }
        let ref = template.slots[slot].ref
        let time = honorsTimestamps ? sample.timestamp : nil
        guard ref != .none else {
            template.markSeen(slot, isTracked: false)
            return
        }
        let isAdded = template.markSeen(slot, isTracked: time == nil || tracksTimestamps)
        template.setHistogram(slot, sample.histogram != nil)
        counts.kept &+= 1
        if let time, time > now &+ Self.futureMax {
            counts.outOfBounds &+= 1
            return
        }
        if isAdded { counts.added &+= 1 }
        if features.readsStarts, sample.start != 0 {
            appendZero(ref, sample.start, before: time ?? now, sample.histogram, now: now, &scratch)
        }
        if let histogram = sample.histogram {
            scratch.batch.append(ref, histogram, at: time ?? now)
        } else if let time {
            scratch.batch.append(
                ref, sample.number.value, at: time, mantissa: sample.number.mantissa, scale: sample.number.scale)
        } else {
            scratch.batch.append(
                ref, sample.number.value, mantissa: sample.number.mantissa, scale: sample.number.scale)
        }
        if features.startTimes { scratch.batch.setStart(sample.start) }
        scratch.slotOfSample.append(UInt32(truncatingIfNeeded: slot))
        var exemplars: [Exemplar] = []
        for exemplar in sample.exemplars {
            // Without times, a new exemplar could not be distinguished from a known one if there are several.
            if sample.histogram != nil, exemplar.timestamp == nil { continue }
            exemplars.append(
                Exemplar(
                    labels: exemplar.labels, value: exemplar.value, timestamp: exemplar.timestamp ?? time ?? now,
                    hasTimestamp: exemplar.timestamp != nil))
        }
        if exemplars.count > 1 { exemplars.sort { ($0.timestamp, $0.value) < ($1.timestamp, $1.value) } }
        for exemplar in exemplars { scratch.batch.exemplars.append((ref, exemplar)) }
    }

    /// The series of a text, or nil if relabelling drops it.
    private mutating func resolve(
        _ bytes: [UInt8], _ range: Range<Int>, _ own: TypeAndUnit, _ text: inout SeriesText
    ) throws(ScrapeFailure) -> SeriesRef? {
        let problem = bytes.withUnsafeBufferPointer { bytes -> ExpositionError? in
            guard let base = bytes.baseAddress else { return nil }
            do throws(ExpositionError) {
                try text.parse(base, range.lowerBound, range.upperBound, isOpenMetrics: true)
                return nil
            } catch {
                return error
            }
        }
        if let problem { throw ScrapeFailure(.syntax, problem.message) }
        // Bounds and quantiles have their final form already.
        return try resolve(text, type: .unknown, typeAndUnit: own)
    }
}
