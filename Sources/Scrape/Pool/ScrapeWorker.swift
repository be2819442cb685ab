import Config
import Exposition
import HTTP
import Model
import Platform
import Synchronization
import Telemetry

/// Reads scrape bodies and stores their samples.
///
/// Each thread has one.
final class ScrapeWorker {
    private let store: any SampleStore
    private let clock: any Clock
    private let metrics: ScrapeMetrics
    private let log = Log("scrape manager")
    private var scratch: AppendScratch
    private var pages: PageDecoder

    /// - Parameters:
    ///   - largest: The size above which bodies are left to another worker.
    ///   - cancellation: Reports the end of scraping: then nothing more is stored.
    init(
        store: any SampleStore, clock: any Clock, metrics: ScrapeMetrics, budget: ByteBudget, largest: Int = .max,
        cancellation: Cancellation = Cancellation()
    ) {
        scratch = AppendScratch(cancellation: cancellation)
        pages = PageDecoder(clock: clock, budget: budget, largest: largest)
        self.store = store
        self.clock = clock
        self.metrics = metrics
        scratch.batch.delay = 0
    }

    /// Reads and stores the result of a fetch.
    ///
    /// - Returns: False if the body is too large for this worker; then nothing was done.
    func scrape(_ fetch: PageFetch) -> Bool {
        guard let target = fetch.target, !scratch.cancellation.isOn else { return true }
        var failure = fetch.failure
        if failure == nil {
            switch pages.decode(fetch) {
            case .page: break
            case .tooLarge:
                pages.finish()
                return false
            case .failed(let reason): failure = reason
            }
        }
        store(fetch, target, failure)
        pages.finish()
        return true
    }

    private func store(_ transfer: PageFetch, _ target: Target, _ failure: ScrapeFailure?) {
        let time = transfer.scrapeTime
        var counts = AppendCounts()
        // The size of a page that was read counts, also if the page is refused.
        let bodySize = failure == nil ? pages.size(transfer) : 0
        var failure = failure
        var families: [FamilyMetadata]?
        var seconds = 0.0
        var isCancelled = false
        let storeError = target.series.appender.withLock { appender -> String? in
            scratch.removeAll()
            scratch.batch.timestamp = time
            var format = ExpositionFormat.text
            if failure == nil {
                do throws(ScrapeFailure) {
                    // An empty body has no samples, whatever its type, as in Prometheus.
                    if bodySize > 0 {
                        format = try PageFormat.of(
                            contentType: transfer.transfer.head.contentType,
                            fallback: target.settings.config.fallbackProtocol)
                    }
                    try append(transfer, target, format, &appender, &counts, isSecondLook: false)
                    appender.finish(isEmpty: bodySize == 0, &scratch)
                } catch {
                    failure = error
                    // The series may continue after a restart.
                    isCancelled = error.kind == .cancelled
                    if isCancelled { return nil }
                }
            }
            if let failure {
                appender.fail(&scratch)
                log.debug(
                    "Scrape failed", ["target": target.definition.url, "err": failure.description])
                metrics.count(failure.kind)
            }
            families = appender.metadata.families
            seconds = Double(clock.monotonic() &- transfer.started) / 1e9
            metrics.outOfBounds.increment(by: counts.outOfBounds)
            noteUnfit(appender.unfit, target)
            let reportedSize = failure?.kind == .bodySizeLimit ? -1 : bodySize
            report(target, failure, counts, seconds, bodySize: reportedSize, &appender)
            return commit(transfer, target, format, hasPage: failure == nil, &appender)
        }
        if isCancelled { return }
        let text = failure?.description ?? storeError ?? ""
        target.state.withLock { state in
            state.health = text.isEmpty ? .up : .down
            state.lastError = text
            state.lastScrape = time
            state.lastDuration = seconds
            state.samplesScraped = counts.scraped
            state.bodySize = bodySize
            // The metadata before the error of an invalid body are used.
            if let families { state.families = families }
        }
        metrics.intervals.observe(target, start: transfer.started)
    }

    /// Reads the body into the batch.
    private func append(
        _ transfer: PageFetch, _ target: Target, _ format: ExpositionFormat, _ appender: inout ScrapeAppender,
        _ counts: inout AppendCounts, isSecondLook: Bool
    ) throws(ScrapeFailure) {
        let (result, next) = pages.withPage(transfer) { page -> (Result<Void, ScrapeFailure>, AppendCounts) in
            var counts = counts
            do throws(ScrapeFailure) {
                if format == .protobuf {
                    try appender.appendProtobuf(
                        page, choice: target.histogramChoice, now: transfer.scrapeTime, &scratch, counts: &counts,
                        isSecondLook: isSecondLook)
                } else {
                    try appender.append(
                        page, isOpenMetrics: format == .openMetrics, now: transfer.scrapeTime, &scratch,
                        counts: &counts, isSecondLook: isSecondLook)
                }
                return (.success(()), counts)
            } catch {
                return (.failure(error), counts)
            }
        }
        counts = next
        try result.get()
    }

