import HTTP
import Model
import Platform
import Synchronization
import Telemetry

extension RemoteWriteReceiver {
    /// The results of a request of 2.0 so far.
    private struct Intake {
        var problems = PushProblems()
        var unfit = UnfitSeries()
        var used: [(hash: UInt64, ref: SeriesRef, labels: Labels)] = []
        var fresh: [UInt64: SeriesRef] = [:]
        var metadata: [ExactText: MetricMetadata] = [:]
        /// The number of samples in series with invalid labels.
        var invalid = 0
        var budget = PushBudget()
        /// The latest accepted time, ms.
        let limit: Int64
        let cache: [UInt64: SeriesRef]
    }

    /// Takes a request of remote write 2.0: what is bad in it is named and refused, the rest is kept.
    ///
    /// - Throws: ``PushEnded`` if nobody waits for the answer any more.
    func takeV2(
        _ bytes: UnsafeBufferPointer<UInt8>, _ batch: inout SampleBatch, _ request: HTTPRequest
    ) throws -> HTTPResponse {
        var intake = Intake(limit: clock.now() + Self.aheadLimit, cache: known.withLock { $0 })
        var reader = try WriteRequestV2Reader(bytes, &intake.budget)
        try reader.checkLabelSizes(intake.budget)
        var excess: PushBudget.Excess?
        for (number, range) in reader.series.enumerated() {
            try PushEnded.look(request, number)
            reader.describesErrors = intake.problems.namesNext
            do {
                try take(try reader.read(range, &intake.budget), of: reader, &intake, &batch)
            } catch let error as PushBudget.Excess where !error.isTemporary {
                // The series so far are made; they are not left without samples.
                excess = error
                break
            }
        }
        remember(intake.fresh)
        remember(intake.metadata)
        if intake.invalid > 0 { invalidLabels.increment(by: intake.invalid) }
        let used = intake.used
        batch.commitsFloatMarkersLast = true
        let outcome = try commit(&batch, used: { used.map { ($0.hash, $0.ref) } }) { used[$0].labels }
        if let excess { throw excess }
        return answer(batch, outcome, intake)
    }

    /// Takes one series; notes an error of its labels.
    private func take(
        _ series: WriteRequestV2Reader.Series, of request: WriteRequestV2Reader, _ intake: inout Intake,
        _ batch: inout SampleBatch
    ) throws {
        do { try takeValid(series, of: request, &intake, &batch) } catch let error as WriteRequestV2Reader.BadSeries {
            intake.problems.add(error.reason)
            intake.invalid += series.samples.count + series.histograms.count
        }
    }

    private func takeValid(
        _ series: WriteRequestV2Reader.Series, of request: WriteRequestV2Reader, _ intake: inout Intake,
        _ batch: inout SampleBatch
    ) throws {
        let about = try request.metadata(series)
        let unit = features.typeAndUnitLabels ? about.unit.utf8.count : 0
        let size = request.size(of: series.labels) + unit
        // Labels that cannot be stored are not made.
        if size <= Labels.mostStoredBytes { try intake.budget.charge(128 + size) }
        let labels = try request.labels(series, with: features.typeAndUnitLabels ? about : nil)
        guard !series.samples.isEmpty || !series.histograms.isEmpty else {
            intake.problems.add(
                "TimeSeries must contain at least one sample or histogram for series \(LabelText.list(labels, limit: PushProblems.longest))"
            )
            return
        }
        // A series is only made if a sample of it may be stored; exemplars and metadata of one that exists are stored.
        let isMade =
            series.samples.contains { $0.time <= intake.limit }
            || series.histograms.contains { $0.time <= intake.limit && $0.problem == nil }
        let known = try isMade ? resolve(labels, &intake) : find(labels, &intake)
        if isMade, known == nil { return }
        if known != nil { try note(about, of: ExactText(labels.metricName), &intake) }
        let ref = known ?? .none
        func accepts(_ time: Int64) -> Bool {
            if time <= intake.limit { return true }
            intake.problems.add("\(Self.tooFarAhead) for series \(LabelText.list(labels, limit: PushProblems.longest))")
            return false
        }
        for (value, time, start) in series.samples where accepts(time) {
            try intake.budget.charge(nil)
            batch.append(ref, value, at: time)
            if features.startTimes { batch.setStart(start) }
        }
        for read in series.histograms where accepts(read.time) {
            if let problem = read.problem {
                intake.problems.add("\(problem) for series \(LabelText.list(labels, limit: PushProblems.longest))")
                continue
            }
            batch.append(ref, read.histogram, at: read.time)
            if features.startTimes { batch.setStart(read.start) }
        }
        for exemplar in series.exemplars where known != nil {
            do {
                try intake.budget.charge(64 + request.size(of: exemplar.labels))
                let pairs = try request.pairs(exemplar.labels)
                let found = Exemplar(
                    labels: Labels(pairs.map { ($0.name, $0.value) }), value: exemplar.value, timestamp: exemplar.time)
                batch.exemplars.append((ref, found))
            } catch let error as WriteRequestV2Reader.BadSeries {
                intake.problems.add(
                    "parsing exemplar for series \(LabelText.list(labels, limit: PushProblems.longest)): \(error.reason)"
                )
            }
        }
    }

