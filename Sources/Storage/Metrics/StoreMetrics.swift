import Model
import Platform
import Synchronization
import Telemetry

/// The store's metrics under Prometheus's names.
extension TimeSeriesStore {
    /// The metrics of the store for `/metrics`, with their current values.
    public func metricFamilies() -> [MetricFamily] {
        sampleFamilies() + headFamilies() + blockFamilies() + maintenanceFamilies() + logFamilies() + exemplarFamilies()
    }

    private func family(
        _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ value: Double
    ) -> MetricFamily {
        MetricFamily(name: "prometheus_tsdb_" + name, help: help, kind: kind, samples: [.init(value: value)])
    }

    private func counter(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
        family(name, help, .counter, Double(value))
    }

    private func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
        family(name, help, .gauge, value)
    }

    private func summary(
        _ name: String, _ help: String, _ window: QuantileWindow, quantiles: [Double] = []
    ) -> MetricFamily {
        MetricFamily(
            name: "prometheus_tsdb_" + name, help: help, kind: .summary, samples: window.samples(quantiles: quantiles))
    }

    private func sampleFamilies() -> [MetricFamily] {
        func byType(_ name: String, _ help: String, _ values: (floats: Int, histograms: Int)) -> MetricFamily {
            MetricFamily(
                name: "prometheus_tsdb_" + name, help: help, kind: .counter,
                samples: [
                    .init(labels: [("type", "float")], value: Double(values.floats)),
                    .init(labels: [("type", "histogram")], value: Double(values.histograms)),
                ])
        }
        return [
            byType(
                "head_samples_appended_total", "Total number of appended samples.", counters.appended.values),
            byType(
                "head_out_of_order_samples_appended_total", "Total number of appended out of order samples.",
                counters.appendedOutOfOrder.values),
            byType(
                "out_of_order_samples_total",
                "Total number of out of order samples ingestion failed attempts due to out of order being disabled.",
                counters.outOfOrder.values),
            byType(
                "out_of_bound_samples_total",
                "Total number of out of bound samples ingestion failed attempts with out of order support disabled.",
                counters.outOfBounds.values),
            byType(
                "too_old_samples_total",
                "Total number of out of order samples ingestion failed attempts with out of support enabled, but "
                    + "sample outside of time window.", counters.tooOld.values),
            gauge(
                "head_active_appenders", "Number of currently active appender transactions",
                Double(counters.activeCommits.load(ordering: .relaxed))),
            counter(
                "head_appenders_created_total", "Total number of appender transactions begun.",
                counters.commits.load(ordering: .relaxed)),
        ]
    }

    private func headFamilies() -> [MetricFamily] {
        let figures = headFigures()
        let minTime = Double(figures.minTime ?? .max)
        let maxTime = Double(figures.maxTime ?? .min)
        let lowest = blockSet.readers.first.map { Double($0.minTime) } ?? minTime
        return [
            gauge("head_series", "Total number of series in the head block.", Double(figures.series)),
            counter(
                "head_series_created_total", "Total number of series created in the head",
                counters.seriesCreated.load(ordering: .relaxed)),
            counter(
                "head_series_removed_total", "Total number of series removed in the head",
                counters.seriesRemoved.load(ordering: .relaxed)),
            counter(
                "head_series_not_found_total", "Total number of requests for series that were not found.",
                counters.unknownSeries.load(ordering: .relaxed)),
            gauge("head_chunks", "Total number of chunks in the head block.", Double(figures.chunks)),
            counter("head_chunks_created_total", "Total number of chunks created in the head", figures.chunksCreated),
            counter(
                "head_chunks_removed_total", "Total number of chunks removed in the head",
                head.chunksRemoved.load(ordering: .relaxed)),
            gauge(
                "head_chunks_storage_size_bytes", "Size of the chunks of the head on the disk.",
                Double(figures.spillBytes)),
            gauge(
                "head_min_time", "Minimum time bound of the head block. The unit is decided by the library consumer.",
                minTime),
            gauge("head_min_time_seconds", "Minimum time bound of the head block.", minTime / 1000),
            gauge(
                "head_max_time", "Maximum timestamp of the head block. The unit is decided by the library consumer.",
                maxTime),
            gauge("head_max_time_seconds", "Maximum timestamp of the head block.", maxTime / 1000),
            gauge(
                "lowest_timestamp",
                "Lowest timestamp value stored in the database. The unit is decided by the library consumer.", lowest),
            gauge(
                "lowest_timestamp_seconds", "Lowest timestamp value stored in the database.", lowest / 1000),
            summary(
                "head_gc_duration_seconds", "Runtime of garbage collection in the head block.", counters.headForgets),
            counter(
                "head_truncations_total", "Total number of head truncations attempted.", counters.cuts.total),
            counter(
                "head_truncations_failed_total", "Total number of head truncations that failed.",
                counters.cuts.failed),
        ]
    }

    private func blockFamilies() -> [MetricFamily] {
        let readers = blockSet.readers
        return [
            gauge("blocks_loaded", "Number of currently loaded data blocks", Double(readers.count)),
            gauge(
                "storage_blocks_bytes", "The number of bytes that are currently used for local storage by all blocks.",
                Double(blockSet.size)),
            gauge(
                "symbol_table_size_bytes", "Size of symbol table in memory for loaded blocks",
                Double(readers.reduce(0) { $0 + $1.index.symbolBytes })),
            counter(
                "reloads_total",
                "Number of times the database reloaded block data from disk.", blockSet.reloads.succeeded),
            counter(
                "reloads_failures_total",
                "Number of times the database failed to reloadBlocks block data from disk.", blockSet.reloads.failed),
            gauge(
                "retention_limit_bytes",
                "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled",
                Double(max(0, settings.retentionSize))),
            gauge(
                "retention_limit_seconds", "How long to retain samples in storage.",
                Double(max(0, settings.retentionTime)) / 1000),
            counter(
                "time_retentions_total",
                "The number of times that blocks were deleted because the maximum time limit was exceeded.",
                counters.timeRetentions.load(ordering: .relaxed)),
            counter(
                "size_retentions_total",
                "The number of times that blocks were deleted because the maximum number of bytes was exceeded.",
                counters.sizeRetentions.load(ordering: .relaxed)),
        ]
    }

    private func maintenanceFamilies() -> [MetricFamily] {
        let (buckets, sum, count) = counters.compactionDurations
        var total = 0
        var samples: [MetricFamily.Sample] = []
        for (bound, number) in zip(StoreCounters.compactionBounds, buckets) {
            total += number
            samples.append(.init(suffix: "_bucket", labels: [("le", "\(bound)")], value: Double(total)))
        }
        samples.append(.init(suffix: "_bucket", labels: [("le", "+Inf")], value: Double(count)))
        samples.append(.init(suffix: "_sum", value: sum))
        samples.append(.init(suffix: "_count", value: Double(count)))
        return [
            counter(
                "compactions_total", "Total number of compactions that were executed for the partition.",
                counters.compactions.succeeded),
            counter(
                "compactions_triggered_total", "Total number of triggered compactions for the partition.",
                counters.compactionsTriggered.load(ordering: .relaxed)),
            counter(
                "compactions_failed_total", "Total number of compactions that failed for the partition.",
                counters.compactions.failed),
            gauge(
                "compaction_populating_block", "Set to 1 when a block is currently being written to the disk.",
                counters.isCompacting.load(ordering: .relaxed) ? 1 : 0),
            MetricFamily(
                name: "prometheus_tsdb_compaction_duration_seconds", help: "Duration of compaction runs",
                kind: .histogram, samples: samples),
            counter(
                "checkpoint_creations_total", "Total number of checkpoint creations attempted.",
                counters.checkpoints.total),
            counter(
                "checkpoint_creations_failed_total", "Total number of checkpoint creations that failed.",
                counters.checkpoints.failed),
            gauge(
                "data_replay_duration_seconds", "Time taken to replay the data on disk.",
                Double(bitPattern: counters.replaySeconds.load(ordering: .relaxed))),
            gauge(
                "clean_start",
                "-1: lockfile is disabled. 0: replaced a lockfile from a previous execution. 1: lockfile creation "
                    + "was clean",
                !options.usesLockFile ? -1 : counters.startedClean.load(ordering: .relaxed) ? 1 : 0),
        ]
    }

    private func logFamilies() -> [MetricFamily] {
        [
            summary(
                "wal_fsync_duration_seconds", "Duration of write log fsync.", log.syncDurations,
                quantiles: QuantileWindow.three),
            counter("wal_corruptions_total", "Total number of WAL corruptions.", damagedRecords),
            counter(
                "wal_writes_failed_total", "Total number of write log writes that failed.", log.failedWrites),
            gauge(
                "wal_segment_current", "Write log segment index that TSDB is currently writing to.",
                Double(log.segment)),
            gauge(
                "wal_storage_size_bytes", "Size of the write log directory.",
                Double((try? fileSystem.usage(log.directory)) ?? 0)),
            summary("wal_truncate_duration_seconds", "Duration of WAL truncation.", counters.truncations),
            counter(
                "wal_truncations_total", "Total number of write log truncations attempted.",
                counters.logTruncations.total),
            counter(
                "wal_truncations_failed_total", "Total number of write log truncations that failed.",
                counters.logTruncations.failed),
        ]
    }

    private func exemplarFamilies() -> [MetricFamily] {
        let figures = exemplarRing.figures
        return [
            counter(
                "exemplar_exemplars_appended_total", "Total number of appended exemplars.", figures.appended),
            counter(
                "exemplar_out_of_order_exemplars_total",
                "Total number of out of order exemplar ingestion failed attempts.", figures.outOfOrder),
            gauge(
                "exemplar_exemplars_in_storage", "Number of exemplars currently in circular storage.",
                Double(figures.count)),
            gauge(
                "exemplar_series_with_exemplars_in_storage",
                "Number of series with exemplars currently in circular storage.", Double(figures.series)),
            gauge(
                "exemplar_last_exemplars_timestamp_seconds",
                "The timestamp of the oldest exemplar stored in circular storage. Useful to check for what time range "
                    + "the current exemplar buffer limit allows. This usually means the last timestamp for all "
                    + "exemplars for a typical setup. This is not true though if one of the series timestamp is in "
                    + "future compared to rest series.", Double(figures.oldest) / 1000),
            gauge(
                "exemplar_max_exemplars",
                "Total number of exemplars the exemplar storage can store, resizeable.", Double(figures.capacity)),
        ]
    }
}

