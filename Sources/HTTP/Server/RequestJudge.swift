/// A request with a complete head, and the decisions about it before its body is read.
///
/// Belongs to the exchange of its connection.
final class JudgedRequest {
    enum Verdict {
        /// No body has to be read and no handler has to be run.
        case answer(HTTPResponse)
        /// A handler has to be run, after a body of at most so many bytes if there is a limit.
        case run(Router.Resolution, bodyLimit: Int?)
    }

    let head: RequestHead
    var request: HTTPRequest
    private(set) var verdict: Verdict
    /// The headers of the web configuration.
    private var added: [(name: String, value: String)] = []
    private var isAPI = false
    private let server: HTTPServer

    /// Whether the connection is closed after the answer.
    private(set) var closes = false

    /// - Parameter access: The decision of the web configuration; nil without one.
    init(_ head: RequestHead, _ access: WebAccess.Verdict?, connection: Connection, server: HTTPServer) {
        self.head = head
        self.server = server
        request = HTTPRequest(
            method: head.method, path: URLEncoding.decode(head.rawPath.utf8, plusIsBlank: false), query: head.query,
            headers: head.headers, peer: connection.peer)
        request.rawPath = head.rawPath
        request.rawQuery = head.rawQuery
        request.socket = connection.socket
        request.cancellation = server.cancellation
        verdict = .answer(HTTPResponse())
        if let access {
            added = access.headers
            closes = access.closes
            if let refusal = access.refusal {
                verdict = .answer(refusal)
                return
            }
        }
        verdict = route()
    }

    // MARK: Before the body

    private func route() -> Verdict {
        let prefix = server.options.routePrefix
        switch PathRules.judge(head.rawPath) {
        case .plain: break
        case .redirect(let path): return .answer(.redirect(location(path), status: 307))
        case .refused: return .answer(.text("404 page not found\n", status: 404))
        }
        var path = head.rawPath
        if !prefix.isEmpty {
            if path == "/" || path == prefix { return .answer(.redirect(prefix + "/")) }
            guard path.hasPrefix(prefix + "/") else { return .answer(.text("404 page not found\n", status: 404)) }
            path = String(path.dropFirst(prefix.count))
            request.path = URLEncoding.decode(path.utf8, plusIsBlank: false)
        }
        request.rawPath = path
        isAPI = Self.isAPI(path)
        return resolve(path)
    }

    /// Resolves the route, and makes the refusals that are possible before the body is read.
    private func resolve(_ path: String) -> Verdict {
        if path == "/api/v1" {
            return .answer(.redirect(location(server.options.routePrefix + "/api/v1/"), status: 307))
        }
        if head.method == "OPTIONS", Self.isAPI(path) { return .answer(HTTPResponse(status: 204)) }
        let resolution = server.router.resolve(method: head.method, path: path, isEncoded: true)
        guard case .run(let action, let pattern, _) = resolution else { return .run(resolution, bodyLimit: nil) }
        let isForeign = CrossOrigin.isForeign(
            fetchSite: head.header("Sec-Fetch-Site"), origin: head.header("Origin"),
            hosts: [head.host, head.header("X-Forwarded-Host")].compactMap { $0 })
        if action.changesState, isForeign {
            return .run(.answer(.text("cross-site request refused\n", status: 403), pattern: pattern), bodyLimit: nil)
        }
        let limit = head.framing == .none ? nil : action.body.limit(contentType: head.header("Content-Type"))
        return .run(resolution, bodyLimit: limit)
    }

    /// Whether pages of other origins may read the answers of a path.
    private static func isAPI(_ path: String) -> Bool { path.hasPrefix("/api/v1/") || path.hasPrefix("/api/v2/") }

    private func location(_ path: String) -> String { head.rawQuery.isEmpty ? path : path + "?" + head.rawQuery }

    // MARK: Body and answer

    /// The most bytes of the body; nil if none has to be read.
    var bodyLimit: Int? {
        guard case .run(_, let limit) = verdict else { return nil }
        return limit
    }

    /// Whether the handler may take long.
    var takesLong: Bool {
        guard case .run(.run(let action, _, _), _) = verdict else { return false }
        return action.takesLong
    }

    /// Sets the body that was read.
    func take(_ body: [UInt8]) {
        request.body = body
        guard case .run(.run(let action, _, _), _) = verdict, action.body == .form,
            let form = FormType(head.header("Content-Type"))
        else { return }
        request.form = form.parameters(body)
    }

    /// Sets an answer in place of the handler's.
    func refuse(_ response: HTTPResponse) {
        guard case .run(.run(_, let pattern, _), _) = verdict else { return verdict = .answer(response) }
        verdict = .run(.answer(response, pattern: pattern), bodyLimit: nil)
    }

    /// Runs the handler, and returns the complete answer.
    func perform(clock: () -> Int64) -> HTTPResponse {
        var response: HTTPResponse
        switch verdict {
        case .answer(let ready): response = ready
        case .run(let resolution, _):
            response = server.router.perform(resolution, request, clock: clock)
            // The router does not know the prefix and the parameters.
            if case .answer = resolution, let at = response.headers.firstIndex(where: { $0.name == "Location" }) {
                response.headers[at].value = location(server.options.routePrefix + response.headers[at].value)
            }
        }
        if isAPI { response.headers += server.options.origins.headers(origin: head.header("Origin")) }
        // The headers of the web configuration replace our own.
        for (name, value) in added {
            response.headers.removeAll { $0.name.isSame(as: name) }
            response.headers.append((name, value))
        }
        return response
    }
}
