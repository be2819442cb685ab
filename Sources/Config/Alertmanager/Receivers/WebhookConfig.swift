import GoCompatibility
import Model

/// One webhook of a receiver.
package struct WebhookConfig: Sendable {
    package var place: ConfigPlace
    /// Empty if the URL is in a file.
    package var url: TemplateText
    package var urlFile: String
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    /// The most alerts of a notification; 0 for all.
    package var maxAlerts: Int
    /// The timeout in milliseconds; 0 for none.
    package var timeout: Int64
    /// The template of the body; nil for the usual one.
    package var payload: TemplateTree?

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.WebhookConfig")
        place = node.place
        url = try reader.template("url")
        // As in Alertmanager, the path is relative to the working directory and not to the configuration.
        urlFile = try reader.string("url_file", "")
        sendResolved = try reader.bool("send_resolved", true)
        maxAlerts = try reader.count("max_alerts") ?? 0
        timeout = try reader.goDuration("timeout") ?? 0
        payload = reader.node("payload").flatMap { $0.isNull ? nil : TemplateTree($0) }
        client = try context.client(reader)
        reader.finish()
        if url.isEmpty, urlFile.isEmpty { throw place.error("one of url or url_file must be configured") }
        if !url.isEmpty, !urlFile.isEmpty { throw place.error("at most one of url & url_file must be configured") }
        if url.hasActions {
            context.loading.checkedTemplates.append(url)
        } else if !url.isEmpty {
            do throws(ConfigError) {
                try reader.checkHTTPURL(url.text, "url")
            } catch {
                var named = error
                named.message = "invalid URL: " + error.message
                throw named
            }
        }
    }
}
