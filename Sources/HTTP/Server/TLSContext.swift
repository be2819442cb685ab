import CTLS
import Config
import Glibc
import Model

/// The certificates, versions and client checks of TLS connections; immutable.
final class TLSContext: Sendable {
    // SAFETY: a context counts its references with atomics and is only read once handshakes use it.
    nonisolated(unsafe) private let context: OpaquePointer
    private let settings: WebConfig.TLS

    /// Makes a context.
    ///
    /// - Parameters:
    ///   - texts: The contents of the files in the settings.
    ///   - file: The file with the settings.
    init(_ settings: WebConfig.TLS, _ texts: Texts, file: String) throws(ConfigError) {
        self.settings = settings
        func mistake(_ text: String) -> ConfigError { ConfigError(file: file, message: text) }
        guard
            let context = ctls_context(
                settings.minVersion.number, settings.maxVersion.number, settings.prefersServerCiphers ? 1 : 0)
        else { throw mistake("TLS context: \(Self.reason())") }
        self.context = context
        let certificate = try texts.text(settings.certificateFile, settings.certificate, "cert_file")
        guard ctls_use_chain(context, certificate, Int32(clamping: certificate.count)) == 1 else {
            throw mistake("failed to load X509KeyPair: certificate: \(Self.reason())")
        }
        let key = try texts.text(settings.keyFile, settings.key, "key_file")
        guard ctls_use_key(context, key, Int32(clamping: key.count)) == 1 else {
            throw mistake("failed to load X509KeyPair: private key: \(Self.reason())")
        }
        try Self.setCiphers(context, settings, mistake)
        if !settings.curves.isEmpty {
            guard ctls_set_curves(context, settings.curves.joined(separator: ":")) == 1 else {
                throw mistake("curve_preferences: \(Self.reason())")
            }
        }
        if !settings.clientAuthorities.isEmpty || !settings.clientAuthoritiesFile.isEmpty {
            let pem = try texts.text(settings.clientAuthoritiesFile, settings.clientAuthorities, "client_ca_file")
            guard ctls_trust_clients(context, pem, Int32(clamping: pem.count)) > 0 else {
                throw mistake("no certificate in client_ca_file (\(settings.clientAuthoritiesFile))")
            }
        }
        let auth = settings.clientAuth
        ctls_set_client_certificates(
            context, auth == .none ? 0 : 1, auth == .requireAny || auth == .requireAndVerify ? 1 : 0,
            auth == .verifyIfGiven || auth == .requireAndVerify ? 1 : 0)
    }

    deinit { SSL_CTX_free(context) }

    /// The contents of the files in the settings.
    struct Texts: Sendable {
        private var contents: [ExactText: Result<[UInt8], ConfigError>] = [:]

        /// Reads the files, and blocks the thread.
        init(_ settings: WebConfig.TLS) {
            for path in settings.files {
                contents[ExactText(path)] = Result { () throws(ConfigError) in try ConfigFile.read(path) }
            }
        }

        private init() {}

        /// Reads the files without blocking a thread.
        static func read(_ settings: WebConfig.TLS) async -> Texts {
            var texts = Texts()
            for path in settings.files {
                do throws(ConfigError) {
                    texts.contents[ExactText(path)] = .success(try await ConfigFile.content(of: path))
                } catch {
                    texts.contents[ExactText(path)] = .failure(error)
                }
            }
            return texts
        }

        fileprivate func text(_ path: String, _ inline: String, _ key: String) throws(ConfigError) -> [UInt8] {
            guard !path.isEmpty else { return Array(inline.utf8) }
            do throws(ConfigError) {
                return try contents[ExactText(path)]?.get() ?? []
            } catch {
                var error = error
                error.message = "failed to read \(key) (\(path)): \(error.message)"
                throw error
            }
        }
    }

    private static func setCiphers(
        _ context: OpaquePointer, _ settings: WebConfig.TLS, _ mistake: (String) -> ConfigError
    ) throws(ConfigError) {
        // Versions before 1.2 need signatures that OpenSSL refuses by default.
        let level = settings.minVersion.number < 0x0303 ? ":@SECLEVEL=0" : ""
        // As in Go, the cipher suites of TLS 1.3 cannot be selected.
        let names = settings.ciphers.filter { $0.contains("_WITH_") }.compactMap { name in
            OPENSSL_cipher_name(name).map { String(cString: $0) }
        }.filter { $0 != "(NONE)" }
        if settings.ciphers.isEmpty {
            if !level.isEmpty { SSL_CTX_set_cipher_list(context, "DEFAULT" + level) }
        } else if names.isEmpty {
            guard ctls_require_tls13(context) == 1, settings.maxVersion.number >= 0x0304 else {
                throw mistake("cipher_suites: none of TLS 1.2, and max_version is below TLS13")
            }
        } else if SSL_CTX_set_cipher_list(context, names.joined(separator: ":") + level) != 1 {
            throw mistake("cipher_suites: \(reason())")
        }
    }

    private static func reason() -> String {
        var text = [CChar](repeating: 0, count: 256)
        ctls_error(&text, text.count)
        let reason = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return reason.isEmpty ? "no valid PEM text" : reason
    }

    /// Makes the state of a connection on a socket, which the caller frees; nil without memory.
    func session(_ socket: Int32) -> OpaquePointer? {
        guard let session = SSL_new(context) else { return nil }
        guard SSL_set_fd(session, socket) == 1 else {
            SSL_free(session)
            return nil
        }
        return session
    }

    /// Whether the client's certificate has one of the allowed names.
    func isAllowed(_ session: OpaquePointer) -> Bool {
        guard let allowed = settings.allowedNames else { return true }
        let names = PeerNames()
        _ = ctls_peer_names(session, { peerName($0, $1, $2, $3) }, Unmanaged.passUnretained(names).toOpaque())
        return names.texts.contains { allowed.contains($0) }
    }
}

/// The alternative names of a certificate, collected from C.
private final class PeerNames {
    var texts: [String] = []

    func add(_ kind: Int32, _ bytes: UnsafeBufferPointer<UInt8>) {
        // The kind 7 is an address, as bytes.
        texts.append(kind == 7 ? PeerNames.address(bytes) : String(decoding: bytes, as: UTF8.self))
    }

    private static func address(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
        var text = [CChar](repeating: 0, count: 64)
        let family = bytes.count == 4 ? AF_INET : bytes.count == 16 ? AF_INET6 : -1
        guard family >= 0, inet_ntop(family, bytes.baseAddress, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func peerName(
    _ target: UnsafeMutableRawPointer?, _ kind: Int32, _ bytes: UnsafePointer<UInt8>?, _ count: Int32
) {
    guard let target else { return }
    Unmanaged<PeerNames>.fromOpaque(target).takeUnretainedValue().add(
        kind, UnsafeBufferPointer(start: bytes, count: bytes == nil ? 0 : max(0, Int(count))))
}
