import Config
import Glibc
import HTTP
import Model

/// Carries notifications over HTTP, with the settings of an `http_config`.
package final class HTTPTransport: NotificationTransport {
    /// Why a request cannot be made.
    package struct Failure: Error, CustomStringConvertible, Sendable {
        package var description: String
    }

    private let config: HTTPClientConfig
    /// Set if no setting lies in a file, which may change from request to request.
    private let client: HTTPClient?

    /// - Throws: For what the client cannot do yet.
    package init(_ config: HTTPClientConfig) throws(Failure) {
        self.config = config
        for (name, text) in [("ca", config.tls.ca), ("cert", config.tls.cert), ("key", config.tls.key)]
        where !text.isEmpty {
            throw Failure(description: "not supported yet: tls_config \(name), use \(name)_file")
        }
        if config.oauth2 != nil { throw Failure(description: "not supported yet: oauth2") }
        if !config.proxyConnectHeaders.isEmpty { throw Failure(description: "not supported yet: proxy_connect_header") }
        client = Self.readsFiles(config) ? nil : HTTPClient(options: try Self.options(config))
    }

    package func post(_ request: NotificationRequest) async throws -> Int {
        let client = try client ?? HTTPClient(options: Self.options(config))
        let response = try await client.send(
            ClientRequest(
                method: "POST", url: request.url, headers: request.headers, body: request.body,
                timeout: request.timeout))
        return response.status
    }

    private static func readsFiles(_ config: HTTPClientConfig) -> Bool {
        config.basicAuth.map { !$0.usernameFile.isEmpty || !$0.passwordFile.isEmpty } ?? false
            || config.authorization.map { !$0.credentialsFile.isEmpty } ?? false
            || config.headers.contains { !$0.files.isEmpty }
    }

    private static func options(_ config: HTTPClientConfig) throws(Failure) -> HTTPClientOptions {
        var options = HTTPClientOptions()
        if let auth = config.basicAuth {
            options.username = auth.usernameFile.isEmpty ? auth.username : try read(auth.usernameFile)
            options.password = auth.passwordFile.isEmpty ? auth.password : try read(auth.passwordFile)
        }
        if let auth = config.authorization {
            let credentials = auth.credentialsFile.isEmpty ? auth.credentials : try read(auth.credentialsFile)
            if !credentials.isEmpty { options.authorization = auth.type + " " + credentials }
        }
        for header in config.headers {
            var values = header.values + header.secrets
            for file in header.files { values.append(try read(file)) }
            options.headers += values.map { "\(header.name): \($0)" }
        }
        options.followRedirects = config.followRedirects
        options.proxyURL = config.proxyURL
        options.noProxy = config.noProxy
        options.proxyFromEnvironment = config.proxyFromEnvironment
        options.caFile = config.tls.caFile
        options.certFile = config.tls.certFile
        options.keyFile = config.tls.keyFile
        options.serverName = config.tls.serverName
        options.insecureSkipVerify = config.tls.insecureSkipVerify
        return options
    }

    /// The content of a secret's file, without white space at its ends.
    private static func read(_ path: String) throws(Failure) -> String {
        guard let file = fopen(path, "r") else {
            throw Failure(description: "unable to read file \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = fread(&buffer, 1, buffer.count, file)
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (byte >= 0x09 && byte <= 0x0D) }
        var text = buffer[0..<count].drop(while: isSpace)
        while let last = text.last, isSpace(last) { text = text.dropLast() }
        return String(decoding: text, as: UTF8.self)
    }
}
