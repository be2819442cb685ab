import Config
import GoCompatibility
import HTTP
import Model

/// One request for a target's scrape body with its result; used again and again.
///
/// The scrape loop owns it while it runs, a worker afterwards.
final class PageFetch: @unchecked Sendable {
    // SAFETY: passed from the scrape loop to one worker and back through locked queues; never used by both.
    let transfer: Transfer
    private(set) var target: Target?
    /// The time at which the scrape counts as begun, ms since the epoch.
    private(set) var scrapeTime: Int64 = 0
    /// The start of the request, ns of the monotonic clock.
    private(set) var started: Int64 = 0
    /// The time when the request must be over, ns of the monotonic clock.
    private(set) var deadline: Int64 = 0
    /// The remaining time at the end of the request, ns.
    ///
    /// It limits the decompression, which Go's clients do during the request.
    private(set) var timeLeft: Int64 = 0
    private var refusal: ScrapeFailure?
    /// Called when all samples are stored.
    var completion: (@Sendable () -> Void)?

    /// The largest body, whatever the configuration allows, so that a target cannot exhaust the memory.
    static let bodySizeMax: Int64 = 1 << 30

    private let onEnd: @Sendable (PageFetch) -> Void

    /// - Parameters:
    ///   - loop: Runs the requests.
    ///   - onEnd: Called at the end of a request.
    init?(
        _ options: RequestOptions, budget: ByteBudget, loop: TransferLoop,
        onEnd: @escaping @Sendable (PageFetch) -> Void
    ) {
        guard let transfer = Transfer(options, budget: budget, loop: loop) else { return nil }
        self.transfer = transfer
        self.onEnd = onEnd
    }

    /// The size that a decompressed body must not reach.
    var bodyLimit: Int {
        let limit = target?.settings.config.limits.bodySize ?? 0
        return Int(limit > 0 ? min(limit, Self.bodySizeMax) : Self.bodySizeMax)
    }

    var coding: BodyCoding { BodyCoding(ofTarget: transfer.head.contentEncoding) }

    /// Sets the target and the times of a scrape.
    ///
    /// - Parameter timeout: ms from now.
    func begin(_ target: Target, scrapeTime: Int64, started: Int64, timeout: Int64) {
        self.target = target
        self.scrapeTime = scrapeTime
        self.started = started
        timeLeft = min(timeout, 1 << 31) * 1_000_000
        deadline = started &+ timeLeft
        refusal = nil
    }

    /// Prepares the request.
    func prepare(_ credentials: RequestCredentials) {
        guard let target else { return }
        let definition = target.definition
        var request = TransferRequest(url: definition.requestURL, deadline: deadline)
        request.credentials = credentials
        request.unixSocket = definition.unixSocket
        request.headers = target.requestHeaders
        request.wantedStatus = 200
        // A compressed body is at most slightly larger than its content.
        request.bodyLimit = bodyLimit &+ bodyLimit / 8 &+ 1024
        // The fetch exists while its request runs.
        transfer.onEnd = { [self] _ in onEnd(self) }
        transfer.prepare(request, options: target.settings.requestOptions)
    }

    /// Records the end of the request.
    ///
    /// The wait for a worker does not count in its time.
    ///
    /// - Parameter now: The monotonic clock, ns.
    func arrive(_ now: Int64) { timeLeft = max(0, deadline &- now) }

    /// Fails the scrape without a request.
    func refuse(_ failure: ScrapeFailure) {
        transfer.recycle(keepingBytes: .max)
        refusal = failure
    }

    /// Fails the scrape because its request cannot be made.
    func refuse(_ failure: TransferFailure) {
        let url = ConfigURL.shown(target?.definition.requestURL.text ?? "")
        refuse(ScrapeFailure(.network, "Get \(GoQuote.quote(url)): \(failure)"))
    }

    /// The reason why there is no body; nil if there is one.
    var failure: ScrapeFailure? {
        if let refusal { return refusal }
        if let failure = transfer.failure {
            return ScrapeFailure(failure.kind == .bodySize ? .bodySizeLimit : .network, transfer.failureText)
        }
        // The memory was revoked while the fetch waited for a worker.
        if let revocation = transfer.revocation { return ScrapeFailure(.network, revocation) }
        guard transfer.head.status == 200 else {
            return ScrapeFailure(.status, "server returned HTTP status \(transfer.head.statusText)")
        }
        return nil
    }

    /// Frees the target, and the buffer if the body was large.
    func recycle(keepingBytes limit: Int) {
        target = nil
        completion = nil
        refusal = nil
        transfer.recycle(keepingBytes: limit)
    }
}
