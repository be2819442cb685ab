import CMicroHTTPD
import Glibc
import Platform
import Synchronization

/// An HTTP/1.1 server on libmicrohttpd: a thread per connection, so that a slow query stops nobody else.
package final class HTTPServer: Sendable {
    package struct Options: Sendable {
        package var maxConnections = 512
        /// Seconds after which an idle connection is closed.
        package var timeoutSeconds = 300
        /// Largest body that is taken, bytes.
        package var maxBodySize = 128 << 20
        /// Stack of a connection's thread, bytes; a query is evaluated there.
        package var stackSize = 16 << 20
        /// Path in front of all routes, without a slash at its end.
        package var routePrefix = ""
        /// PEM texts; both or none.
        package var tlsKey: String?
        package var tlsCertificate: String?
        /// Returns whether a request may pass; nil lets all pass.
        package var authorize: (@Sendable (HTTPRequest) -> HTTPResponse?)?

        package init() {}
    }

    private let options: Options
    private let router: Router
    private let clock: any Clock
    /// Daemons of libmicrohttpd, by listener.
    // SAFETY: libmicrohttpd locks inside; the pointers are only handed back to it.
    private struct Daemons: @unchecked Sendable { var pointers: [OpaquePointer] = [] }
    private let daemons = Mutex(Daemons())
    private let bound = Mutex<[UInt16]>([])

    package init(router: Router, options: Options, clock: any Clock) {
        self.router = router
        self.options = options
        self.clock = clock
    }

    /// The ports that are listened on.
    package var ports: [UInt16] { bound.withLock { $0 } }

    /// Starts to listen; all addresses or none.
    package func start(_ addresses: [ListenAddress]) throws(HTTPServerError) {
        for address in addresses {
            do throws(HTTPServerError) {
                let listener = try address.listen()
                let context = Unmanaged.passUnretained(self).toOpaque()
                let daemon = cmhd_start(
                    listener, UInt32(clamping: options.maxConnections), UInt32(clamping: options.timeoutSeconds),
                    options.stackSize, options.tlsKey, options.tlsCertificate,
                    { serverHandle($0, $1, $2, $3, $4, $5, $6, $7) }, { serverCompleted($0, $1, $2, $3) }, context)
                guard let daemon else {
                    close(listener)
                    throw HTTPServerError(
                        "libmicrohttpd does not start on \(address)\(options.tlsKey == nil ? "" : ": check the certificate and its key")"
                    )
                }
                daemons.withLock { $0.pointers.append(daemon) }
                bound.withLock { $0.append(ListenAddress.boundPort(listener)) }
            } catch {
                stop()
                throw error
            }
        }
    }

    /// Ends all connections; returns when the last handler has returned.
    package func stop() {
        let stopped = daemons.withLock { daemons in
            defer { daemons.pointers = [] }
            return daemons
        }
        for daemon in stopped.pointers { MHD_stop_daemon(daemon) }
        bound.withLock { $0 = [] }
    }

    /// What is collected of a request until it is complete.
    private final class Pending {
        var body: [UInt8] = []
        var isTooLarge = false
    }

    fileprivate func receive(
        _ connection: OpaquePointer, url: UnsafePointer<CChar>?, method: UnsafePointer<CChar>?,
        upload: UnsafePointer<CChar>?, uploadSize: UnsafeMutablePointer<Int>,
        state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    ) -> MHD_Result {
        guard let raw = state.pointee else {
            state.pointee = Unmanaged.passRetained(Pending()).toOpaque()
            return cmhd_yes
        }
        let pending = Unmanaged<Pending>.fromOpaque(raw).takeUnretainedValue()
        if uploadSize.pointee > 0, let upload {
            if pending.body.count + uploadSize.pointee <= options.maxBodySize {
                upload.withMemoryRebound(to: UInt8.self, capacity: uploadSize.pointee) {
                    pending.body.append(contentsOf: UnsafeBufferPointer(start: $0, count: uploadSize.pointee))
                }
            } else {
                pending.isTooLarge = true
                pending.body = []
            }
            uploadSize.pointee = 0
            return cmhd_yes
        }
        let request = self.request(connection, url, method, body: pending.body)
        pending.body = []
        let response =
            pending.isTooLarge
            ? .text("request body larger than \(options.maxBodySize) bytes\n", status: 413) : answer(request)
        return send(response, to: request, on: connection)
    }

    fileprivate func completed(_ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
        if let raw = state.pointee { Unmanaged<Pending>.fromOpaque(raw).release() }
        state.pointee = nil
    }

    private func request(
        _ connection: OpaquePointer, _ url: UnsafePointer<CChar>?, _ method: UnsafePointer<CChar>?, body: [UInt8]
    ) -> HTTPRequest {
        var request = HTTPRequest(
            method: method.map { String(cString: $0) } ?? "", path: url.map { String(cString: $0) } ?? "/", body: body)
        request.query = values(connection, headers: false)
        request.headers = values(connection, headers: true)
        if request.header("Content-Type")?.hasPrefix("application/x-www-form-urlencoded") == true {
            request.form = URLEncoding.parse(request.body)
        }
        request.socket = cmhd_socket(connection)
        var peer = [CChar](repeating: 0, count: 64)
        cmhd_peer(connection, &peer, peer.count)
        request.peer = peer.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        return request
    }

    private final class Values {
        var pairs: [(name: String, value: String)] = []
    }

    private func values(_ connection: OpaquePointer, headers: Bool) -> [(name: String, value: String)] {
        let values = Values()
        cmhd_values(
            connection, headers ? 1 : 0, { serverValue($0, $2, $3, $4, $5) },
            Unmanaged.passUnretained(values).toOpaque())
        return values.pairs
    }

    fileprivate static func collect(
        _ context: UnsafeMutableRawPointer?, _ name: UnsafeBufferPointer<CChar>, _ value: UnsafeBufferPointer<CChar>
    ) {
        guard let context else { return }
        func text(_ bytes: UnsafeBufferPointer<CChar>) -> String {
            String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        Unmanaged<Values>.fromOpaque(context).takeUnretainedValue().pairs.append((text(name), text(value)))
    }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
        if let refused = options.authorize?(request) { return refused }
        var request = request
        let prefix = options.routePrefix
        if !prefix.isEmpty {
            if request.path == "/" || request.path.isEmpty { return .redirect(prefix + "/") }
            guard request.path == prefix || request.path.hasPrefix(prefix + "/") else {
                return .text("404 page not found\n", status: 404)
            }
            request.path = String(request.path.dropFirst(prefix.count))
        }
        return router.handle(request, clock: clock.monotonic)
    }

    private func send(_ response: HTTPResponse, to request: HTTPRequest, on connection: OpaquePointer) -> MHD_Result {
        var headers = response.headers
        var body = response.body
        if body.count >= 1024, accepts(request, "gzip"), !headers.contains(where: { $0.name == "Content-Encoding" }),
            let small = GzipBody.compress(body)
        {
            body = small
            headers.append(("Content-Encoding", "gzip"))
            headers.append(("Vary", "Accept-Encoding"))
        }
        let answer = Self.answer(body, response.keeps)
        guard let answer else { return cmhd_no }
        defer { MHD_destroy_response(answer) }
        for (name, value) in headers { MHD_add_response_header(answer, name, value) }
        return MHD_queue_response(connection, UInt32(clamping: response.status), answer)
    }

    /// Small bodies are copied; large ones are read from where they are, so that they are there once.
    private static func answer(_ body: [UInt8], _ keeps: (any AnyObject & Sendable)?) -> OpaquePointer? {
        guard body.count > 64 << 10 else { return body.withUnsafeBytes { cmhd_response($0.baseAddress, $0.count) } }
        let context = Unmanaged.passRetained(SentBody(body, keeps)).toOpaque()
        let answer = cmhd_response_reading(body.count, { serverRead($0, $1, $2, $3) }, context, { serverSent($0) })
        if answer == nil { serverSent(context) }
        return answer
    }

    private func accepts(_ request: HTTPRequest, _ encoding: String) -> Bool {
        guard let accepted = request.header("Accept-Encoding") else { return false }
        return accepted.split(separator: ",").contains { part in
            let words = part.split(separator: ";").map { $0.filter { $0 != " " } }
            return words.first == encoding && !words.dropFirst().contains("q=0")
        }
    }
}

