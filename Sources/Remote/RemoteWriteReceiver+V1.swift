import HTTP
import Model
import Platform
import Synchronization
import Telemetry

extension RemoteWriteReceiver {
    /// Takes a request of remote write 1.0: series with unusable labels are skipped and counted, as by Prometheus; of
    /// other errors the first is named, and the rest is stored.
    ///
    /// - Throws: ``PushEnded`` if nobody waits for the answer any more.
    func take(
        _ bytes: UnsafeBufferPointer<UInt8>, _ batch: inout SampleBatch, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        let reader = WriteRequestReader(bytes: bytes)
        var sink = BatchSink(
            receiver: self, request: request, reader: reader, limit: clock.now() + Self.aheadLimit, batch: batch,
            cache: known.withLock { $0 })
        batch = SampleBatch()
        try reader.read(into: &sink)
        swap(&batch, &sink.batch)
        if !sink.fresh.isEmpty { remember(Dictionary(sink.fresh, uniquingKeysWith: { $1 })) }
        if !sink.metadataFound.isEmpty { store.setMetadata(sink.metadataFound, in: group) }
        if sink.invalid > 0 { invalidLabels.increment(by: sink.invalid) }
        batch.commitsFloatMarkersLast = true
        let outcome = try commit(&batch, used: { sink.used.map { ($0.hash, $0.ref) } }) {
            try sink.labels(sink.used[$0].labels)
        }
        if let response = sink.unfit.response { return response }
        if let reason = sink.refused ?? refusals(outcome).first?.reason.rawValue {
            return .text("\(reason)\n", status: 400)
        }
        return HTTPResponse(status: 204)
    }

    /// The most ms by which a sample may be in the future.
    static let aheadLimit: Int64 = 600_000

    /// The error of a sample too far in the future.
    static let tooFarAhead = "out of bounds: timestamp is too far in the future"

    /// The samples that were refused because of stored samples.
    ///
    /// Samples that conflict only with other samples of the request are dropped without an error, as in Prometheus.
    func refusals(_ outcome: CommitOutcome) -> [(index: Int, reason: SampleRejection)] {
        if outcome.overtaken.isEmpty { return outcome.rejected }
        let overtaken = Set(outcome.overtaken)
        return outcome.rejected.filter { !overtaken.contains($0.index) }
    }

    /// Adds the reader's results to a batch.
    private struct BatchSink: WriteRequestReader.Receiver {
        let receiver: RemoteWriteReceiver
        let request: HTTPRequest
        let reader: WriteRequestReader
        /// The latest accepted time, ms.
        let limit: Int64
        var batch: SampleBatch
        let cache: [UInt64: SeriesRef]
        var fresh: [(UInt64, SeriesRef)] = []
        var used: [(hash: UInt64, ref: SeriesRef, labels: [Range<Int>])] = []
        var seriesSeen = 0
        var current = SeriesRef.none
        /// Whether `current` is a series of the storage, so that samples need no further checks but that of their time.
        var isReady = false
        /// The current series, while it has no sample that can be stored and is not made; nil otherwise.
        var pending: (hash: UInt64, labels: [Range<Int>])?
        /// Whether samples of the current series are only counted.
        var isSkipped = false
        /// Whether the current series does not fit into the storage.
        var isUnfit = false
        var unfit = UnfitSeries()
        var invalid = 0
        /// The first error.
        var refused: String?
        var metadataFound: [(metric: String, metadata: MetricMetadata)] = []
        var budget = PushBudget()

        init(
            receiver: RemoteWriteReceiver, request: HTTPRequest, reader: WriteRequestReader, limit: Int64,
            batch: SampleBatch, cache: [UInt64: SeriesRef]
        ) {
            self.receiver = receiver
            self.request = request
            self.reader = reader
            self.limit = limit
            self.batch = batch
            self.cache = cache
        }

        func labels(_ ranges: [Range<Int>]) throws -> Labels {
            var pairs: [(String, String)] = []
            pairs.reserveCapacity(ranges.count)
            for range in ranges {
                let (name, value) = try reader.label(range)
                pairs.append((reader.text(name), reader.text(value)))
            }
            return Labels(pairs)
        }

