import Config
import Glibc
import Platform

/// What a client adds to the requests of one `http_config`: the configuration, and its secrets where they are no files.
package final class RequestOptions: Sendable {
    package let config: HTTPClientConfig
    /// Set if no secret is in a file, which may change from request to request.
    package let fixedCredentials: RequestCredentials?

    package init(_ config: HTTPClientConfig) {
        self.config = config
        fixedCredentials = config.readsSecretFiles ? nil : try? RequestCredentials(config)
    }

    /// The secrets of the next request.
    ///
    /// - Parameter body: Called at once if no file has to be read, else from a thread that may block.
    package func withCredentials(_ body: @escaping @Sendable (Result<RequestCredentials, TransferFailure>) -> Void) {
        if let fixedCredentials { return body(.success(fixedCredentials)) }
        let config = config
        BlockingCall.start { body(Result { () throws(TransferFailure) in try RequestCredentials(config) }) }
    }

    /// Checks that all files the configuration names can be read.
    ///
    /// - Throws: The first that cannot, with the reason.
    package static func checkFiles(_ config: HTTPClientConfig) throws(TransferFailure) {
        for file in config.files where access(file.path, R_OK) != 0 {
            throw TransferFailure(
                .setup, "unable to read \(file.key) \(file.path): \(String(cString: strerror(errno)).lowercased())")
        }
    }
}

/// The headers that only the configured host may see.
package struct RequestCredentials: Sendable, Equatable {
    /// The value of `Authorization`; empty for none.
    package var authorization = ""
    /// `Name: value` lines of `http_headers`.
    package var headers: [String] = []

    package init() {}

    /// Reads what the configuration has in files.
    package init(_ config: HTTPClientConfig) throws(TransferFailure) {
        if config.oauth2 != nil { throw TransferFailure(.setup, "not supported yet: oauth2") }
        if let basic = config.basicAuth {
            let name = basic.usernameFile.isEmpty ? basic.username : try Self.secret(basic.usernameFile)
            let password = basic.passwordFile.isEmpty ? basic.password : try Self.secret(basic.passwordFile)
            authorization = "Basic " + Base64.encode(Array("\(name):\(password)".utf8))
        }
        if let auth = config.authorization {
            let credentials = auth.credentialsFile.isEmpty ? auth.credentials : try Self.secret(auth.credentialsFile)
            authorization = "\(auth.type) \(credentials)"
        }
        for header in config.headers {
            for value in header.values + header.secrets { headers.append("\(header.name): \(value)") }
            for file in header.files { headers.append("\(header.name): \(try Self.secret(file))") }
        }
    }

    /// The trimmed contents of a file.
    private static func secret(_ path: String) throws(TransferFailure) -> String {
        do throws(ConfigError) {
            return SecretFile.trimmed(try ConfigFile.read(path))
        } catch {
            throw TransferFailure(.setup, "unable to read file \(path): \(error.message)")
        }
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

extension HTTPClientConfig {
    /// Whether a secret is read from a file for every request.
    var readsSecretFiles: Bool {
        basicAuth.map { !$0.usernameFile.isEmpty || !$0.passwordFile.isEmpty } ?? false
            || authorization.map { !$0.credentialsFile.isEmpty } ?? false || headers.contains { !$0.files.isEmpty }
            || oauth2 != nil
    }

    /// All files that are named, with the key that names them.
    package var files: [(key: String, path: String)] {
        var files = [("ca_file", tls.caFile), ("cert_file", tls.certFile), ("key_file", tls.keyFile)]
        if let basicAuth {
            files += [("username_file", basicAuth.usernameFile), ("password_file", basicAuth.passwordFile)]
        }
        if let authorization { files.append(("credentials_file", authorization.credentialsFile)) }
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
