import Glibc
import Platform

/// Requests of one connection, one after another, on a handler's thread.
struct Exchange: Sendable {
    /// What the loop has found.
    enum Task: Sendable {
        /// A head of so many bytes.
        case head(Int)
        case refused(RequestRefusal)
        /// Text on a port that speaks TLS.
        case plainOnTLS
    }

    let server: HTTPServer
    let loop: ConnectionLoop
    let connection: Connection

    /// How long a thread stays with a connection whose answer is sent, milliseconds.
    private static let lingering = 20
    /// Most bytes of a body that nobody wants and that are read so that the connection can go on.
    private static let drained = 256 << 10

    /// Answers requests until the connection ends or rests.
    func run(_ task: Task) {
        var task = task
        while true {
            switch task {
            case .head(let length):
                guard serve(headOf: length) else { return end() }
            case .refused(let refusal):
                refuse(refusal)
                return end()
            case .plainOnTLS:
                _ = sender.send(
                    Array("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n".utf8))
                finishSending()
                return end()
            }
            switch next() {
            case .task(let following): task = following
            case .ended: return end()
            case .rests:
                loop.giveBack(connection)
                return
            }
        }
    }

    private func end() {
        connection.close()
        loop.closed(connection.id)
    }

    private var sender: Sender { Sender(server: server, connection: connection) }

    // MARK: The next request

    private enum Next {
        case task(Task)
        case ended
        case rests
    }

    /// Waits for a moment for the next head.
    private func next() -> Next {
        connection.since = server.clock.monotonic()
        while !server.isStopping {
            do throws(RequestRefusal) {
                if connection.pending > 0, let length = try connection.headEnd() { return .task(.head(length)) }
            } catch {
                return .task(.refused(error))
            }
            switch connection.receive() {
            case .bytes: continue
            case .ended: return .ended
            case .full: return .task(.refused(RequestRefusal(431, "Request Header Fields Too Large")))
            case .wait(let writes):
                // With a part of a head the loop keeps the time.
                if connection.pending > 0 || server.isFull { return .rests }
                if !connection.wait(writes: writes, milliseconds: Self.lingering) { return .rests }
            }
        }
        return .ended
    }

    // MARK: One request

    /// Answers the request whose head is complete.
    ///
    /// - Returns: Whether the connection may go on.
    private func serve(headOf length: Int) -> Bool {
        let head: RequestHead
        do throws(RequestRefusal) {
            head = try connection.withPending { bytes throws(RequestRefusal) in
                try RequestHeadParser.parse(UnsafeBufferPointer(rebasing: bytes[..<length]))
            }
        } catch {
            refuse(error)
            return false
        }
        connection.consume(length)
        var reader = BodyReader(server: server, connection: connection, head: head)
        let (request, response) = answer(head, &reader)
        guard let response else { return false }
        let isDrained = reader.drain(atMost: Self.drained)
        let keepsAlive = head.keepsAlive && isDrained && !server.isStopping
        let isSent = sender.send(response, to: request, isVersion10: head.isVersion10, closes: !keepsAlive)
        if isSent, !isDrained { finishSending() }
        return isSent && keepsAlive
    }

    /// The answer; nil if the client is gone.
    private func answer(_ head: RequestHead, _ reader: inout BodyReader) -> (HTTPRequest, HTTPResponse?) {
        var request = HTTPRequest(
            method: head.method, path: URLEncoding.decode(head.rawPath.utf8, plusIsBlank: false), query: head.query,
            headers: head.headers, peer: connection.peer)
        request.rawPath = head.rawPath
        request.rawQuery = head.rawQuery
        request.socket = connection.socket
        var added: [(name: String, value: String)] = []
        if let access = server.options.access {
            let verdict = access.judge(authorization: head.header("Authorization"))
            added = verdict.headers
            if var refusal = verdict.refusal {
                refusal.headers += added
                return (request, refusal)
            }
        }
        var response = routed(head, &request, &reader)
        // The operator's headers take the place of our own.
        for (name, value) in added {
            response?.headers.removeAll { $0.name.isSame(as: name) }
            response?.headers.append((name, value))
        }
        return (request, response)
    }

