import Model

/// Prometheus's main configuration file.
package struct Configuration: Sendable {
    package var global = GlobalConfig()
    package var ruleFiles: [String] = []
    /// The places of ``ruleFiles``.
    package var ruleFilePlaces: [ConfigPlace] = []
    package var scrapeConfigFiles: [String] = []
    package var scrapeConfigs: [ScrapeConfig] = []
    package var alerting = AlertingConfig()
    package var storage = StorageConfig()
    /// The settings of the file that martlet does not support yet, with places; the daemon refuses a configuration with
    /// any.
    package var unsupported: [ConfigError] = []
    /// The number of ``scrapeConfigs``, from the first on, that are in the main file.
    package var ownJobs = 0
    /// `runtime.gogc`, which is only shown.
    package var goGC = 75

    package init() {}
}

/// The defaults of all jobs.
package struct GlobalConfig: Sendable {
    /// All times in milliseconds.
    package var scrapeInterval: Int64 = 60_000
    package var scrapeTimeout: Int64 = 10_000
    package var evaluationInterval: Int64 = 60_000
    package var ruleQueryOffset: Int64 = 0
    package var scrapeProtocols: [ScrapeProtocol]?
    package var externalLabels = Labels.empty
    package var queryLogFile = ""
    package var limits = ScrapeLimits()
    package var metricNameValidation = NameValidation.utf8
    package var metricNameEscaping = "allow-utf-8"
    package var scrapeNativeHistograms = false
    package var convertClassicHistogramsToNHCB = false
    package var alwaysScrapeClassicHistograms = false
    package var extraScrapeMetrics = false

    package init() {}
}

/// The names that are accepted.
package enum NameValidation: String, Sendable {
    case utf8
    case legacy
}

/// The limits of a scrape; 0 means no limit.
package struct ScrapeLimits: Sendable, Hashable {
    /// Bytes of a body after decompression.
    package var bodySize: Int64 = 0
    package var samples = 0
    package var targets = 0
    package var labels = 0
    /// Bytes.
    package var labelNameLength = 0
    /// Bytes.
    package var labelValueLength = 0
    package var keepDroppedTargets = 0

    package init() {}
}

/// An exposition format in the negotiation.
package enum ScrapeProtocol: String, Sendable, CaseIterable {
    case protobuf = "PrometheusProto"
    case openMetrics1 = "OpenMetricsText1.0.0"
    case openMetrics0 = "OpenMetricsText0.0.1"
    case text1 = "PrometheusText1.0.0"
    case text0 = "PrometheusText0.0.4"

    /// The default formats.
    package static let standard: [ScrapeProtocol] = [.openMetrics1, .openMetrics0, .text1, .text0]
}

/// One job.
package struct ScrapeConfig: Sendable {
    package var jobName = ""
    package var place: ConfigPlace
    /// Milliseconds.
    package var scrapeInterval: Int64 = 60_000
    /// Milliseconds.
    package var scrapeTimeout: Int64 = 10_000
    package var scrapeProtocols = ScrapeProtocol.standard
    /// Whether the formats are configured and not the default ones.
    package var choosesProtocols = false
    package var fallbackProtocol: ScrapeProtocol?
    package var metricsPath = "/metrics"
    package var scheme = "http"
    /// The parameters in the order of the file.
    package var params: [(key: String, values: [String])] = []
    package var honorLabels = false
    package var honorTimestamps = true
    package var trackTimestampsStaleness = false
    package var enableCompression = true
    package var limits = ScrapeLimits()
    package var nativeHistogramBucketLimit = 0
    package var nativeHistogramMinBucketFactor = 0.0
    package var metricNameValidation = NameValidation.utf8
    package var metricNameEscaping = "allow-utf-8"
    package var scrapeNativeHistograms = false
    package var convertClassicHistogramsToNHCB = false
    package var alwaysScrapeClassicHistograms = false
    package var extraScrapeMetrics = false
    package var staticConfigs: [TargetGroupConfig] = []
    /// The place of each target of ``staticConfigs``.
    package var targetPlaces: [[ConfigPlace]] = []
    package var fileDiscovery: [FileDiscoveryConfig] = []
    package var httpDiscovery: [HTTPDiscoveryConfig] = []
    package var dnsDiscovery: [DNSDiscoveryConfig] = []
    package var relabelRules: [RelabelRule] = []
    package var metricRelabelRules: [RelabelRule] = []
    package var client = HTTPClientConfig()
    /// The job's text in the file; two jobs with equal texts and equal defaults are the same.
    package var fingerprint = ""

    package init(place: ConfigPlace) { self.place = place }
}

/// Static targets, with their common labels.
package struct TargetGroupConfig: Sendable, Hashable {
    /// Values of `__address__`.
    @Exact package var targets: [String]
    package var labels: [Label]

    package init(targets: [String], labels: [Label]) {
        self.targets = targets
        self.labels = labels
    }
}

/// Targets in files, which may change.
package struct FileDiscoveryConfig: Sendable, Hashable {
    /// Patterns; `*` only in the last part.
    @Exact package var files: [String]
    /// Milliseconds.
    package var refreshInterval: Int64 = 300_000
}

/// Targets from an HTTP endpoint.
package struct HTTPDiscoveryConfig: Sendable, Hashable {
    @Exact package var url: String
    /// Milliseconds.
    package var refreshInterval: Int64 = 60_000
    package var client: HTTPClientConfig
}

/// Targets from records of the Domain Name System.
package struct DNSDiscoveryConfig: Sendable, Hashable {
    package enum RecordType: String, Sendable, CaseIterable {
        case srv = "SRV"
        case a = "A"
        case aaaa = "AAAA"
        case mx = "MX"
        case ns = "NS"
    }

    @Exact package var names: [String]
    /// Milliseconds.
    package var refreshInterval: Int64 = 30_000
    package var type = RecordType.srv
    /// The port of the targets; SRV records have their own.
    package var port = 0

    package init(names: [String], refreshInterval: Int64 = 30_000, type: RecordType = .srv, port: Int = 0) {
        self.names = names
        self.refreshInterval = refreshInterval
        self.type = type
        self.port = port
    }
}

/// The receivers of alerts beside the built-in notifier.
package struct AlertingConfig: Sendable {
    package var relabelRules: [RelabelRule] = []
    package var alertmanagers: [AlertmanagerEndpointConfig] = []
}

/// A set of external Alertmanagers.
package struct AlertmanagerEndpointConfig: Sendable {
    package var place: ConfigPlace?
    /// Milliseconds.
    package var timeout: Int64 = 10_000
    package var pathPrefix = ""
    package var scheme = "http"
    package var staticConfigs: [TargetGroupConfig] = []
    /// The place of each target of ``staticConfigs``.
    package var targetPlaces: [[ConfigPlace]] = []
    package var fileDiscovery: [FileDiscoveryConfig] = []
    package var httpDiscovery: [HTTPDiscoveryConfig] = []
    package var dnsDiscovery: [DNSDiscoveryConfig] = []
    package var relabelRules: [RelabelRule] = []
    package var alertRelabelRules: [RelabelRule] = []
    package var client = HTTPClientConfig()
    /// The signature of requests to AWS; nil without one.
    package var sigV4: SigV4Config?
}

/// The settings of the storage that a reload can change.
package struct StorageConfig: Sendable {
    /// Milliseconds.
    package var outOfOrderTimeWindow: Int64 = 0
    /// Milliseconds; nil if the file does not set it.
    package var retentionTime: Int64?
    /// Bytes; nil if the file does not set it.
    package var retentionSize: Int64?
    package var maxExemplars = 100_000
}
