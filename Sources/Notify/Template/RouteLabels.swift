import GoTemplate
import Model
import Synchronization

extension NotificationTemplates {
    /// The data with the rendered labels of its route, which may refer to each other.
    ///
    /// The templates of labels see the data without labels of the route, and with the reason `unknown`.
    package func adding(
        routeLabels: [(name: String, template: String)], to data: NotificationData
    ) throws(TemplateError) -> NotificationData {
        var plain = data
        plain.notificationReason = "unknown"
        plain.routeLabels = .empty
        let rendering = RouteLabelRendering(routeLabels, self, plain)
        var labels: [(String, String)] = []
        for (name, _) in routeLabels {
            switch rendering.value(of: name, from: []) {
            case .success(let text): labels.append((name, text))
            case .failure(let error): throw error
            }
        }
        var result = data
        result.routeLabels = Labels(keepingEmpty: labels)
        return result
    }
}

/// The labels of a route while they are rendered: each once, before those that refer to it.
private final class RouteLabelRendering: Sendable {
    /// The longest chain of labels that refer to each other.
    private static let maximumDepth = 20

    private let labels: [ExactText: String]
    private let templates: NotificationTemplates
    private let data: NotificationData
    private let done = Mutex<[ExactText: String]>([:])

    init(_ labels: [(name: String, template: String)], _ templates: NotificationTemplates, _ data: NotificationData) {
        self.labels = [ExactText: String](
            labels.map { (ExactText($0.name), $0.template) }, uniquingKeysWith: { $1 })
        self.templates = templates
        self.data = data
    }

    /// The value of a label, which the labels of `path` need; empty if there is none.
    func value(of name: String, from path: [String]) -> Result<String, TemplateError> {
        if let known = done.withLock({ $0[ExactText(name)] }) { return .success(known) }
        guard let template = labels[ExactText(name)] else { return .success("") }
        let own = path + [name]
        if path.contains(where: { $0.isExactly(name) }) {
            let cycle = own.drop { !$0.isExactly(name) }
            return .failure(TemplateError("route label cycle detected: " + cycle.joined(separator: " -> ")))
        }
        if own.count > Self.maximumDepth {
            return .failure(
                TemplateError("route labels refer to each other over more than \(Self.maximumDepth) steps"))
        }
        do throws(TemplateError) {
            let text = try templates.render(template, data, isHTML: false) { other in
                switch self.value(of: other, from: own) {
                case .success(let text): .value(.string(text))
                case .failure(let error): .failed(error.description)
                }
            }
            done.withLock { $0[ExactText(name)] = text }
            return .success(text)
        } catch { return .failure(error) }
    }
}
