import Model

/// One `webhook_configs` entry.
package struct WebhookSettings: Sendable {
    package var url: String
    /// Read at every delivery; wins over ``url`` if it is not empty.
    package var urlFile: String
    package var sendsResolved: Bool
    /// The most alerts in one payload; 0 for all.
    package var maxAlerts: Int
    /// ms for one attempt; 0 for none but the flush's.
    package var timeout: Int64
    /// Carries the calls, with the receiver's `http_config`.
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

/// Carries notifications to receivers: HTTP, or a function in tests.
package protocol NotificationTransport: AnyObject, Sendable {
    /// Sends the request; returns the status of the answer, throws if there is none.
    func post(_ request: NotificationRequest) async throws -> Int
}
