import Config
import GoCompatibility
import HTTP
import Model

/// One request for a target's page, with what came of it; used again and again.
///
/// Owned by the scrape loop while it runs, by a worker afterwards.
final class PageFetch: @unchecked Sendable {
    // SAFETY: handed from the scrape loop to one worker and back through locked queues; never used by both.
    let transfer: Transfer
    private(set) var target: Target?
    /// When the scrape counts as begun, ms since the epoch.
    private(set) var scrapeTime: Int64 = 0
    /// When the request began, ns of the monotonic clock.
    private(set) var started: Int64 = 0
    /// When the request must be over, ns of the monotonic clock.
    private(set) var deadline: Int64 = 0
    /// What was left of its time when it was over, ns; for taking the compression off, which Go's clients do on the way.
    private(set) var timeLeft: Int64 = 0
    private var refusal: ScrapeFailure?
    /// Called when all is stored.
    var completion: (@Sendable () -> Void)?

    /// No page is larger, whatever the configuration allows: a target must not be able to exhaust memory.
    static let bodySizeMax: Int64 = 1 << 30

    private let onEnd: @Sendable (PageFetch) -> Void

    /// - Parameters:
    ///   - loop: Runs its requests.
    ///   - onEnd: Called when a request is over.
    init?(
        _ options: RequestOptions, budget: ByteBudget, loop: TransferLoop,
        onEnd: @escaping @Sendable (PageFetch) -> Void
    ) {
        guard let transfer = Transfer(options, budget: budget, loop: loop) else { return nil }
        self.transfer = transfer
        self.onEnd = onEnd
    }

    /// The size that a decompressed page must not reach.
    var bodyLimit: Int {
        let limit = target?.settings.config.limits.bodySize ?? 0
        return Int(limit > 0 ? min(limit, Self.bodySizeMax) : Self.bodySizeMax)
    }

    var coding: BodyCoding { BodyCoding(ofTarget: transfer.head.contentEncoding) }

    /// Takes the target and the times of a scrape.
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
        // What comes compressed is a little larger at most than what it was made of.
        request.bodyLimit = bodyLimit &+ bodyLimit / 8 &+ 1024
        // The fetch lives while its request is under way.
        transfer.onEnd = { [self] _ in onEnd(self) }
        transfer.prepare(request, options: target.settings.requestOptions)
    }

    /// Notes that the request is over; what comes now is not late because it has to wait for a worker.
    ///
    /// - Parameter now: The monotonic clock, ns.
    func arrive(_ now: Int64) { timeLeft = max(0, deadline &- now) }

    /// Makes the scrape fail without a request.
    func refuse(_ failure: ScrapeFailure) {
        transfer.recycle(keepingBytes: .max)
        refusal = failure
    }

    /// Makes the scrape fail because its request cannot be made.
    func refuse(_ failure: TransferFailure) {
        let url = ConfigURL.shown(target?.definition.requestURL.text ?? "")
        refuse(ScrapeFailure(.network, "Get \(GoQuote.quote(url)): \(failure)"))
    }

    /// Why there is no page; nil if there is one.
    var failure: ScrapeFailure? {
        if let refusal { return refusal }
        if let failure = transfer.failure {
            return ScrapeFailure(failure.kind == .bodySize ? .bodySizeLimit : .network, transfer.failureText)
        }
        // While it waited for a worker.
        if let revocation = transfer.revocation { return ScrapeFailure(.network, revocation) }
        guard transfer.head.status == 200 else {
            return ScrapeFailure(.status, "server returned HTTP status \(transfer.head.statusText)")
        }
        return nil
    }

    /// Lets go of the target, and of memory if the page was large.
    func recycle(keepingBytes limit: Int) {
        target = nil
        completion = nil
        refusal = nil
        transfer.recycle(keepingBytes: limit)
    }
}
