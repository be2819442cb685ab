import Model

/// One `webhook_configs` entry.
package struct WebhookSettings: Sendable {
    package var url: String
    /// The file with the URL, read at every delivery; has precedence over ``url`` if it is not empty.
    package var urlFile: String
    package var sendsResolved: Bool
    /// The most alerts in one payload; 0 for all.
    package var maxAlerts: Int
    /// The timeout of one attempt, ms; 0 for the flush's only.
    package var timeout: Int64
    /// Sends the requests, with the receiver's `http_config`.
    package var transport: any NotificationTransport

    package init(
        url: String = "", urlFile: String = "", sendsResolved: Bool = true, maxAlerts: Int = 0, timeout: Int64 = 0,
        transport: any NotificationTransport
    ) {
        self.url = url
        self.urlFile = urlFile
        self.sendsResolved = sendsResolved
        self.maxAlerts = maxAlerts
        self.timeout = timeout
        self.transport = transport
    }
}

/// One POST of a notification.
package struct NotificationRequest: Sendable {
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// ms.
    package var timeout: Int64

    package init(url: String, headers: [(name: String, value: String)], body: [UInt8], timeout: Int64) {
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// Sends notifications to receivers: with HTTP, or with a function in tests.
package protocol NotificationTransport: AnyObject, Sendable {
    /// Sends the request, and returns the status of the answer. Throws if there is no answer.
    func post(_ request: NotificationRequest) async throws -> Int
}
