import HTTP
import JSON

/// An error as the API answers it.
struct AlertAPIError: Error {
    enum Body {
        case none
        /// A JSON string: the error of a handler.
        case text(String)
        /// An object: the error of the request's form.
        case problem(code: Int, String)
    }

    var status: Int
    var body: Body

    static func text(_ status: Int, _ text: String) -> AlertAPIError {
        AlertAPIError(status: status, body: .text(text))
    }

    static func unavailable(_ text: String) -> AlertAPIError { .text(503, text) }

    /// A request whose form is wrong.
    static func problem(_ status: Int, _ message: String) -> AlertAPIError {
        AlertAPIError(status: status, body: .problem(code: status, message))
    }

    /// The codes of values that are not as the specification of the API says.
    enum Violation: Int {
        case wrongType = 601
        case missing = 602
        case tooFew = 612
    }

    static func violation(_ violation: Violation, _ message: String) -> AlertAPIError {
        AlertAPIError(status: 422, body: .problem(code: violation.rawValue, message))
    }

    static func missing(_ name: String) -> AlertAPIError { .violation(.missing, "\(name) in body is required") }

    var response: HTTPResponse {
        var writer = JSONWriter()
        switch body {
        case .none: return Answer.plain(status: status)
        case .text(let text):
            writer.string(text)
            return Answer.json(writer.bytes + [0x0A], status: status)
        case .problem(let code, let message):
            writer.object { writer in
                writer.key("code")
                writer.integer(code)
                writer.key("message")
                writer.string(message)
            }
            return Answer.json(writer.bytes, status: status)
        }
    }
}

/// The answers of the API.
enum Answer {
    private static let uncached = ("Cache-Control", "no-store")

    static func plain(status: Int = 200) -> HTTPResponse { HTTPResponse(status: status, headers: [uncached]) }

    static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPResponse {
        var response = HTTPResponse.json(bytes, status: status)
        response.headers.append(uncached)
        return response
    }

    /// An answer that may be large.
    static func value(
        _ request: HTTPRequest, _ context: AlertAPIContext,
        _ body: (inout JSONWriter, AnswerShare) throws -> Void
    ) throws -> HTTPResponse {
        let share = AnswerShare(request, context.budget)
        var writer = JSONWriter(capacity: 4096)
        try body(&writer, share)
        try share.grew(to: writer.bytes.count)
        writer.bytes.append(0x0A)
        var response = json(writer.bytes)
        response.keeps = share
        return response
    }
}

extension JSONWriter {
    /// Writes an array, and charges the answer after each element.
    mutating func array<Elements: Sequence>(
        _ elements: Elements, _ share: AnswerShare, _ write: (Elements.Element, inout JSONWriter) throws -> Void
    ) throws {
        try array { writer in
            for element in elements {
                try write(element, &writer)
                try share.grew(to: writer.bytes.count)
            }
        }
    }

    mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }
}
