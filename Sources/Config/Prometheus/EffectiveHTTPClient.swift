extension HTTPClientConfig {
    /// The inline keys of a section with an HTTP client.
    var effective: EffectiveMap {
        var out = EffectiveMap()
        if let basicAuth { out.add("basic_auth", basicAuth.effective) }
        if let authorization { out.add("authorization", authorization.effective) }
        if let oauth2 { out.add("oauth2", oauth2.effective) }
        out.unlessEmpty("tls_config", tls.effective)
        out.add("follow_redirects", .bool(followRedirects))
        out.add("enable_http2", .bool(enableHTTP2))
        out.add(proxy.effective)
        out.unlessEmpty("http_headers", .sorted(headers.map { ($0.name, $0.effective) }))
        return out
    }
}

extension ProxyConfig {
    /// The inline keys of a client's section.
    var effective: EffectiveMap {
        var out = EffectiveMap()
        out.text("proxy_url", ConfigURL.shown(url))
        out.text("no_proxy", exceptions)
        out.switchedOn("proxy_from_environment", isFromEnvironment)
        out.unlessEmpty(
            "proxy_connect_header",
            .sorted(
                connectHeaders.map { header in
                    (header.name, .list(header.secrets.map { _ in EffectiveMap.hidden }))
                }))
        return out
    }
}

extension HTTPClientConfig.BasicAuth {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.text("username", username)
        out.text("username_file", usernameFile)
        out.secret("password", password)
        out.text("password_file", passwordFile)
        return .map(out.members)
    }
}

extension HTTPClientConfig.Authorization {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.text("type", type)
        out.secret("credentials", credentials)
        out.text("credentials_file", credentialsFile)
        return .map(out.members)
    }
}

extension HTTPClientConfig.Header {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.unlessEmpty("values", .strings(values))
        out.unlessEmpty("secrets", .list(secrets.map { _ in EffectiveMap.hidden }))
        out.unlessEmpty("files", .strings(files))
        return .map(out.members)
    }
}

extension TLSClientConfig {
    /// The section; empty if it has only default values.
    var effective: YAMLText {
        if self == TLSClientConfig() { return .map([]) }
        var out = EffectiveMap()
        out.text("ca", ca)
        out.text("cert", cert)
        out.secret("key", key)
        out.text("ca_file", caFile)
        out.text("cert_file", certFile)
        out.text("key_file", keyFile)
        out.text("server_name", serverName)
        out.add("insecure_skip_verify", .bool(insecureSkipVerify))
        out.text("min_version", minVersion)
        out.text("max_version", maxVersion)
        return .map(out.members)
    }
}
