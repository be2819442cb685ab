import CTLS
import Config
import Glibc
import Model
import Platform
import Synchronization
import Telemetry

/// The web configuration at work: who may pass, with which certificates, and which headers answers carry.
///
/// The file and those it names are looked at again for every request and handshake, and read again when they changed.
package final class WebAccess: Sendable {
    /// What says that a file has changed.
    private struct Stamp: Hashable {
        var seconds = 0
        var nanoseconds = 0
        var size = 0
        var inode: UInt = 0

        init(_ path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return }
            seconds = status.st_mtim.tv_sec
            nanoseconds = status.st_mtim.tv_nsec
            size = status.st_size
            inode = UInt(status.st_ino)
        }
    }

    private struct State {
        var stamp: Stamp
        var config: Result<WebConfig, ConfigError>
        var tlsStamps: [Stamp] = []
        var tls: Result<TLSContext, ConfigError>?
        /// Requests that may come now, in thousandths.
        var tokens = 0
        var refilled: Int64 = 0
    }

    package let path: String
    /// Whether connections are TLS; a restart changes it, as with Prometheus.
    package let usesTLS: Bool
    private let state: Mutex<State>
    private let passwords = PasswordCheck()
    private let clock: any Clock
    private let log = Log("web")

    /// Reads the file and all that it names.
    package init(path: String, clock: any Clock) throws(ConfigError) {
        self.path = path
        self.clock = clock
        let stamp = Stamp(path)
        let config = try WebConfig.load(path: path)
        var state = State(stamp: stamp, config: .success(config))
        usesTLS = config.tls != nil
        if let tls = config.tls {
            state.tlsStamps = tls.files.map { Stamp($0) }
            state.tls = .success(try TLSContext(tls, file: path))
        }
        state.tokens = max(0, min(config.rateBurst, 1_000_000)) * 1000
        state.refilled = clock.monotonic()
        self.state = Mutex(state)
        if usesTLS, config.usesHTTP2 {
            log.info("HTTP/2 is accepted in the web configuration; connections are served with HTTP/1.1")
        }
    }

    /// Checks a file as the daemon does when it starts.
    package static func check(path: String) throws(ConfigError) {
        let config = try WebConfig.load(path: path)
        guard let tls = config.tls else { return }
        do throws(ConfigError) {
            _ = try TLSContext(tls, file: path)
        } catch {
            throw config.tlsPlace?.error(error.message) ?? error
        }
    }

    /// Reads the file again if it has changed.
    private func refresh(_ state: inout State) {
        let stamp = Stamp(path)
        if stamp != state.stamp {
            state.stamp = stamp
            state.tls = nil
            do throws(ConfigError) {
                state.config = .success(try WebConfig.load(path: path))
            } catch {
                state.config = .failure(error)
                log.error("Unable to parse configuration", ["err": "\(error)"])
            }
        }
    }

    /// The context of a handshake that begins now; nil if there is none that may be used.
    func tlsContext() -> TLSContext? {
        state.withLock { state in
            refresh(&state)
            guard case .success(let config) = state.config else { return nil }
            guard let tls = config.tls else { return nil }
            let stamps = tls.files.map { Stamp($0) }
            if state.tls == nil || stamps != state.tlsStamps {
                state.tlsStamps = stamps
                do throws(ConfigError) {
                    state.tls = .success(try TLSContext(tls, file: path))
                } catch {
                    state.tls = .failure(error)
                    log.error("Unable to use the TLS configuration", ["err": "\(error)"])
                }
            }
            return try? state.tls?.get()
        }
    }

    /// What the configuration says about a request.
    struct Verdict: Sendable {
        /// Headers that the answer carries.
        var headers: [(name: String, value: String)] = []
        /// The answer of a request that may not pass.
        var refusal: HTTPResponse?
    }

    /// Judges a request by its `Authorization`.
    func judge(authorization: String?) -> Verdict {
        let now = clock.monotonic()
        let (config, isOver) = state.withLock { state in
            refresh(&state)
            return (try? state.config.get(), Self.isOverRate(&state, now))
        }
        guard let config else { return Verdict(refusal: .text("Internal Server Error\n", status: 500)) }
        if isOver { return Verdict(refusal: .text("Too Many Requests\n", status: 429)) }
        var verdict = Verdict(headers: config.headers)
        if !config.users.isEmpty, !passwords.accepts(authorization, users: config.users) {
            var refusal = HTTPResponse.text("Unauthorized\n", status: 401)
            refusal.headers.append(("WWW-Authenticate", "Basic"))
            verdict.refusal = refusal
        }
        return verdict
    }

    private static func isOverRate(_ state: inout State, _ now: Int64) -> Bool {
        guard case .success(let config) = state.config, config.rateInterval > 0 else { return false }
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
