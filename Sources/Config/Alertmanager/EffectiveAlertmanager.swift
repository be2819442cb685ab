import GoCompatibility
import Model

extension AlertmanagerConfig {
    /// The configuration as YAML, as `/api/v2/status` shows it: with all defaults and what receivers inherit, matchers
    /// in one notation, keys in Alertmanager's order, secrets hidden.
    ///
    /// It can be read again. Keys that old tools do not know are left out while they have their defaults, so that amtool
    /// reads it since 0.25; `event_recorder`, which has no effect, is left out, too.
    package var effectiveText: String {
        var out = EffectiveMap()
        out.add("global", globals.effective)
        out.add("route", route.effective)
        out.unlessEmpty("inhibit_rules", .list(inhibitRules.map(\.effective)))
        out.unlessEmpty("receivers", .list(receivers.map(\.effective)))
        out.add("templates", .strings(templates))
        out.unlessEmpty("time_intervals", .list(timeIntervals.map(\.effective)))
        if let tracing { out.add("tracing", tracing.effective) }
        return YAMLText.map(out.members).document
    }
}

extension EffectiveMap {
    /// A template that has a default: also an empty one differs from an absent one.
    mutating func template(_ key: String, _ template: TemplateText) { add(key, .string(template.text)) }

    mutating func optional(_ key: String, _ template: TemplateText) { text(key, template.text) }

    /// A secret as text or in a file.
    mutating func secret(_ key: String, _ secret: SecretSource) {
        self.secret(key, secret.text)
        text(key + "_file", secret.file)
    }

    mutating func goDuration(_ key: String, _ milliseconds: Int64) {
        add(key, .string(GoDuration.text(milliseconds.multipliedReportingOverflow(by: 1_000_000).partialValue)))
    }

    mutating func pairs(_ key: String, _ pairs: [TemplatePair]) {
        unlessEmpty(key, .sorted(pairs.map { ($0.name, .string($0.value.text)) }))
    }

    mutating func tree(_ key: String, _ members: [TemplateTree.Member]) {
        unlessEmpty(key, TemplateTree.map(members).effective)
    }

    mutating func matchers(_ key: String, _ matchers: [Matcher]) {
        unlessEmpty(key, .strings(matchers.map(\.alertmanagerText)))
    }

    mutating func client(_ client: HTTPClientConfig) { add("http_config", .map(client.effective.members)) }
}

extension TemplateTree {
    var effective: YAMLText {
        switch self {
        case .null: .plain("null")
        case .bool(let isOn): .bool(isOn)
        case .integer(let number): .plain("\(number)")
        case .unsigned(let number): .plain("\(number)")
        case .number(let number):
            .plain(number.isFinite ? "\(number)" : number.isNaN ? ".nan" : number < 0 ? "-.inf" : ".inf")
        case .text(let template): .string(template.text)
        case .list(let elements): .list(elements.map(\.effective))
        case .map(let members): .map(members.map { ($0.key.text, $0.value.effective) })
        }
    }
}

extension AlertmanagerGlobals {
    fileprivate var effective: YAMLText {
        let standard = AlertmanagerGlobals()
        var out = EffectiveMap()
        out.add("resolve_timeout", .string(DurationText.format(resolveTimeout)))
        out.client(client)
        out.optional("smtp_from", smtpFrom)
        out.add("smtp_hello", .string(smtpHello))
        out.text("smtp_smarthost", smtpSmarthost)
        out.text("smtp_auth_username", smtpAuthUsername)
        out.secret("smtp_auth_password", smtpAuthPassword)
        out.secret("smtp_auth_secret", smtpAuthSecret)
        out.text("smtp_auth_identity", smtpAuthIdentity)
        out.add("smtp_require_tls", .bool(smtpRequireTLS))
        out.unlessEmpty("smtp_tls_config", smtpTLS.effective)
        if let smtpForceImplicitTLS { out.add("smtp_force_implicit_tls", .bool(smtpForceImplicitTLS)) }
        out.secret("slack_api_url", slackAPIURL)
        out.secret("slack_app_token", slackAppToken)
        if slackAppURL != standard.slackAppURL { out.url("slack_app_url", slackAppURL) }
        out.url("pagerduty_url", pagerDutyURL)
        out.url("opsgenie_api_url", opsGenieAPIURL)
        out.secret("opsgenie_api_key", opsGenieAPIKey)
        out.url("wechat_api_url", weChatAPIURL)
        out.secret("wechat_api_secret", weChatAPISecret)
        out.text("wechat_api_corp_id", weChatCorpID)
        out.url("victorops_api_url", victorOpsAPIURL)
        out.secret("victorops_api_key", victorOpsAPIKey)
        out.url("telegram_api_url", telegramAPIURL)
        out.secret("telegram_bot_token", telegramBotToken)
        out.url("webex_api_url", webexAPIURL)
        if rocketchatAPIURL != standard.rocketchatAPIURL { out.url("rocketchat_api_url", rocketchatAPIURL) }
        out.secret("rocketchat_token", rocketchatToken)
        out.secret("rocketchat_token_id", rocketchatTokenID)
        out.secret("mattermost_webhook_url", mattermostWebhookURL)
        if !jiraAPIURL.isEmpty { out.url("jira_api_url", jiraAPIURL) }
        return .map(out.members)
    }
}

