/// An alert that rules send to a notifier.
public struct Alert: Sendable, Hashable {
    /// The labels, which are its identity; they contain `alertname`.
    public var labels: Labels
    public var annotations: Labels
    /// The time when it began to fire, ms since the epoch.
    public var startsAt: Int64
    /// The time when it ended, or when it will count as ended unless it is sent again; 0 if unknown.
    public var endsAt: Int64
    /// The address of the expression on the pages.
    @Exact public var generatorURL: String
    /// The time when it was last sent, ms since the epoch.
    public var updatedAt: Int64

    public init(
        labels: Labels, annotations: Labels = .empty, startsAt: Int64, endsAt: Int64 = 0, generatorURL: String = "",
        updatedAt: Int64 = 0
    ) {
        self.labels = labels
        self.annotations = annotations
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.generatorURL = generatorURL
        self.updatedAt = updatedAt
    }

    /// Whether it has ended at `now`.
    public func isResolved(at now: Int64) -> Bool { endsAt != 0 && endsAt <= now }
}

/// Receives the alerts of rules: repeatedly while they fire, and at least once when they are resolved.
public protocol AlertSink: AnyObject, Sendable {
    /// Sends alerts; must not block for long.
    func send(_ alerts: [Alert])
}
