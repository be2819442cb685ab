import Platform
import Synchronization

/// A small HTTP server for tests: a scrape target, a webhook receiver.
///
/// Answers each request with what `respond` says.
public final class HTTPStub: Sendable {
    public struct Request: Sendable {
        public var method: String
        public var path: String
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]
    }
    public struct Response: Sendable {
        public var status: Int
        public var headers: [String: String]
        public var body: [UInt8]

        public init(status: Int = 200, headers: [String: String] = [:], body: [UInt8] = []) {
            self.status = status
            self.headers = headers
            self.body = body
        }

        public init(status: Int = 200, contentType: String, text: String) {
            self.init(status: status, headers: ["Content-Type": contentType], body: Array(text.utf8))
        }
    }

    public let port: UInt16
    private let listener: LoopbackSocket
    private let received = Mutex<[Request]>([])
    private let isListening = Mutex(true)
    private let respond: @Sendable (Request) -> Response

    /// Starts to listen on a free port; nil if the machine has none.
    public init?(_ respond: @escaping @Sendable (Request) -> Response) {
        guard let (socket, port) = LoopbackSocket.listen() else { return nil }
        listener = socket
        self.port = port
        self.respond = respond
        let started = Thread.start("http-stub") { [self] in
            while let connection = listener.accept() {
                _ = Thread.start("http-stub-conn") { [self] in serve(connection) }
            }
            // Closed by the thread that accepts: its number may be another socket's afterwards.
            isListening.withLock { isListening in
                isListening = false
                listener.close()
            }
        }
        if started == nil { return nil }
    }

    /// All requests so far.
    public var requests: [Request] { received.withLock { $0 } }

    public func stop() { isListening.withLock { if $0 { listener.shutDown() } } }

    private func serve(_ connection: LoopbackSocket) {
        defer { connection.close() }
        var bytes: [UInt8] = []
        while true {
            while HTTPMessage(bytes) == nil {
                let part = connection.receive()
                if part.isEmpty { return }
                bytes += part
            }
            guard var message = HTTPMessage(bytes) else { return }
            let length = Int(message.headers["content-length"] ?? "") ?? 0
            while message.body.count < length {
                let part = connection.receive()
                if part.isEmpty { return }
                message.body += part
            }
            let words = message.startLine.split(separator: " ").map(String.init)
            let request = Request(
                method: words.first ?? "", path: words.count > 1 ? words[1] : "", headers: message.headers,
                body: Array(message.body.prefix(length)))
            received.withLock { $0.append(request) }
            let response = respond(request)
            var head = "HTTP/1.1 \(response.status) Status\r\nContent-Length: \(response.body.count)\r\n"
            for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
            guard connection.send(Array((head + "\r\n").utf8) + response.body) else { return }
            bytes = Array(message.body.dropFirst(length))
        }
    }
}
