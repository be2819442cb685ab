import Config
import Encoding
import Glibc
import Model
import Platform
import Synchronization

/// A request that goes out.
package struct ClientRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Milliseconds from the connection's beginning to the answer's end.
    package var timeout: Int64

    package init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Int64 = 30_000
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// A server's answer.
package struct ClientResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
}

/// The reason why there is no answer.
package struct HTTPClientError: Error, CustomStringConvertible {
    package var method: String
    package var url: String
    package var kind = TransferFailure.Kind.network
    package var reason: String

    /// The error with the URL, its password hidden.
    package var description: String { text(url: ShownURL.text(url)) }
    /// The error without the URL, which may be a secret.
    package var redacted: String { text(url: "<redacted>") }

    private func text(url: String) -> String {
        "\(method.prefix(1) + method.dropFirst().lowercased()) \(GoQuote.quote(url)): \(reason)"
    }
}

/// An HTTP client for everything but scrapes, with the settings of one `http_config`.
package final class HTTPClient: Sendable {
    /// The largest answer that is read, bytes.
    static let maxBodySize = 256 << 20

    private let options: RequestOptions
    private let userAgent: String
    private let loop: TransferLoop?
    private let places: FairPlaces

    /// - Parameter maxRequests: Requests that run at once; others wait in order.
    package init(
        _ config: HTTPClientConfig = HTTPClientConfig(), userAgent: String = "martlet", maxRequests: Int = 16,
        loop: TransferLoop? = .shared
    ) {
        options = RequestOptions(config)
        self.userAgent = userAgent
        self.loop = loop
        places = FairPlaces(maxRequests)
    }

    /// Sends a request; the calling task waits without holding a thread.
    ///
    /// If the task is cancelled, the request is given up and its connection closed.
    package func send(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
        func error(_ failure: TransferFailure) -> HTTPClientError {
            HTTPClientError(
                method: request.method, url: request.url, kind: failure.kind, reason: failure.description)
        }
        guard await places.enter() else { throw error(TransferFailure(.cancelled, "context canceled")) }
        defer { places.leave() }
        do throws(TransferFailure) {
            let credentials = try await withCheckedContinuation { continuation in
                options.withCredentials { continuation.resume(returning: $0) }
            }.get()
            return try await run(try prepared(request, credentials))
        } catch let failure {
            throw error(failure)
        }
    }

    /// Sends a request and blocks the calling thread, which must not be one that tasks share.
    package func sendBlocking(_ request: ClientRequest) throws(HTTPClientError) -> ClientResponse {
        let answer = Mutex<Result<ClientResponse, HTTPClientError>?>(nil)
        let done = Semaphore()
        Task {
            do throws(HTTPClientError) {
                let response = try await send(request)
                answer.withLock { $0 = .success(response) }
            } catch {
                answer.withLock { $0 = .failure(error) }
            }
            done.signal()
        }
        done.wait()
        guard let result = answer.withLock({ $0 }) else {
            throw HTTPClientError(method: request.method, url: request.url, reason: "no answer")
        }
        return try result.get()
    }

    private func prepared(
        _ request: ClientRequest, _ credentials: RequestCredentials
    ) throws(TransferFailure) -> Transfer {
        guard let url = URLParts(request.url), !url.host.isEmpty else { throw TransferFailure(.setup, "invalid URL") }
        guard let transfer = Transfer(options) else { throw TransferFailure(.setup, "libcurl does not start") }
        let timeout = min(max(1, request.timeout), 1 << 40)
        var sent = TransferRequest(url: url, deadline: SystemClock().monotonic() &+ timeout * 1_000_000)
        sent.method = request.method
        sent.body = request.body
        sent.credentials = credentials
        sent.bodyLimit = Self.maxBodySize
        sent.headers = request.headers.map { "\($0.name): \($0.value)" }
        if !request.headers.contains(where: { $0.name.lowercased() == "user-agent" }) {
            sent.headers.append("User-Agent: " + userAgent)
        }
        transfer.prepare(sent)
        return transfer
    }

    private func run(_ transfer: Transfer) async throws(TransferFailure) -> ClientResponse {
        guard let loop else { throw TransferFailure(.setup, "libcurl does not start") }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                transfer.onEnd = { _ in continuation.resume() }
                loop.submit(transfer)
            }
        } onCancel: {
            loop.cancel(transfer)
        }
        if let failure = transfer.failure { throw failure }
        return ClientResponse(
            status: transfer.head.status, contentType: transfer.head.contentType ?? "", body: try Self.decoded(transfer)
        )
    }

    /// The body without its content coding; servers may compress it unasked.
    private static func decoded(_ transfer: Transfer) throws(TransferFailure) -> [UInt8] {
        guard BodyCoding(transfer.head.contentEncoding) == .gzip else { return transfer.body }
        var out: [UInt8] = []
        let body = transfer.body
        let failure = body.withUnsafeBytes { bytes -> GzipFailure? in
            do throws(GzipFailure) {
                try GzipDecoder().decode(bytes, into: &out) { $0 <= maxBodySize }
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw TransferFailure(failure == .stopped ? .bodySize : .network, "\(failure)") }
        return out
    }
}

/// The compression of a body.
package enum BodyCoding: Sendable {
    case identity, gzip

    /// - Parameter header: `Content-Encoding`; one that was not asked for is read as it is, as Go's clients do.
    package init(_ header: String?) {
        switch header?.lowercased() {
        case "gzip", "x-gzip": self = .gzip
        default: self = .identity
        }
    }
}
