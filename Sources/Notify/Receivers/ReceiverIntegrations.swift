import Config

extension ReceiverConfig {
    /// The integrations of the receiver, kind by kind.
    ///
    /// - Parameter transport: Makes the transport for the client settings of an entry.
    func integrations(
        _ transport: (HTTPClientConfig) throws -> any NotificationTransport
    ) rethrows -> [PlacedIntegration] {
        var all: [PlacedIntegration] = []
        func add<Entry>(_ entries: [Entry], _ make: (Entry) throws -> any Integration) rethrows {
            for (index, entry) in entries.enumerated() {
                all.append(PlacedIntegration(try make(entry), index: index))
            }
        }
        try add(webhooks) { WebhookIntegration($0, try transport($0.client)) }
        try add(weChats) { WeChatIntegration($0, try transport($0.client)) }
        try add(slacks) { SlackIntegration($0, try transport($0.client)) }
        try add(pushovers) { PushoverIntegration($0, try transport($0.client)) }
        try add(telegrams) { TelegramIntegration($0, try transport($0.client)) }
        try add(discords) { DiscordIntegration($0, try transport($0.client)) }
        try add(webexes) { WebexIntegration($0, try transport($0.client)) }
        try add(msTeams) { MSTeamsIntegration($0, try transport($0.client)) }
        try add(msTeamsV2) { MSTeamsV2Integration($0, try transport($0.client)) }
        try add(rocketchats) { RocketchatIntegration($0, try transport($0.client)) }
        try add(mattermosts) { MattermostIntegration($0, try transport($0.client)) }
        add(emails) { EmailIntegration($0, SMTPTransport($0.tls)) }
        try add(pagerDuties) { PagerDutyIntegration($0, try transport($0.client)) }
        try add(opsGenies) { OpsGenieIntegration($0, try transport($0.client)) }
        try add(victorOps) { VictorOpsIntegration($0, try transport($0.client)) }
        try add(incidentIOs) { IncidentIOIntegration($0, try transport($0.client)) }
        try add(jiras) { JiraIntegration($0, try transport($0.client)) }
        try add(snses) { SNSIntegration($0, try transport($0.client)) }
        return all
    }
}
