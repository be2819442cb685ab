import Config
import HTTP
import Model

/// Sends notifications over HTTP with the settings of an `http_config`.
package final class HTTPTransport: NotificationTransport {
    /// The reason why a request cannot be made.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package var description: String
    }

    private let client: HTTPClient

    /// - Throws: For the first file that cannot be read.
    package init(_ config: HTTPClientConfig) throws(Failure) {
        do throws(TransferFailure) {
            try RequestOptions.checkFiles(config)
        } catch {
            throw Failure(description: error.description)
        }
        client = HTTPClient(config)
    }

    package var secrets: [String] { client.secrets }

    package func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        var sent = ClientRequest(
            method: request.method, url: request.url, headers: request.headers, body: request.body,
            timeout: request.timeout)
        sent.answer = request.readsAnswer ? .beginning(limit: ReceiverAnswer.bodyLimit) : .unwanted
        let answer = try await client.send(sent)
        return ReceiverAnswer(status: answer.status, contentType: answer.contentType, body: answer.body)
    }
}
