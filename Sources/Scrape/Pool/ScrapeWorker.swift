import Config
import Exposition
import Model
import Platform
import Synchronization
import Telemetry

/// Reads pages and stores their samples.
///
/// One per thread.
final class ScrapeWorker {
    private let store: any SampleStore
    private let clock: any Clock
    private let metrics: ScrapeMetrics
    private let log = Log("scrape manager")
    private var scratch = AppendScratch()

    init(store: any SampleStore, clock: any Clock, metrics: ScrapeMetrics) {
        self.store = store
        self.clock = clock
        self.metrics = metrics
    }

    /// Reads and stores what a transfer brought.
    func scrape(_ transfer: Transfer) {
        guard let target = transfer.target else { return }
        let time = transfer.scrapeTime
        var counts = AppendCounts()
        var failure = transfer.failure
        var families: [FamilyMetadata]?
        var seconds = 0.0
        let storeError = target.series.appender.withLock { appender -> String? in
            scratch.removeAll()
            scratch.batch.timestamp = time
            var format = ExpositionFormat.text
            if failure == nil {
                do throws(ScrapeFailure) {
                    format = try PageFormat.of(
                        contentType: transfer.contentType, fallback: target.settings.config.fallbackProtocol)
                    try append(transfer, target, format, &appender, &counts, isSecondLook: false)
                    appender.finish(&scratch)
                } catch {
                    failure = error
                }
            }
            if let failure {
                appender.fail(&scratch)
                log.debug(
                    "Scrape failed", ["target": target.definition.url, "err": failure.description])
                metrics.count(failure.kind)
                if failure.kind != .sampleLimit { counts = AppendCounts() }
                counts.added = 0
            }
            families = appender.metadata.families
            seconds = Double(clock.monotonic() &- transfer.started) / 1e9
            metrics.outOfBounds.increment(by: counts.outOfBounds)
            report(target, transfer, failure, counts, seconds, &appender)
            return commit(transfer, target, format, hasPage: failure == nil, &appender)
        }
        let text = failure?.description ?? storeError ?? ""
        target.state.withLock { state in
            state.health = text.isEmpty ? .up : .down
            state.lastError = text
            state.lastScrape = time
            state.lastDuration = seconds
            state.samplesScraped = counts.scraped
            state.bodySize = transfer.body.count
            if let families, failure == nil { state.families = families }
        }
        metrics.intervals.observe(target, start: transfer.started)
        target.isBusy.store(false, ordering: .releasing)
    }

    /// Reads the page into the batch.
    private func append(
        _ transfer: Transfer, _ target: Target, _ format: ExpositionFormat, _ appender: inout ScrapeAppender,
        _ counts: inout AppendCounts, isSecondLook: Bool
    ) throws(ScrapeFailure) {
        let page = transfer.body
        let (result, next) = page.withUnsafeBufferPointer { page -> (Result<Void, ScrapeFailure>, AppendCounts) in
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
        _ target: Target, _ transfer: Transfer, _ failure: ScrapeFailure?, _ counts: AppendCounts, _ seconds: Double,
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
        let size = failure == nil ? Double(transfer.body.count) : failure?.kind == .bodySizeLimit ? -1 : 0
        appender.appendReport("scrape_body_size_bytes", size, &scratch)
    }

    /// Stores the batch; series that the store has forgotten are resolved again and tried once more.
    ///
    /// - Returns: Why nothing was stored, or nil.
    private func commit(
        _ transfer: Transfer, _ target: Target, _ format: ExpositionFormat, hasPage: Bool,
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
            log.error("Append failed", ["target": target.definition.url, "err": "\(error)"])
            return "\(error)"
        }
    }

    private func count(_ outcome: CommitOutcome, _ target: Target) {
        guard !outcome.rejected.isEmpty else { return }
        var (duplicates, outOfOrder, outOfBounds) = (0, 0, 0)
        for (index, reason) in outcome.rejected {
            // A marker for a series that another line still feeds is no mistake of the target.
            if index < scratch.batch.values.count, Staleness.isMarker(scratch.batch.values[index]) { continue }
            switch reason {
            case .duplicate: duplicates += 1
            case .outOfOrder: outOfOrder += 1
            case .outOfBounds, .tooOld: outOfBounds += 1
            // The reader of the page refuses these before.
            case .invalidHistogram: break
            case .unknownSeries: break
            }
        }
        metrics.duplicates.increment(by: duplicates)
        metrics.outOfOrder.increment(by: outOfOrder)
        metrics.outOfBounds.increment(by: outOfBounds)
        let url = target.definition.url
        if outOfOrder > 0 {
            log.warn("Error on ingesting out-of-order samples", ["target": url, "num_dropped": "\(outOfOrder)"])
        }
        if duplicates > 0 {
            log.warn(
                "Error on ingesting samples with different value but same timestamp",
                ["target": url, "num_dropped": "\(duplicates)"])
        }
        if outOfBounds > 0 {
            log.warn(
                "Error on ingesting samples that are too old or are too far into the future",
                ["target": url, "num_dropped": "\(outOfBounds)"])
        }
    }

    /// Ends the series of a target that is gone.
    func end(_ target: Target, at time: Int64) {
        target.series.appender.withLock { appender in
            // Between being due and now the series may have found a new owner.
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
