import Model

/// The state of an alert.
package enum AlertState: Int, Sendable, Comparable, CaseIterable {
    /// Not evaluated yet; only rules are in this state.
    case unknown
    case inactive
    case pending
    case firing

    package static func < (a: AlertState, b: AlertState) -> Bool { a.rawValue < b.rawValue }

    /// The word of the API and of the label `alertstate`.
    package var name: String { "\(self)" }
}

/// A label set for which the expression of an alerting rule has, or recently had, a result.
///
/// Times are ms, 0 for never.
package struct ActiveAlert: Sendable {
    package var state: AlertState
    package var labels: Labels
    package var annotations: Labels
    /// The value; NaN for a histogram.
    package var value: Double
    /// The time since which the expression has a result.
    package var activeAt: Int64
    package var firedAt: Int64 = 0
    package var resolvedAt: Int64 = 0
    package var keepFiringSince: Int64 = 0
    package var lastSentAt: Int64 = 0
    /// The time until which receivers may treat it as firing.
    package var validUntil: Int64 = 0

    /// The labels of the element of the result, from which ``labels`` are made.
    var element = Labels.empty
    /// The last time at which the expression had a result.
    var lastSeenAt: Int64
    /// Set while the alert is active only because its series are missing.
    var missing: MissingSeries?

    init(labels: Labels, annotations: Labels, value: Double, activeAt: Int64) {
        state = .pending
        lastSeenAt = activeAt
        self.labels = labels
        self.annotations = annotations
        self.value = value
        self.activeAt = activeAt
    }

    /// The alert with all its times moved by `step` ms.
    func shifted(by step: Int64) -> ActiveAlert {
        var alert = self
        func move(_ time: inout Int64) { if time != 0 { time = time.addingReportingOverflow(step).partialValue } }
        move(&alert.activeAt)
        move(&alert.firedAt)
        move(&alert.resolvedAt)
        move(&alert.keepFiringSince)
        move(&alert.lastSentAt)
        move(&alert.validUntil)
        move(&alert.lastSeenAt)
        return alert
    }

    /// Whether it has to be sent at `now`: after a change, and again every `resendDelay`.
    func needsSending(at now: Int64, resendDelay: Int64) -> Bool {
        if state == .pending { return false }
        if resolvedAt > lastSentAt { return true }
        return lastSentAt == 0 || lastSentAt + resendDelay < now
    }
}