    private func report(
        _ target: Target, _ failure: ScrapeFailure?, _ counts: AppendCounts, _ seconds: Double, bodySize: Int,
        _ appender: inout ScrapeAppender
    ) {
        appender.appendReport("up", failure == nil ? 1 : 0, &scratch)
        appender.appendReport("scrape_duration_seconds", seconds, &scratch)
        appender.appendReport("scrape_samples_scraped", Double(counts.scraped), &scratch)
        appender.appendReport("scrape_samples_post_metric_relabeling", Double(counts.kept), &scratch)
        appender.appendReport("scrape_series_added", Double(counts.added), &scratch)
        let config = target.settings.config
        guard config.extraScrapeMetrics else { return }
        appender.appendReport("scrape_timeout_seconds", Double(target.definition.timeout) / 1000, &scratch)
        appender.appendReport("scrape_sample_limit", Double(config.limits.samples), &scratch)
        appender.appendReport("scrape_body_size_bytes", Double(bodySize), &scratch)
    }

    /// Stores the batch; series that the storage has removed are resolved again and stored in a second attempt.
    ///
    /// - Returns: The reason why nothing was stored, or nil.
    private func commit(
        _ transfer: PageFetch, _ target: Target, _ format: ExpositionFormat, hasPage: Bool,
        _ appender: inout ScrapeAppender
    ) -> String? {
        do {
            let outcome = try store.commit(scratch.batch, in: appender.group, durability: .whenPossible)
            count(outcome, target)
            guard appender.forget(outcome.rejected, scratch), hasPage else { return nil }
            scratch.removeAll()
            var counts = AppendCounts()
            try append(transfer, target, format, &appender, &counts, isSecondLook: true)
            count(try store.commit(scratch.batch, in: appender.group, durability: .whenPossible), target)
            return nil
        } catch {
            appender.forgetZeros()
            let url = target.definition.url
            log.error("Append failed", about: [url], ["target": url, "err": "\(error)"])
            return "\(error)"
        }
    }

    /// Counts and logs the series for which the storage has no space.
    private func noteUnfit(_ unfit: (count: Int, reason: StoreFull?), _ target: Target) {
        guard let reason = unfit.reason else { return }
        metrics.seriesNotStored.increment(by: unfit.count)
        let url = target.definition.url
        log.warn(
            "Series of a target do not fit into the storage", about: [url],
            ["target": url, "num_dropped": "\(unfit.count)", "err": "\(reason)"])
    }

    private func count(_ outcome: CommitOutcome, _ target: Target) {
        countExemplars(outcome)
        guard !outcome.rejected.isEmpty else { return }
        var (duplicates, outOfOrder, outOfBounds) = (0, 0, 0)
        for (index, reason) in outcome.rejected {
            // A stale marker for a series that another line still writes is not an error of the target.
            if index < scratch.batch.values.count, Staleness.isMarker(scratch.batch.values[index]) { continue }
            switch reason {
            case .duplicate: duplicates += 1
            case .outOfOrder: outOfOrder += 1
            case .outOfBounds, .tooOld, .tooManyWindows: outOfBounds += 1
            // The reader of the body refuses these before.
            case .invalidHistogram: break
            case .unknownSeries: break
            }
        }
        metrics.duplicates.increment(by: duplicates)
        metrics.outOfOrder.increment(by: outOfOrder)
        metrics.outOfBounds.increment(by: outOfBounds)
        let url = target.definition.url
        if outOfOrder > 0 {
            log.warn(
                "Error on ingesting out-of-order samples", about: [url],
                ["target": url, "num_dropped": "\(outOfOrder)"])
        }
        if duplicates > 0 {
            log.warn(
                "Error on ingesting samples with different value but same timestamp", about: [url],
                ["target": url, "num_dropped": "\(duplicates)"])
        }
        if outOfBounds > 0 {
            log.warn(
                "Error on ingesting samples that are too old or are too far into the future", about: [url],
                ["target": url, "num_dropped": "\(outOfBounds)"])
        }
    }

    /// Counts out-of-order exemplars of samples whose exemplars are all out of order.
    ///
    /// Otherwise the sample has known exemplars beside a new one.
    private func countExemplars(_ outcome: CommitOutcome) {
        guard !outcome.rejectedExemplars.isEmpty else { return }
        let exemplars = scratch.batch.exemplars
        var refused: [SeriesRef: Int] = [:]
        for (index, reason) in outcome.rejectedExemplars where reason == .outOfOrder && index < exemplars.count {
            refused[exemplars[index].ref, default: 0] += 1
        }
        guard !refused.isEmpty else { return }
        var shown: [SeriesRef: Int] = [:]
        for (ref, _) in exemplars where refused[ref] != nil { shown[ref, default: 0] += 1 }
        metrics.outOfOrderExemplars.increment(by: refused.reduce(0) { $1.value == shown[$1.key] ? $0 + $1.value : $0 })
    }

    /// Ends the series of a removed target.
    func end(_ target: Target, at time: Int64) {
        target.series.appender.withLock { appender in
            // Since the event was due, another target may have taken the series over.
            if target.isReplaced.load(ordering: .relaxed) { return }
            target.isEnded.store(true, ordering: .relaxed)
            scratch.removeAll()
            scratch.batch.timestamp = time
            appender.end(&scratch)
            if scratch.batch.count > 0 {
                _ = try? store.commit(scratch.batch, in: appender.group, durability: .whenPossible)
            }
            store.closeGroup(appender.group)
        }
    }
}
