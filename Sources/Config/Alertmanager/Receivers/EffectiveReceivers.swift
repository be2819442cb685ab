import Model

extension ReceiverConfig {
    var effective: YAMLText {
        var out = EffectiveMap()
        out.add("name", .string(name))
        let own = labels.pairs.filter { $0.name != "name" }
        out.unlessEmpty("labels", .sorted(own.map { ($0.name, .string($0.value)) }))
        func add(_ feature: NotifierFeature, _ entries: [EffectiveMap]) {
            out.unlessEmpty(feature.rawValue, .list(entries.map { .map($0.members) }))
        }
        add(.discord, discords.map(\.effective))
        add(.email, emails.map(\.effective))
        add(.incidentIO, incidentIOs.map(\.effective))
        add(.pagerDuty, pagerDuties.map(\.effective))
        add(.slack, slacks.map(\.effective))
        add(.webhook, webhooks.map(\.effective))
        add(.opsGenie, opsGenies.map(\.effective))
        add(.weChat, weChats.map(\.effective))
        add(.pushover, pushovers.map(\.effective))
        add(.victorOps, victorOps.map(\.effective))
        add(.sns, snses.map(\.effective))
        add(.telegram, telegrams.map(\.effective))
        add(.webex, webexes.map(\.effective))
        add(.msTeams, msTeams.map(\.effective))
        add(.msTeamsV2, msTeamsV2.map(\.effective))
        add(.jira, jiras.map(\.effective))
        add(.rocketchat, rocketchats.map(\.effective))
        add(.mattermost, mattermosts.map(\.effective))
        return .map(out.members)
    }
}

extension EffectiveMap {
    /// The keys of all kinds.
    fileprivate init(_ sendsResolved: Bool, _ client: HTTPClientConfig?) {
        self.init()
        add("send_resolved", .bool(sendsResolved))
        if let client { self.client(client) }
    }

    fileprivate mutating func optionals(_ templates: KeyValuePairs<String, TemplateText>) {
        for (key, template) in templates { optional(key, template) }
    }

    fileprivate mutating func templates(_ templates: KeyValuePairs<String, TemplateText>) {
        for (key, template) in templates { self.template(key, template) }
    }

    /// A list of sections.
    fileprivate mutating func parts<T>(_ key: String, _ parts: [T], _ effective: (T) -> EffectiveMap) {
        unlessEmpty(key, .list(parts.map { .map(effective($0).members) }))
    }

    /// The map of templates that are left out if they are empty.
    fileprivate static func of(_ templates: KeyValuePairs<String, TemplateText>, short: Bool? = nil) -> EffectiveMap {
        var out = EffectiveMap()
        out.optionals(templates)
        if let short { out.add("short", .bool(short)) }
        return out
    }
}

extension HTTPClientConfig {
    /// The client without the authorization that a token of the receiver sets.
    fileprivate func without(_ token: SecretSource) -> HTTPClientConfig {
        if token.isEmpty { return self }
        var client = self
        client.authorization = nil
        return client
    }
}

extension WebhookConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        // Alertmanager shows only `<secret>`, which an amtool that is older than 0.26 refuses: for it this is no secret, but
        // a URL with a host. It also knows neither `url_file` nor `timeout`.
        if !url.text.isEmpty { out.add("url", .string("http://<secret>")) }
        out.text("url_file", urlFile)
        out.add("max_alerts", .plain("\(maxAlerts)"))
        if timeout != 0 { out.goDuration("timeout", timeout) }
        if let payload { out.add("payload", payload.effective) }
        return out
    }
}

extension EmailConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, nil)
        out.optionals(["to": to, "from": from])
        out.text("hello", hello)
        out.text("smarthost", smarthost)
        out.text("auth_username", authUsername)
        out.secret("auth_password", authPassword)
        out.secret("auth_secret", authSecret)
        out.text("auth_identity", authIdentity)
        out.pairs("headers", headers)
        out.template("html", html)
        out.optional("text", text)
        out.add("require_tls", .bool(requireTLS))
        out.unlessEmpty("tls_config", tls.effective)
        if let forceImplicitTLS { out.add("force_implicit_tls", .bool(forceImplicitTLS)) }
        if let threading {
            out.add("threading", .map([("enabled", .bool(true)), ("thread_by_date", .string(threading.rawValue))]))
        }
        return out
    }
}