        mutating func series(labelBytes: Range<Int>, isContiguous: Bool, labels ranges: [Range<Int>]) throws {
            seriesSeen &+= 1
            try PushEnded.look(request, seriesSeen)
            try budget.charge(64)
            let hash =
                isContiguous
                ? XXHash64.hash(
                    UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: reader.bytes[labelBytes])), seed: receiver.seed
                )
                : try labels(ranges).bytes.withUnsafeBytes { XXHash64.hash($0, seed: receiver.seed) }
            (isSkipped, isUnfit, isReady) = (false, false, false)
            pending = nil
            if let known = cache[hash] {
                current = known
                isReady = true
                used.append((hash, known, ranges))
                return
            }
            guard try isValid(ranges) else {
                isSkipped = true
                return
            }
            pending = (hash, ranges)
        }

        /// Makes the current series when its first sample that can be stored comes, or its first exemplar; returns
        /// whether the storage has it.
        private mutating func make() throws -> Bool {
            guard let (hash, ranges) = pending else { return !isSkipped && !isUnfit }
            pending = nil
            do {
                current = try receiver.store.resolve(try labels(ranges), in: receiver.group)
            } catch let error as UnusableLabels {
                refused = refused ?? error.description
                isSkipped = true
                return false
            } catch let error as StoreFull {
                unfit.add(error)
                isUnfit = true
                return false
            }
            fresh.append((hash, current))
            used.append((hash, current, ranges))
            isReady = true
            return true
        }

        /// A series needs a name, and each label once, with a name in UTF-8.
        private func isValid(_ ranges: [Range<Int>]) throws -> Bool {
            var names: Set<ExactText> = []
            var isValid = true
            // All labels are read: bytes that are no labels make the whole body invalid.
            for range in ranges {
                let (name, value) = try reader.label(range)
                let nameBytes = UnsafeBufferPointer(rebasing: reader.bytes[name])
                let valueBytes = UnsafeBufferPointer(rebasing: reader.bytes[value])
                guard let text = String(validating: nameBytes, as: UTF8.self), !text.isEmpty,
                    names.insert(ExactText(text)).inserted,
                    String(validating: valueBytes, as: UTF8.self) != nil, text != Labels.nameLabel || !value.isEmpty
                else {
                    isValid = false
                    continue
                }
            }
            return isValid && names.contains(ExactText(Labels.nameLabel))
        }

        private mutating func accepts(_ time: Int64) -> Bool {
            if time <= limit { return true }
            refused = refused ?? RemoteWriteReceiver.tooFarAhead
            return false
        }

        mutating func sample(_ value: Double, at time: Int64) throws {
            if !isReady || time > limit {
                guard try prepare(for: time) else { return }
            }
            try budget.charge(nil)
            batch.append(current, value, at: time)
        }

        /// Checks a sample's time, and makes its series; returns false, and counts it, if it cannot be stored.
        private mutating func prepare(for time: Int64) throws -> Bool {
            if isSkipped {
                invalid += 1
                return false
            }
            guard accepts(time) else { return false }
            if try make() { return true }
            if isSkipped { invalid += 1 }
            return false
        }

        mutating func histogram(_ read: RemoteHistogram) throws {
            if isSkipped {
                invalid += 1
                return
            }
            guard accepts(read.time) else { return }
            if let problem = read.problem {
                refused = refused ?? problem.description
                return
            }
            guard try make() else {
                if isSkipped { invalid += 1 }
                return
            }
            try budget.charge(read.histogram)
            batch.append(current, read.histogram, at: read.time)
        }

        mutating func exemplar(_ exemplar: Exemplar) throws {
            if isSkipped || isUnfit { return }
            try budget.charge(64 + exemplar.labels.bytes.count)
            // A sender may send the samples of the series in another part of the request.
            guard try make() else { return }
            batch.exemplars.append((current, exemplar))
        }

        mutating func metadata(metric: String, _ metadata: MetricMetadata) throws {
            try budget.charge(128 + metric.utf8.count + metadata.help.utf8.count + metadata.unit.utf8.count)
            metadataFound.append((metric, metadata))
        }
    }
}
