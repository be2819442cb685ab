import Model

/// The rules that decide by its time whether a sample is taken.
///
/// Made once for each commit: what a batch holds does not move the bounds of its own samples.
struct AcceptanceBounds: Sendable {
    /// Samples before this time are refused, ms.
    var earliest: Int64
    /// Samples from here on may be older than the newest of their series, ms; nil if none may.
    var outOfOrderFrom: Int64?
    /// What a sample before ``earliest`` is refused as.
    var reason: SampleRejection { outOfOrderFrom == nil ? .outOfBounds : .tooOld }
    /// A newest sample of a series behind this time is wrong: the wall clock was ahead when it came.
    ///
    /// The series then goes on at the time of the next sample.
    var futureFrom: Int64
    /// The same for the daemon's own samples.
    var ownFutureFrom: Int64

    /// - Parameters:
    ///   - newest: The newest time of the head, ms; `Int64.min` if it is empty.
    ///   - first: The time of the first sample of the batch, which an empty head counts from.
    ///   - wall: ms.
    ///   - delay: How far behind the wall clock the producer stamps samples; nil if their times come from outside.
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
        // A time of which nothing can be earlier is none: it marks series without samples.
        earliest = max(from, .min + 1)
        outOfOrderFrom = window > 0 ? max(before(window), earliest) : nil
        futureFrom = latest
        ownFutureFrom = delay.map { wall.subtractingReportingOverflow($0).partialValue } ?? latest
    }
}
