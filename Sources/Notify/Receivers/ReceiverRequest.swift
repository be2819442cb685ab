/// One HTTP request to a receiver of notifications.
package struct ReceiverRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// The milliseconds until the end of the answer.
    package var timeout: Int64
    /// Whether the beginning of the answer's body is needed.
    package var readsAnswer: Bool

    package init(
        method: String = "POST", url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Int64 = 0, readsAnswer: Bool = true
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.readsAnswer = readsAnswer
    }

    /// A POST of JSON.
    package static func json(_ url: String, _ body: [UInt8]) -> ReceiverRequest {
        ReceiverRequest(url: url, headers: [("Content-Type", "application/json")], body: body)
    }
}

/// The answer of a receiver.
package struct ReceiverAnswer: Sendable {
    package var status: Int
    package var contentType: String
    /// The first bytes, fewer than ``bodyLimit``.
    package var body: [UInt8]

    package static let bodyLimit = 64 << 10

    package init(status: Int, contentType: String = "", body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    package var isSuccess: Bool { (200..<300).contains(status) }
    package var text: String { String(decoding: body, as: UTF8.self) }
    package var isJSON: Bool {
        let type = contentType.prefix { $0 != ";" }.lowercased()
        return type.filter { $0 != " " } == "application/json"
    }
}

/// Sends requests to receivers: with HTTP, or with a function in tests.
package protocol NotificationTransport: AnyObject, Sendable {
    /// The secret texts that the transport added to the last request.
    var secrets: [String] { get }

    /// Sends the request. Throws if there is no answer.
    func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer
}

extension NotificationTransport {
    package var secrets: [String] { [] }
}
