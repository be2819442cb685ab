import Config
import Model
import Platform
import PromQL
import Remote
import Scrape
import Storage

/// The options of each part, made from the flags and the configuration.
extension DaemonOptions {
    /// The retention time, ms, and the largest size of the storage, bytes; 0 for no limit.
    ///
    /// The section in the configuration has precedence over the flags; a size without a time means an unlimited time.
    func retention(_ configuration: StorageConfig) -> (time: Int64, size: Int64) {
        if configuration.retentionTime != nil || configuration.retentionSize != nil {
            return (configuration.retentionTime ?? 0, configuration.retentionSize ?? 0)
        }
        if storage.retentionSize > 0, !storage.isRetentionTimeGiven { return (0, storage.retentionSize) }
        return (storage.retentionTime, storage.retentionSize)
    }

    func store(_ configuration: Configuration) -> StoreOptions {
        let retention = retention(configuration.storage)
        return StoreOptions(
            directory: storage.directory, retentionTime: retention.time, retentionSize: retention.size,
            walSyncInterval: storage.syncInterval, blockDuration: storage.blockDuration, cutDelay: 30_000,
            outOfOrderWindow: configuration.storage.outOfOrderTimeWindow,
            maxExemplars: configuration.storage.maxExemplars, usesXOROnly: storage.usesXOROnly,
            usesLockFile: storage.usesLockFile)
    }

    static func parser(_ features: Features) -> ParserOptions {
        var options = ParserOptions()
        options.experimentalFunctions = features.contains(.experimentalFunctions)
        options.extendedRangeSelectors = features.contains(.extendedRangeSelectors)
        options.fillModifiers = features.contains(.binaryOperatorFillModifiers)
        return options
    }

    /// - Parameter memory: The bytes of all queries together unless the flags set them.
    func engine(_ configuration: Configuration, processors: Int, memory: Int) -> EngineOptions {
        var options = EngineOptions()
        // 0 stands for the default, as in Prometheus.
        if queries.lookbackDelta > 0 { options.lookbackDelta = queries.lookbackDelta }
        options.maxSamples = queries.maxSamples
        options.workers = max(1, processors)
        options.timeout = queries.timeout
        let given = Int(queries.maxMemory)
        let budget = MemoryBudget(limit: given > 0 ? given : memory) { Heaps.giveBackSoon() }
        options.memoryBudget = budget
        options.hasSpace = { AddressSpace.canAllocate($0) }
        let perQuery = Int(queries.maxMemoryPerQuery)
        options.maxMemoryPerQuery = perQuery > 0 ? min(perQuery, budget.limit) : budget.limit / 2
        options.defaultSubqueryStep = configuration.global.evaluationInterval
        options.parser = Self.parser(features)
        options.perStepStatistics = features.contains(.perStepStatistics)
        options.delayedNameRemoval = features.contains(.delayedNameRemoval)
        options.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.usesStartTimes = features.contains(.useStartTimestamps)
        return options
    }

    func scrape(_ configuration: Configuration) -> ScrapeOptions {
        var options = ScrapeOptions()
        options.offsetSeed = configuration.global.externalLabels.stableHash
        options.timestampTolerance = timestampTolerance
        options.features.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.features.startTimes = features.contains(.startTimestampStorage)
        options.features.zerosAtStart = features.contains(.createdTimestampZeroIngestion)
        return options
    }

    var remoteWrite: RemoteFeatures {
        var options = RemoteFeatures()
        options.typeAndUnitLabels = features.contains(.typeAndUnitLabels)
        options.startTimes = features.contains(.startTimestampStorage)
        options.messages = web.acceptedMessages
        return options
    }
}
