import GoCompatibility
import GoTemplate
import Model

/// The types of the data of notifications that have methods.
enum NotificationType: TemplateType {
    /// Labels or annotations.
    case pairs
    /// The list of pairs of ``pairs``.
    case pairList
    case alerts
    case texts

    static let textType = "[]string"

    var typeName: String {
        switch self {
        case .pairs: "template.KV"
        case .pairList: "template.Pairs"
        case .alerts: "template.Alerts"
        case .texts: Self.textType
        }
    }

    func text(of base: TemplateValue) -> String? {
        switch self {
        case .pairs, .pairList: Self.pairs(of: base).map { $0.name + "=" + $0.value }.joined(separator: ", ")
        case .alerts, .texts: nil
        }
    }

    func signature(_ method: String) -> TemplateSignature? {
        switch (self, method) {
        case (.pairs, "SortedPairs"), (.pairs, "Names"), (.pairs, "Values"), (.pairList, "Names"),
            (.pairList, "Values"), (.alerts, "Firing"), (.alerts, "Resolved"):
            TemplateSignature([])
        case (.pairs, "Remove"): TemplateSignature([.slice(Self.textType)])
        case (.texts, "Join"): TemplateSignature([.string])
        default: nil
        }
    }

    func call(_ method: String, of base: TemplateValue, _ arguments: [TemplateValue]) -> TemplateOutcome {
        switch method {
        case "SortedPairs": return .value(Self.list(Self.pairs(of: base)))
        case "Names": return .value(Self.texts(Self.pairs(of: base).map(\.name)))
        case "Values": return .value(Self.texts(Self.pairs(of: base).map(\.value)))
        case "Remove":
            guard case .labels(var labels) = base else { return .value(base) }
            for name in Self.texts(of: arguments.first ?? .null) { labels[ExactText(name)] = nil }
            return .value(.typed(.labels(labels), Self.pairs))
        case "Join":
            guard case .string(let separator)? = arguments.first else { return .failed("expected string") }
            return .value(.string(Self.texts(of: base).joined(separator: separator)))
        default:
            guard case .list(let alerts, let type) = base else { return .value(base) }
            let status = method.lowercased()
            let found = alerts.filter { alert in
                guard case .object(let object) = alert, case .string(let own)? = object["Status"] else { return false }
                return own == status
            }
            return .value(.typed(.list(found, type: type), Self.alerts))
        }
    }

    // MARK: Values

    private static let pairType = "template.Pair"

    /// The pairs in their order: `alertname` is first, the others are sorted by name.
    private static func pairs(of value: TemplateValue) -> [(name: String, value: String)] {
        switch value.base {
        case .labels(let labels):
            let all = GoFormat.sorted(labels).map { (name: $0.key, value: $0.value) }
            return all.filter { $0.name == "alertname" } + all.filter { $0.name != "alertname" }
        case .list(let values, _):
            return values.compactMap { pair in
                guard case .object(let object) = pair, case .string(let name)? = object["Name"],
                    case .string(let value)? = object["Value"]
                else { return nil }
                return (name, value)
            }
        default: return []
        }
    }

    private static func list(_ pairs: [(name: String, value: String)]) -> TemplateValue {
        let objects = pairs.map { pair in
            TemplateValue.object(
                TemplateObject(
                    typeName: pairType, fields: [("Name", .string(pair.name)), ("Value", .string(pair.value))]))
        }
        return .typed(.list(objects, type: "[]" + pairType), Self.pairList)
    }

    static func texts(_ texts: [String]) -> TemplateValue {
        .typed(.list(texts.map { .string($0) }, type: textType), Self.texts)
    }

    /// The texts of a list.
    static func texts(of value: TemplateValue) -> [String] {
        guard case .list(let values, _) = value.base else { return [] }
        return values.compactMap { value in
            if case .string(let text) = value.base { text } else { nil }
        }
    }

    static func texts(of labels: Labels) -> [ExactText: String] {
        [ExactText: String](labels.pairs.map { (ExactText($0.name), $0.value) }, uniquingKeysWith: { $1 })
    }

    static func labels(_ labels: [ExactText: String]) -> TemplateValue { .typed(.labels(labels), Self.pairs) }
}

extension NotificationData {
    /// The data as the dot of templates.
    var dot: TemplateValue {
        var data = NotificationFields()
        data.receiver = receiver
        data.status = status
        data.alerts = alerts.map(\.templateAlert)
        data.notificationReason = notificationReason
        data.groupLabels = NotificationType.texts(of: groupLabels)
        data.commonLabels = NotificationType.texts(of: commonLabels)
        data.commonAnnotations = NotificationType.texts(of: commonAnnotations)
        data.routeLabels = NotificationType.texts(of: routeLabels)
        data.externalURL = externalURL
        return data.dot
    }
}

extension NotificationData.Item {
    fileprivate var templateAlert: NotificationFields.Alert {
        var alert = NotificationFields.Alert()
        alert.status = status
        alert.labels = NotificationType.texts(of: labels)
        alert.annotations = NotificationType.texts(of: annotations)
        alert.startsAt = GoTime(startsAt)
        alert.endsAt = isFiring ? .zero : GoTime(endsAt)
        alert.generatorURL = generatorURL
        alert.fingerprint = fingerprint
        return alert
    }
}

extension GoTime {
    /// A time in ms since the epoch.
    init(_ milliseconds: Int64) {
        let seconds = CivilTime.floorDivide(milliseconds, 1000)
        self.init(seconds: seconds, fraction: (milliseconds &- seconds &* 1000) * 1_000_000)
    }
}
