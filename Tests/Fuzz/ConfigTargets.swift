import Model

@testable import Config
@testable import Discovery
@testable import Notify
@testable import Rules

/// What reads files of configuration: YAML, each kind of file that is made of it, and templates.
enum ConfigTargets {
    /// What is parsed can be printed, and what is printed is parsed as the same.
    static func yaml(_ bytes: UnsafeRawBufferPointer) {
        guard let node = try? YAMLParser.parse(Array(bytes), file: "fuzz.yml") else { return }
        let printed = YAMLText(node).document
        do {
            guard let again = try YAMLParser.parse(Array(printed.utf8), file: "printed.yml") else {
                fatalError("parsed as nothing: \(printed)")
            }
            let text = YAMLText(again).document
            if text != printed { fatalError("parsed as something else: \(printed) and \(text)") }
        } catch {
            fatalError("printed and not parsed: \(error): \(printed)")
        }
    }

    /// The first byte says which kind of file the rest is.
    static func config(_ bytes: UnsafeRawBufferPointer) {
        guard let kind = bytes.first else { return }
        let text = Array(bytes.dropFirst())
        switch (kind &- UInt8(ascii: "0")) % 7 {
        case 0: _ = try? ConfigurationLoader.parse(text: text, path: "fuzz.yml") { _ in "value" }
        case 1:
            guard let file = try? RuleFileLoader.parse(text: text, path: "fuzz.yml", readsOwnKeys: true) else { return }
            _ = RuleSet.duplicates([file])
        case 2: _ = try? RuleTestFileLoader.parse(text: text, path: "fuzz.yml")
        case 3: _ = try? AlertmanagerConfigLoader.parse(text: text, path: "fuzz.yml")
        case 4: _ = try? WebConfig.parse(text: text, path: "fuzz.yml")
        case 5: _ = try? TargetGroupJSON.parse(text, place: "fuzz.json")
        default: _ = try? HeartbeatConfig.parse(text: text, path: "fuzz.yml")
        }
    }

    /// A template is parsed and expanded; its text is bounded.
    static func template(_ bytes: UnsafeRawBufferPointer) {
        let text = String(decoding: bytes, as: UTF8.self)
        notificationTemplate(text)
        guard let template = try? AlertTemplate(text, alert: "fuzz") else { return }
        let labels = Labels([("instance", "host:9100"), ("job", "node"), ("é", "ü"), ("n", "-1.5e9")])
        let data = TemplateData(
            labels: labels, externalLabels: labels, externalURL: "http://martlet.example/prefix", value: .float(0.123))
        let functions = AlertTemplateFunctions(now: 1_700_000_000_000, externalURL: "http://martlet.example/prefix") {
            $0.isEmpty
                ? [] : [TemplateSample(labels: labels, value: .infinity), TemplateSample(labels: labels, value: 7)]
        }
        guard let expanded = try? template.expand(data, functions) else { return }
        if expanded.utf8.count > 64 << 20 { fatalError("\(expanded.utf8.count) bytes") }
    }

    /// The same text as a template of notifications: as plain text, as a page and as JSON.
    private static func notificationTemplate(_ text: String) {
        let labels = Labels([("alertname", "a<b"), ("job", "node")])
        let data = NotificationData(
            receiver: "r", alerts: [NotificationData.Item(labels: labels, startsAt: 1_700_000_000_000)],
            groupLabels: labels, externalURL: "http://martlet.example")
        let templates = NotificationTemplates.standard
        for output in [try? templates.text(text, data), try? templates.html(text, data)] {
            if let output, output.utf8.count > 64 << 20 { fatalError("\(output.utf8.count) bytes") }
        }
        _ = try? templates.json(.text(text), data)
        _ = try? templates.adding(routeLabels: [("a", text), ("b", text)], to: data)
        if NotificationTemplates.check(text) == nil { _ = templates.check(text) }
    }
}
