import GoCompatibility
import Model

/// The time that a silence lasts, from the values of flags.
package enum SilencePeriod {
    /// The reason why a silence cannot last as given, in amtool's words.
    package struct Failure: Error, CustomStringConvertible {
        package var description: String
    }

    /// The end: the given one, or the start and a duration in ms, in UTC; nil without both.
    package static func end(_ start: GoTime, end: GoTime?, duration: Int64?) throws(Failure) -> GoTime? {
        var result = end
        if result == nil, let duration {
            guard duration > 0 else { throw Failure(description: "silence duration must be greater than 0") }
            let (nanoseconds, isOver) = duration.multipliedReportingOverflow(by: 1_000_000)
            let inUTC = GoTime(seconds: start.seconds, fraction: start.fraction)
            guard !isOver, let later = inUTC.adding(nanoseconds), (0...9999).contains(later.civil.year) else {
                throw Failure(description: "--duration: the end of the silence is out of range")
            }
            result = later
        }
        return result
    }

    /// Checks that a silence does not start after its end.
    package static func check(_ start: GoTime, _ end: GoTime) throws(Failure) {
        if end.isBefore(start) { throw Failure(description: "silence cannot start after it ends") }
    }
}

/// The silences of an answer that a query selects.
package struct SilenceSelection: Sendable {
    /// Whether silences that have ended are selected, instead of the others.
    package var isExpired = false
    /// The most ms until the end, or since it; 0 for any.
    package var within: Int64 = 0
    package var createdBy = ""
    package var id = ""

    package init() {}

    /// - Parameter now: ms since the epoch.
    package func contains(_ silence: RemoteSilence, now: Int64) -> Bool {
        if !createdBy.isEmpty, !silence.createdBy.isExactly(createdBy) { return false }
        if !id.isEmpty, !silence.id.isExactly(id) { return false }
        let time = GoTime(
            seconds: CivilTime.floorDivide(now, 1000),
            fraction: (now &- CivilTime.floorDivide(now, 1000) &* 1000) * 1_000_000)
        let isOver = silence.endsAt.isBefore(time)
        if isOver != isExpired { return false }
        guard within > 0 else { return true }
        let distance = isExpired ? time.since(silence.endsAt) : silence.endsAt.since(time)
        return distance / 1_000_000 <= within
    }
}
