import Config
import Exposition
import Glibc
import HTTP
import Model
import Synchronization

/// A job's configuration with derived values, shared by the job's targets.
final class ScrapeSettings: Sendable {
    let config: ScrapeConfig
    /// The `Accept` header.
    let accept: String
    /// The `User-Agent` header.
    let userAgent: String
    /// ms; negative for none.
    let timestampTolerance: Int64
    let features: ScrapeFeatures
    /// The job's client settings.
    let requestOptions: RequestOptions

    init(_ config: ScrapeConfig, _ options: ScrapeOptions) {
        self.config = config
        requestOptions = RequestOptions(config.client)
        userAgent = options.userAgent
        features = options.features
        timestampTolerance = options.timestampTolerance
        var protocols = config.scrapeProtocols
        // Only this format and OpenMetrics have start timestamps, and this one has them in the samples.
        if features.readsStarts, !config.choosesProtocols, !protocols.contains(.protobuf) {
            protocols.insert(.protobuf, at: 0)
        }
        accept = AcceptHeader.text(protocols, escaping: config.metricNameEscaping)
    }
}

/// The series of a target.
///
/// They outlive the target if only its settings change.
final class TargetSeries: Sendable {
    let appender: Mutex<ScrapeAppender>

    init(_ appender: sending ScrapeAppender) { self.appender = Mutex(appender) }
}

/// One endpoint that is scraped repeatedly with one set of settings.
final class Target: Sendable {
    struct State {
        var health = TargetHealth.unknown
        var lastError = ""
        var lastScrape: Int64 = 0
        var lastDuration = 0.0
        var samplesScraped = 0
        var bodySize = 0
        var families: [FamilyMetadata] = []
        /// If not empty, every scrape fails with this error, without a request.
        var refusal = ""
    }

    let definition: TargetDefinition
    let settings: ScrapeSettings
    let series: TargetSeries
    let state: Mutex<State>
    /// Whether a scrape runs, and whether the next one waits for its end.
    let turn = TargetTurn()
    /// The header lines of all its requests that every host may receive.
    let requestHeaders: [String]
    /// Whether the target was removed from its pool.
    let isRemoved = Atomic<Bool>(false)
    /// Whether its series were passed to a newer target, so that they must not end with this one.
    let isReplaced = Atomic<Bool>(false)
    /// Whether a scrape of it was begun.
    let isBegun = Atomic<Bool>(false)
    /// Whether its series have ended; then no target can continue them.
    let isEnded = Atomic<Bool>(false)

    init(_ definition: TargetDefinition, _ settings: ScrapeSettings, _ series: TargetSeries, _ state: State = State()) {
        self.definition = definition
        self.settings = settings
        self.series = series
        self.state = Mutex(state)
        requestHeaders = [
            "Accept: \(settings.accept)", "User-Agent: \(settings.userAgent)",
            "Accept-Encoding: \(settings.config.enableCompression ? "gzip" : "identity")",
            "X-Prometheus-Scrape-Timeout-Seconds: \(FloatText.fixed(Double(definition.timeout) / 1000))",
        ]
    }

    /// Whether it, or the target whose series it continues, has been scraped.
    var hasBegun: Bool { isBegun.load(ordering: .relaxed) || state.withLock { $0.lastScrape != 0 } }

    /// Passes the series on to a newer target.
    ///
    /// - Returns: False if they have already ended.
    func giveUpSeries() -> Bool {
        // The lock excludes the worker that ends the series.
        series.appender.withLock { _ in
            if isEnded.load(ordering: .relaxed) { return false }
            isRemoved.store(true, ordering: .relaxed)
            isReplaced.store(true, ordering: .relaxed)
            return true
        }
    }

    /// The forms of histograms that are read from protobuf bodies.
    var histogramChoice: HistogramChoice {
        let config = settings.config
        var schema: Int32 = 8
        if config.nativeHistogramMinBucketFactor > 0 {
            // A factor of at most 1 requests the finest buckets.
            let factor = max(config.nativeHistogramMinBucketFactor, 1.00271)
            let exact = (-log2(log2(factor))).rounded(.down)
            schema = Int32(max(-4, min(8, exact)))
        }
        return HistogramChoice(
            native: definition.scrapeNativeHistograms, classicToo: definition.alwaysScrapeClassicHistograms,
            schemaMax: schema, bucketLimit: config.nativeHistogramBucketLimit)
    }

    var status: TargetStatus {
        let state = state.withLock { $0 }
        return TargetStatus(
            pool: settings.config.jobName, discoveredLabels: definition.discovered, labels: definition.labels,
            url: definition.url, health: state.health, lastError: state.lastError, lastScrape: state.lastScrape,
            lastScrapeDuration: state.lastDuration, interval: definition.interval, timeout: definition.timeout,
            samplesScraped: state.samplesScraped, bodySize: state.bodySize)
    }
}

/// The `Accept` header of a scrape.
enum AcceptHeader {
    static func text(_ protocols: [ScrapeProtocol], escaping: String) -> String {
        var weight = 6
        var parts: [String] = []
        for entry in protocols {
            var part: String
            switch entry {
            case .protobuf:
                part = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
            case .openMetrics1: part = "application/openmetrics-text;version=1.0.0"
            case .openMetrics0: part = "application/openmetrics-text;version=0.0.1"
            case .text1: part = "text/plain;version=1.0.0"
            case .text0: part = "text/plain;version=0.0.4"
            }
            if entry == .openMetrics1 || entry == .text1 { part += ";escaping=\(escaping)" }
            parts.append(part + ";q=0.\(weight)")
            weight = max(1, weight - 1)
        }
        return (parts + ["*/*;q=0.\(weight)"]).joined(separator: ",")
    }
}

/// The state of a target's scrapes: one runs at a time, and one more may wait.
final class TargetTurn: Sendable {
    enum Outcome {
        /// The scrape may begin.
        case taken
        /// It begins after the end of the running one.
        case waiting
        case missed
    }

    /// 0 if free, 1 if busy; otherwise the time (ms) of the waiting turn.
    private let state = Atomic<Int64>(0)

    /// Requests the turn of `due`.
    func take(due: Int64, waits: Bool) -> Outcome {
        if state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return .taken }
        guard waits else { return .missed }
        let (exchanged, original) = state.compareExchange(
            expected: 1, desired: max(2, due), ordering: .acquiringAndReleasing)
        if exchanged { return .waiting }
        // It became free in the meantime.
        return original == 0 ? take(due: due, waits: waits) : .missed
    }

    /// Ends the scrape.
    ///
    /// - Returns: The time of the waiting turn; 0 if there is none.
    func release() -> Int64 {
        let old = state.exchange(0, ordering: .acquiringAndReleasing)
        return old > 1 ? old : 0
    }
}
