import GoCompatibility
import Model

/// The settings of `global`, which receivers inherit.
///
/// A URL is empty if the file sets it to null.
package struct AlertmanagerGlobals: Sendable {
    /// The milliseconds after which an alert without an end counts as resolved.
    package var resolveTimeout: Int64 = 300_000
    package var client = HTTPClientConfig()
    package var smtpFrom = TemplateText("", ConfigPlace(file: "", line: 0, column: 0))
    package var smtpHello = "localhost"
    package var smtpSmarthost = ""
    package var smtpAuthUsername = ""
    package var smtpAuthPassword = SecretSource()
    package var smtpAuthSecret = SecretSource()
    package var smtpAuthIdentity = ""
    package var smtpRequireTLS = true
    package var smtpTLS = TLSClientConfig()
    package var smtpForceImplicitTLS: Bool?
    package var slackAPIURL = SecretSource()
    package var slackAppToken = SecretSource()
    package var slackAppURL = SlackConfig.postMessage
    package var pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"
    package var opsGenieAPIURL = "https://api.opsgenie.com/"
    package var opsGenieAPIKey = SecretSource()
    package var weChatAPIURL = "https://qyapi.weixin.qq.com/cgi-bin/"
    package var weChatAPISecret = SecretSource()
    package var weChatCorpID = ""
    package var victorOpsAPIURL = "https://alert.victorops.com/integrations/generic/20131114/alert/"
    package var victorOpsAPIKey = SecretSource()
    package var telegramAPIURL = "https://api.telegram.org"
    package var telegramBotToken = SecretSource()
    package var webexAPIURL = "https://webexapis.com/v1/messages"
    package var rocketchatAPIURL = "https://open.rocket.chat/"
    package var rocketchatToken = SecretSource()
    package var rocketchatTokenID = SecretSource()
    package var mattermostWebhookURL = SecretSource()
    package var jiraAPIURL = ""

    package init() {}
}

extension AlertmanagerGlobals {
    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        resolveTimeout = try reader.duration("resolve_timeout", 300_000)
        if let http = try reader.mapping("http_config", "config.HTTPClientConfig") {
            client = try HTTPClientConfig(http, loading: loading)
            http.finish()
        }
        try readMail(reader, loading)
        try readURLs(reader)
        try readSecrets(reader)
        reader.finish()
        try checkPairs(reader)
    }

    private mutating func readMail(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        smtpFrom = try reader.template("smtp_from")
        smtpHello = try reader.string("smtp_hello", "localhost")
        smtpSmarthost = try reader.string("smtp_smarthost", "")
        try reader.checkHostAndPort(smtpSmarthost, "smtp_smarthost")
        smtpAuthUsername = try reader.string("smtp_auth_username", "")
        smtpAuthIdentity = try reader.string("smtp_auth_identity", "")
        smtpRequireTLS = try reader.bool("smtp_require_tls", true)
        smtpForceImplicitTLS = try reader.bool("smtp_force_implicit_tls")
        if let section = try reader.mapping("smtp_tls_config", "config.TLSConfig") {
            // Unlike those of HTTP clients, as in Alertmanager.
            smtpTLS = try loading.inWorkingDirectory { () throws(ConfigError) in
                try TLSClientConfig(section: section, loading: loading)
            }
        }
    }

    private mutating func readURLs(_ reader: MappingReader) throws(ConfigError) {
        func url(_ text: String?, _ key: String, _ standard: String) -> String {
            text ?? (reader.has(key) ? "" : standard)
        }
        slackAppURL = url(try reader.httpURL("slack_app_url"), "slack_app_url", slackAppURL)
        pagerDutyURL = url(try reader.httpURL("pagerduty_url"), "pagerduty_url", pagerDutyURL)
        opsGenieAPIURL = url(try reader.httpURL("opsgenie_api_url"), "opsgenie_api_url", opsGenieAPIURL)
        weChatAPIURL = url(try reader.httpURL("wechat_api_url"), "wechat_api_url", weChatAPIURL)
        victorOpsAPIURL = url(try reader.httpURL("victorops_api_url"), "victorops_api_url", victorOpsAPIURL)
        telegramAPIURL = url(try reader.httpURL("telegram_api_url"), "telegram_api_url", telegramAPIURL)
        webexAPIURL = url(try reader.httpURL("webex_api_url"), "webex_api_url", webexAPIURL)
        rocketchatAPIURL = url(try reader.httpURL("rocketchat_api_url"), "rocketchat_api_url", rocketchatAPIURL)
        jiraAPIURL = try reader.httpURL("jira_api_url") ?? ""
    }

    private mutating func readSecrets(_ reader: MappingReader) throws(ConfigError) {
        smtpAuthPassword.text = try reader.string("smtp_auth_password", "")
        smtpAuthPassword.file = try reader.string("smtp_auth_password_file", "")
        smtpAuthSecret.text = try reader.string("smtp_auth_secret", "")
        smtpAuthSecret.file = try reader.string("smtp_auth_secret_file", "")
        slackAPIURL.text = try reader.httpURL("slack_api_url") ?? ""
        slackAPIURL.file = try reader.string("slack_api_url_file", "")
        slackAppToken.text = try reader.string("slack_app_token", "")
        slackAppToken.file = try reader.string("slack_app_token_file", "")
        opsGenieAPIKey.text = try reader.string("opsgenie_api_key", "")
        opsGenieAPIKey.file = try reader.string("opsgenie_api_key_file", "")
        weChatAPISecret.text = try reader.string("wechat_api_secret", "")
        weChatAPISecret.file = try reader.string("wechat_api_secret_file", "")
        weChatCorpID = try reader.string("wechat_api_corp_id", "")
        victorOpsAPIKey.text = try reader.string("victorops_api_key", "")
        victorOpsAPIKey.file = try reader.string("victorops_api_key_file", "")
        telegramBotToken.text = try reader.string("telegram_bot_token", "")
        telegramBotToken.file = try reader.string("telegram_bot_token_file", "")
        rocketchatToken.text = try reader.string("rocketchat_token", "")
        rocketchatToken.file = try reader.string("rocketchat_token_file", "")
        rocketchatTokenID.text = try reader.string("rocketchat_token_id", "")
        rocketchatTokenID.file = try reader.string("rocketchat_token_id_file", "")
        mattermostWebhookURL.text = try reader.httpURL("mattermost_webhook_url") ?? ""
        mattermostWebhookURL.file = try reader.string("mattermost_webhook_url_file", "")
    }

    /// Refuses two ways to give the same secret, and both ways of Slack.
    private func checkPairs(_ reader: MappingReader) throws(ConfigError) {
        for (key, pair) in [
            ("slack_app_token", slackAppToken), ("slack_api_url", slackAPIURL), ("opsgenie_api_key", opsGenieAPIKey),
            ("victorops_api_key", victorOpsAPIKey), ("telegram_bot_token", telegramBotToken),
            ("smtp_auth_password", smtpAuthPassword), ("rocketchat_token", rocketchatToken),
            ("rocketchat_token_id", rocketchatTokenID), ("smtp_auth_secret", smtpAuthSecret),
            ("wechat_api_secret", weChatAPISecret), ("mattermost_webhook_url", mattermostWebhookURL),
        ] { try reader.exclude(pair, key, key + "_file") }
        // Before there were tokens, the URL of the API for them was given in the setting of the webhook.
        if slackAppToken.isEmpty || slackAPIURL.isEmpty { return }
        if [slackAppURL, SecretSource.hidden].contains(where: slackAPIURL.text.isExactly) { return }
        let given = reader.keys.first { $0 == "slack_app_token" || $0 == "slack_app_token_file" }
        throw reader.place(of: given ?? "").error(
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured"
        )
    }
}

