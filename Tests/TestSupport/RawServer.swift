import Glibc
import Platform
import Synchronization

/// A TCP server for tests that answers each request head with arbitrary bytes.
public final class RawServer: Sendable {
    /// The reaction to a request.
    public enum Reaction: Sendable {
        /// Sends the bytes and waits for the next request on the connection.
        case send([UInt8])
        /// Sends the bytes and closes.
        case sendAndClose([UInt8])
        /// Answers nothing; the connection stays open.
        case hang

        public static func text(_ text: String) -> Reaction { .send(Array(text.utf8)) }
        public static func closing(_ text: String) -> Reaction { .sendAndClose(Array(text.utf8)) }
    }

    private struct State {
        var heads: [HTTPMessage] = []
        var count = 0
        var open: [Int32: LoopbackSocket] = [:]
        var connections = 0
        var isStopped = false
        var isListening = true
    }

    public let port: UInt16
    private let listener: LoopbackSocket
    private let state = Mutex(State())
    private let react: @Sendable (HTTPMessage) -> Reaction

    /// Starts to listen on a free port; nil if the machine has none.
    ///
    /// - Parameter react: Called with each request: first line, headers, and the body as far as `Content-Length` says.
    public init?(_ react: @escaping @Sendable (HTTPMessage) -> Reaction) {
        guard let (socket, port) = LoopbackSocket.listen() else { return nil }
        listener = socket
        self.port = port
        self.react = react
        let started = Thread.start("raw-server") { [self] in
            while let connection = listener.accept() {
                let isServed = state.withLock { state in
                    state.connections += 1
                    if !state.isStopped { state.open[connection.descriptor] = connection }
                    return !state.isStopped
                }
                guard isServed else {
                    connection.close()
                    continue
                }
                if Thread.start("raw-server-conn", stackSize: 256 << 10, { [self] in serve(connection) }) == nil {
                    end(connection)
                }
            }
            // Closed by the thread that accepts: its number may be another socket's afterwards.
            state.withLock { state in
                state.isListening = false
                listener.close()
            }
        }
        if started == nil { return nil }
    }

    public var url: String { "http://127.0.0.1:\(port)" }
    /// The first thousand requests.
    public var requests: [HTTPMessage] { state.withLock { $0.heads } }
    public var requestCount: Int { state.withLock { $0.count } }
    public var connectionCount: Int { state.withLock { $0.connections } }
    public var openConnections: Int { state.withLock { $0.open.count } }

    public func stop() {
        let open = state.withLock { state in
            state.isStopped = true
            if state.isListening { listener.shutDown() }
            return state.open.values.map { $0 }
        }
        for connection in open { connection.shutDown() }
    }

    private func end(_ connection: LoopbackSocket) {
        state.withLock { _ = $0.open.removeValue(forKey: connection.descriptor) }
        connection.close()
    }

    private func serve(_ connection: LoopbackSocket) {
        defer { end(connection) }
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
            bytes = Array(message.body.dropFirst(length))
            message.body = Array(message.body.prefix(length))
            state.withLock { state in
                state.count += 1
                if state.heads.count < 1000 { state.heads.append(message) }
            }
            switch react(message) {
            case .send(let answer): guard connection.send(answer) else { return }
            case .sendAndClose(let answer):
                _ = connection.send(answer)
                return
            case .hang:
                while !connection.receive().isEmpty {}
                return
            }
        }
    }
}
