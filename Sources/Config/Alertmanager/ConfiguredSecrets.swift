/// The secrets in the text of a file of Alertmanager, found by their keys.
///
/// Errors and answers of receivers must show none of them, whichever receiver they belong to.
enum ConfiguredSecrets {
    /// The keys whose values are secret everywhere.
    private static let keys: Set<String> = [
        "alert_source_token", "api_key", "api_secret", "app_token", "auth_password", "auth_secret", "bearer_token",
        "bot_token", "client_secret", "credentials", "key", "mattermost_webhook_url", "opsgenie_api_key", "password",
        "rocketchat_token", "rocketchat_token_id", "routing_key", "secret_key", "service_key", "slack_api_url",
        "slack_app_token", "smtp_auth_password", "smtp_auth_secret", "telegram_bot_token", "token", "token_id",
        "user_key", "victorops_api_key", "webhook_url", "wechat_api_secret",
    ]
    /// The keys whose values are secret in the entries of some lists.
    private static let listKeys: [String: String] = [
        "webhook_configs": "url", "webhook_outputs": "url", "incidentio_configs": "url", "slack_configs": "api_url",
    ]
    /// The deepest nesting of mappings and lists that has secrets.
    private static let depth = 12

    static func texts(in root: YAMLNode) -> [String] {
        var found: [String] = []
        collect(root, within: "", depth: depth, &found)
        return found
    }

    /// - Parameter list: The key of the list or mapping that contains the node.
    private static func collect(_ node: YAMLNode, within list: String, depth: Int, _ found: inout [String]) {
        if depth == 0 { return }
        for element in node.elements ?? [] { collect(element, within: list, depth: depth - 1, &found) }
        for (key, value) in node.members ?? [] {
            guard let name = key.text else { continue }
            if name == "secrets" || name == "proxy_connect_header" {
                addAll(value, depth: depth - 1, &found)
            } else if keys.contains(name) || listKeys[list] == name {
                add(value, &found)
            }
            // The fields of messages are no settings, and have any names.
            if ["payload", "details", "fields", "annotations", "labels"].contains(name) { continue }
            collect(value, within: name, depth: depth - 1, &found)
        }
    }

    private static func add(_ node: YAMLNode, _ found: inout [String]) {
        // The values of templates are known when they are used.
        if let text = node.text, !node.isNull, !text.contains("{{") { found.append(text) }
    }

    private static func addAll(_ node: YAMLNode, depth: Int, _ found: inout [String]) {
        if depth == 0 { return }
        add(node, &found)
        for element in node.elements ?? [] { addAll(element, depth: depth - 1, &found) }
        for (_, value) in node.members ?? [] { addAll(value, depth: depth - 1, &found) }
    }
}