extension MappingReader {
    /// Refuses a text that is not an HTTP URL with a host.
    ///
    /// The placeholder of a shown configuration counts as a URL. A URL may be a secret, so no part of it is shown.
    func checkHTTPURL(_ text: String, _ key: String) throws(ConfigError) {
        if text == SecretSource.hidden { return }
        let parts = try urlParts(text, key)
        guard parts.scheme == "http" || parts.scheme == "https" else {
            throw place(of: key).error("unsupported scheme for URL: expected http or https (\(key))")
        }
        if parts.host.isEmpty { throw place(of: key).error("missing host for URL (\(key))") }
    }

    /// Refuses a text that Go's `net.SplitHostPort` cannot split into host and port; an empty text means no address.
    func checkHostAndPort(_ text: String, _ key: String) throws(ConfigError) {
        func wrong(_ reason: String) -> ConfigError { place(of: key).error("address \(text): \(reason)") }
        if text.isEmpty { return }
        var rest = text.utf8[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { throw wrong("missing ']' in address") }
            rest = rest[rest.index(after: end)...]
            if rest.first.map({ $0 != UInt8(ascii: ":") }) ?? true { throw wrong("missing port in address") }
        }
        guard let colon = rest.firstIndex(of: UInt8(ascii: ":")) else { throw wrong("missing port in address") }
        let port = rest[rest.index(after: colon)...]
        if port.contains(UInt8(ascii: ":")) { throw wrong("too many colons in address") }
        if rest[..<colon].contains(where: { "[]".utf8.contains($0) }) { throw wrong("unexpected bracket in address") }
        if port.isEmpty { throw place(of: key).error("address \(GoQuote.quote(text)): port cannot be empty") }
    }

    /// A duration in Go's format, in ms; an integer is a number of nanoseconds.
    func goDuration(_ key: String) throws(ConfigError) -> Int64? {
        guard let text = try string(key) else { return nil }
        guard let nanoseconds = Int64(text) ?? GoDuration.parse(text) else {
            throw place(of: key).error("time: invalid duration \(GoQuote.quote(text)) (\(key))")
        }
        // A duration below a millisecond must not become 0, which means no limit.
        return nanoseconds > 0 ? max(1, nanoseconds / 1_000_000) : nanoseconds / 1_000_000
    }
}
