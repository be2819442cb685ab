import GoCompatibility
import JSON
import Model
import Platform

/// A token of an OAuth 2.0 server, read from its answer (RFC 6749, section 5).
struct AccessToken: Sendable, Equatable {
    /// The value of `Authorization`.
    var authorization: String
    /// The seconds from the answer until the token expires; nil if it does not expire.
    var lifetime: Int64?

    /// The size of the largest answer that is read, bytes.
    static let maxAnswerSize = 1 << 20
    /// The most bytes of an answer that an error shows.
    private static let shownBytes = 1024

    /// The fields of an answer, of either form.
    fileprivate struct Fields {
        var token = ""
        var type = ""
        var lifetime: Int64 = 0
        var error = ""
        var errorDescription = ""
        var errorURI = ""
    }

    /// Reads an answer.
    ///
    /// - Parameter status: The first line without the protocol.
    /// - Throws: The error, in the words of Go's oauth2 library.
    init(code: Int, status: String, contentType: String, body: [UInt8]) throws(TransferFailure) {
        let isFailure = code < 200 || code > 299
        let shown = String(decoding: body.prefix(Self.shownBytes), as: UTF8.self)
        let refusal = TransferFailure(.network, "oauth2: cannot fetch token: \(status)\nResponse: \(shown)")
        let fields: Fields
        do throws(TransferFailure) {
            fields = try Self.isForm(contentType) ? Fields(form: body) : Fields(json: body)
        } catch {
            throw isFailure ? refusal : error
        }
        if !fields.error.isEmpty {
            let texts = [fields.error, fields.errorDescription, fields.errorURI].enumerated()
                .filter { $0.offset == 0 || !$0.element.isEmpty }
                .map { GoQuote.quote(String(decoding: $0.element.utf8.prefix(Self.shownBytes), as: UTF8.self)) }
            throw TransferFailure(.network, "oauth2: " + texts.joined(separator: " "))
        }
        if isFailure { throw refusal }
        if fields.token.isEmpty { throw TransferFailure(.network, "oauth2: server response missing access_token") }
        authorization = "\(Self.scheme(fields.type)) \(fields.token)"
        // A line break would end the header early, and the request would be sent without a token.
        guard authorization.utf8.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
            throw TransferFailure(.setup, "net/http: invalid header field value for \"Authorization\"")
        }
        // Go's library stores seconds in 32 bits; 0 means that a token does not expire.
        lifetime = fields.lifetime == 0 ? nil : min(max(fields.lifetime, Int64(Int32.min)), Int64(Int32.max))
    }

    private static func isForm(_ contentType: String) -> Bool {
        let media = contentType.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" }
        return media.isSame(as: "application/x-www-form-urlencoded") || media.isSame(as: "text/plain")
    }

    private static func scheme(_ type: String) -> String {
        ["Bearer", "MAC", "Basic"].first { type.isSame(as: $0) } ?? (type.isEmpty ? "Bearer" : type)
    }
}

extension AccessToken.Fields {
    init(form body: [UInt8]) {
        for (name, value) in URLEncoding.parse(body).reversed() {
            switch name {
            case "access_token": token = value
            case "token_type": type = value
            case "expires_in": lifetime = Int64(value) ?? 0
            case "error": error = value
            case "error_description": errorDescription = value
            case "error_uri": errorURI = value
            default: break
            }
        }
    }

    init(json body: [UInt8]) throws(TransferFailure) {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue.parse(body)
        } catch {
            throw TransferFailure(.network, "oauth2: cannot parse json: \(error)")
        }
        if value.isNull { return }
        guard let members = value.object else {
            throw Self.mismatch("cannot unmarshal \(Self.kind(value)) into Go value of type internal.tokenJSON")
        }
        for (name, value) in members where !value.isNull {
            func text() throws(TransferFailure) -> String {
                if let text = value.string { return text }
                throw Self.mismatch(
                    "cannot unmarshal \(Self.kind(value)) into Go struct field tokenJSON.\(name) of type string")
            }
            switch name {
            case "access_token": token = try text()
            case "token_type": type = try text()
            case "expires_in": lifetime = try Self.seconds(value)
            case "error": error = try text()
            case "error_description": errorDescription = try text()
            case "error_uri": errorURI = try text()
            default: break
            }
        }
    }

    /// Most servers send a number, some send a text.
    private static func seconds(_ value: JSONValue) throws(TransferFailure) -> Int64 {
        if let number = value.number { return Int64(max(-1e12, min(1e12, number.rounded(.towardZero)))) }
        if let text = value.string, let number = Int64(text) { return number }
        throw mismatch("invalid expires_in: \(value.string.map(GoQuote.quote) ?? kind(value))")
    }

    private static func mismatch(_ text: String) -> TransferFailure {
        TransferFailure(.network, "oauth2: cannot parse json: json: \(text)")
    }

    private static func kind(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "bool"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