extension SlackConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client.without(token))
        if token.isEmpty {
            out.secret("api_url", url)
        } else {
            out.secret("app_token", token)
            out.url("app_url", url.text)
        }
        out.optional("channel", channel)
        out.templates([
            "username": username, "color": color, "title": title, "title_link": titleLink, "pretext": pretext,
            "text": text,
        ])
        out.optional("message_text", messageText)
        out.parts("fields", fields) { .of(["title": $0.title, "value": $0.value], short: $0.isShort) }
        out.add("short_fields", .bool(shortFields))
        out.templates([
            "footer": footer, "fallback": fallback, "callback_id": callbackID, "icon_emoji": iconEmoji,
            "icon_url": iconURL,
        ])
        out.optionals(["image_url": imageURL, "thumb_url": thumbURL])
        out.add("link_names", .bool(linkNames))
        out.unlessEmpty("mrkdwn_in", .strings(markdownIn))
        out.parts("actions", actions, \.effective)
        out.switchedOn("update_message", updateMessage)
        if timeout != 0 { out.goDuration("timeout", timeout) }
        return out
    }
}

extension SlackConfig.Action {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap.of([
            "type": type, "text": text, "url": url, "style": style, "name": name, "value": value,
        ])
        if let confirm {
            let section = EffectiveMap.of([
                "text": confirm.text, "title": confirm.title, "ok_text": confirm.okText,
                "dismiss_text": confirm.dismissText,
            ])
            out.add("confirm", .map(section.members))
        }
        return out
    }
}

extension PagerDutyConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("service_key", serviceKey)
        out.secret("routing_key", routingKey)
        out.url("url", url)
        out.templates(["client": clientName, "client_url": clientURL, "description": description])
        out.tree("details", details)
        out.parts("images", images) { .of(["src": $0.source, "alt": $0.alt, "href": $0.href]) }
        out.parts("links", links) { .of(["href": $0.href, "text": $0.text]) }
        out.optionals([
            "source": source, "severity": severity, "class": className, "component": component, "group": group,
        ])
        if timeout != 0 { out.goDuration("timeout", timeout) }
        return out
    }
}

extension OpsGenieConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("api_key", apiKey)
        out.url("api_url", apiURL)
        out.templates(["message": message, "description": description, "source": source])
        out.pairs("details", details)
        out.optional("entity", entity)
        out.parts("responders", responders) {
            .of(["id": $0.id, "name": $0.name, "username": $0.username, "type": $0.type])
        }
        out.optionals(["actions": actions, "tags": tags, "note": note, "priority": priority])
        out.switchedOn("update_alerts", updateAlerts)
        return out
    }
}

extension DiscordConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("webhook_url", webhookURL)
        // Empty by default, and unknown to old tools.
        if content.text != "{{ template \"discord.default.content\" . }}" { out.template("content", content) }
        out.templates(["title": title, "message": message])
        out.text("username", username)
        out.text("avatar_url", avatarURL)
        return out
    }
}

extension MSTeamsConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("webhook_url", webhookURL)
        out.templates(["title": title, "summary": summary, "text": text])
        return out
    }
}

extension MSTeamsV2Config {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("webhook_url", webhookURL)
        out.templates(["title": title, "text": text])
        return out
    }
}

extension TelegramConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.url("api_url", apiURL)
        out.secret("bot_token", botToken)
        out.number("chat_id", chatID)
        out.text("chat_id_file", chatIDFile)
        out.number("message_thread_id", messageThreadID)
        out.template("message", message)
        out.switchedOn("disable_notifications", disableNotifications)
        out.add("parse_mode", .string(parseMode))
        return out
    }
}

extension PushoverConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("user_key", userKey)
        out.secret("token", token)
        out.templates(["title": title, "message": message, "url": url])
        out.optionals(["url_title": urlTitle, "device": device, "sound": sound])
        out.template("priority", priority)
        out.goDuration("retry", retry)
        out.goDuration("expire", expire)
        if ttl != 0 { out.goDuration("ttl", ttl) }
        out.switchedOn("html", html)
        out.switchedOn("monospace", monospace)
        return out
    }
}

extension VictorOpsConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("api_key", apiKey)
        out.url("api_url", apiURL)
        out.templates([
            "routing_key": routingKey, "message_type": messageType, "state_message": stateMessage,
            "entity_display_name": entityDisplayName, "monitoring_tool": monitoringTool,
        ])
        out.pairs("custom_fields", customFields)
        return out
    }
}

extension WebexConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.url("api_url", apiURL)
        out.templates(["message": message, "room_id": recipient])
        return out
    }
}

