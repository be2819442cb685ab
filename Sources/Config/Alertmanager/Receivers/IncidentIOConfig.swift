import Model

/// One `incidentio_configs` entry.
package struct IncidentIOConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    /// With the token as authorization, if there is one; relative paths of an own client start at the working directory.
    package var client: HTTPClientConfig
    package var url: SecretSource
    package var token: SecretSource
    /// The most alerts of a notification; 0 for all.
    package var maxAlerts: Int
    /// Milliseconds; 0 for none.
    package var timeout: Int64

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.IncidentioConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.loading.inWorkingDirectory { () throws(ConfigError) in try context.client(reader) }
        url = SecretSource(text: try reader.httpURL("url") ?? "", file: try reader.string("url_file", ""))
        token = SecretSource(
            text: try reader.string("alert_source_token", ""), file: try reader.string("alert_source_token_file", ""))
        maxAlerts = try reader.count("max_alerts") ?? 0
        timeout = try reader.goDuration("timeout") ?? 0
        let own = try reader.mapping("http_config", "")
        reader.finish()
        if url.isEmpty { throw place.error("one of url or url_file must be configured") }
        try reader.exclude(url, "url", "url_file")
        try reader.exclude(token, "alert_source_token", "alert_source_token_file")
        guard !token.isEmpty else {
            if own != nil, client.authorization == nil {
                throw place.error(
                    "at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured"
                )
            }
            return
        }
        if own != nil, client.authorization != nil {
            throw place.error(
                "at most one of alert_source_token, alert_source_token_file & http_config.authorization must be configured"
            )
        }
        client.authorization = HTTPClientConfig.Authorization(credentials: token.text, credentialsFile: token.file)
    }
}