extension TimeSeriesStore {
    /// The numbers about the head that need little time: no series is read.
    struct HeadFigures {
        var series = 0
        /// The number of open and sealed chunks.
        var chunks = 0
        var chunksCreated = 0
        var spillBytes = 0
        /// The first and the last time of the head, ms; nil before the first sample.
        var minTime: Int64?
        var maxTime: Int64?
    }

    func headFigures() -> HeadFigures {
        var figures = HeadFigures()
        let groups = head.registry.withLock {
            figures.series = head.liveSeries
            return head.groups
        }
        figures.chunksCreated = counters.chunksAtOpen.load(ordering: .relaxed)
        for group in groups {
            group.lock.withLock {
                figures.chunks += group.runs.openChunks
                figures.chunksCreated += group.chunksBegun
                if let first = group.runs.oldest { figures.minTime = min(figures.minTime ?? first, first) }
            }
        }
        figures.chunks += head.sealed.inUse
        for file in head.spill.files {
            let start = file.windowEnd.subtractingReportingOverflow(options.blockDuration).partialValue
            figures.minTime = min(figures.minTime ?? start, start)
            figures.spillBytes += file.size
        }
        let newest = head.newest.load(ordering: .relaxed)
        if newest != .min { figures.maxTime = newest }
        return figures
    }
}
