import Model

@testable import Notify

/// The data of the examples: one firing and one resolved alert of a group.
enum ExampleNotification {
    static let start: Int64 = 1_767_323_045_000

    static func data(
        firing: Int = 1, resolved: Int = 1, groupLabels: [(String, String)] = [("alertname", "Down")],
        routeLabels: [(String, String)] = []
    ) -> NotificationData {
        func labels(_ host: String) -> Labels {
            Labels([("alertname", "Down"), ("instance", host + ":1"), ("severity", "critical")])
        }
        let annotations = { (host: String) in Labels([("b", "2"), ("summary", "\(host) is down")]) }
        var alerts: [NotificationData.Item] = []
        for _ in 0..<firing {
            alerts.append(
                NotificationData.Item(
                    labels: labels("a"), annotations: annotations("a"), startsAt: start,
                    generatorURL: "http://p/g?x=1&y=2", fingerprint: "00000000000000aa"))
        }
        for _ in 0..<resolved {
            alerts.append(
                NotificationData.Item(
                    labels: labels("b"), annotations: annotations("b"), startsAt: start, endsAt: start + 61_500,
                    generatorURL: "http://p/g", fingerprint: "00000000000000bb"))
        }
        return NotificationData(
            receiver: "e.dot", alerts: alerts, groupLabels: Labels(groupLabels), routeLabels: Labels(routeLabels),
            externalURL: "http://am:9093", notificationReason: "first notification")
    }
}
