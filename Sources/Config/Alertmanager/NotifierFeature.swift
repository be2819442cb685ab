import Model

/// The features that a file of Alertmanager may ask for and a notifier has to carry out.
///
/// All of it is read and checked. The daemon refuses a file that asks for what is not in ``carriedOut``.
package enum NotifierFeature: String, CaseIterable, Sendable {
    case webhook = "webhook_configs"
    case email = "email_configs"
    case slack = "slack_configs"
    case pagerDuty = "pagerduty_configs"
    case opsGenie = "opsgenie_configs"
    case discord = "discord_configs"
    case msTeams = "msteams_configs"
    case msTeamsV2 = "msteamsv2_configs"
    case telegram = "telegram_configs"
    case pushover = "pushover_configs"
    case victorOps = "victorops_configs"
    case webex = "webex_configs"
    case weChat = "wechat_configs"
    case sns = "sns_configs"
    case jira = "jira_configs"
    case rocketchat = "rocketchat_configs"
    case mattermost = "mattermost_configs"
    case incidentIO = "incidentio_configs"
    case slackUpdate = "update_message of slack"
    case routeLabels = "labels of routes"
    case snsRole = "role_arn of sns"
    case tracing

    /// The features that the notifier has.
    package static let carriedOut: Set<NotifierFeature> = [
        .webhook, .slack, .discord, .msTeams, .msTeamsV2, .telegram, .mattermost, .rocketchat, .webex, .pushover,
        .weChat, .email, .pagerDuty, .opsGenie, .victorOps, .sns, .jira, .incidentIO,
    ]
}

extension LoadingContext {
    /// Records that the file asks for a feature, if the notifier does not carry it out yet.
    func unsupported(_ feature: NotifierFeature, at place: ConfigPlace) {
        if !NotifierFeature.carriedOut.contains(feature) { unsupported(feature.rawValue, at: place) }
    }
}
