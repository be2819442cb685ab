import Config
import Model
import Platform
import Synchronization

/// Requests the tokens of one `oauth2` section, and keeps each until shortly before it expires.
///
/// At most one request runs at a time; all callers that wait receive its answer.
final class TokenSource: Sendable {
    private typealias Outcome = Result<AccessToken, TransferFailure>

    private struct Kept {
        var token: AccessToken
        /// The secret that was used to get the token.
        var secret: ExactText
        /// The time of the answer: ns of the monotonic clock, ms of the wall clock.
        var came: (monotonic: Int64, wall: Int64)
    }

    private struct State {
        var kept: Kept?
        /// The style that the server has accepted before.
        var style: TokenRequest.Style?
    }

    /// The seconds before its expiry at which a token counts as expired, because clocks differ and requests take time.
    private static let margin: Int64 = 10
    /// The longest time for the requests to a token server in both styles together, ns.
    private static let askingTime: Int64 = 30_000_000_000

    private let config: OAuth2Config
    private let options: RequestOptions
    private let clock: any Clock
    private let loop: TransferLoop?
    private let state = Mutex(State())
    private let waits: SharedWait<ExactText, String>

    init(_ config: OAuth2Config, clock: any Clock) {
        self.config = config
        self.clock = clock
        waits = SharedWait(clock: clock)
        // Without `oauth2` the loop's thread is not started.
        loop = .shared
        options = RequestOptions(TokenRequest.client(config))
    }

    /// The value of `Authorization` if there is a fresh token for `secret`.
    func known(secret: ExactText) -> String? {
        state.withLock { state in
            guard let kept = state.kept, kept.secret == secret, isFresh(kept) else { return nil }
            return kept.token.authorization
        }
    }

    /// Whether a token may still be sent.
    ///
    /// Both clocks count: the wall clock may be set, and the monotonic clock stops while the machine sleeps.
    private func isFresh(_ kept: Kept) -> Bool {
        guard let lifetime = kept.token.lifetime else { return true }
        let left = lifetime &- Self.margin
        return (clock.monotonic() &- kept.came.monotonic) / 1_000_000_000 < left
            && (clock.now() &- kept.came.wall) / 1000 < left
    }

    /// Passes the value of `Authorization` to `body`, which is called once.
    func ask(
        secret: ExactText, _ request: CredentialsRequest,
        _ body: @escaping @Sendable (Result<String, TransferFailure>) -> Void
    ) {
        if let known = known(secret: secret) { return body(.success(known)) }
        if let first = waits.add(secret, request, body) { askServer(first) }
    }

    /// Fails a request that still waits.
    func cancel(_ request: CredentialsRequest) { waits.cancel(request) }

    // MARK: The server

    /// Requests a token with the credentials of one waiter, for all waiters.
    private func askServer(_ waiter: SharedWait<ExactText, String>.Waiter) {
        guard let loop else {
            return finish(waiter.key, .failure(TransferFailure(.setup, "libcurl does not start")))
        }
        let request = TokenRequest(
            config: config, secret: waiter.key, userAgent: waiter.request.userAgent,
            deadline: loop.now &+ Self.askingTime)
        let style = state.withLock(\.style)
        send(request, style ?? .header, loop) { [self] outcome in
            if style != nil { return finish(request.secret, outcome) }
            if case .success = outcome { return finish(request.secret, outcome, style: .header) }
            // Some servers require the credentials in the other place.
            send(request, .parameters, loop) { [self] in finish(request.secret, $0, style: .parameters) }
        }
    }

    private func send(
        _ request: TokenRequest, _ style: TokenRequest.Style, _ loop: TransferLoop,
        _ body: @escaping @Sendable (Outcome) -> Void
    ) {
        // The section has certificates of its own, perhaps in files.
        let asking = CredentialsRequest(
            userAgent: request.userAgent, timeout: (request.deadline &- loop.now) / 1_000_000)
        options.ask(asking) { [self] own in
            do throws(TransferFailure) {
                var sent = try request.transferRequest(style)
                sent.credentials.tls = try own.get().tls
                guard let transfer = Transfer(options) else {
                    throw TransferFailure(.setup, "libcurl does not start")
                }
                transfer.prepare(sent)
                transfer.onEnd = { transfer in
                    // The loop's thread must not block.
                    BlockingCall.start {
                        body(Result { () throws(TransferFailure) in try Self.token(transfer) })
                    }
                }
                loop.submit(transfer)
            } catch {
                body(.failure(error))
            }
        }
    }

    private static func token(_ transfer: Transfer) throws(TransferFailure) -> AccessToken {
        if let failure = transfer.failure {
            let isInBody = transfer.head.isComplete && failure.kind != .setup
            throw TransferFailure(
                failure.kind, isInBody ? "oauth2: cannot fetch token: \(failure)" : transfer.failureText)
        }
        let body: [UInt8]
        do throws(TransferFailure) {
            body = try transfer.decodedBody(limit: AccessToken.maxAnswerSize)
        } catch {
            throw TransferFailure(error.kind, "oauth2: cannot fetch token: \(error)")
        }
        return try AccessToken(
            code: transfer.head.status, status: transfer.head.statusText,
            contentType: transfer.head.contentType ?? "", body: body)
    }

    /// Passes the outcome to all waiters with `secret`, and requests a token again for waiters with a newer secret.
    private func finish(_ secret: ExactText, _ outcome: Outcome, style: TokenRequest.Style? = nil) {
        if case .success(let token) = outcome {
            state.withLock { state in
                state.kept = Kept(token: token, secret: secret, came: (clock.monotonic(), clock.now()))
                if let style { state.style = style }
            }
        }
        if let next = waits.finish(secret, outcome.map(\.authorization)) { askServer(next) }
    }
}
