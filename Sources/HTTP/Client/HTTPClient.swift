import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization

/// A request of an HTTP client.
package struct ClientRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The milliseconds until the end of the answer, with the time to get credentials.
    package var timeout: Int64
    /// The part of the answer's body that is read.
    package var answer = AnswerBody.whole(limit: 256 << 20)

    /// The part of its answer that a request needs.
    package enum AnswerBody: Sendable {
        /// The whole body. A body of `limit` bytes or more, as sent or decompressed, is an error.
        case whole(limit: Int)
        /// The beginning of the body, of less than `limit` bytes; nothing of one that cannot be decompressed.
        case beginning(limit: Int)
        /// No body: the status suffices.
        case unwanted
    }

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

/// The reason why a request has no answer.
package struct HTTPClientError: Error, CustomStringConvertible {
    package var method: String
    package var url: String
    package var kind = TransferFailure.Kind.network
    package var reason: String

    /// The error with the URL; its password is hidden.
    package var description: String { text(url: ConfigURL.shown(url)) }
    /// The error without the URL, which may be a secret.
    package var redacted: String { text(url: "<redacted>") }

    private func text(url: String) -> String {
        "\(method.prefix(1) + method.dropFirst().lowercased()) \(GoQuote.quote(url)): \(reason)"
    }
}

/// The HTTP client of one `http_config` for all requests except scrapes.
package final class HTTPClient: Sendable {
    private let options: RequestOptions
    private let userAgent: String
    private let loop: TransferLoop?
    private let places: FairPlaces
    private let budget: ByteBudget?

    /// The secret texts of the last request, which messages about it must not show.
    package var secrets: [String] { options.secrets }

    /// - Parameters:
    ///   - maxRequests: The most requests that run at once; others wait in order.
    ///   - budget: The limit of the bodies of answers, shared with other clients.
    package init(
        _ config: HTTPClientConfig = HTTPClientConfig(), userAgent: String = "martlet", maxRequests: Int = 16,
        budget: ByteBudget? = nil, loop: TransferLoop? = .shared
    ) {
        self.budget = budget
        options = RequestOptions(config)
        self.userAgent = userAgent
        self.loop = loop
        places = FairPlaces(maxRequests)
    }

    /// Sends a request.
    ///
    /// The calling task waits without blocking a thread.
    ///
    /// If the task is cancelled, the request ends and its connection is closed.
    package func send(_ request: ClientRequest) async throws(HTTPClientError) -> ClientResponse {
        func error(_ failure: TransferFailure) -> HTTPClientError {
            HTTPClientError(
                method: request.method, url: request.url, kind: failure.kind, reason: failure.description)
        }
        guard await places.enter() else { throw error(TransferFailure(.cancelled, "context canceled")) }
        defer { places.leave() }
        let timeout = min(max(1, request.timeout), 1 << 40)
        let deadline = SystemClock().monotonic() &+ timeout * 1_000_000
        do throws(TransferFailure) {
            let credentials = try await credentials(for: request, timeout: timeout)
            return try await run(try prepared(request, credentials, deadline: deadline), request.answer)
        } catch let failure {
            throw error(failure)
        }
    }

    /// Sends a request and blocks the calling thread, which must not be a thread of the task pool.
    package func sendBlocking(_ request: ClientRequest) throws(HTTPClientError) -> ClientResponse {
        let answer = Mutex<Result<ClientResponse, HTTPClientError>?>(nil)
        let done = TimedSemaphore(value: 0)
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

    private func credentials(
        for request: ClientRequest, timeout: Int64
    ) async throws(TransferFailure) -> RequestCredentials {
        if let ready = options.readyCredentials { return ready }
        let asking = CredentialsRequest(userAgent: Self.userAgent(of: request) ?? userAgent, timeout: timeout)
        return try await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                options.ask(asking) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            options.cancel(asking)
        }.get()
    }

    /// The headers of requests that only the configured host may receive, so that no redirect leads them elsewhere.
    private static let secretHeaders = ["Authorization", "X-Auth-Token", "X-Amz-Security-Token"]

    private static func userAgent(of request: ClientRequest) -> String? {
        request.headers.first { $0.name.isSame(as: "user-agent") }?.value
    }

    private func prepared(
        _ request: ClientRequest, _ credentials: RequestCredentials, deadline: Int64
    ) throws(TransferFailure) -> Transfer {
        guard let url = URLParts(request.url), !url.host.isEmpty else { throw TransferFailure(.setup, "invalid URL") }
        guard let transfer = Transfer(options, budget: budget) else {
            throw TransferFailure(.setup, "libcurl does not start")
        }
        var sent = TransferRequest(url: url, deadline: deadline)
        sent.method = request.method
        sent.body = request.body
        sent.credentials = credentials
        switch request.answer {
        case .whole(let limit): sent.bodyLimit = limit
        case .beginning(let limit): (sent.bodyLimit, sent.cutsBody) = (limit, true)
        case .unwanted: sent.wantsBody = false
        }
        for header in request.headers {
            let line = "\(header.name): \(header.value)"
            if Self.secretHeaders.contains(where: header.name.isSame) {
                sent.credentials.headers.append(line)
            } else {
                sent.headers.append(line)
            }
        }
        if Self.userAgent(of: request) == nil { sent.headers.append("User-Agent: " + userAgent) }
        transfer.prepare(sent)
        return transfer
    }

    private func run(
        _ transfer: Transfer, _ answer: ClientRequest.AnswerBody
    ) async throws(TransferFailure) -> ClientResponse {
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
        var body: [UInt8] = []
        switch answer {
        case .whole(let limit): body = try transfer.decodedBody(limit: limit)
        case .beginning(let limit): body = (try? transfer.decodedBody(limit: limit)) ?? []
        case .unwanted: break
        }
        return ClientResponse(
            status: transfer.head.status, contentType: transfer.head.contentType ?? "", body: body)
    }
}

/// The compression of a body.
package enum BodyCoding: Sendable {
    case identity, gzip

    /// - Parameter header: `Content-Encoding`. A body with an unexpected coding is used as it is, as in Go's clients.
    package init(_ header: String?) { self = header?.lowercased() == "gzip" ? .gzip : .identity }

    /// - Parameter header: `Content-Encoding` of a target. Prometheus knows only `gzip` in lower case.
    package init(ofTarget header: String?) { self = header == "gzip" ? .gzip : .identity }
}
