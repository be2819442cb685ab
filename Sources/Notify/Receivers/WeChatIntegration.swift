import Config
import GoCompatibility
import JSON
import Synchronization

/// Sends messages with the API of WeChat, which needs a token that it gives for a while.
package final class WeChatIntegration: Integration {
    package static let kind = IntegrationKind.weChat
    /// The time after which another token is asked for, ms.
    private static let tokenTime: Int64 = 2 * 3600 * 1000
    private let config: WeChatConfig
    private let transport: any NotificationTransport
    private let token = Mutex<(text: String, end: Int64)?>(nil)

    package init(_ config: WeChatConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let body = try body(message)
        let token = try await token(message, context)
        let url = "\(config.apiURL)message/send?access_token=\(GoURL.queryEscape(token))"
        let answer = try await context.send(.json(url, body), by: transport)
        guard answer.status == 200 else { return .retry(context.unexpected(answer)) }
        guard let json = try? JSONValue.parse(answer.body), json.object != nil else {
            return .refused("could not unmarshal JSON response: \(context.shown(answer))")
        }
        switch json["errcode"]?.number ?? 0 {
        case 0: return .accepted
        case 42001:
            self.token.withLock { $0 = nil }
            return .retry(context.hidingSecrets(in: json["errmsg"]?.string ?? "access token expired"))
        default: return .refused(context.hidingSecrets(in: json["errmsg"]?.string ?? ""))
        }
    }

    /// The token for messages, which is asked for if there is none or it is old.
    private func token(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> String {
        let now = context.now
        if let kept = token.withLock({ $0 }), kept.end > now {
            context.hide(kept.text)
            return kept.text
        }
        let secret = try await context.secret(config.apiSecret, "api_secret_file")
        let corp = try message.text(config.corpID)
        let query = "corpid=\(GoURL.queryEscape(corp))&corpsecret=\(GoURL.queryEscape(secret))"
        let request = ReceiverRequest(method: "GET", url: "\(config.apiURL)gettoken?\(query)")
        let answer = try await context.send(request, by: transport)
        guard answer.status == 200 else { throw AttemptFailure(.retry(context.unexpected(answer))) }
        let json = try? JSONValue.parse(answer.body)
        guard let text = json?["access_token"]?.string, !text.isEmpty else {
            // The answer is not shown, as it may have a token that was not understood.
            let reason = context.hidingSecrets(in: json?["errmsg"]?.string ?? "")
            throw AttemptFailure(.refused("invalid APISecret for CorpID \(GoQuote.quote(corp)): \(reason)"))
        }
        context.hide(text)
        token.withLock { $0 = (text, now &+ Self.tokenTime) }
        return text
    }

    private func body(_ message: ReceiverMessage) throws -> [UInt8] {
        let text = try message.text(config.message)
        let isMarkdown = config.messageType == "markdown"
        return try ReceiverJSON.object { json in
            json.key("text")
            json.object { $0.member("content", isMarkdown ? "" : text) }
            json.memberIfAny("touser", try message.text(config.toUser))
            json.memberIfAny("toparty", try message.text(config.toParty))
            json.memberIfAny("totag", try message.text(config.toTag))
            json.memberIfAny("agentid", try message.text(config.agentID))
            json.member("safe", "0")
            json.member("msgtype", config.messageType)
            json.key("markdown")
            json.object { $0.member("content", isMarkdown ? text : "") }
        }
    }
}
