/// A sample that was not stored, with the newest sample of its series.
public struct RejectedSample: Sendable {
    public var labels: Labels
    /// The series' `job`, or the group that sent the sample.
    public var job: String
    public var reason: SampleRejection
    /// ms.
    public var time: Int64
    public var value: Double
    /// The time of the newest sample of the series that is not a stale marker; nil if there is none.
    public var newestTime: Int64?
    public var newestValue: Double?

    public init(
        labels: Labels, job: String, reason: SampleRejection, time: Int64, value: Double, newestTime: Int64?,
        newestValue: Double?
    ) {
        self.labels = labels
        self.job = job
        self.reason = reason
        self.time = time
        self.value = value
        self.newestTime = newestTime
        self.newestValue = newestValue
    }
}
