import GoCompatibility
import Model

/// A receiver of notifications, with the entries of each kind in the order of the file.
package struct ReceiverConfig: Sendable {
    package var name: String
    package var place: ConfigPlace
    /// The labels for the selection of receivers, with the label `name`.
    package var labels = Labels([])
    /// The features that the receiver asks for and martlet does not support yet.
    package var unsupported: [ConfigError] = []
    package var webhooks: [WebhookConfig] = []
    package var emails: [EmailConfig] = []
    package var slacks: [SlackConfig] = []
    package var pushovers: [PushoverConfig] = []
    package var pagerDuties: [PagerDutyConfig] = []
    package var incidentIOs: [IncidentIOConfig] = []
    package var opsGenies: [OpsGenieConfig] = []
    package var weChats: [WeChatConfig] = []
    package var victorOps: [VictorOpsConfig] = []
    package var snses: [SNSConfig] = []
    package var telegrams: [TelegramConfig] = []
    package var discords: [DiscordConfig] = []
    package var webexes: [WebexConfig] = []
    package var msTeams: [MSTeamsConfig] = []
    package var msTeamsV2: [MSTeamsV2Config] = []
    package var jiras: [JiraConfig] = []
    package var rocketchats: [RocketchatConfig] = []
    package var mattermosts: [MattermostConfig] = []
}

extension ReceiverConfig {
    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.Receiver")
        let known = context.loading.missing.count
        place = node.place
        name = try reader.string("name", "")
        if name.isEmpty { throw node.place.error("missing name in receiver") }
        try readLabels(reader)
        webhooks = try context.entries(
            .webhook, reader, try reader.list("webhook_configs", empty: "missing webhook config"), WebhookConfig.init)
        emails = try context.entries(
            .email, reader, try reader.list("email_configs", empty: "missing email config"), EmailConfig.init)
        slacks = try context.entries(.slack, reader, try reader.list("slack_configs"), SlackConfig.init)
        pushovers = try context.entries(
            .pushover, reader, try reader.list("pushover_configs", empty: "missing pushover config"),
            PushoverConfig.init)
        pagerDuties = try context.entries(
            .pagerDuty, reader, try reader.list("pagerduty_configs", empty: "missing pagerduty config"),
            PagerDutyConfig.init)
        incidentIOs = try context.entries(
            .incidentIO, reader, try reader.list("incidentio_configs", empty: "missing incidentio config"),
            IncidentIOConfig.init)
        opsGenies = try context.entries(.opsGenie, reader, try reader.list("opsgenie_configs"), OpsGenieConfig.init)
        weChats = try context.entries(.weChat, reader, try reader.list("wechat_configs"), WeChatConfig.init)
        victorOps = try context.entries(
            .victorOps, reader, try reader.list("victorops_configs", empty: "missing victorops config"),
            VictorOpsConfig.init)
        snses = try context.entries(
            .sns, reader, try reader.list("sns_configs", empty: "missing sns config"), SNSConfig.init)
        telegrams = try context.entries(
            .telegram, reader, try reader.list("telegram_configs", empty: "missing telegram config"),
            TelegramConfig.init)
        discords = try context.entries(
            .discord, reader, try reader.list("discord_configs", empty: "missing discord config"), DiscordConfig.init)
        webexes = try context.entries(
            .webex, reader, try reader.list("webex_configs", empty: "missing webex config"), WebexConfig.init)
        msTeams = try context.entries(
            .msTeams, reader, try reader.list("msteams_configs", empty: "missing msteams config"), MSTeamsConfig.init)
        msTeamsV2 = try context.entries(
            .msTeamsV2, reader, try reader.list("msteamsv2_configs", empty: "missing msteamsv2 config"),
            MSTeamsV2Config.init)
        jiras = try context.entries(
            .jira, reader, try reader.list("jira_configs", empty: "missing jira config"), JiraConfig.init)
        rocketchats = try context.entries(
            .rocketchat, reader, try reader.list("rocketchat_configs"), RocketchatConfig.init)
        mattermosts = try context.entries(
            .mattermost, reader, try reader.list("mattermost_configs", empty: "missing mattermost config"),
            MattermostConfig.init)
        unsupported = context.loading.takeMissing(after: known)
        reader.finish()
    }

    private mutating func readLabels(_ reader: MappingReader) throws(ConfigError) {
        var pairs = (try reader.stringMap("labels") ?? []).map { ($0.key, $0.value) }
        if let given = pairs.first(where: { $0.0 == "name" }), !given.1.isExactly(name) {
            throw reader.place(of: "labels").error(
                "receiver label \"name\" must match receiver name \(GoQuote.quote(name)), got \(GoQuote.quote(given.1))"
            )
        }
        pairs.removeAll { $0.0 == "name" }
        labels = Labels(keepingEmpty: pairs + [("name", name)])
    }
}

extension ReceiverContext {
    /// Reads the entries of one kind; the mistakes of one do not hide those of the next.
    fileprivate func entries<T>(
        _ feature: NotifierFeature, _ reader: MappingReader, _ nodes: [YAMLNode],
        _ read: (YAMLNode, ReceiverContext) throws(ConfigError) -> T
    ) throws(ConfigError) -> [T] {
        if let list = reader.node(feature.rawValue), !list.isNull {
            loading.unsupported(feature, at: reader.place(of: feature.rawValue))
        }
        return nodes.compactMap { node in
            loading.problems.collect { () throws(ConfigError) in try read(node, self) }
        }
    }
}
