import GoCompatibility
import HTTP
import Model
import Platform
import PromQL

/// The settings of the web server, made from the flags and the web configuration.
enum WebSettings {
    /// Compiles the regular expression of origins, and reads the files of the web configuration.
    ///
    /// - Throws: ``StartError`` with Prometheus's texts.
    static func options(
        _ web: WebOptions, clock: any Clock, queryMemory: MemoryBudget?
    ) throws -> HTTPServer.Options {
        var options = HTTPServer.Options()
        options.maxConnections = max(1, web.maxConnections)
        // 0 stands for no limit, as in Prometheus; idle connections are closed when places are short.
        options.timeoutSeconds = web.readTimeout == 0 ? .max : Int(max(1, web.readTimeout / 1000))
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
            // Answers that are being sent still hold the memory of their queries.
            options.isMemoryShort = { queryMemory.isShort }
        }
        return options
    }
}
