import Config
import Model
import Platform
import Synchronization

/// Reads the files of one `http_config`.
///
/// At most one read runs at a time. While it hangs, for example on a network mount that does not answer, only the
/// requests with these settings fail: at their deadlines, or as soon as ``FileReads`` gives the read up.
final class SettingsFiles: Sendable {
    /// The contents of the files.
    struct Content: Sendable {
        var credentials: RequestCredentials
        /// The client secret of `oauth2`.
        var clientSecret: ExactText
    }

    private let config: HTTPClientConfig
    private let tls: TLSFileReader
    private let waits: SharedWait<Int, Content>
    /// The number of the newest read that has begun.
    ///
    /// A later request needs another read, which sees later changes.
    private let reads = Atomic(0)

    init(_ config: HTTPClientConfig, clock: any Clock) {
        self.config = config
        tls = TLSFileReader(config.tls)
        waits = SharedWait(clock: clock)
    }

    /// Reads the files, and passes their contents to `body`, which is called once.
    ///
    /// The read begins at or after the call.
    func ask(_ request: CredentialsRequest, _ body: @escaping @Sendable (Result<Content, TransferFailure>) -> Void) {
        if let first = waits.add(reads.load(ordering: .acquiring) &+ 1, request, body) { start(first.key) }
    }

    /// Fails a request that still waits.
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
