import Config
import Glibc
import GoCompatibility
import Model
import Platform
import Synchronization

/// The additions of a client to the requests of one `http_config`: the configuration, and the contents of its files.
package final class RequestOptions: Sendable {
    package let config: HTTPClientConfig
    /// The credentials without the token of `oauth2`; nil if a file contains some of them, because it may change
    /// between requests.
    private let fixed: Result<RequestCredentials, TransferFailure>?
    private let tokens: TokenSource?
    private let files: SettingsFiles?
    /// The client secret of `oauth2`; empty if it is in a file.
    private let clientSecret: ExactText
    /// The secrets of the credentials that were used last.
    private let lastSecrets = Mutex<[String]>([])

    /// The secret texts of the last request, which messages about it must not show.
    package var secrets: [String] { readyCredentials?.secrets ?? lastSecrets.withLock { $0 } }

    /// - Parameter clock: The clock for the expiry of tokens.
    package init(_ config: HTTPClientConfig, clock: any Clock = SystemClock()) {
        self.config = config
        files = config.readsFiles ? SettingsFiles(config, clock: clock) : nil
        fixed =
            files == nil
            ? Result { () throws(TransferFailure) in try RequestCredentials(config, SecretFiles()) } : nil
        clientSecret = ExactText(config.oauth2?.clientSecret ?? "")
        tokens = config.oauth2.map { TokenSource($0, clock: clock) }
    }

    /// The credentials of the next request, if no file has to be read and no token has to be requested.
    package var readyCredentials: RequestCredentials? {
        guard case .success(let credentials) = fixed else { return nil }
        guard let tokens else { return credentials }
        return tokens.known(secret: clientSecret).map(credentials.with)
    }

    /// Gets the credentials of the next request.
    ///
    /// - Parameter body: Called once, from a thread that may block, or immediately if nothing has to be read or
    ///   requested.
    package func ask(
        _ request: CredentialsRequest,
        _ body: @escaping @Sendable (Result<RequestCredentials, TransferFailure>) -> Void
    ) {
        if let readyCredentials { return body(.success(readyCredentials)) }
        let body: @Sendable (Result<RequestCredentials, TransferFailure>) -> Void = { [self] result in
            if case .success(let credentials) = result { lastSecrets.withLock { $0 = credentials.secrets } }
            body(result)
        }
        switch fixed {
        case .success(let credentials): return askToken(clientSecret, credentials, request, body)
        case .failure(let failure): return body(.failure(failure))
        case nil: break
        }
        files?.ask(request) { [self] content in
            switch content {
            case .success(let content): askToken(content.clientSecret, content.credentials, request, body)
            case .failure(let failure): body(.failure(failure))
            }
        }
    }

    private func askToken(
        _ secret: ExactText, _ credentials: RequestCredentials, _ request: CredentialsRequest,
        _ body: @escaping @Sendable (Result<RequestCredentials, TransferFailure>) -> Void
    ) {
        guard let tokens else { return body(.success(credentials)) }
        tokens.ask(secret: secret, request) { body($0.map(credentials.with)) }
    }

    /// Fails a request for credentials that still waits for a file or a token.
    package func cancel(_ request: CredentialsRequest) {
        files?.cancel(request)
        tokens?.cancel(request)
    }

    /// Checks that all files of the configuration can be read.
    ///
    /// - Throws: The error of the first file that cannot be read.
    package static func checkFiles(_ config: HTTPClientConfig) throws(TransferFailure) {
        for file in config.files {
            do throws(FileError) {
                try ConfigFile.checkAccess(file.path)
            } catch {
                throw TransferFailure(
                    .setup, "unable to read \(file.key) \(file.path): \(FileError.text(error.code).lowercased())")
            }
        }
    }
}

/// A wait for credentials, which can be cancelled.
package final class CredentialsRequest: Sendable {
    /// The `User-Agent` header of the request for a token.
    let userAgent: String
    /// The milliseconds from the start of the request.
    let timeout: Int64
    let isCancelled = Atomic(false)

    package init(userAgent: String, timeout: Int64) {
        self.userAgent = userAgent
        self.timeout = timeout
    }
}

