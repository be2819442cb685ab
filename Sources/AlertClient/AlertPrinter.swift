import Config
import GoCompatibility
import JSON
import Model
import Notify

/// Alerts and silences as text, in amtool's forms.
package struct AlertPrinter: Sendable {
    /// The value of `--output`.
    package enum Form: String, CaseIterable, Sendable {
        case simple, extended, json
    }

    private let form: Form
    /// The layout of times, in Go's notation.
    private let dateLayout: String

    package init(_ form: Form, dateLayout: String) {
        self.form = form
        self.dateLayout = dateLayout
    }

    /// Alerts, sorted by their start, but as JSON in the server's order.
    package func text(_ alerts: [RemoteAlert]) -> String {
        if form == .json { return Self.json(alerts.map(\.json)) }
        var table = TextTable(
            form == .simple
                ? ["Alertname", "Starts At", "Summary", "State"]
                : ["Labels", "Annotations", "Starts At", "Ends At", "Generator URL", "State"])
        func value(_ pairs: [(name: String, value: String)], _ name: String) -> String {
            pairs.last { $0.name.isExactly(name) }?.value ?? ""
        }
        for alert in Self.sorted(alerts, by: \.startsAt) {
            let start = alert.startsAt.format(dateLayout)
            table.add(
                form == .simple
                    ? [value(alert.labels, "alertname"), start, value(alert.annotations, "summary"), alert.state]
                    : [
                        Self.pairs(alert.labels), Self.pairs(alert.annotations), start,
                        alert.endsAt.format(dateLayout), alert.generatorURL, alert.state,
                    ])
        }
        return table.text
    }

    /// Silences, sorted by their end, but as JSON in the given order.
    package func text(_ silences: [RemoteSilence]) -> String {
        if form == .json { return Self.json(silences.map(\.json)) }
        var table = TextTable(
            form == .simple
                ? ["ID", "Matchers", "Ends At", "Created By", "Comment"]
                : ["ID", "Matchers", "Starts At", "Ends At", "Updated At", "Created By", "Comment"])
        for silence in Self.sorted(silences, by: \.endsAt) {
            let matchers = silence.matchers.map { AlertMatchers.text($0.name, $0.sign, $0.value) }
            let end = silence.endsAt.format(dateLayout)
            table.add(
                form == .simple
                    ? [silence.id, matchers.joined(separator: " "), end, silence.createdBy, silence.comment]
                    : [
                        silence.id, "{" + matchers.joined(separator: ",") + "}", silence.startsAt.format(dateLayout),
                        end, silence.updatedAt.format(dateLayout), silence.createdBy, silence.comment,
                    ])
        }
        return table.text
    }

    private static func json(_ values: [JSONValue]) -> String {
        String(decoding: ReceiverJSON.encode(.array(values)), as: UTF8.self)
    }

    private static func pairs(_ pairs: [(name: String, value: String)]) -> String {
        let texts = pairs.map { ExactText("\($0.name)=\(LabelText.quoted($0.value))") }
        return texts.sorted().map(\.text).joined(separator: " ")
    }

    private static func sorted<Element>(_ elements: [Element], by time: (Element) -> GoTime) -> [Element] {
        elements.enumerated().sorted { a, b in
            let (first, second) = (time(a.element), time(b.element))
            return first.isSameMoment(as: second) ? a.offset < b.offset : first.isBefore(second)
        }.map(\.element)
    }
}
