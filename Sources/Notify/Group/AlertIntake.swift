import GoCompatibility
import Model

/// Decides which of the alerts of a request are accepted, in Alertmanager's words.
struct AlertIntake {
    /// The most alerts that are kept at once, and the most bytes of all of them.
    static let most = 100_000
    static let mostBytes = 256 << 20
    /// The most bytes of one alert.
    static let mostBytesOfOne = 1 << 20

    let now: Int64
    let resolveTimeout: Int64
    /// The alerts and bytes that may still be added.
    private var left: (alerts: Int, bytes: Int)

    init(_ alerts: ActiveAlerts, now: Int64, resolveTimeout: Int64) {
        self.now = now
        self.resolveTimeout = resolveTimeout
        left = (Self.most - alerts.byFingerprint.count, Self.mostBytes - alerts.bytes)
    }

    /// An alert that is not accepted.
    struct Refusal: Error {
        var reason: String
        /// Whether there is no space for it, although it is valid.
        var isLimit = false
    }

    /// Accepts an alert, or says why not.
    ///
    /// - Parameter isKnown: Whether there is an alert with its labels.
    mutating func accept(_ alert: Alert, isKnown: Bool) throws(Refusal) {
        // The times that a missing one stands for: see ``ActiveAlerts/update(_:now:resolveTimeout:)``.
        let end = alert.endsAt != 0 ? alert.endsAt : now &+ resolveTimeout
        let start = alert.startsAt != 0 ? alert.startsAt : alert.endsAt != 0 ? alert.endsAt : now
        if end < start { throw Refusal(reason: "start time must be before end time") }
        try Self.checkNames(alert.labels, "label set")
        if alert.labels.isEmpty { throw Refusal(reason: "at least one label pair required") }
        try Self.checkNames(alert.annotations, "annotations")
        let bytes = alert.bytes
        if bytes > Self.mostBytesOfOne {
            throw Refusal(reason: "alert exceeded maximum size: \(bytes) bytes (limit: \(Self.mostBytesOfOne) bytes)")
        }
        // A resolution must get through in any case.
        if alert.isResolved(at: now), isKnown { return }
        if left.bytes < bytes || (!isKnown && left.alerts < 1) {
            throw Refusal(reason: "exceeded maximum number of alerts: \(alert.labels)", isLimit: true)
        }
        left.bytes -= bytes
        if !isKnown { left.alerts -= 1 }
    }

    private static func checkNames(_ labels: Labels, _ subject: String) throws(Refusal) {
        if !labels.allNames({ !$0.isEmpty }) { throw Refusal(reason: "invalid \(subject): invalid name \"\"") }
    }
}

extension Alert {
    /// The bytes of its texts.
    var bytes: Int { labels.bytes.count + annotations.bytes.count + generatorURL.utf8.count }
}
