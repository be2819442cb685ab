/// An answer that is being sent to a client.
struct Outgoing {
    enum Progress {
        case done
        /// The connection has ended.
        case broken
        /// The client accepts no bytes at the moment.
        case wait(reads: Bool)
    }

    private var parts: [[UInt8]]
    /// The number of bytes of the first part that are sent.
    private var sent = 0
    /// The bytes sent since the client's last progress.
    private var progress = 0
    /// An object that is kept until the answer is sent.
    private let keeps: (any AnyObject & Sendable)?

    /// The size up to which a body is sent together with its head.
    private static let joined = 32 << 10
    /// The bytes that count as progress of a client.
    private static let leastProgress = 64 << 10

    /// An answer of raw bytes, without a handler.
    init(_ bytes: [UInt8]) {
        parts = [bytes]
        keeps = nil
    }

    /// An answer, compressed if the client accepts that.
    init(_ response: HTTPResponse, to request: HTTPRequest, isVersion10: Bool, closes: Bool, now: Int64) {
        var headers = response.headers
        var body = response.body
        let hasBody = response.status != 204 && response.status != 304 && response.status >= 200
        if hasBody, !body.isEmpty, Self.isCompressible(response) {
            if !headers.contains(where: { $0.name == "Vary" && $0.value == "Accept-Encoding" }) {
                headers.append(("Vary", "Accept-Encoding"))
            }
            if let coding = ContentCoding.choose(request.header("Accept-Encoding")), let small = coding.compress(body) {
                body = small
                headers.append(("Content-Encoding", coding.rawValue))
            }
        }
        let head = ResponseHeadWriter.bytes(
            status: response.status, headers: headers, length: hasBody ? body.count : nil, closes: closes,
            isVersion10: isVersion10, now: now)
        keeps = response.keeps
        if !hasBody || request.method == "HEAD" {
            parts = [head]
        } else if body.count <= Self.joined {
            parts = [head + body]
        } else {
            parts = [head, body]
        }
    }

    /// Texts are compressed, unless the handler has compressed them itself.
    private static func isCompressible(_ response: HTTPResponse) -> Bool {
        guard response.status == 200 || response.status >= 400 else { return false }
        var isText = false
        for (name, value) in response.headers {
            if name.isSame(as: "Content-Encoding") { return false }
            if name.isSame(as: "Content-Type") {
                isText =
                    value.hasPrefix("text/") || value.hasPrefix("application/json")
                    || value.hasPrefix("application/openmetrics") || value.hasPrefix("image/svg")
            }
        }
        return isText
    }

    /// Sends the bytes that the client accepts, without a copy.
    ///
    /// - Parameter now: The monotonic clock, ns.
    mutating func advance(on connection: Connection, now: Int64) -> Progress {
        while let part = parts.first {
            let output = part.withUnsafeBytes { bytes -> Progress in
                while sent < bytes.count {
                    switch connection.send(UnsafeRawBufferPointer(rebasing: bytes[sent...])) {
                    case .bytes(let count):
                        sent += count
                        progress += count
                    case .broken: return .broken
                    case .wait(let reads): return .wait(reads: reads)
                    }
                }
                return .done
            }
            if progress >= Self.leastProgress {
                progress = 0
                connection.since = now
            }
            guard case .done = output else { return output }
            parts.removeFirst()
            sent = 0
        }
        return .done
    }
}
