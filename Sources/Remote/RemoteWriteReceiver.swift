import HTTP
import Model
import Platform
import Synchronization
import Telemetry

/// What is taken of remote write 2.0 only if it is asked for.
package struct RemoteFeatures: Sendable {
    /// `type-and-unit-labels`: whether type and unit that a series comes with become labels.
    package var typeAndUnitLabels = false
    /// `st-storage`: whether samples keep their start timestamps.
    package var startTimes = false

    package init() {}
}

/// `POST /api/v1/write`: takes remote write 1.0 and 2.0.
///
/// Acknowledges once the samples survive a killed process.
package final class RemoteWriteReceiver: Sendable {
    let store: any SampleStore
    let clock: any Clock
    let group: SeriesGroup
    let features: RemoteFeatures
    let seed = UInt64.random(in: 0...UInt64.max)
    /// Series by the hash of their labels as they were sent; emptied when it grows past ``cacheLimit``.
    let known = Mutex<[UInt64: SeriesRef]>([:])
    /// What series of 2.0 have said about their metrics, by name.
    let knownMetadata = Mutex<[String: MetricMetadata]>([:])
    private static let cacheLimit = 4_000_000
    /// Batches to be used again.
    private let batches = Mutex<[SampleBatch]>([])
    private let samplesIn: Counter
    private let rejected: Counter
    let invalidLabels: Counter
    private let log = Log("remote write")

    package init(
        store: any SampleStore, clock: any Clock, metrics: MetricRegistry, features: RemoteFeatures = .init()
    ) {
        self.store = store
        self.clock = clock
        self.features = features
        group = store.openGroup("remote write")
        samplesIn = metrics.counter(
            "prometheus_remote_write_receiver_samples_total", "Samples taken by the remote-write receiver.")
        rejected = metrics.counter(
            "martlet_remote_write_rejected_samples_total", "Samples that the store refused, of remote write.")
        invalidLabels = metrics.counter(
            "prometheus_api_remote_write_invalid_labels_samples_total",
            "The total number of received remote write samples and histogram samples which contain invalid labels.")
    }

    /// Answers one push.
    package func handle(_ request: HTTPRequest) -> HTTPResponse {
        let type = request.header("Content-Type") ?? "application/x-protobuf"
        let isV2 = type.contains("io.prometheus.write.v2.Request")
        guard type.hasPrefix("application/x-protobuf"), isV2 || !type.contains("io.prometheus.write.v2") else {
            return .text(
                "\(type) protobuf message is not accepted by this server; only accepts prometheus.WriteRequest, "
                    + "io.prometheus.write.v2.Request\n", status: 415)
        }
        if let encoding = request.header("Content-Encoding"), encoding != "snappy" {
            return .text(
                "\(encoding) encoding (compression) is not accepted by this server; only snappy is acceptable\n",
                status: 415)
        }
        guard let body = SnappyBody.unpack(request.body) else { return .text("snappy: corrupt input\n", status: 400) }
        var batch = batches.withLock { $0.popLast() } ?? SampleBatch()
        defer {
            batch.removeAll()
            batches.withLock { if $0.count < 8 { $0.append(batch) } }
        }
        do {
            return try body.withUnsafeBufferPointer { isV2 ? try takeV2($0, &batch) : try take($0, &batch) }
        } catch let error as ProtobufError {
            return .text("\(error)\n", status: 400)
        } catch {
            return .text("\(error)\n", status: 500)
        }
    }

    private func take(_ bytes: UnsafeBufferPointer<UInt8>, _ batch: inout SampleBatch) throws -> HTTPResponse {
        let reader = WriteRequestReader(bytes: bytes)
        var sink = BatchSink(
            receiver: self, reader: reader, limit: clock.now() + 600_000, batch: batch, cache: known.withLock { $0 })
        batch = SampleBatch()
        try reader.read(into: &sink)
        if !sink.fresh.isEmpty { remember(Dictionary(sink.fresh, uniquingKeysWith: { $1 })) }
        if !sink.metadataFound.isEmpty { store.setMetadata(sink.metadataFound, in: group) }
        if sink.invalid > 0 { invalidLabels.increment(by: sink.invalid) }
        batch = sink.batch
        batch.ignoresPlainMarkersOfHistograms = true
        if sink.isTooFar { return .text("out of bounds: timestamp is too far in the future\n", status: 400) }
        let outcome = try commit(&batch, used: { sink.used.map { ($0.hash, $0.ref) } }) {
            try sink.labels(sink.used[$0].labels)
        }
        guard let first = outcome.rejected.first else { return HTTPResponse(status: 204) }
        return .text("\(first.reason.rawValue)\n", status: 400)
    }

    /// Remembers series by their hashes.
    func remember(_ fresh: [UInt64: SeriesRef]) {
        if fresh.isEmpty { return }
        known.withLock { known in
            if known.count + fresh.count > Self.cacheLimit { known.removeAll() }
            for (hash, ref) in fresh { known[hash] = ref }
        }
    }

    /// Stores a batch and counts what became of it.
    ///
    /// - Parameters:
    ///   - used: The series of the batch; asked only if the store has lost any.
    ///   - labels: The labels of the series of this number in `used`.
    func commit(
        _ batch: inout SampleBatch, used: () -> [(hash: UInt64, ref: SeriesRef)], labels: (Int) throws -> Labels
    ) throws -> CommitOutcome {
        var outcome = try store.commit(batch, in: group, durability: .written)
        if outcome.rejected.contains(where: { $0.reason == .unknownSeries }) {
            outcome = try again(&batch, outcome, used(), labels)
        }
        samplesIn.increment(by: outcome.appended)
        rejected.increment(by: outcome.rejected.count)
        return outcome
    }

    /// Resolves series that were swept since they were cached, and commits their samples once more.
    private func again(
        _ batch: inout SampleBatch, _ outcome: CommitOutcome, _ used: [(hash: UInt64, ref: SeriesRef)],
        _ labels: (Int) throws -> Labels
    ) throws -> CommitOutcome {
        let lost = Set(outcome.rejected.filter { $0.reason == .unknownSeries }.map { batch.refs[$0.index] })
        var renewed: [SeriesRef: SeriesRef] = [:]
        for (number, (hash, ref)) in used.enumerated() where lost.contains(ref) && renewed[ref] == nil {
            let fresh = try store.resolve(try labels(number), in: group)
            renewed[ref] = fresh
            known.withLock { $0[hash] = fresh }
        }
        var retry = SampleBatch()
        var retried: [Int] = []
        var result = CommitOutcome()
        result.appended = outcome.appended
        for rejection in outcome.rejected {
            guard rejection.reason == .unknownSeries, let ref = renewed[batch.refs[rejection.index]] else {
                result.rejected.append(rejection)
                continue
            }
            let index = rejection.index
            retried.append(index)
            let time = batch.timestamps.isEmpty ? batch.timestamp : batch.timestamps[index]
            if let histogram = batch.histograms.first(where: { $0.index == index }) {
                retry.append(ref, histogram.histogram, at: time)
            } else {
                retry.append(ref, batch.values[index], at: time)
            }
            if let entry = batch.starts.first(where: { $0.index == index }) { retry.setStart(entry.start) }
        }
        let second = try store.commit(retry, in: group, durability: .written)
        result.appended += second.appended
        result.rejected += second.rejected.map { (retried[$0.index], $0.reason) }
        return result
    }

    /// Puts what the reader finds into a batch.
    private struct BatchSink: WriteRequestReader.Receiver {
        let receiver: RemoteWriteReceiver
        let reader: WriteRequestReader
        /// Later samples are refused, ms.
        let limit: Int64
        var batch: SampleBatch
        let cache: [UInt64: SeriesRef]
        var fresh: [(UInt64, SeriesRef)] = []
        var used: [(hash: UInt64, ref: SeriesRef, labels: [Range<Int>])] = []
        var current = SeriesRef.none
        var invalid = 0
        var isTooFar = false
        var metadataFound: [(metric: String, metadata: MetricMetadata)] = []

        init(
            receiver: RemoteWriteReceiver, reader: WriteRequestReader, limit: Int64, batch: SampleBatch,
            cache: [UInt64: SeriesRef]
        ) {
            self.receiver = receiver
            self.reader = reader
            self.limit = limit
            self.batch = batch
            self.cache = cache
        }

        func labels(_ ranges: [Range<Int>]) throws -> Labels {
            var builder = LabelsBuilder()
            for range in ranges {
                let (name, value) = try reader.label(range)
                builder.set(reader.text(name), reader.text(value))
            }
            return builder.labels()
        }

        mutating func series(labelBytes: Range<Int>, isContiguous: Bool, labels ranges: [Range<Int>]) throws -> Bool {
            let hash =
                isContiguous
                ? XXHash64.hash(
                    UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: reader.bytes[labelBytes])), seed: receiver.seed
                )
                : try labels(ranges).bytes.withUnsafeBytes { XXHash64.hash($0, seed: receiver.seed) }
            if let known = cache[hash] {
                current = known
                used.append((hash, known, ranges))
                return true
            }
            guard try isValid(ranges) else {
                invalid += 1
                return false
            }
            current = try receiver.store.resolve(try labels(ranges), in: receiver.group)
            fresh.append((hash, current))
            used.append((hash, current, ranges))
            return true
        }

        /// A series needs a name, and each label once, with a name in UTF-8.
        private func isValid(_ ranges: [Range<Int>]) throws -> Bool {
            var names: Set<String> = []
            for range in ranges {
                let (name, value) = try reader.label(range)
                let nameBytes = UnsafeBufferPointer(rebasing: reader.bytes[name])
                let valueBytes = UnsafeBufferPointer(rebasing: reader.bytes[value])
                guard let text = String(validating: nameBytes, as: UTF8.self), !text.isEmpty,
                    names.insert(text).inserted,
                    String(validating: valueBytes, as: UTF8.self) != nil
                else { return false }
                if text == Labels.nameLabel, value.isEmpty { return false }
            }
            return names.contains(Labels.nameLabel)
        }

        mutating func sample(_ value: Double, at time: Int64) {
            if time > limit { isTooFar = true }
            batch.append(current, value, at: time)
        }

        mutating func histogram(_ histogram: FloatHistogram, at time: Int64) {
            if time > limit { isTooFar = true }
            batch.append(current, histogram, at: time)
        }

        mutating func exemplar(_ exemplar: Exemplar) { batch.exemplars.append((current, exemplar)) }

        mutating func metadata(metric: String, _ metadata: MetricMetadata) { metadataFound.append((metric, metadata)) }
    }
}
