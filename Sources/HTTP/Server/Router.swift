/// Finds the handler of a request by method and path.
///
/// The parts of a pattern match themselves; `:name` matches one part, and `*name` at the end matches the rest. A
/// pattern without such names has precedence, then the first that matches. Routes are added only before the server
/// starts.
///
/// Literal parts match the path as it was sent: they never match an escape, so that a proxy's rule about a path sees
/// the same path as the daemon.
package final class Router: Sendable {
    package typealias Handler = @Sendable (HTTPRequest) -> HTTPResponse

    /// A handler with its properties that must be known before it runs.
    package struct Action: Sendable {
        package var body: BodyPolicy
        /// Whether the request changes state; such a request is refused if it is a browser's from another site.
        package var changesState: Bool
        /// Whether the handler may take long, for example for a query; such handlers leave some threads for others.
        package var takesLong: Bool
        var handler: Handler
    }

    /// One pattern with its handlers.
    package struct Route: Sendable {
        package var pattern: String
        var parts: [Substring]
        var actions: [String: Action]

        /// The methods for `Allow`.
        var allowed: String {
            var methods = Set(actions.keys)
            methods.insert("OPTIONS")
            if action("HEAD") != nil { methods.insert("HEAD") }
            return methods.sorted().joined(separator: ", ")
        }

        /// As in Prometheus, the API and handlers that change state do not support HEAD.
        func action(_ method: String) -> Action? {
            if let action = actions[method] { return action }
            guard method == "HEAD", !pattern.hasPrefix("/api/"), !actions.values.contains(where: \.changesState) else {
                return nil
            }
            return actions["GET"]
        }
    }

    /// The decision of a router about a method and a path, before any body is read.
    package enum Resolution: Sendable {
        case run(Action, pattern: String, parameters: [String: String])
        case answer(HTTPResponse, pattern: String)
        case fallback
    }

    package let routes: [Route]
    private let exact: [String: Int]
    private let named: [Int]
    /// Called for every answered request with pattern, status, seconds, and bytes of the body.
    private let observe: @Sendable (String, Int, Double, Int) -> Void
    private let fallback: Handler

    /// Collects routes for a router.
    package struct Builder {
        var routes: [Route] = []

        package init() {}

        /// Adds a handler for a pattern and methods.
        ///
        /// GET serves HEAD too, except in the API.
        ///
        /// - Parameters:
        ///   - body: The bodies that are read; by default forms where POST or PUT are accepted, else none.
        ///   - takesLong: Whether the handler may take long.
        ///   - changesState: By default true for handlers of POST, PUT or DELETE without GET.
        package mutating func add(
            _ methods: [String], _ pattern: String, body: BodyPolicy? = nil, takesLong: Bool = false,
            changesState: Bool? = nil, _ handler: @escaping Handler
        ) {
            let at = routes.firstIndex { $0.pattern == pattern }
            var route = at.map { routes[$0] } ?? Route(pattern: pattern, parts: Router.parts(pattern), actions: [:])
            let writes = methods.contains { $0 == "POST" || $0 == "PUT" || $0 == "DELETE" || $0 == "PATCH" }
            for method in methods {
                let takesBody = method != "GET" && method != "HEAD" && method != "OPTIONS"
                route.actions[method] = Action(
                    body: takesBody ? body ?? .form : BodyPolicy.none,
                    changesState: takesBody && (changesState ?? (writes && !methods.contains("GET"))),
                    takesLong: takesLong, handler: handler)
            }
            if let at { routes[at] = route } else { routes.append(route) }
        }
    }

    /// - Parameters:
    ///   - observe: Called for every answered request; for metrics.
    ///   - fallback: Answers paths that no pattern matches.
    package init(
        _ builder: Builder, observe: @escaping @Sendable (String, Int, Double, Int) -> Void = { _, _, _, _ in },
        fallback: @escaping Handler = { _ in .text("404 page not found\n", status: 404) }
    ) {
        routes = builder.routes
        var exact: [String: Int] = [:]
        var named: [Int] = []
        for (index, route) in builder.routes.enumerated() {
            if route.parts.contains(where: { $0.hasPrefix(":") || $0.hasPrefix("*") }) {
                named.append(index)
            } else {
                exact[route.pattern] = index
            }
        }
        self.exact = exact
        self.named = named
        self.observe = observe
        self.fallback = fallback
    }

    static func parts(_ path: String) -> [Substring] {
        path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    }

    /// The parameters of a path that matches; nil if it does not.
    private static func match(_ parts: [Substring], _ path: [Substring], isEncoded: Bool) -> [String: String]? {
        var parameters: [String: String] = [:]
        func text(_ raw: some StringProtocol) -> String {
            isEncoded ? URLEncoding.decode(raw.utf8, plusIsBlank: false) : String(raw)
        }
        for (index, part) in parts.enumerated() {
            if part.hasPrefix("*") {
                parameters[String(part.dropFirst())] = text(path.dropFirst(index).joined(separator: "/"))
                return parameters
            }
            guard index < path.count else { return nil }
            if part.hasPrefix(":") {
                guard !path[index].isEmpty else { return nil }
                parameters[String(part.dropFirst())] = text(path[index])
            } else if part != path[index] {
                return nil
            }
        }
        return parts.count == path.count ? parameters : nil
    }

    private func route(_ path: String, isEncoded: Bool) -> (Route, [String: String])? {
        if let index = exact[path] { return (routes[index], [:]) }
        let parts = Self.parts(path)
        for index in named {
            if let parameters = Self.match(routes[index].parts, parts, isEncoded: isEncoded) {
                return (routes[index], parameters)
            }
        }
        return nil
    }

    /// Decides about a request.
    ///
    /// - Parameter isEncoded: Whether `path` has percent escapes.
    package func resolve(method: String, path: String, isEncoded: Bool) -> Resolution {
        if let (route, parameters) = route(path, isEncoded: isEncoded) {
            if let action = route.action(method) {
                return .run(action, pattern: route.pattern, parameters: parameters)
            }
            var refused =
                method == "OPTIONS" ? HTTPResponse(status: 200) : .text("Method Not Allowed\n", status: 405)
            refused.headers.append(("Allow", route.allowed))
            return .answer(refused, pattern: route.pattern)
        }
        if path.count > 1, path.hasSuffix("/"), let (route, _) = route(String(path.dropLast()), isEncoded: isEncoded),
            !route.parts.contains(where: { $0.hasPrefix("*") })
        {
            let isPlain = method == "GET" || method == "HEAD"
            return .answer(.redirect(String(path.dropLast()), status: isPlain ? 301 : 308), pattern: route.pattern)
        }
        return .fallback
    }

    /// Answers a request.
    package func handle(_ request: HTTPRequest, clock: () -> Int64 = { 0 }) -> HTTPResponse {
        let path = request.rawPath ?? request.path
        let resolution = resolve(method: request.method, path: path, isEncoded: request.rawPath != nil)
        return perform(resolution, request, clock: clock)
    }

    /// Executes the decision of ``resolve(method:path:isEncoded:)``.
    func perform(_ resolution: Resolution, _ request: HTTPRequest, clock: () -> Int64) -> HTTPResponse {
        let start = clock()
        let response: HTTPResponse
        let pattern: String
        switch resolution {
        case .run(let action, let name, let parameters):
            var request = request
            request.pathParameters = parameters
            response = action.handler(request)
            pattern = name
        case .answer(let answer, let name):
            response = answer
            pattern = name
        case .fallback: return fallback(request)
        }
        observe(pattern, response.status, Double(clock() - start) / 1e9, response.body.count)
        return response
    }
}
