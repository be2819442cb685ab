import Config
import JSON
import Model

/// Creates, updates and closes alerts of OpsGenie.
package struct OpsGenieIntegration: Integration {
    package static let kind = IntegrationKind.opsGenie
    private let config: OpsGenieConfig
    private let transport: any NotificationTransport

    private static let messageMax = 130

    private struct Responder {
        var id = ""
        var name = ""
        var username = ""
        var type = ""

        var isEmpty: Bool { id.isEmpty && name.isEmpty && username.isEmpty && type.isEmpty }
    }

    package init(_ config: OpsGenieConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let key = try await context.secret(config.apiKey, "api_key_file")
        for var request in try requests(message, context) {
            request.headers.append(("Authorization", "GenieKey \(key)"))
            let verdict = context.verdict(try await context.send(request, by: transport), retrying: [429])
            guard verdict == .accepted else { return verdict }
        }
        return .accepted
    }

    private func requests(_ message: ReceiverMessage, _ context: AttemptContext) throws -> [ReceiverRequest] {
        let alerts = config.apiURL + "v2/alerts"
        let alert = "\(alerts)/\(message.groupKeyHash)"
        let byAlias = "?identifierType=alias"
        guard message.isFiring else {
            let source = try message.text(config.source)
            return [.json("\(alert)/close\(byAlias)", ReceiverJSON.object { $0.member("source", source) })]
        }
        let text = context.cut(try message.text(config.message), "message", characters: Self.messageMax)
        let description = try message.text(config.description)
        var requests = [ReceiverRequest.json(alerts, try created(message, text, description))]
        guard config.updateAlerts else { return requests }
        let changes = [("message", text), ("description", description)]
        for (name, value) in changes {
            var request = ReceiverRequest.json(
                "\(alert)/\(name)\(byAlias)", ReceiverJSON.object { $0.memberIfAny(name, value) })
            request.method = "PUT"
            requests.append(request)
        }
        return requests
    }

    private func created(_ message: ReceiverMessage, _ text: String, _ description: String) throws -> [UInt8] {
        let responders = try config.responders.flatMap { try self.responders($0, message) }
        let details = try details(message)
        return try ReceiverJSON.object { json in
            json.member("alias", message.groupKeyHash)
            json.member("message", text)
            json.memberIfAny("description", description)
            json.key("details")
            WebhookPayload.encode(details, into: &json)
            json.member("source", try message.text(config.source))
            if !responders.isEmpty {
                json.key("responders")
                json.array { json in
                    for responder in responders { Self.encode(responder, into: &json) }
                }
            }
            let tags = Self.parts(try message.text(config.tags))
            if !tags.isEmpty { Self.encode("tags", tags, into: &json) }
            json.memberIfAny("note", try message.text(config.note))
            json.memberIfAny("priority", try message.text(config.priority))
            json.memberIfAny("entity", try message.text(config.entity))
            let actions = Self.parts(try message.text(config.actions))
            if !actions.isEmpty { Self.encode("actions", actions, into: &json) }
        }
    }

    /// The common labels, and the configured details in their place.
    private func details(_ message: ReceiverMessage) throws -> Labels {
        let own = try config.details.map { ($0.name, try message.text($0.value)) }
        return Labels(keepingEmpty: message.data.commonLabels.pairs.map { ($0.name, $0.value) } + own)
    }

    private func responders(
        _ responder: OpsGenieConfig.Responder, _ message: ReceiverMessage
    ) throws -> [Responder] {
        let rendered = Responder(
            id: try message.text(responder.id), name: try message.text(responder.name),
            username: try message.text(responder.username), type: try message.text(responder.type))
        if rendered.isEmpty { return [] }
        guard rendered.type == "teams" else { return [rendered] }
        return Self.parts(rendered.name).map { Responder(name: $0, type: "team") }
    }

    private static func encode(_ responder: Responder, into json: inout JSONWriter) {
        json.object { json in
            json.memberIfAny("id", responder.id)
            json.memberIfAny("name", responder.name)
            json.memberIfAny("username", responder.username)
            json.memberIfAny("type", responder.type)
        }
    }

    private static func encode(_ name: String, _ texts: [String], into json: inout JSONWriter) {
        json.key(name)
        json.array { json in
            for text in texts { json.string(text) }
        }
    }

    /// The parts between commas that are not empty.
    private static func parts(_ text: String) -> [String] { text.split(separator: ",").map(String.init) }
}
