import Config
import GoCompatibility
import HTTP
import Platform

/// Signs requests for AWS before it sends them.
package final class SigningTransport: NotificationTransport {
    private let config: SigV4Config
    private let account: AWSAccount
    private let transport: any NotificationTransport
    private let clock: any Clock

    package init(
        _ config: SigV4Config, _ transport: any NotificationTransport, clock: any Clock = SystemClock(),
        environment: @escaping AWSAccount.Environment = AWSAccount.environment
    ) {
        self.config = config
        account = AWSAccount(config, environment)
        self.transport = transport
        self.clock = clock
    }

    package func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
        let access = try await found()
        // The service that has Alertmanagers is Amazon's managed Prometheus.
        let signature = AWSSignature(
            access.keys, region: access.region, service: config.serviceName.isEmpty ? "aps" : config.serviceName)
        // A proxy may change the name of the program.
        let covered = request.headers.filter { GoCase.lower($0.name) != "user-agent" }
        let signed = AWSSignature.Request(
            method: request.method, url: request.url, headers: covered, body: request.body)
        guard let headers = signature.headers(for: signed, time: clock.now()) else {
            throw HTTPTransport.Failure(description: "the URL cannot be signed")
        }
        var request = request
        request.headers += headers
        return try await transport.send(request)
    }

    private func found() async throws(HTTPTransport.Failure) -> AWSAccount.Access {
        do throws(AttemptFailure) {
            return try await account.found()
        } catch {
            throw HTTPTransport.Failure(description: error.verdict.reason)
        }
    }
}
