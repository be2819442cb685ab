import Model

/// The data of a notification, which its payload holds and its templates read.
package struct NotificationData: Sendable {
    /// One alert of a notification.
    package struct Item: Sendable {
        package var labels: Labels
        package var annotations: Labels
        /// ms since the epoch.
        package var startsAt: Int64
        /// ms since the epoch; 0 while it fires.
        package var endsAt: Int64
        @Exact package var generatorURL: String
        /// 16 hexadecimal digits.
        package var fingerprint: String

        package var isFiring: Bool { endsAt == 0 }
        package var status: String { NotificationData.status(isFiring: isFiring) }

        package init(_ alert: NotifiedAlert) {
            self.init(
                labels: alert.alert.labels, annotations: alert.alert.annotations, startsAt: alert.alert.startsAt,
                endsAt: alert.alert.endsAt, generatorURL: alert.alert.generatorURL,
                fingerprint: alert.fingerprint.description)
        }

        package init(
            labels: Labels, annotations: Labels = .empty, startsAt: Int64, endsAt: Int64 = 0, generatorURL: String = "",
            fingerprint: String = ""
        ) {
            self.labels = labels
            self.annotations = annotations
            self.startsAt = startsAt
            self.endsAt = endsAt
            self.generatorURL = generatorURL
            self.fingerprint = fingerprint
        }
    }

    /// The receiver's name with the special characters of regular expressions escaped.
    package var receiver: String
    /// In the order of payloads.
    package var alerts: [Item]
    package var groupLabels: Labels
    package var commonLabels: Labels
    package var commonAnnotations: Labels
    /// The rendered labels of the route.
    package var routeLabels: Labels
    /// Without a slash at its end.
    package var externalURL: String
    package var notificationReason: String

    package var isFiring: Bool { alerts.contains(where: \.isFiring) }
    /// `firing` if one of the alerts fires, otherwise `resolved`.
    package var status: String { Self.status(isFiring: isFiring) }

    /// The data of alerts in the order of payloads; what they have in common is computed.
    package init(
        receiver: String, alerts: [Item], groupLabels: Labels, routeLabels: Labels = .empty, externalURL: String,
        notificationReason: String = "unknown"
    ) {
        self.receiver = WebhookPayload.quotingMeta(receiver)
        self.alerts = alerts
        self.groupLabels = groupLabels
        commonLabels = WebhookPayload.common(alerts.map(\.labels))
        commonAnnotations = WebhookPayload.common(alerts.map(\.annotations))
        self.routeLabels = routeLabels
        self.externalURL = externalURL
        self.notificationReason = notificationReason
    }

    /// The data of a notification, with its first `maxAlerts` alerts, or all if that is 0.
    package init(_ notification: Notification, externalURL: String, maxAlerts: Int = 0) {
        let all = notification.alerts
        self.init(
            receiver: notification.receiver,
            alerts: (maxAlerts > 0 ? Array(all.prefix(maxAlerts)) : all).map(Item.init),
            groupLabels: notification.flush.groupLabels, externalURL: externalURL,
            notificationReason: notification.reason.rawValue)
    }

    fileprivate static func status(isFiring: Bool) -> String { isFiring ? "firing" : "resolved" }
}