/// A body on its way to the client.
private final class SentBody: Sendable {
    let bytes: [UInt8]
    private let keeps: (any AnyObject & Sendable)?

    init(_ bytes: [UInt8], _ keeps: (any AnyObject & Sendable)?) {
        self.bytes = bytes
        self.keeps = keeps
    }
}

// Top level, because a closure handed to C must carry no isolation check.

private func serverHandle(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?, _ upload: UnsafePointer<CChar>?,
    _ uploadSize: UnsafeMutablePointer<Int>?, _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context, let connection, let uploadSize, let state else { return cmhd_no }
    return Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().receive(
        connection, url: url, method: method, upload: upload, uploadSize: uploadSize, state: state)
}

private func serverRead(
    _ context: UnsafeMutableRawPointer?, _ position: UInt64, _ target: UnsafeMutablePointer<CChar>?, _ room: Int
) -> Int {
    guard let context, let target else { return -1 }
    let bytes = Unmanaged<SentBody>.fromOpaque(context).takeUnretainedValue().bytes
    guard position < UInt64(bytes.count) else { return -1 }
    let count = min(room, bytes.count - Int(position))
    bytes.withUnsafeBytes { source in
        UnsafeMutableRawBufferPointer(start: target, count: count).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: source[Int(position)..<(Int(position) + count)]))
    }
    return count
}

private func serverSent(_ context: UnsafeMutableRawPointer?) {
    if let context { Unmanaged<SentBody>.fromOpaque(context).release() }
}

private func serverCompleted(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?,
    _ state: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, _ code: MHD_RequestTerminationCode
) {
    guard let context, let state else { return }
    Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().completed(state)
}

private func serverValue(
    _ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?, _ nameSize: Int, _ value: UnsafePointer<CChar>?,
    _ valueSize: Int
) -> MHD_Result {
    HTTPServer.collect(
        context, UnsafeBufferPointer(start: name, count: name == nil ? 0 : nameSize),
        UnsafeBufferPointer(start: value, count: value == nil ? 0 : valueSize))
    return cmhd_yes
}
