/// Finds the handler of a request by method and path.
///
/// A pattern's parts match themselves; `:name` matches one part, and `*name` at the end all the rest. The first
/// pattern that matches wins. Routes are added before the server starts, and never after.
package final class Router: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

    /// One pattern with its handlers.
    package struct Route: Sendable {
        package var pattern: String
        var parts: [String]
        var handlers: [String: Handler]
    }

    package let routes: [Route]
    /// Called for every answered request: pattern, status, seconds, bytes of the body.
    private let observe: @Sendable (String, Int, Double, Int) -> Void
    private let fallback: Handler

    /// Collects routes for a router.
    package struct Builder {
        var routes: [Route] = []

        package init() {}

        /// Adds a handler for a pattern and methods.
        ///
        /// GET serves HEAD too.
        package mutating func add(_ methods: [String], _ pattern: String, _ handler: @escaping Handler) {
            let at = routes.firstIndex { $0.pattern == pattern }
            var route =
                at.map { routes[$0] }
                ?? Route(pattern: pattern, parts: pattern.split(separator: "/").map(String.init), handlers: [:])
            for method in methods { route.handlers[method] = handler }
            if let at { routes[at] = route } else { routes.append(route) }
        }
    }

    /// - Parameters:
    ///   - observe: Told about every answered request; for metrics.
    ///   - fallback: Answers paths that no pattern matches.
    package init(
        _ builder: Builder, observe: @escaping @Sendable (String, Int, Double, Int) -> Void = { _, _, _, _ in },
        fallback: @escaping Handler = { _ in .text("404 page not found\n", status: 404) }
    ) {
        routes = builder.routes
        self.observe = observe
        self.fallback = fallback
    }

    /// The parameters of a path that matches; nil if it does not.
    private static func match(_ parts: [String], _ path: [Substring]) -> [String: String]? {
        var parameters: [String: String] = [:]
        for (index, part) in parts.enumerated() {
            if part.hasPrefix("*") {
                parameters[String(part.dropFirst())] = path.dropFirst(index).joined(separator: "/")
                return parameters
            }
            guard index < path.count else { return nil }
            if part.hasPrefix(":") {
                parameters[String(part.dropFirst())] = String(path[index])
            } else if part != path[index] {
                return nil
            }
        }
        return parts.count == path.count ? parameters : nil
    }

    /// Answers a request.
    package func handle(_ request: HTTPRequest, clock: () -> Int64 = { 0 }) -> HTTPResponse {
        let start = clock()
        let path = request.path.split(separator: "/")
        for route in routes {
            guard let parameters = Self.match(route.parts, path) else { continue }
            let method = request.method == "HEAD" && route.handlers["HEAD"] == nil ? "GET" : request.method
            let response: HTTPResponse
            if let handler = route.handlers[method] {
                var request = request
                request.pathParameters = parameters
                response = handler(request)
            } else {
                let allowed = route.handlers.keys.sorted().joined(separator: ", ")
                var refused = HTTPResponse.text("Method Not Allowed\n", status: 405)
                refused.headers.append(("Allow", allowed))
                response = refused
            }
            observe(route.pattern, response.status, Double(clock() - start) / 1e9, response.body.count)
            return response
        }
        return fallback(request)
    }
}
