import Model

/// One `sns_configs` entry.
package struct SNSConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiURL: TemplateText
    package var sigV4: SigV4Config
    package var topicARN: TemplateText
    package var phoneNumber: TemplateText
    package var targetARN: TemplateText
    package var subject: TemplateText
    package var message: TemplateText
    package var attributes: [TemplatePair]
    package var useAWSClient: Bool

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.SNSConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiURL = try reader.template("api_url")
        sigV4 = SigV4Config()
        if let section = try reader.mapping("sigv4", "sigv4.SigV4Config") {
            if !(try section.string("role_arn", "")).isEmpty {
                context.loading.unsupported(.snsRole, at: section.place(of: "role_arn"))
            }
            sigV4 = try SigV4Config(section)
        }
        topicARN = try reader.template("topic_arn")
        phoneNumber = try reader.template("phone_number")
        targetARN = try reader.template("target_arn")
        subject = try reader.template("subject", named: "sns.default.subject")
        message = try reader.template("message", named: "sns.default.message")
        attributes = try reader.templateMap("attributes")
        useAWSClient = try reader.bool("use_aws_http_client", false)
        reader.finish()
        // All three together pass, as in Alertmanager.
        let given = [topicARN, phoneNumber, targetARN].filter { !$0.isEmpty }.count
        if given != 1, given != 3 {
            throw place.error("must provide either a Target ARN, Topic ARN, or Phone Number for SNS config")
        }
    }
}