extension EffectiveMap {
    /// A URL without its password; null if the file sets it to null.
    mutating func url(_ key: String, _ url: String) {
        add(key, url.isEmpty ? .plain("null") : .string(ConfigURL.shown(url)))
    }
}

extension RouteConfig {
    fileprivate var effective: YAMLText {
        var out = EffectiveMap()
        out.text("receiver", receiver ?? "")
        if groupByAll {
            out.add("group_by", .strings(["..."]))
        } else if let groupBy {
            out.add("group_by", .strings(groupBy))
        }
        out.matchers("matchers", matchers)
        out.unlessEmpty("mute_time_intervals", .strings(muteTimeIntervals))
        out.unlessEmpty("active_time_intervals", .strings(activeTimeIntervals))
        out.add("continue", .bool(continues))
        out.unlessEmpty("routes", .list(routes.map(\.effective)))
        for (key, duration) in [
            ("group_wait", groupWait), ("group_interval", groupInterval), ("repeat_interval", repeatInterval),
        ] {
            if let duration { out.add(key, .string(DurationText.format(duration))) }
        }
        out.pairs("labels", labels)
        return .map(out.members)
    }
}

extension InhibitRuleConfig {
    fileprivate var effective: YAMLText {
        var out = EffectiveMap()
        out.text("name", name)
        out.matchers("source_matchers", source)
        out.matchers("target_matchers", target)
        // The empty name stands for a null.
        out.unlessEmpty("equal", .list(equal.map { $0.isEmpty ? .plain("null") : .string($0) }))
        return .map(out.members)
    }
}

extension TimeIntervalConfig {
    fileprivate var effective: YAMLText {
        if name.isEmpty { return .plain("null") }
        return .map([("name", .string(name)), ("time_intervals", .list(intervals.map(\.effective)))])
    }
}

extension TimeIntervalConfig.Interval {
    private static let weekdayNames = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]

    fileprivate var effective: YAMLText {
        func range(_ first: Int, _ last: Int, _ text: (Int) -> String = { "\($0)" }) -> YAMLText {
            .string(first == last ? text(first) : text(first) + ":" + text(last))
        }
        func minutes(_ minutes: Int) -> YAMLText {
            .string((minutes / 60).zeroPadded(2) + ":" + (minutes % 60).zeroPadded(2))
        }
        func weekday(_ day: Int) -> String { Self.weekdayNames.indices.contains(day) ? Self.weekdayNames[day] : "" }
        var out = EffectiveMap()
        out.unlessEmpty(
            "times",
            .list(
                times.map { time in
                    // A null is no time at all.
                    if time.isEmpty { return .plain("null") }
                    return .map([("start_time", minutes(time.lowerBound)), ("end_time", minutes(time.upperBound))])
                }))
        out.unlessEmpty("weekdays", .list(weekdays.map { range($0.lowerBound, $0.upperBound, weekday) }))
        out.unlessEmpty(
            "days_of_month",
            .list(daysOfMonth.map { $0 == (0, 0) ? .plain("null") : range($0.begin, $0.end) }))
        out.unlessEmpty("months", .list(months.map { range($0.lowerBound, $0.upperBound) }))
        out.unlessEmpty("years", .list(years.map { range($0.lowerBound, $0.upperBound) }))
        out.text("location", location)
        return .map(out.members)
    }
}

extension TracingConfig {
    fileprivate var effective: YAMLText {
        var out = EffectiveMap()
        out.add("client_type", .string(clientType))
        out.url("endpoint", endpoint)
        out.add("sampling_fraction", .plain("\(samplingFraction)"))
        out.add("insecure", .bool(insecure))
        out.unlessEmpty("tls_config", tls.effective)
        out.unlessEmpty("headers", .sorted(headers.map { ($0.name, EffectiveMap.hidden) }))
        out.text("compression", compression)
        out.duration("timeout", timeout)
        return .map(out.members)
    }
}
