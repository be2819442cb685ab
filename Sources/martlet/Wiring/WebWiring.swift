import Config
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
        _ flags: ParsedFlags, routePrefix: String, clock: any Clock, queryMemory: MemoryBudget?
    ) throws -> HTTPServer.Options {
        var options = HTTPServer.Options()
        options.maxConnections = max(1, flags.integer("web.max-connections"))
        options.timeoutSeconds = Int(max(1, flags.duration("web.read-timeout") / 1000))
        options.stackSize = PromQLParser.stackSize
        options.routePrefix = routePrefix
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
            options.isMemoryShort = { queryMemory.used > queryMemory.limit / 2 }
        }
        return options
    }

    /// The addresses to listen on.
    static func addresses(_ flags: ParsedFlags) throws -> [ListenAddress] {
        var addresses: [ListenAddress] = []
        for text in flags.all("web.listen-address") {
            guard let address = ListenAddress(text) else {
                throw StartError(
                    what: "Unable to start web listener",
                    reason: "listen tcp: address \(text): --web.listen-address needs HOST:PORT or :PORT")
            }
            addresses.append(address)
        }
        return addresses
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
