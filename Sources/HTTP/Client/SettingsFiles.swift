import Config
import Model
import Platform
import Synchronization

/// Reads the files that one `http_config` names.
///
/// One read is under way at a time. While one hangs, as on a network mount that does not answer, the requests with these
/// settings fail at their deadlines or as soon as ``FileReads`` gives it up, and no others.
final class SettingsFiles: Sendable {
    /// What the files hold.
    struct Content: Sendable {
        var credentials: RequestCredentials
        /// Of `oauth2`.
        var clientSecret: ExactText
    }

    private let config: HTTPClientConfig
    private let tls: TLSFileReader
    private let waits: SharedWait<Int, Content>
    /// The newest read that has begun: who comes later needs another, which sees what has changed since.
    private let reads = Atomic(0)

    init(_ config: HTTPClientConfig, clock: any Clock) {
        self.config = config
        tls = TLSFileReader(config.tls)
        waits = SharedWait(clock: clock)
    }

    /// Reads the files as they are now, or are soon, for `body`, which is called once.
    func ask(_ request: CredentialsRequest, _ body: @escaping @Sendable (Result<Content, TransferFailure>) -> Void) {
        if let first = waits.add(reads.load(ordering: .acquiring) &+ 1, request, body) { start(first.key) }
    }

    /// Makes a request fail that still waits.
    func cancel(_ request: CredentialsRequest) { waits.cancel(request) }

    private func start(_ read: Int) {
        reads.store(read, ordering: .releasing)
        BlockingCall.task { [self] in
            let texts = await SecretFiles.read(config)
            let outcome: Result<Content, TransferFailure>
            do throws(TransferFailure) {
                outcome = .success(try await content(texts))
            } catch {
                outcome = .failure(error)
            }
            if let next = waits.finish(read, outcome) { start(next.key) }
        }
    }

    private func content(_ texts: SecretFiles) async throws(TransferFailure) -> Content {
        var credentials = try RequestCredentials(config, texts)
        credentials.tls = try await tls.read()
        return Content(credentials: credentials, clientSecret: ExactText(try config.oauth2?.secret(texts) ?? ""))
    }
}