    private func routed(
        _ head: RequestHead, _ request: inout HTTPRequest, _ reader: inout BodyReader
    ) -> HTTPResponse? {
        let prefix = server.options.routePrefix
        switch PathRules.judge(head.rawPath) {
        case .plain: break
        case .redirect(let path): return .redirect(location(path, head), status: 307)
        case .refused: return .text("404 page not found\n", status: 404)
        }
        var path = head.rawPath
        if !prefix.isEmpty {
            if path == "/" || path == prefix { return .redirect(prefix + "/") }
            guard path.hasPrefix(prefix + "/") else { return .text("404 page not found\n", status: 404) }
            path = String(path.dropFirst(prefix.count))
            request.path = URLEncoding.decode(path.utf8, plusIsBlank: false)
        }
        request.rawPath = path
        let isAPI = path.hasPrefix("/api/v1/")
        let origin = head.header("Origin")
        var response = resolved(path, head, &request, &reader)
        if isAPI { response?.headers += server.options.origins.headers(origin: origin) }
        return response
    }

    /// Follows the route; refuses before the body is read what can be refused then.
    private func resolved(
        _ path: String, _ head: RequestHead, _ request: inout HTTPRequest, _ reader: inout BodyReader
    ) -> HTTPResponse? {
        if path == "/api/v1" { return .redirect(location(server.options.routePrefix + "/api/v1/", head), status: 307) }
        if head.method == "OPTIONS", path.hasPrefix("/api/v1/") { return HTTPResponse(status: 204) }
        let resolution = server.router.resolve(method: head.method, path: path, isEncoded: true)
        if case .run(let action, let pattern, _) = resolution {
            let isForeign = CrossOrigin.isForeign(
                fetchSite: head.header("Sec-Fetch-Site"), origin: head.header("Origin"),
                hosts: [head.host, head.header("X-Forwarded-Host")].compactMap { $0 })
            if action.changesState, isForeign {
                return server.router.perform(
                    .answer(.text("cross-site request refused\n", status: 403), pattern: pattern), request,
                    clock: server.clock.monotonic)
            }
            if head.framing != .none, let limit = action.body.limit(contentType: head.header("Content-Type")) {
                switch reader.read(limit: limit) {
                case .body(let body): request.body = body
                case .refused(let response):
                    return server.router.perform(
                        .answer(response, pattern: pattern), request, clock: server.clock.monotonic)
                case .gone: return nil
                }
                if action.body == .form, let form = FormType(head.header("Content-Type")) {
                    request.form = form.parameters(request.body)
                }
            }
        }
        var response = server.router.perform(resolution, request, clock: server.clock.monotonic)
        // The router knows nothing of the prefix and of the parameters.
        if case .answer = resolution, let at = response.headers.firstIndex(where: { $0.name == "Location" }) {
            response.headers[at].value = location(server.options.routePrefix + response.headers[at].value, head)
        }
        return response
    }

    private func location(_ path: String, _ head: RequestHead) -> String {
        head.rawQuery.isEmpty ? path : path + "?" + head.rawQuery
    }

    // MARK: Ends

    private func refuse(_ refusal: RequestRefusal) {
        let reason = "\(refusal.status) \(ResponseHeadWriter.reason(refusal.status))"
        let text = refusal.status == 400 ? "\(reason): \(refusal.reason)" : reason
        let response = HTTPResponse(
            status: refusal.status, headers: [("Content-Type", "text/plain; charset=utf-8")], body: Array(text.utf8))
        if sender.send(response, to: HTTPRequest(method: "GET", path: "/"), isVersion10: false, closes: true) {
            finishSending()
        }
    }

    /// Lets the client read the answer before what it still sends makes the system reset the connection.
    private func finishSending() {
        connection.endEncryption()
        shutdown(connection.socket, Int32(SHUT_WR))
        let expiry = server.clock.monotonic() + 500_000_000
        var left = 1 << 20
        withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
            while left > 0 {
                switch connection.receive(into: buffer) {
                case .bytes(let count): left -= count
                case .ended, .full: return
                case .wait:
                    let rest = (expiry - server.clock.monotonic()) / 1_000_000
                    guard rest > 0, !server.isStopping, connection.wait(writes: false, milliseconds: Int(rest)) else {
                        return
                    }
                }
            }
        }
    }
}
