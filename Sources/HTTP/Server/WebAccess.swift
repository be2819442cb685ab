import CTLS
import Config
import Glibc
import Model
import Platform
import Synchronization
import Telemetry

/// The active web configuration: users, certificates, and headers of answers.
///
/// The files are checked for every request and handshake, and read again after a change. A separate task reads them, so
/// that a file that hangs blocks no request: then the contents that were read last stay in use.
package final class WebAccess: Sendable {
    /// The contents that were read, and the versions of their files.
    private struct Loaded {
        var stamp: FileStamp?
        var config: Result<WebConfig, ConfigError>
        var tlsStamps: [FileStamp?] = []
        var tls: Result<TLSContext, ConfigError>?
    }

    private struct State {
        var loaded: Loaded
        /// The requests that may be made now, in thousandths.
        var tokens = 0
        var refilled: Int64 = 0
    }

    /// The time that a request waits for a check of the files, ms; while a check hangs, other requests do not wait.
    private static let lookTimeout: Int64 = 2000

    package let path: String
    /// Whether connections use TLS; only a restart changes it, as in Prometheus.
    package let usesTLS: Bool
    private let state: Mutex<State>
    private let isLooking = Atomic(false)
    /// Whether the last check found a file system that does not answer.
    private let hangs = Atomic(false)
    let passwords: PasswordCheck
    private let clock: any Clock
    private let log = Log("web")

    /// Uses a file that was read, and reads all files that it names.
    package convenience init(_ file: WebConfigFile, clock: any Clock) throws(ConfigError) {
        try self.init(file, clock: clock, passwords: PasswordCheck())
    }

    init(_ file: WebConfigFile, clock: any Clock, passwords: PasswordCheck) throws(ConfigError) {
        path = file.path
        self.passwords = passwords
        self.clock = clock
        let stamp = try file.stamp.get()
        let config = try file.config.get()
        var loaded = Loaded(stamp: stamp, config: .success(config))
        usesTLS = config.tls != nil
        if let tls = config.tls {
            for file in tls.files { loaded.tlsStamps.append(try ConfigFile.versionNow(of: file)) }
            loaded.tls = .success(try TLSContext(tls, TLSContext.Texts(tls), file: path))
        }
        state = Mutex(
            State(
                loaded: loaded, tokens: max(0, min(config.rateBurst, 1_000_000)) * 1000, refilled: clock.monotonic()))
        if usesTLS, config.usesHTTP2 {
            log.info("HTTP/2 is accepted in the web configuration; connections are served with HTTP/1.1")
        }
    }

    /// Checks a file as the daemon does at its start.
    package static func check(path: String) throws(ConfigError) {
        let config = try WebConfig.load(path: path)
        guard let tls = config.tls else { return }
        do throws(ConfigError) {
            _ = try TLSContext(tls, TLSContext.Texts(tls), file: path)
        } catch {
            throw config.tlsPlace?.error(error.message) ?? error
        }
    }

    /// Checks whether files have changed, and reads them again in that case; returns after that, or if it hangs.
    private func look() {
        if isLooking.exchange(true, ordering: .acquiringAndReleasing) { return }
        let isDone = TimedSemaphore(value: 0)
        BlockingCall.task { [self] in
            do throws(ConfigError) {
                try await refresh()
                hangs.store(false, ordering: .relaxed)
            } catch {
                // The contents that were read last stay in use until the file system answers again.
                if !hangs.exchange(true, ordering: .relaxed) {
                    log.warn(
                        "The web configuration cannot be checked; the last version stays in use", ["err": "\(error)"])
                }
            }
            isLooking.store(false, ordering: .releasing)
            isDone.signal()
        }
        _ = isDone.wait(milliseconds: Self.lookTimeout)
    }

    /// - Throws: If the file system does not answer.
    private func refresh() async throws(ConfigError) {
        let old = state.withLock(\.loaded)
        var new = old
        new.stamp = try await ConfigFile.version(of: path)
        if new.stamp != old.stamp {
            new.tls = nil
            new.config = try await readConfig()
            switch new.config {
            case .failure(let error):
                log.error("Unable to parse configuration; requests are refused", ["err": "\(error)"])
            case .success(let config) where usesTLS && config.tls == nil:
                log.error("The web configuration has no TLS section; connections are refused", ["file": path])
            case .success(let config) where !usesTLS && config.tls != nil:
                log.warn("The web configuration has a TLS section now; a restart enables TLS", ["file": path])
            case .success: break
            }
        }
        if case .success(let config) = new.config, let tls = config.tls {
            new.tlsStamps = []
            for file in tls.files { new.tlsStamps.append(try await ConfigFile.version(of: file)) }
            if new.tls == nil || new.tlsStamps != old.tlsStamps {
                let texts = await TLSContext.Texts.read(tls)
                let tls = Result { () throws(ConfigError) in try TLSContext(tls, texts, file: path) }
                if case .failure(let error) = tls {
                    if error.isUnanswered { throw error }
                    log.error(
                        "Unable to use the TLS configuration; connections are refused",
                        ["err": "\(error)"])
                }
                new.tls = tls
            }
        }
        let loaded = new
        state.withLock { $0.loaded = loaded }
    }

    private func readConfig() async throws(ConfigError) -> Result<WebConfig, ConfigError> {
        let text: [UInt8]
        do throws(ConfigError) {
            text = try await ConfigFile.content(of: path)
        } catch {
            if error.isUnanswered { throw error }
            return .failure(error)
        }
        return Result { () throws(ConfigError) in try WebConfig.parse(text: text, path: path) }
    }

    /// The context of a new handshake; nil if there is none that may be used.
    func tlsContext() -> TLSContext? {
        look()
        return state.withLock { try? $0.loaded.tls?.get() }
    }

    /// The decision of the configuration about a request.
    struct Verdict: Sendable {
        /// The headers that are added to the answer.
        var headers: [(name: String, value: String)] = []
        /// The answer to a request that is refused.
        var refusal: HTTPResponse?
        /// The hash that has to be computed before the request is accepted.
        var question: PasswordCheck.Question?
        /// Whether the connection is closed after the answer.
        var closes = false

        /// Applies the result of the password check.
        mutating func take(_ isRight: Bool) {
            question = nil
            if isRight { return }
            var refusal = HTTPResponse.text("Unauthorized\n", status: 401)
            refusal.headers.append(("WWW-Authenticate", "Basic"))
            self.refusal = refusal
        }

        /// Refuses the request because too many passwords are being checked.
        mutating func refuse() {
            question = nil
            closes = true
            var refusal = HTTPResponse.text("Too Many Requests\n", status: 429)
            refusal.headers.append(("Retry-After", "1"))
            self.refusal = refusal
        }
    }

    /// Checks a request by its `Authorization`.
    func judge(authorization: String?) -> Verdict {
        let now = clock.monotonic()
        look()
        let (config, isOver) = state.withLock { (try? $0.loaded.config.get(), Self.isOverRate(&$0, now)) }
        guard let config else { return Verdict(refusal: .text("Internal Server Error\n", status: 500)) }
        if isOver { return Verdict(refusal: .text("Too Many Requests\n", status: 429)) }
        var verdict = Verdict(headers: config.headers)
        guard !config.users.isEmpty else { return verdict }
        switch passwords.look(authorization, users: config.users) {
        case .known(let isRight): verdict.take(isRight)
        case .unknown(let question): verdict.question = question
        }
        return verdict
    }

    private static func isOverRate(_ state: inout State, _ now: Int64) -> Bool {
        guard case .success(let config) = state.loaded.config, config.rateInterval > 0 else { return false }
        let burst = max(0, min(config.rateBurst, 1_000_000)) * 1000
        let elapsed = Double(max(0, now - state.refilled)) / Double(config.rateInterval) * 1000
        let refill = Int(min(elapsed, Double(burst)))
        if refill > 0 {
            state.tokens = min(burst, state.tokens + refill)
            state.refilled = now
        }
        guard state.tokens >= 1000 else { return true }
        state.tokens -= 1000
        return false
    }
}
