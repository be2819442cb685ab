import HTTP
import Model
import Platform
import Synchronization
import Telemetry

extension RemoteWriteReceiver {
    /// Takes a request of remote write 2.0: what is bad in it is named and refused, the rest is kept.
    func takeV2(_ bytes: UnsafeBufferPointer<UInt8>, _ batch: inout SampleBatch) throws -> HTTPResponse {
        let request = try WriteRequestV2Reader(bytes)
        let limit = clock.now() + 600_000
        let cache = known.withLock { $0 }
        var problems: [String] = []
        var used: [(hash: UInt64, ref: SeriesRef, labels: Labels)] = []
        var fresh: [UInt64: SeriesRef] = [:]
        var metadata: [String: MetricMetadata] = [:]
        var invalid = 0
        for range in request.series {
            let series = try request.read(range)
            do throws(WriteRequestV2Reader.BadSeries) {
                let about = try request.metadata(series)
                let labels = try request.labels(series, with: features.typeAndUnitLabels ? about : nil)
                var exemplars: [Exemplar] = []
                for exemplar in series.exemplars {
                    let pairs = try request.pairs(exemplar.labels).map { ($0.name, $0.value) }
                    exemplars.append(Exemplar(labels: Labels(pairs), value: exemplar.value, timestamp: exemplar.time))
                }
                let hash = labels.bytes.withUnsafeBytes { XXHash64.hash($0, seed: seed) }
                let ref: SeriesRef
                if let found = cache[hash] ?? fresh[hash] {
                    ref = found
                } else {
                    do {
                        ref = try store.resolve(labels, in: group)
                    } catch {
                        return .text("\(error)\n", status: 500)
                    }
                    fresh[hash] = ref
                }
                used.append((hash, ref, labels))
                if about != MetricMetadata() { metadata[labels.metricName] = about }
                func accepts(_ time: Int64) -> Bool {
                    if time <= limit { return true }
                    problems.append("out of bounds: timestamp is too far in the future for series \(labels)")
                    return false
                }
                for (value, time, start) in series.samples where accepts(time) {
                    batch.append(ref, value, at: time)
                    if features.startTimes { batch.setStart(start) }
                }
                for (histogram, time, start) in series.histograms where accepts(time) {
                    batch.append(ref, histogram, at: time)
                    if features.startTimes { batch.setStart(start) }
                }
                batch.exemplars += exemplars.map { (ref, $0) }
            } catch {
                problems.append(error.reason)
                invalid += series.samples.count + series.histograms.count
            }
        }
        remember(fresh)
        let news = knownMetadata.withLock { known in
            metadata.filter { name, about in
                defer { known[name] = about }
                return known[name] != about
            }
        }
        if !news.isEmpty { store.setMetadata(news.map { ($0.key, $0.value) }, in: group) }
        if invalid > 0 { invalidLabels.increment(by: invalid) }
        batch.ignoresPlainMarkersOfHistograms = true
        let outcome = try commit(&batch, used: { used.map { ($0.hash, $0.ref) } }) { used[$0].labels }
        return answer(batch, outcome, problems, used)
    }

    private func answer(
        _ batch: borrowing SampleBatch, _ outcome: CommitOutcome, _ problems: [String],
        _ used: [(hash: UInt64, ref: SeriesRef, labels: Labels)]
    ) -> HTTPResponse {
        let histograms = Set(batch.histograms.map(\.index))
        let refusedHistograms = outcome.rejected.count { histograms.contains($0.index) }
        let written = [
            ("Samples", batch.refs.count - histograms.count - (outcome.rejected.count - refusedHistograms)),
            ("Histograms", histograms.count - refusedHistograms), ("Exemplars", batch.exemplars.count),
        ]
        var problems = problems
        if !outcome.rejected.isEmpty {
            let labels = Dictionary(used.map { ($0.ref, $0.labels) }, uniquingKeysWith: { $1 })
            for (index, reason) in outcome.rejected {
                problems.append("\(reason.rawValue) for series \(labels[batch.refs[index]] ?? .empty)")
            }
        }
        var response =
            problems.isEmpty
            ? HTTPResponse(status: 204) : .text(problems.joined(separator: "\n") + "\n", status: 400)
        response.headers += written.map { (name: "X-Prometheus-Remote-Write-\($0)-Written", value: "\($1)") }
        return response
    }
}