/// The headers that only the configured host may receive, and the contents of its files.
package struct RequestCredentials: Sendable, Equatable {
    /// The value of `Authorization`; empty for none.
    package var authorization = ""
    /// Whether ``authorization`` has precedence over a user in the URL.
    package var overridesURL = false
    /// `Name: value` lines of `http_headers`.
    package var headers: [String] = []
    /// The certificates from files; they apply to connections to all hosts.
    var tls = TLSFiles()
    /// The parts of the above that nobody may see.
    package private(set) var secrets: [String] = []

    package init() {}

    /// The credentials for a host that is not trusted.
    var withoutSecrets: RequestCredentials {
        var result = RequestCredentials()
        result.tls = tls
        return result
    }

    /// The credentials of a configuration without certificates.
    init(_ config: HTTPClientConfig, _ files: SecretFiles) throws(TransferFailure) {
        if let basic = config.basicAuth {
            let name = basic.usernameFile.isEmpty ? basic.username : try files.text(basic.usernameFile)
            let password = basic.passwordFile.isEmpty ? basic.password : try files.text(basic.passwordFile)
            let encoded = Base64.encode(Array("\(name):\(password)".utf8))
            authorization = "Basic " + encoded
            secrets += [encoded, password]
        }
        if let auth = config.authorization {
            let credentials = auth.credentialsFile.isEmpty ? auth.credentials : try files.text(auth.credentialsFile)
            authorization = "\(auth.type) \(credentials)"
            secrets.append(credentials)
        }
        for header in config.headers {
            for value in header.values + header.secrets { headers.append("\(header.name): \(value)") }
            secrets += header.secrets
            for file in header.files {
                let value = try files.text(file)
                headers.append("\(header.name): \(value)")
                secrets.append(value)
            }
            // Go's client refuses to send such headers. The value is not shown, because it may be a secret.
            guard !header.name.isEmpty, header.name.utf8.allSatisfy(RequestHeadParser.isToken) else {
                throw TransferFailure(.setup, "net/http: invalid header field name \(GoQuote.quote(header.name))")
            }
        }
        for line in ["Authorization: " + authorization] + headers where !line.utf8.allSatisfy(RequestHeadParser.isValue)
        {
            let name = line.utf8.prefix { $0 != UInt8(ascii: ":") }
            throw TransferFailure(
                .setup,
                "net/http: invalid header field value for \(GoQuote.quote(String(decoding: Array(name), as: UTF8.self)))"
            )
        }
    }

    /// A copy with the token of an OAuth 2.0 server.
    fileprivate func with(_ token: String) -> RequestCredentials {
        var result = self
        result.authorization = token
        result.overridesURL = true
        result.secrets.append(String(token.drop { $0 != " " }.dropFirst()))
        return result
    }
}

/// The contents of files with a secret.
package enum SecretFile {
    /// The text without white space at both ends.
    package static func trimmed(_ bytes: [UInt8]) -> String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}

/// The contents of files with secrets, as they were read.
struct SecretFiles: Sendable {
    private var contents: [ExactText: Result<[UInt8], ConfigError>] = [:]

    /// Reads the files of a configuration, one after the other.
    ///
    /// So settings whose files all hang block one thread only.
    static func read(_ config: HTTPClientConfig) async -> SecretFiles {
        var files = SecretFiles()
        for path in config.secretFiles where files.contents[ExactText(path)] == nil {
            do throws(ConfigError) {
                files.contents[ExactText(path)] = .success(try await ConfigFile.content(of: path))
            } catch {
                files.contents[ExactText(path)] = .failure(error)
                // The request fails with this error.
                break
            }
        }
        return files
    }

    /// The trimmed content of a file.
    func text(_ path: String) throws(TransferFailure) -> String {
        switch contents[ExactText(path)] {
        case .success(let bytes)?: return SecretFile.trimmed(bytes)
        case .failure(let error)?: throw TransferFailure(.setup, "unable to read file \(path): \(error.message)")
        case nil: throw TransferFailure(.setup, "unable to read file \(path)")
        }
    }
}

extension OAuth2Config {
    /// The current secret of the client.
    func secret(_ files: SecretFiles) throws(TransferFailure) -> String {
        if clientSecretFile.isEmpty { return clientSecret }
        do throws(TransferFailure) {
            return try files.text(clientSecretFile)
        } catch {
            throw TransferFailure(.setup, "unable to read oauth2 client secret: \(error)")
        }
    }
}

extension HTTPClientConfig {
    /// Whether files contain credentials; they are checked for every request.
    fileprivate var readsFiles: Bool {
        basicAuth.map { !$0.usernameFile.isEmpty || !$0.passwordFile.isEmpty } ?? false
            || authorization.map { !$0.credentialsFile.isEmpty } ?? false || headers.contains { !$0.files.isEmpty }
            || oauth2.map { !$0.clientSecretFile.isEmpty } ?? false
            || !tls.caFile.isEmpty || !tls.certFile.isEmpty || !tls.keyFile.isEmpty
    }

    /// The files with secrets in the order in which they are needed.
    ///
    /// They are read for every request.
    fileprivate var secretFiles: [String] {
        var files: [String] = []
        if let basicAuth { files += [basicAuth.usernameFile, basicAuth.passwordFile] }
        if let authorization { files.append(authorization.credentialsFile) }
        files += headers.flatMap(\.files)
        if let oauth2 { files.append(oauth2.clientSecretFile) }
        return files.filter { !$0.isEmpty }
    }

    /// All files of the configuration with their keys.
    package var files: [(key: String, path: String)] {
        var files = [("ca_file", tls.caFile), ("cert_file", tls.certFile), ("key_file", tls.keyFile)]
        if let basicAuth {
            files += [("username_file", basicAuth.usernameFile), ("password_file", basicAuth.passwordFile)]
        }
        if let authorization { files.append(("credentials_file", authorization.credentialsFile)) }
        if let oauth2 {
            files += [
                ("client_secret_file", oauth2.clientSecretFile), ("ca_file", oauth2.tls.caFile),
                ("cert_file", oauth2.tls.certFile), ("key_file", oauth2.tls.keyFile),
            ]
        }
        for header in headers { files += header.files.map { ("http_headers file", $0) } }
        return files.filter { !$0.1.isEmpty }.map { (key: $0.0, path: $0.1) }
    }
}

/// The standard alphabet of RFC 4648 with padding.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for digit in 0..<4 {
                out.append(digit <= group.count ? alphabet[word >> (18 - 6 * digit) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
