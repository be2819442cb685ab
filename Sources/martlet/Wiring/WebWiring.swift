import Config
import GoCompatibility
import HTTP
import Model
import Platform
import PromQL
import Web

/// The web server's settings, made of the flags.
enum WebWiring {
    /// Everything about the server that the command line says.
    ///
    /// - Throws: ``StartError`` with Prometheus's texts.
    static func options(
        _ daemon: DaemonOptions, clock: any Clock, queryMemory: MemoryBudget?
    ) throws -> HTTPServer.Options {
        let flags = daemon.flags
        var options = HTTPServer.Options()
        options.maxConnections = max(1, flags.integer("web.max-connections"))
        options.timeoutSeconds = Int(max(1, flags.duration("web.read-timeout") / 1000))
        options.stackSize = PromQLParser.stackSize
        options.routePrefix = daemon.routePrefix
        let origin = flags.text("web.cors.origin")
        do {
            options.origins = CrossOrigin(try AnchoredRegex(origin))
        } catch {
            throw StartError(
                what: "could not compile CORS regex string", reason: "\(GoQuote.quote(origin)): \(error)", status: 2)
        }
        let path = flags.text("web.config.file")
        if !path.isEmpty {
            do {
                options.access = try WebAccess(path: path, clock: clock)
            } catch {
                throw StartError(what: "Unable to validate web configuration file", reason: "\(error)")
            }
        }
        if let queryMemory {
            // Answers on their way out still hold what their queries were charged.
            options.isMemoryShort = { queryMemory.isShort }
        }
        return options
    }

    /// Adds the pages, the files they load, and the operator's own under `/user`.
    static func addPages(to routes: inout Router.Builder, _ flags: ParsedFlags, prefix: String) {
        let pages = WebPages(routePrefix: prefix, title: flags.text("web.page-title"))
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
        let folder = flags.text("web.user-assets")
        if !folder.isEmpty {
            let files = UserAssets(folder: folder)
            routes.add(["GET"], "/user/*path") { files.answer($0.pathParameters["path"] ?? "") }
        }
    }
}
