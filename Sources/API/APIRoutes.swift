import HTTP
import PromQL

/// All routes of the API and of the management endpoints.
package enum APIRoutes {
    /// A handler in the API's envelope that answers 503 while the daemon is not ready, and whose large answers are
    /// charged.
    private static func guarded(
        _ path: String, _ context: APIContext, _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
    ) -> Router.Handler {
        Envelope.handler { request in
            guard context.control.unreadyReason == nil || path.hasPrefix("/status/walreplay") else {
                var response = HTTPResponse.text("Service Unavailable", status: 503)
                response.headers.append(("X-Prometheus-Stopping", context.control.isStopping ? "true" : "false"))
                return response
            }
            do {
                return try context.charged(try handler(request))
            } catch QueryError.canceled(let text) where context.control.isStopping {
                // The client is still connected, and may ask another server.
                throw APIError(status: 503, type: "canceled", message: text)
            } catch  where context.control.isStopping && !(error is APIError || error is QueryError) {
                // The store refuses what it cannot finish before it is closed.
                throw APIError(status: 503, type: "unavailable", message: "\(error)")
            }
        }
    }

    /// Adds the routes to a router under construction.
    package static func add(to routes: inout Router.Builder, _ context: APIContext) {
        let admission = QueryAdmission(context.settings.maxConcurrentQueries, context.metrics)
        let overviews = QueryAdmission(QueryAdmission.overviews)
        add(to: &routes, context, admission, overviews, QueryAdmission(QueryAdmission.changes))
    }

    /// Adds the routes with the limits of requests that run at once: of those that read the store, of those about
    /// targets and rules, and of those that change the store.
    static func add(
        to routes: inout Router.Builder, _ context: APIContext, _ admission: QueryAdmission,
        _ overviews: QueryAdmission, _ changes: QueryAdmission
    ) {
        let queries = QueryHandlers(context: context, admission: admission)
        let metadata = MetadataHandlers(context: context, admission: admission, overviews: overviews)
        let targets = TargetHandlers(context: context, overviews: overviews)
        let rules = RuleHandlers(context: context, overviews: overviews)
        let ledger = LedgerHandlers(context: context, overviews: overviews)
        let status = StatusHandlers(context: context, admission: admission, changes: changes)
        let search = SearchHandlers(context: context, admission: admission, lists: metadata)

        func add(
            _ methods: [String], _ path: String, body: BodyPolicy? = nil, takesLong: Bool = false,
            _ handler: @escaping @Sendable (HTTPRequest) throws -> HTTPResponse
        ) {
            let wrapped = guarded(path, context, handler)
            routes.add(methods, "/api/v1" + path, body: body, takesLong: takesLong, wrapped)
            routes.add(["OPTIONS"], "/api/v1" + path) { _ in HTTPResponse(status: 204) }
        }
        let both = ["GET", "POST"]
        let change = ["POST", "PUT"]
        add(["GET"], "/notifications") { status.notifications($0) }
        add(both, "/query", takesLong: true) { try queries.instant($0) }
        add(both, "/query_range", takesLong: true) { try queries.range($0) }
        add(both, "/query_exemplars", takesLong: true) { try queries.exemplars($0) }
        add(both, "/format_query", takesLong: true) { try queries.format($0) }
        add(both, "/parse_query", takesLong: true) { try queries.tree($0) }
        add(both, "/series", takesLong: true) { try metadata.series($0) }
        add(both, "/labels", takesLong: true) { try metadata.labelNames($0) }
        add(["GET"], "/label/:name/values", takesLong: true) { try metadata.labelValues($0) }
        add(both, "/search/metric_names", takesLong: true) { try search.metricNames($0) }
        add(both, "/search/label_names", takesLong: true) { try search.labelNames($0) }
        add(both, "/search/label_values", takesLong: true) { try search.labelValues($0) }
        add(["GET"], "/metadata", takesLong: true) { try metadata.metadata($0) }
        add(["GET"], "/targets", takesLong: true) { try targets.targets($0) }
        add(["GET"], "/targets/metadata", takesLong: true) { try metadata.targetMetadata($0) }
        add(["GET"], "/scrape_pools", takesLong: true) { try targets.pools($0) }
        add(["GET"], "/alertmanagers", takesLong: true) { try targets.alertmanagers($0) }
        add(["GET"], "/rules", takesLong: true) { try rules.rules($0) }
        add(both, "/heartbeat/:name") { try rules.heartbeat($0) }
        add(["GET"], "/alerts", takesLong: true) { try rules.alerts($0) }
        add(["GET"], "/notifications/ledger", takesLong: true) { try ledger.deliveries($0) }
        add(["GET"], "/notifications/why", takesLong: true) { try ledger.explanations($0) }
        add(["GET"], "/status/config") { status.configuration($0) }
        add(["GET"], "/status/flags") { status.flags($0) }
        add(["GET"], "/status/buildinfo") { status.build($0) }
        add(["GET"], "/status/runtimeinfo") { status.runtime($0) }
        add(["GET"], "/status/tsdb", takesLong: true) { try status.store($0) }
        add(["GET"], "/status/rejected_samples") { try status.rejectedSamples($0) }
        add(["GET"], "/status/walreplay") { status.replay($0) }
        add(change, "/admin/tsdb/snapshot", takesLong: true) { try status.snapshot($0) }
        add(change, "/admin/tsdb/delete_series", takesLong: true) { try status.deleteSeries($0) }
        add(change, "/admin/tsdb/clean_tombstones", body: BodyPolicy.none, takesLong: true) {
            try status.cleanTombstones($0)
        }

        routes.add(["GET"], "/federate", takesLong: true) {
            Federation(context: context, admission: admission).handle($0)
        }
        addManagement(to: &routes, context)
    }

    /// Adds the routes below `/-/`, the own metrics and the version.
    private static func addManagement(to routes: inout Router.Builder, _ context: APIContext) {
        let management = ManagementHandlers(context: context)
        let metrics = OwnMetrics(registry: context.metrics)
        routes.add(["GET"], "/metrics") { metrics.handle($0) }
        routes.add(["GET"], "/-/healthy") { management.healthy($0) }
        routes.add(["GET"], "/-/ready") { management.ready($0) }
        let change = ["POST", "PUT"]
        routes.add(change, "/-/reload", body: BodyPolicy.none) { management.reload($0) }
        routes.add(change, "/-/quit", body: BodyPolicy.none) { management.quit($0) }
        routes.add(["GET"], "/-/reload") { management.wrongMethod($0) }
        routes.add(["GET"], "/-/quit") { management.wrongMethod($0) }
        routes.add(["GET"], "/version") { management.version($0) }
    }
}
