import Encoding
import HTTP
import Model
import Platform
import Synchronization
import Telemetry

/// The optional features of remote write 2.0.
package struct RemoteFeatures: Sendable {
    /// `type-and-unit-labels`: whether the type and unit of a series become labels.
    package var typeAndUnitLabels = false
    /// `st-storage`: whether samples keep their start timestamps.
    package var startTimes = false
    /// The accepted message types.
    package var messages = Set(RemoteWriteMessage.allCases)

    package init() {}
}

/// `POST /api/v1/write`: receives remote write 1.0 and 2.0.
///
/// The request is acknowledged after its samples survive a killed process.
package final class RemoteWriteReceiver: Sendable {
    let store: any SampleStore
    let clock: any Clock
    let group: SeriesGroup
    let features: RemoteFeatures
    let seed = UInt64.random(in: 0...UInt64.max)
    /// The series by the hash of their labels as they were sent; emptied when it exceeds ``cacheLimit``.
    let known = Mutex<[UInt64: SeriesRef]>([:])
    /// The metadata from series of 2.0, by name.
    let knownMetadata = Mutex<[ExactText: MetricMetadata]>([:])
    private static let cacheLimit = 4_000_000
    /// Batches for reuse.
    private let batches = Mutex<[SampleBatch]>([])
    /// The largest number of samples of a batch that is kept; the memory of larger ones is freed.
    private static let keptSamples = 1 << 14
    /// Turns of pushes.
    private let turns = PushTurns()
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
            "prometheus_remote_write_receiver_samples_total", "Samples accepted by the remote-write receiver.")
        rejected = metrics.counter(
            "martlet_remote_write_rejected_samples_total", "Samples that the store refused, of remote write.")
        invalidLabels = metrics.counter(
            "prometheus_api_remote_write_invalid_labels_samples_total",
            "The total number of received remote write samples and histogram samples which contain invalid labels.")
    }

    /// Answers one push.
    package func handle(_ request: HTTPRequest) -> HTTPResponse {
        let message: RemoteWriteMessage
        do throws(RemoteWriteMessage.Refusal) {
            message = try RemoteWriteMessage.of(
                contentType: request.header("Content-Type"), accepted: features.messages)
        } catch {
            return .text("\(error)\n", status: 415)
        }
        if let encoding = request.header("Content-Encoding"), !encoding.isEmpty, encoding.lowercased() != "snappy" {
            return .text(
                "\(encoding) encoding (compression) is not accepted by this server; only snappy is acceptable\n",
                status: 415)
        }
        guard request.body.count <= SnappyBody.maxSize else {
            return .text("request body exceeds the \(SnappyBody.maxSize) bytes limit\n", status: 413)
        }
        guard let turn = turns.take(request.body) else { return Self.later("too many pushes are being read\n") }
        defer { turn.end() }
        if turn.isLarge, request.isCancelled() { return Self.later("nobody waits for the answer\n") }
        var response = answer(request, message)
        // The storage closes while the last pushes come: the sender is to try again, and nothing is wrong.
        if response.status == 500, request.cancellation?.isOn == true { response = Self.later("the server ends\n") }
        return message == .v2 ? Self.withCounts(response) : response
    }

    private func answer(_ request: HTTPRequest, _ message: RemoteWriteMessage) -> HTTPResponse {
        var batch = batches.withLock { $0.popLast() } ?? SampleBatch()
        defer {
            if batch.refs.capacity <= Self.keptSamples, batch.histograms.isEmpty {
                batch.removeAll()
                batches.withLock { if $0.count < 8 { $0.append(batch) } }
            }
        }
        do {
            return try SnappyBody.unpack(request.body).withUnsafeBufferPointer {
                message == .v2 ? try takeV2($0, &batch, request) : try take($0, &batch, request)
            }
        } catch let error as ProtobufError {
            return .text("\(error)\n", status: 400)
        } catch let error as SnappyBody.Failure {
            return error == .noMemory ? Self.later("\(error)\n") : .text("\(error)\n", status: 400)
        } catch let error as PushBudget.Excess {
            return error.isTemporary ? Self.later("\(error)\n") : .text("\(error)\n", status: 400)
        } catch let error as StoreFull {
            return Self.later("\(error)\n")
        } catch let error as StoreBusy {
            return Self.later("\(error)\n")
        } catch let error as FileError where error.isFull {
            return Self.later("samples cannot be stored: \(error)\n")
        } catch is PushEnded {
            return Self.later("nobody waits for the answer\n")
        } catch {
            return .text("\(error)\n", status: 500)
        }
    }

    /// An answer to a push that can be accepted later, for example when there is enough memory again.
    static func later(_ text: String) -> HTTPResponse {
        var response = HTTPResponse.text(text, status: 503)
        response.headers.append(("Retry-After", "5"))
        return response
    }

    /// Adds the headers of answers of 2.0, even if nothing was written.
    private static func withCounts(_ response: HTTPResponse) -> HTTPResponse {
        guard !response.headers.contains(where: { $0.name == writtenHeaders[0] }) else { return response }
        var response = response
        response.headers += writtenHeaders.map { (name: $0, value: "0") }
        return response
    }

    /// The headers with the numbers of written samples, histograms and exemplars.
    static let writtenHeaders = ["Samples", "Histograms", "Exemplars"].map { "X-Prometheus-Remote-Write-\($0)-Written" }

    /// Caches series by their hashes.
    func remember(_ fresh: [UInt64: SeriesRef]) {
        if fresh.isEmpty { return }
        known.withLock { known in
            if known.count + fresh.count > Self.cacheLimit { known.removeAll() }
            for (hash, ref) in fresh { known[hash] = ref }
        }
    }

    /// Stores a batch and counts the results.
    ///
    /// - Parameters:
    ///   - used: The series of the batch; called only if the storage has removed any.
    ///   - labels: The labels of the series with this number in `used`.
    func commit(
        _ batch: inout SampleBatch, used: () -> [(hash: UInt64, ref: SeriesRef)], labels: (Int) throws -> Labels
    ) throws -> CommitOutcome {
        var outcome = try store.commit(batch, in: group, durability: .written)
        if outcome.rejected.contains(where: { $0.reason == .unknownSeries }) {
            outcome = try again(&batch, outcome, used(), labels)
        }
        samplesIn.increment(by: outcome.appended)
        rejected.increment(by: outcome.rejected.count)
        guard !outcome.rejected.contains(where: { $0.reason == .tooManyWindows }) else { throw Self.tooManyWindows }
        return outcome
    }

    private static let tooManyWindows = StoreBusy(
        description: "samples of too many block windows wait to be written to blocks; send them again later")

    /// Resolves series that were removed since they were cached, and commits their samples once more.
    private func again(
        _ batch: inout SampleBatch, _ outcome: CommitOutcome, _ used: [(hash: UInt64, ref: SeriesRef)],
        _ labels: (Int) throws -> Labels
    ) throws -> CommitOutcome {
        let lost = Set(outcome.rejected.filter { $0.reason == .unknownSeries }.map { batch.refs[$0.index] })
        var renewed: [SeriesRef: SeriesRef] = [:]
        var full: StoreFull?
        for (number, (hash, ref)) in used.enumerated() where lost.contains(ref) && renewed[ref] == nil {
            let fresh: SeriesRef
            do { fresh = try store.resolve(try labels(number), in: group) } catch let error as StoreFull {
                full = full ?? error
                continue
            }
            renewed[ref] = fresh
            known.withLock { $0[hash] = fresh }
        }
        let histograms = Dictionary(batch.histograms.map { ($0.index, $0.histogram) }) { first, _ in first }
        let starts = Dictionary(batch.starts.map { ($0.index, $0.start) }) { first, _ in first }
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
            if let histogram = histograms[index] {
                retry.append(ref, histogram, at: time)
            } else {
                retry.append(ref, batch.values[index], at: time)
            }
            if let start = starts[index] { retry.setStart(start) }
        }
        let second = try store.commit(retry, in: group, durability: .written)
        result.appended += second.appended
        // The exemplars were stored by the first commit.
        result.rejectedExemplars = outcome.rejectedExemplars
        result.overtaken = outcome.overtaken + second.overtaken.map { retried[$0] }
        result.rejected += second.rejected.map { (retried[$0.index], $0.reason) }
        if let full { throw full }
        return result
    }
}
