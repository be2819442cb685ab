import GoCompatibility
import GoTemplate
import Model

/// The data that templates read, with every field as it is given: nothing is computed from the alerts.
package struct NotificationFields: Sendable {
    /// An alert; a time that is not known is Go's zero time.
    package struct Alert: Sendable {
        package var status = ""
        package var labels: [ExactText: String] = [:]
        package var annotations: [ExactText: String] = [:]
        package var startsAt = GoTime.zero
        package var endsAt = GoTime.zero
        @Exact package var generatorURL = ""
        package var fingerprint = ""

        package init() {}
    }

    package var receiver = ""
    package var status = ""
    package var alerts: [Alert] = []
    package var notificationReason = ""
    package var groupLabels: [ExactText: String] = [:]
    package var commonLabels: [ExactText: String] = [:]
    package var commonAnnotations: [ExactText: String] = [:]
    package var routeLabels: [ExactText: String] = [:]
    package var externalURL = ""

    package init() {}

    /// The data as the dot of templates.
    var dot: TemplateValue {
        .object(
            TemplateObject(
                typeName: "template.Data",
                fields: [
                    ("Receiver", .string(receiver)), ("Status", .string(status)),
                    (
                        "Alerts",
                        .typed(.list(alerts.map(\.object), type: "[]template.Alert"), NotificationType.alerts)
                    ),
                    ("NotificationReason", .string(notificationReason)),
                    ("GroupLabels", NotificationType.labels(groupLabels)),
                    ("CommonLabels", NotificationType.labels(commonLabels)),
                    ("CommonAnnotations", NotificationType.labels(commonAnnotations)),
                    ("RouteLabels", NotificationType.labels(routeLabels)), ("ExternalURL", .string(externalURL)),
                ]))
    }

    /// The data of two alerts, for templates that are rendered without a notification.
    ///
    /// - Parameter now: The end of both alerts.
    package static func example(now: GoTime) -> NotificationFields {
        func texts(_ texts: KeyValuePairs<String, String>) -> [ExactText: String] {
            [ExactText: String](texts.map { (ExactText($0.key), $0.value) }, uniquingKeysWith: { $1 })
        }
        func alert(
            _ number: Int64, _ labels: KeyValuePairs<String, String>, _ annotations: KeyValuePairs<String, String>
        ) -> Alert {
            var alert = Alert()
            alert.labels = texts(labels).merging(
                texts(["commonlabelkey1": "commonlabelvalue1", "commonlabelkey2": "commonlabelvalue2"])
            ) { own, _ in own }
            alert.annotations = texts(annotations).merging(
                texts([
                    "commonannotationkey1": "commonannotationvalue1", "commonannotationkey2": "commonannotationvalue2",
                ])
            ) { own, _ in own }
            alert.startsAt = now.adding(number * -300_000_000_000) ?? now
            alert.endsAt = now
            alert.generatorURL = "https://generatorurl.com"
            alert.fingerprint = "fingerprint\(number)"
            return alert
        }
        var data = NotificationFields()
        data.receiver = "receiver"
        data.status = "alertstatus"
        data.alerts = [
            alert(
                1, ["label1": "value1", "label2": "value2", "instance": "foo.bar:1234"],
                ["annotation1": "value1", "annotation2": "value2"]),
            alert(2, ["foo": "bar", "baz": "qux"], ["aaa": "bbb", "ccc": "ddd"]),
        ]
        data.groupLabels = texts(["grouplabelkey1": "grouplabelvalue1", "grouplabelkey2": "grouplabelvalue2"])
        data.commonLabels = texts(["commonlabelkey1": "commonlabelvalue1", "commonlabelkey2": "commonlabelvalue2"])
        data.commonAnnotations = texts([
            "commonannotationkey1": "commonannotationvalue1", "commonannotationkey2": "commonannotationvalue2",
        ])
        data.externalURL = "https://example.com"
        return data
    }
}

extension NotificationFields.Alert {
    fileprivate var object: TemplateValue {
        .object(
            TemplateObject(
                typeName: "template.Alert",
                fields: [
                    ("Status", .string(status)), ("Labels", NotificationType.labels(labels)),
                    ("Annotations", NotificationType.labels(annotations)), ("StartsAt", .time(startsAt)),
                    ("EndsAt", .time(endsAt)), ("GeneratorURL", .string(generatorURL)),
                    ("Fingerprint", .string(fingerprint)),
                ]))
    }
}
