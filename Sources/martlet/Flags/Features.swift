import Telemetry

/// The names of Prometheus's `--enable-feature`, and their effects here.
enum Feature: String, CaseIterable, Sendable {
    case autoReloadConfig = "auto-reload-config"
    case concurrentRuleEvaluation = "concurrent-rule-eval"
    case createdTimestampZeroIngestion = "created-timestamp-zero-ingestion"
    case delayedCompaction = "delayed-compaction"
    case exemplarStorage = "exemplar-storage"
    case extraScrapeMetrics = "extra-scrape-metrics"
    case fastStartup = "fast-startup"
    case histogramsStartTimestampEncoding = "histograms-st-encoding"
    case martletRules = "martlet-rules"
    case memorySnapshotOnShutdown = "memory-snapshot-on-shutdown"
    case metadataWALRecords = "metadata-wal-records"
    case nativeHistograms = "native-histograms"
    case oldUI = "old-ui"
    case outOfOrderNativeHistograms = "ooo-native-histograms"
    case otlpDeltaToCumulative = "otlp-deltatocumulative"
    case otlpNativeDeltaIngestion = "otlp-native-delta-ingestion"
    case binaryOperatorFillModifiers = "promql-binop-fill-modifiers"
    case delayedNameRemoval = "promql-delayed-name-removal"
    case durationExpressions = "promql-duration-expr"
    case experimentalFunctions = "promql-experimental-functions"
    case extendedRangeSelectors = "promql-extended-range-selectors"
    case perStepStatistics = "promql-per-step-stats"
    case searchAPI = "search-api"
    case startTimestampStorage = "st-storage"
    case startTimestampSynthesis = "st-synthesis"
    case typeAndUnitLabels = "type-and-unit-labels"
    case uncachedIO = "use-uncached-io"
    case useStartTimestamps = "use-start-timestamps"
    case xor2Encoding = "xor2-encoding"

    /// The effect of enabling the feature.
    var state: Flag.State {
        switch self {
        case .autoReloadConfig, .concurrentRuleEvaluation, .createdTimestampZeroIngestion, .extraScrapeMetrics,
            .binaryOperatorFillModifiers, .delayedNameRemoval, .experimentalFunctions,
            .extendedRangeSelectors, .martletRules, .perStepStatistics, .searchAPI, .startTimestampStorage,
            .typeAndUnitLabels,
            .useStartTimestamps:
            .used
        case .delayedCompaction: .ignored("a block is cut half a minute after its window has ended")
        case .durationExpressions: .ignored("duration expressions are always on, as in Prometheus 3.14")
        case .exemplarStorage: .ignored("exemplars are always stored, see storage.exemplars.max_exemplars")
        case .fastStartup: .ignored("a start always reads a checkpoint and the log after it")
        case .histogramsStartTimestampEncoding, .xor2Encoding: .ignored("each chunk is encoded in the smallest way")
        case .memorySnapshotOnShutdown: .ignored("the head is always written to a checkpoint")
        case .metadataWALRecords: .ignored("metadata is always kept with the series")
        case .nativeHistograms: .ignored("set scrape_native_histograms in the configuration instead")
        case .oldUI: .ignored("martlet has pages of its own")
        case .outOfOrderNativeHistograms: .ignored("out-of-order histograms are always accepted, as other samples")
        case .otlpDeltaToCumulative, .otlpNativeDeltaIngestion: .ignored("there is no OTLP receiver yet")
        case .uncachedIO: .ignored("the page cache is always used")
        case .startTimestampSynthesis: .unsupported("start timestamps are stored only where a page has them")
        }
    }

    /// The text of the feature in the help.
    var help: String {
        switch state {
        case .used: rawValue
        case .ignored(let reason): "\(rawValue) (ignored: \(reason))"
        case .unsupported(let hint): "\(rawValue) (not supported yet: \(hint))"
        }
    }
}

/// The features that a command line enables.
struct Features: Sendable {
    private var enabled: Set<Feature> = []
    /// The names that are not features.
    private(set) var unknown: [String] = []

    /// No features.
    init() {}

    /// Reads the values of `--enable-feature`, each a list with commas.
    ///
    /// - Throws: ``CommandLineError`` for a feature that is not supported yet, and for two that exclude each other.
    init(_ lists: [String]) throws(CommandLineError) {
        for list in lists {
            for name in list.split(separator: ",") {
                guard let feature = Feature(rawValue: String(name)) else {
                    unknown.append(String(name))
                    continue
                }
                if case .unsupported(let hint) = feature.state {
                    throw CommandLineError(description: "--enable-feature=\(name) is not supported yet: \(hint)")
                }
                enabled.insert(feature)
            }
        }
        if contains(.otlpDeltaToCumulative), contains(.otlpNativeDeltaIngestion) {
            throw CommandLineError(
                description:
                    "cannot enable otlp-deltatocumulative and otlp-native-delta-ingestion features at the same time")
        }
    }

    func contains(_ feature: Feature) -> Bool { enabled.contains(feature) }

    /// The enabled features that have no effect, with the reasons.
    var ignored: [(name: String, reason: String)] {
        enabled.compactMap { feature in
            if case .ignored(let reason) = feature.state { (feature.rawValue, reason) } else { nil }
        }.sorted { $0.name < $1.name }
    }

    /// Warns about unknown names as Prometheus does, and logs the features that have no effect.
    func warn(_ log: Log) {
        for name in unknown { log.warn("Unknown option for --enable-feature", ["option": name]) }
        for (name, reason) in ignored {
            log.warn("This option for --enable-feature has no effect", ["option": name, "reason": reason])
        }
    }
}
