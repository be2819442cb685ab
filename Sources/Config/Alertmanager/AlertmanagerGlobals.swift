import GoCompatibility
import Model

/// The settings of `global`.
///
/// Those of receivers that are not supported yet are checked and not used.
extension AlertmanagerConfig {
    private static let texts = [
        "smtp_from", "smtp_hello", "smtp_auth_username", "smtp_auth_password", "smtp_auth_password_file",
        "smtp_auth_secret", "smtp_auth_secret_file", "smtp_auth_identity", "slack_api_url_file", "slack_app_token",
        "slack_app_token_file", "opsgenie_api_key", "opsgenie_api_key_file", "wechat_api_secret",
        "wechat_api_secret_file", "wechat_api_corp_id", "victorops_api_key", "victorops_api_key_file",
        "telegram_bot_token", "telegram_bot_token_file", "rocketchat_token", "rocketchat_token_file",
        "rocketchat_token_id", "rocketchat_token_id_file", "mattermost_webhook_url_file",
    ]
    private static let urls = [
        "slack_api_url", "slack_app_url", "pagerduty_url", "opsgenie_api_url", "wechat_api_url", "victorops_api_url",
        "telegram_api_url", "webex_api_url", "rocketchat_api_url", "mattermost_webhook_url", "jira_api_url",
    ]

    mutating func readGlobal(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        resolveTimeout = try reader.duration("resolve_timeout", 300_000)
        if let http = try reader.mapping("http_config", "config.HTTPClientConfig") {
            client = try HTTPClientConfig(http, loading: loading)
            http.finish()
        }
        if let tls = try reader.mapping("smtp_tls_config", "config.TLSConfig") {
            _ = try TLSClientConfig(section: tls, loading: loading)
        }
        for key in ["smtp_require_tls", "smtp_force_implicit_tls"] { _ = try reader.bool(key) }
        for key in Self.texts { _ = try reader.string(key) }
        for key in Self.urls {
            if let url = try reader.string(key) { try reader.checkHTTPURL(url, key) }
        }
        if let address = try reader.string("smtp_smarthost") { try reader.checkHostAndPort(address, "smtp_smarthost") }
        try Self.checkExclusive(reader)
        reader.finish()
    }

    /// Refuses two ways to give the same secret; an empty value counts as not given.
    private static func checkExclusive(_ reader: MappingReader) throws(ConfigError) {
        func isGiven(_ key: String) throws(ConfigError) -> Bool { try reader.string(key, "").isEmpty == false }
        func refuse(_ key: String, _ names: String) -> ConfigError {
            reader.place(of: key).error("at most one of \(names) must be configured")
        }
        for file in texts where file.hasSuffix("_file") {
            let inline = String(file.dropLast(5))
            if try isGiven(file), try isGiven(inline) { throw refuse(file, "\(inline) & \(file)") }
        }
        let tokens = ["slack_app_token", "slack_app_token_file"]
        let urls = ["slack_api_url", "slack_api_url_file"]
        // Before there were tokens, the URL of the API for them was given in the setting of the webhook.
        let appURL = try reader.string("slack_app_url", "https://slack.com/api/chat.postMessage")
        if try reader.string("slack_api_url", "").isExactly(appURL) { return }
        for token in tokens {
            for url in urls {
                guard try isGiven(token), try isGiven(url) else { continue }
                throw refuse(token, "\(tokens.joined(separator: "/")) & \(urls.joined(separator: "/"))")
            }
        }
    }
}

extension MappingReader {
    /// Refuses a text that is not an HTTP URL with a host.
    ///
    /// The placeholder of a shown configuration counts as a URL. A URL may be a secret, so no part of it is shown.
    func checkHTTPURL(_ text: String, _ key: String) throws(ConfigError) {
        if text == "<secret>" { return }
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
