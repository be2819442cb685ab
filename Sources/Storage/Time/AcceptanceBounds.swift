import Model

/// The rules by which a sample is accepted or refused because of its time.
///
/// They are made once for each commit: the samples of a batch do not change the bounds of the batch.
struct AcceptanceBounds: Sendable {
    /// Samples before this time are refused, ms.
    var earliest: Int64
    /// Samples from this time on may be older than the newest sample of their series, ms; nil if none may.
    var outOfOrderFrom: Int64?
    /// The reason for which a sample before ``earliest`` is refused.
    private(set) var reason: SampleRejection
    /// A newest sample of a series after this time is wrong, ms: the wall clock was ahead when it was stored.
    ///
    /// The series then continues at the time of the next sample.
    var futureFrom: Int64
    /// The same for the daemon's own samples, ms.
    var ownFutureFrom: Int64
    /// Windows that end after this time are those of the present, ms, however many windows the head has.
    var presentFrom: Int64
    /// Whether the sender of the batch may send it again; nobody sends a scraped page again.
    var maySendAgain: Bool

    /// - Parameters:
    ///   - newest: The newest time of the head, ms; `Int64.min` if it is empty.
    ///   - first: The time of the first sample of the batch, ms, which is used if the head is empty.
    ///   - wall: The time of the wall clock, ms.
    ///   - delay: The difference of the wall clock and the producer's timestamps, ms; nil if the timestamps come from
    ///     outside.
    init(
        newest: Int64, first: Int64, wall: Int64, delay: Int64?, blockDuration: Int64, settings: StoreSettings
    ) {
        let (window, retention) = (settings.outOfOrderWindow, settings.retentionTime)
        let latest = wall.addingReportingOverflow(TrustedTime.tolerance).partialValue
        let newest = min(newest == .min ? first : newest, latest)
        func before(_ span: Int64) -> Int64 {
            let (time, overflow) = newest.subtractingReportingOverflow(span)
            return overflow ? .min : time
        }
        var from = before(window > 0 ? max(window, blockDuration / 2) : blockDuration / 2)
        if retention > 0 { from = max(from, before(retention)) }
        // The smallest number cannot be a time, because it marks series without samples.
        earliest = max(from, .min + 1)
        outOfOrderFrom = window > 0 ? max(before(window), earliest) : nil
        reason = window > 0 ? .tooOld : .outOfBounds
        futureFrom = latest
        maySendAgain = delay == nil
        presentFrom = wall.subtractingReportingOverflow(blockDuration).partialValue
        ownFutureFrom = delay.map { wall.subtractingReportingOverflow($0).partialValue } ?? latest
    }

    /// Refuses all samples, which are to be sent again when there are places for their windows.
    mutating func refuseAll() {
        earliest = .max
        reason = .tooManyWindows
    }
}
