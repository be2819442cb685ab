/// Limits how often a message is logged: once a minute about each subject, and 60 times a minute in all.
///
/// Targets and discovered lists determine the subjects. So there may be very many of them, and new ones all the time.
struct RepeatLimit {
    /// The time, ms, in which a message is logged once about a subject.
    static let span: Int64 = 60_000

    /// The number of subjects that a message is logged about within ``span``.
    static let mostSubjects = 60

    /// The times, ms, of the messages that were logged last, by the hash value of the subject.
    private var times: [Int: Int64] = [:]

    /// The number of messages that were left out since the last one that was logged.
    private var leftOut = 0

    /// Decides whether a message about `subject` is logged.
    ///
    /// - Parameters:
    ///   - subject: The hash value of the subject.
    ///   - now: ms of the monotonic clock.
    /// - Returns: The number of messages that were left out before this one, or nil if this one is left out too.
    mutating func admit(_ subject: Int, at now: Int64) -> Int? {
        if let last = times[subject], now &- last < Self.span {
            leftOut &+= 1
            return nil
        }
        if times.count >= Self.mostSubjects { times = times.filter { now &- $0.value < Self.span } }
        guard times.count < Self.mostSubjects else {
            leftOut &+= 1
            return nil
        }
        times[subject] = now
        defer { leftOut = 0 }
        return leftOut
    }
}