extension WeChatConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("api_secret", apiSecret)
        out.optional("corp_id", corpID)
        out.templates(["message": message])
        out.url("api_url", apiURL)
        out.templates(["to_user": toUser, "to_party": toParty, "to_tag": toTag, "agent_id": agentID])
        out.text("message_type", messageType)
        return out
    }
}

extension SNSConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.optional("api_url", apiURL)
        out.add("sigv4", sigV4.effective)
        out.optionals(["topic_arn": topicARN, "phone_number": phoneNumber, "target_arn": targetARN])
        out.templates(["subject": subject, "message": message])
        out.pairs("attributes", attributes)
        out.switchedOn("use_aws_http_client", useAWSClient)
        return out
    }
}

extension JiraConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.url("api_url", apiURL)
        out.add("api_type", .string(apiType))
        out.templates(["project": project])
        out.add("summary", summary.effective)
        out.add("description", description.effective)
        out.unlessEmpty("labels", .strings(labels.map(\.text)))
        out.templates(["priority": priority, "issue_type": issueType])
        out.optionals([
            "reopen_transition": reopenTransition, "resolve_transition": resolveTransition,
            "wont_fix_resolution": wontFixResolution,
        ])
        out.duration("reopen_duration", reopenDuration)
        out.tree("fields", fields)
        return out
    }
}

extension JiraConfig.Field {
    fileprivate var effective: YAMLText {
        if enableUpdate { return .string(template.text) }
        return .map([("template", .string(template.text)), ("enable_update", .bool(false))])
    }
}

extension RocketchatConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.url("api_url", apiURL)
        out.secret("token_id", tokenID)
        out.secret("token", token)
        out.optional("channel", channel)
        out.templates([
            "color": color, "title": title, "title_link": titleLink, "text": text,
        ])
        out.parts("fields", fields) { .of(["title": $0.title, "value": $0.value], short: $0.isShort) }
        out.add("short_fields", .bool(shortFields))
        out.templates(["emoji": emoji, "icon_url": iconURL])
        out.optionals(["image_url": imageURL, "thumb_url": thumbURL])
        out.add("link_names", .bool(linkNames))
        out.parts("actions", actions) { .of(["text": $0.text, "url": $0.url, "msg": $0.message]) }
        return out
    }
}

extension MattermostConfig {
    fileprivate var effective: EffectiveMap {
        var out = EffectiveMap(sendResolved, client)
        out.secret("webhook_url", webhookURL)
        out.optional("channel", channel)
        out.template("username", username)
        out.add(main.effective(isMain: true))
        out.optionals(["icon_url": iconURL, "icon_emoji": iconEmoji])
        out.parts("attachments", attachments) { $0.effective(isMain: false) }
        out.optional("type", type)
        if let card { out.add("props", .map([("card", .string(card.text))])) }
        if let priority {
            out.add(
                "priority",
                .map([
                    ("priority", .string(priority.priority.text)), ("requested_ack", .bool(priority.requestedAck)),
                    ("persistent_notifications", .bool(priority.persistentNotifications)),
                ]))
        }
        return out
    }
}

extension MattermostConfig.Attachment {
    /// - Parameter isMain: Whether these are the keys of the entry itself, which has defaults.
    fileprivate func effective(isMain: Bool) -> EffectiveMap {
        var out = EffectiveMap()
        let withDefaults: KeyValuePairs = [
            "text": text, "fallback": fallback, "color": color, "title": title, "title_link": titleLink,
        ]
        if isMain { out.templates(withDefaults) } else { out.optionals(withDefaults) }
        out.optionals([
            "pretext": pretext, "author_name": authorName, "author_link": authorLink, "author_icon": authorIcon,
        ])
        out.parts("fields", fields) { .of(["title": $0.title, "value": $0.value], short: $0.isShort) }
        out.optionals(["thumb_url": thumbURL, "footer": footer, "footer_icon": footerIcon, "image_url": imageURL])
        return out
    }
}

extension IncidentIOConfig {
    fileprivate var effective: EffectiveMap {
        // Without a token, a client must have an authorization; that of `global` need not be shown here.
        let hasClient = !token.isEmpty || client.authorization != nil
        var out = EffectiveMap(sendResolved, hasClient ? client.without(token) : nil)
        out.secret("url", url)
        out.secret("alert_source_token", token)
        out.number("max_alerts", maxAlerts)
        if timeout != 0 { out.goDuration("timeout", timeout) }
        return out
    }
}