    /// Notes the metadata of a metric; its texts are copied for the log.
    private func note(_ about: MetricMetadata, of metric: ExactText, _ intake: inout Intake) throws {
        guard about != MetricMetadata(), intake.metadata[metric] != about else { return }
        try intake.budget.charge(128 + metric.text.utf8.count + about.help.utf8.count + about.unit.utf8.count)
        intake.metadata[metric] = about
    }

    /// The series with these labels; nil if the storage has none.
    private func find(_ labels: Labels, _ intake: inout Intake) -> SeriesRef? {
        guard let found = store.find(labels) else { return nil }
        intake.used.append((labels.bytes.withUnsafeBytes { XXHash64.hash($0, seed: seed) }, found, labels))
        return found
    }

    /// The series with these labels; nil, after the error was recorded, if the storage refuses them or is full.
    private func resolve(_ labels: Labels, _ intake: inout Intake) throws -> SeriesRef? {
        let hash = labels.bytes.withUnsafeBytes { XXHash64.hash($0, seed: seed) }
        let ref: SeriesRef
        if let found = intake.cache[hash] ?? intake.fresh[hash] {
            ref = found
        } else {
            do {
                ref = try store.resolve(labels, in: group)
            } catch let error as UnusableLabels {
                intake.problems.add("\(error) for series \(LabelText.list(labels, limit: PushProblems.longest))")
                return nil
            } catch let error as StoreFull {
                intake.unfit.add(error)
                return nil
            }
            intake.fresh[hash] = ref
        }
        intake.used.append((hash, ref, labels))
        return ref
    }

    /// Passes new metadata of series to the storage.
    private func remember(_ metadata: [ExactText: MetricMetadata]) {
        if metadata.isEmpty { return }
        let news = knownMetadata.withLock { known in
            let news = metadata.filter { known[$0.key] != $0.value }
            if known.count + news.count > Self.metadataLimit { known.removeAll() }
            known.merge(news) { $1 }
            return news
        }
        if !news.isEmpty { store.setMetadata(news.map { ($0.key.text, $0.value) }, in: group) }
    }

    /// The most metrics whose metadata is kept to detect changes.
    private static let metadataLimit = 100_000

    private func answer(
        _ batch: borrowing SampleBatch, _ outcome: CommitOutcome, _ intake: Intake
    ) -> HTTPResponse {
        let histograms = Set(batch.histograms.map(\.index))
        let refusals = refusals(outcome)
        let refusedHistograms = refusals.count { histograms.contains($0.index) }
        let written = [
            batch.refs.count - histograms.count - (refusals.count - refusedHistograms),
            histograms.count - refusedHistograms, batch.exemplars.count - outcome.rejectedExemplars.count,
        ]
        var problems = intake.problems
        if !refusals.isEmpty {
            let labels = Dictionary(intake.used.map { ($0.ref, $0.labels) }, uniquingKeysWith: { $1 })
            for (index, reason) in refusals {
                problems.add(
                    "\(reason.rawValue) for series \(LabelText.list(labels[batch.refs[index]] ?? .empty, limit: PushProblems.longest))"
                )
            }
        }
        var response =
            intake.unfit.response
            ?? (problems.isEmpty ? HTTPResponse(status: 204) : .text(problems.text, status: 400))
        response.headers += zip(Self.writtenHeaders, written).map { (name: $0, value: "\($1)") }
        return response
    }
}
