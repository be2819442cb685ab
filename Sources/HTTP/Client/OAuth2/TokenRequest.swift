import Config
import GoCompatibility
import Model

/// The request for a token with the client's own credentials (RFC 6749, section 4.4.2).
struct TokenRequest: Sendable {
    /// The place of the client's name and secret in the request.
    enum Style: Sendable {
        case header, parameters
    }

    let config: OAuth2Config
    let secret: ExactText
    let userAgent: String
    /// The time when it must be over, ns of the loop's clock.
    let deadline: Int64

    /// The settings of the connection to the token server.
    static func client(_ config: OAuth2Config) -> HTTPClientConfig {
        var client = HTTPClientConfig()
        client.tls = config.tls
        client.proxy = config.proxy
        client.enableHTTP2 = false
        return client
    }

    /// Returns the request in the form in which it is sent.
    func transferRequest(_ style: Style) throws(TransferFailure) -> TransferRequest {
        guard let url = URLParts(config.tokenURL), !url.host.isEmpty else {
            throw TransferFailure(
                .setup, "Post \(GoQuote.quote(ConfigURL.shown(config.tokenURL))): unsupported protocol scheme \"\"")
        }
        var request = TransferRequest(url: url, deadline: deadline)
        request.method = "POST"
        request.body = Array(try form(style).utf8)
        request.isBodySecret = true
        request.bodyLimit = AccessToken.maxAnswerSize
        request.headers = ["Content-Type: application/x-www-form-urlencoded", "User-Agent: \(userAgent)"]
        if style == .header {
            let pair = "\(Self.encode(config.clientID)):\(Self.encode(secret.text))"
            request.credentials.authorization = "Basic " + Base64.encode(Array(pair.utf8))
            request.credentials.overridesURL = true
        }
        return request
    }

    private static func encode(_ text: String) -> String { URLEncoding.encode(text, blankAsPlus: true) }

    /// Returns the parameters in the order of their names' bytes, as Go's library writes them.
    private func form(_ style: Style) throws(TransferFailure) -> String {
        var parameters: [ExactText: String] = ["grant_type": "client_credentials"]
        if !config.scopes.isEmpty { parameters["scope"] = config.scopes.joined(separator: " ") }
        for parameter in config.endpointParameters {
            // Some servers require their own grant type.
            if parameter.name == "scope", !config.scopes.isEmpty {
                throw TransferFailure(.setup, "oauth2: cannot overwrite parameter \"scope\"")
            }
            parameters[ExactText(parameter.name)] = parameter.value
        }
        if style == .parameters {
            parameters["client_id"] = config.clientID
            if !secret.text.isEmpty { parameters["client_secret"] = secret.text }
        }
        return parameters.sorted { $0.key < $1.key }
            .map { "\(Self.encode($0.key.text))=\(Self.encode($0.value))" }.joined(separator: "&")
    }
}
