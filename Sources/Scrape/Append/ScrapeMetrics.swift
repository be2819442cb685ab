import Telemetry

/// The daemon's own metrics of scraping, under Prometheus's names.
package final class ScrapeMetrics: Sendable {
    let duplicates: Counter
    let outOfOrder: Counter
    let outOfBounds: Counter
    let seriesNotStored: Counter
    let bodySizeLimit: Counter
    let sampleLimit: Counter
    let labelLimits: Counter
    let bucketLimit: Counter
    let outOfOrderExemplars: Counter
    let targetLimit: Counter
    let poolsTotal: Counter
    let poolReloads: Counter
    let intervals = IntervalLengths()
    let registry: MetricRegistry

    init(_ registry: MetricRegistry) {
        self.registry = registry
        registry.addCollector { [intervals] in intervals.families() }
        duplicates = registry.counter(
            "prometheus_target_scrapes_sample_duplicate_timestamp_total",
            "Total number of samples rejected due to duplicate timestamps but different values.")
        outOfOrder = registry.counter(
            "prometheus_target_scrapes_sample_out_of_order_total",
            "Total number of samples rejected due to not being out of the expected order.")
        outOfBounds = registry.counter(
            "prometheus_target_scrapes_sample_out_of_bounds_total",
            "Total number of samples rejected due to timestamp falling outside of the time bounds.")
        seriesNotStored = registry.counter(
            "martlet_scrape_series_not_stored_total", "Scraped series that do not fit into the storage.")
        bodySizeLimit = registry.counter(
            "prometheus_target_scrapes_exceeded_body_size_limit_total",
            "Total number of scrapes that hit the body size limit")
        sampleLimit = registry.counter(
            "prometheus_target_scrapes_exceeded_sample_limit_total",
            "Total number of scrapes that hit the sample limit and were rejected.")
        labelLimits = registry.counter(
            "prometheus_target_scrape_pool_exceeded_label_limits_total",
            "Total number of times scrape pools hit the label limits, during sync or config reload.")
        targetLimit = registry.counter(
            "prometheus_target_scrape_pool_exceeded_target_limit_total",
            "Total number of times scrape pools hit the target limit, during sync or config reload.")
        poolsTotal = registry.counter(
            "prometheus_target_scrape_pools_total", "Total number of scrape pool creation attempts.")
        poolReloads = registry.counter(
            "prometheus_target_scrape_pool_reloads_total", "Total number of scrape pool reloads.")
        bucketLimit = registry.counter(
            "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
            "Total number of scrapes that hit the native histogram bucket limit and were rejected.")
        outOfOrderExemplars = registry.counter(
            "prometheus_target_scrapes_exemplar_out_of_order_total",
            "Total number of exemplar rejected due to not being out of the expected order.")
        for (name, help) in [
            ("prometheus_target_scrape_pools_failed_total", "Total number of scrape pool creations that failed."),
            ("prometheus_target_scrape_pool_reloads_failed_total", "Total number of failed scrape pool reloads."),
        ] { _ = registry.counter(name, help) }
    }

    func count(_ failure: ScrapeFailure.Kind) {
        switch failure {
        case .bodySizeLimit: bodySizeLimit.increment()
        case .sampleLimit: sampleLimit.increment()
        case .labelLimit: labelLimits.increment()
        case .bucketLimit: bucketLimit.increment()
        default: break
        }
    }
}
