import Config
import GoCompatibility
import HTTP
import Model

/// Publishes notifications with Amazon's Simple Notification Service.
package struct SNSIntegration: Integration {
    package static let kind = IntegrationKind.sns
    private let config: SNSConfig
    private let transport: any NotificationTransport
    private let account: AWSAccount

    /// The longest message, bytes.
    private static let messageMax = 262_144
    /// The longest message to a telephone, bytes.
    private static let shortMessageMax = 1600

    package init(
        _ config: SNSConfig, _ transport: any NotificationTransport,
        environment: @escaping AWSAccount.Environment = AWSAccount.environment
    ) {
        self.config = config
        self.transport = transport
        account = AWSAccount(config.sigV4, environment)
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let access = try await account.found()
        for secret in [access.keys.secretKey, access.keys.sessionToken] { context.hide(secret) }
        let form = try form(message, context)
        let body = Array(
            form.map { "\(GoURL.queryEscape($0.name))=\(GoURL.queryEscape($0.value))" }
                .joined(separator: "&").utf8)
        let given = try message.text(config.apiURL)
        let url = given.isEmpty ? Self.url(access.region) : given
        var request = ReceiverRequest(
            url: url, headers: [("Content-Type", "application/x-www-form-urlencoded")], body: body)
        let signature = AWSSignature(access.keys, region: access.region, service: "sns")
        let signed = AWSSignature.Request(url: url, headers: request.headers, body: body)
        guard let headers = signature.headers(for: signed, time: context.wallTime) else {
            return .refused("invalid api_url \(GoQuote.quote(ConfigURL.shown(url)))")
        }
        request.headers += headers
        return context.verdict(try await context.send(request, by: transport))
    }

    private static func url(_ region: String) -> String {
        "https://sns.\(region).amazonaws.com\(region.hasPrefix("cn-") ? ".cn" : "")/"
    }

    /// The parameters of the call in the order of their names.
    private func form(_ message: ReceiverMessage, _ context: AttemptContext) throws -> [(name: String, value: String)] {
        var form = [(name: "Action", value: "Publish"), (name: "Version", value: "2010-03-31")]
        let topic = try message.text(config.topicARN)
        for (name, value) in [
            ("TopicArn", topic), ("PhoneNumber", try message.text(config.phoneNumber)),
            ("TargetArn", try message.text(config.targetARN)), ("Subject", try message.text(config.subject)),
        ] where !value.isEmpty {
            form.append((name, value))
        }
        if topic.hasSuffix(".fifo") {
            form.append((name: "MessageGroupId", value: message.groupKeyHash))
            form.append((name: "MessageDeduplicationId", value: message.groupKeyHash))
        }
        let text = try message.text(config.message)
        let limit = config.phoneNumber.isEmpty ? Self.messageMax : Self.shortMessageMax
        let sent = context.cut(text, "message", bytes: limit)
        form.append((name: "Message", value: sent))
        var attributes = try config.attributes.map { ($0.name, try message.text($0.value)) }
        if !sent.isExactly(text) {
            attributes.removeAll { $0.0 == "truncated" }
            attributes.append(("truncated", "true"))
        }
        attributes.sort { $0.0.isExactlyBefore($1.0) }
        for (index, attribute) in attributes.enumerated() {
            let entry = "MessageAttributes.entry.\(index + 1)"
            form.append((name: "\(entry).Name", value: attribute.0))
            form.append((name: "\(entry).Value.DataType", value: "String"))
            form.append((name: "\(entry).Value.StringValue", value: attribute.1))
        }
        return form.sorted { $0.name.isExactlyBefore($1.name) }
    }
}
