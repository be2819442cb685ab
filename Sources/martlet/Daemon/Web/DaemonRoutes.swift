import API
import AlertAPI
import HTTP
import Model
import Platform
import Remote
import Telemetry
import Web

/// The routes of the daemon: the API, remote write, the web pages.
struct DaemonRoutes {
    let options: DaemonOptions
    let parts: Components
    let control: any DaemonControl
    /// ms.
    let startTime: Int64

    func router() -> Router {
        var routes = Router.Builder()
        APIRoutes.add(to: &routes, context)
        let control = control
        AlertAPIRoutes.add(
            to: &routes,
            AlertAPIContext(
                notifier: parts.notifier, clock: parts.clock, startTime: startTime,
                unreadyReason: { control.unreadyReason }))
        addRemoteWrite(to: &routes)
        addPages(to: &routes)
        let metrics = RequestMetrics(parts.metrics)
        return Router(routes, observe: { metrics.observe($0, $1, $2, $3) })
    }

    private var context: APIContext {
        var context = APIContext(
            engine: parts.engine, source: parts.store, store: parts.store, control: control, metrics: parts.metrics,
            clock: parts.clock)
        context.settings = settings
        context.scrape = parts.scrape
        context.rules = parts.rules
        context.heartbeats = parts.heartbeats
        context.alertmanagers = parts.alertmanagers
        context.notifications = parts.notifier
        return context
    }

    private var settings: APISettings {
        let build = BuildInformation(
            version: ProductVersion.api, revision: ProductVersion.revision, branch: ProductVersion.branch,
            buildUser: ProductVersion.buildUser, buildDate: ProductVersion.buildDate)
        var settings = APISettings(build: build, maxConcurrentQueries: options.queries.maxConcurrency)
        settings.flags = options.shownFlags
        settings.publicAddress = PublicAddress(
            externalURL: options.web.externalURL,
            ownPort: options.web.listenAddresses.first.map { "\($0.port)" } ?? "")
        settings.maxSearchLimit = options.web.maxSearchLimit
        settings.enablesLifecycle = options.web.enablesLifecycle
        settings.enablesAdmin = options.web.enablesAdmin
        settings.startTime = startTime
        return settings
    }

    private func addRemoteWrite(to routes: inout Router.Builder) {
        if options.web.enablesRemoteWrite {
            let receiver = RemoteWriteReceiver(
                store: parts.store, clock: parts.clock, metrics: parts.metrics, features: options.remoteWrite)
            routes.add(["POST"], "/api/v1/write", body: .write, receiver.handle)
        } else {
            routes.add(["POST"], "/api/v1/write", body: BodyPolicy.none) { _ in
                .text(
                    "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", status: 404)
            }
        }
    }

    /// Adds the web pages, the files that they load, and the user's own files under `/user`.
    private func addPages(to routes: inout Router.Builder) {
        let prefix = options.web.routePrefix
        routes.add(["GET"], "/") { _ in .redirect(prefix + "/query") }
        routes.add(["GET"], "/graph") { request in
            let query = request.query.map { "\(URLEncoding.encode($0.name))=\(URLEncoding.encode($0.value))" }
            return .redirect(prefix + "/query" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
        }
        let pages = WebPages(routePrefix: prefix, title: options.web.pageTitle)
        for path in pages.paths {
            guard let asset = pages.asset(path) else { continue }
            routes.add(["GET"], path) { _ in
                var headers: [(name: String, value: String)] = [
                    ("Content-Type", asset.contentType), ("Cache-Control", "no-cache"),
                ]
                headers += WebPages.protection
                return HTTPResponse(headers: headers, body: asset.bytes)
            }
        }
        if !options.web.userAssets.isEmpty {
            let files = UserAssets(folder: options.web.userAssets)
            routes.add(["GET"], "/user/*path") { files.answer($0.pathParameters["path"] ?? "") }
        }
    }
}
