/// An answer on its way to a client, as far as the client has taken it.
struct Outgoing {
    enum Progress {
        case done
        /// The client is gone.
        case broken
        /// The client takes nothing at the moment.
        case wait(reads: Bool)
    }

    private var parts: [[UInt8]]
    /// Bytes of the first part that are sent.
    private var sent = 0
    /// Bytes sent since the client last counted as one that reads.
    private var progress = 0
    /// What the answer keeps until it is sent.
    private let keeps: (any AnyObject & Sendable)?

    /// Bodies up to this size go out together with their head.
    private static let joined = 32 << 10
    /// What a client must take to count as one that does not keep others waiting.
    private static let leastProgress = 64 << 10

    /// Bytes that are no answer of a handler.
    init(_ bytes: [UInt8]) {
        parts = [bytes]
        keeps = nil
    }

    /// An answer, compressed if the client wants that.
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

    /// Texts are worth it; what a handler has compressed itself, or what is no text, is not.
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

    /// Sends what the client takes, from where it lies.
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
