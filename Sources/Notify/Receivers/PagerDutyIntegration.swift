import Config
import JSON
import Model

/// Sends events to PagerDuty: to Events API v2, or to v1 if there is a service key.
package struct PagerDutyIntegration: Integration {
    package static let kind = IntegrationKind.pagerDuty
    private let config: PagerDutyConfig
    private let transport: any NotificationTransport

    private static let summaryMax = 1024
    /// The largest event, bytes.
    private static let eventMax = 512_000
    private static let serviceURL = "https://events.pagerduty.com/generic/2010-04-15/create_event.json"
    private static let withoutDetails = JSONValue.object([
        (
            "error",
            .string(
                "Custom details have been removed because the original event exceeds the maximum size of 512KB")
        )
    ])

    package init(_ config: PagerDutyConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }
    package var timeout: Int64 { config.timeout }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let isService = !config.serviceKey.isEmpty
        let source = isService ? config.serviceKey : config.routingKey
        let name = isService ? "service" : "routing"
        let key = try message.text(try await context.secret(source, "\(name)_key_file"))
        context.hide(key)
        if key.isEmpty { return .refused("\(name) key cannot be empty") }
        let details = try message.json(.map(config.details)).sorted
        let event = isService ? serviceEvent : routedEvent
        var body = try event(key, details, message, context)
        if body.count > Self.eventMax { body = try event(key, Self.withoutDetails, message, context) }
        let url = isService ? Self.serviceURL : config.url
        return verdict(
            try await context.send(.json(url, body), by: transport), retrying: isService ? 403 : 429, context)
    }

    private func verdict(_ answer: ReceiverAnswer, retrying retried: Int, _ context: AttemptContext) -> Verdict {
        if answer.isSuccess { return .accepted }
        var reason = "unexpected status code \(answer.status)"
        // Only this answer says which part of the event is wrong.
        if answer.status == 400, let detail = try? JSONValue.parse(answer.body), let text = detail["message"]?.string {
            let errors = (detail["errors"]?.array ?? []).compactMap(\.string).joined(separator: ",")
            reason += ": " + context.hidingSecrets(in: ReceiverText.cut("\(text): \(errors)", characters: 512).text)
        }
        return answer.status / 100 == 5 || answer.status == retried ? .retry(reason) : .refused(reason)
    }

    private func summary(_ message: ReceiverMessage, _ context: AttemptContext) throws -> String {
        context.cut(try message.text(config.description), "description", characters: Self.summaryMax)
    }

    private func routedEvent(
        _ key: String, _ details: JSONValue, _ message: ReceiverMessage, _ context: AttemptContext
    ) throws -> [UInt8] {
        try ReceiverJSON.object { json in
            json.member("routing_key", key)
            json.member("dedup_key", message.groupKeyHash)
            json.member("event_action", message.isFiring ? "trigger" : "resolve")
            json.key("payload")
            try json.object { json in
                json.member("summary", try summary(message, context))
                json.member("source", try message.text(config.source))
                json.member("severity", try message.text(config.severity))
                json.memberIfAny("class", try message.text(config.className))
                json.memberIfAny("component", try message.text(config.component))
                json.memberIfAny("group", try message.text(config.group))
                json.key("custom_details")
                json.value(details)
            }
            try addClient(message, to: &json)
            try addImages(message, to: &json)
            try addLinks(message, to: &json)
        }
    }

    private func serviceEvent(
        _ key: String, _ details: JSONValue, _ message: ReceiverMessage, _ context: AttemptContext
    ) throws -> [UInt8] {
        try ReceiverJSON.object { json in
            json.member("service_key", key)
            json.member("incident_key", message.groupKeyHash)
            json.member("event_type", message.isFiring ? "trigger" : "resolve")
            json.memberIfAny("description", try summary(message, context))
            // These two belong to v2, but are there.
            json.member("event_action", "")
            json.key("payload")
            json.null()
            if message.isFiring { try addClient(message, to: &json) }
            json.key("details")
            json.value(details)
        }
    }

    private func addClient(_ message: ReceiverMessage, to json: inout JSONWriter) throws {
        json.memberIfAny("client", try message.text(config.clientName))
        json.memberIfAny("client_url", try message.text(config.clientURL))
    }

    private func addImages(_ message: ReceiverMessage, to json: inout JSONWriter) throws {
        let images = try config.images.map { image in
            (
                source: try message.text(image.source), alt: try message.text(image.alt),
                href: try message.text(image.href)
            )
        }.filter { !$0.source.isEmpty }
        if images.isEmpty { return }
        json.key("images")
        json.array { json in
            for image in images {
                json.object { json in
                    json.member("href", image.href)
                    json.member("src", image.source)
                    json.member("alt", image.alt)
                }
            }
        }
    }

    private func addLinks(_ message: ReceiverMessage, to json: inout JSONWriter) throws {
        let links = try config.links.map { link in
            (href: try message.text(link.href), text: try message.text(link.text))
        }.filter { !$0.href.isEmpty }
        if links.isEmpty { return }
        json.key("links")
        json.array { json in
            for link in links {
                json.object { json in
                    json.member("href", link.href)
                    json.member("text", link.text)
                }
            }
        }
    }
}
