import GoCompatibility
import HTTP
import Model
import Platform
import PromQL

/// The settings of the web server, made of the flags and of the web configuration.
enum WebSettings {
    /// Compiles the expression of origins, and reads the files that the web configuration names.
    ///
    /// - Throws: ``StartError`` with Prometheus's texts.
    static func options(
        _ web: WebOptions, clock: any Clock, queryMemory: MemoryBudget?
    ) throws -> HTTPServer.Options {
        var options = HTTPServer.Options()
        options.maxConnections = max(1, web.maxConnections)
        options.timeoutSeconds = Int(max(1, web.readTimeout / 1000))
        options.stackSize = PromQLParser.stackSize
        options.routePrefix = web.routePrefix
        do {
            options.origins = CrossOrigin(try AnchoredRegex(web.origins))
        } catch {
            throw StartError(
                what: "could not compile CORS regex string", reason: "\(GoQuote.quote(web.origins)): \(error)",
                status: 2)
        }
        if let file = web.file {
            do {
                options.access = try WebAccess(file, clock: clock)
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
}
