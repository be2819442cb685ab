import CCurl
import Config
import Model

/// Sets a curl handle up for a request as an HTTP client configuration asks for it.
enum CurlOptions {
    /// - Parameters:
    ///   - headers: Further headers, `Name: value`.
    /// - Returns: Lists that must live until the transfer has ended, and be freed then.
    static func apply(
        _ client: HTTPClientConfig, url: String, to handle: UnsafeMutableRawPointer, headers: inout [String]
    ) throws(ScrapeFailure) -> [UnsafeMutablePointer<curl_slist>] {
        _ = ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = ccurl_set_long(handle, CURLOPT_FOLLOWLOCATION, client.followRedirects ? 1 : 0)
        _ = ccurl_set_long(handle, CURLOPT_MAXREDIRS, 10)
        // 4: HTTP/2 over TLS only; 2: HTTP/1.1.
        _ = ccurl_set_long(handle, CURLOPT_HTTP_VERSION, client.enableHTTP2 ? 4 : 2)
        var lists: [UnsafeMutablePointer<curl_slist>] = []
        var failure: ScrapeFailure?
        do throws(ScrapeFailure) {
            try authenticate(client, handle, &headers)
            for header in client.headers {
                for value in header.values + header.secrets { headers.append("\(header.name): \(value)") }
                for file in header.files { headers.append("\(header.name): \(try secret(file))") }
            }
        } catch {
            failure = error
        }
        setProxy(client, handle, &lists)
        setTLS(client.tls, handle)
        setURL(url, client.tls.serverName, handle, &headers, &lists)
        if let list = list(headers) {
            lists.append(list)
            _ = ccurl_set_list(handle, CURLOPT_HTTPHEADER, list)
        }
        if let failure {
            for list in lists { curl_slist_free_all(list) }
            throw failure
        }
        return lists
    }

    private static func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines where !line.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A }) {
            list = curl_slist_append(list, line) ?? list
        }
        return list
    }

    /// The trimmed contents of a file with a secret; read for every request, so that a change is effective at once.
    private static func secret(_ path: String) throws(ScrapeFailure) -> String {
        do throws(ConfigError) {
            let bytes = try ConfigFile.read(path)
            func isSpace(_ byte: UInt8) -> Bool { byte <= 0x20 }
            guard let first = bytes.firstIndex(where: { !isSpace($0) }),
                let last = bytes.lastIndex(where: { !isSpace($0) })
            else { return "" }
            return String(decoding: bytes[first...last], as: UTF8.self)
        } catch {
            throw ScrapeFailure(.network, "unable to read file \(path): \(error.message)")
        }
    }

    private static func authenticate(
        _ client: HTTPClientConfig, _ handle: UnsafeMutableRawPointer, _ headers: inout [String]
    ) throws(ScrapeFailure) {
        if let basic = client.basicAuth {
            let name = basic.usernameFile.isEmpty ? basic.username : try secret(basic.usernameFile)
            let password = basic.passwordFile.isEmpty ? basic.password : try secret(basic.passwordFile)
            _ = ccurl_set_long(handle, CURLOPT_HTTPAUTH, 1)
            _ = ccurl_set_string(handle, CURLOPT_USERNAME, name)
            _ = ccurl_set_string(handle, CURLOPT_PASSWORD, password)
        }
        if let auth = client.authorization {
            let credentials = auth.credentialsFile.isEmpty ? auth.credentials : try secret(auth.credentialsFile)
            headers.append("Authorization: \(auth.type) \(credentials)")
        }
        if client.oauth2 != nil { throw ScrapeFailure(.network, "not supported yet: oauth2") }
    }

    private static func setProxy(
        _ client: HTTPClientConfig, _ handle: UnsafeMutableRawPointer,
        _ lists: inout [UnsafeMutablePointer<curl_slist>]
    ) {
        // An empty text switches curl's own look at the environment off.
        if !client.proxyFromEnvironment { _ = ccurl_set_string(handle, CURLOPT_PROXY, client.proxyURL) }
        if !client.noProxy.isEmpty { _ = ccurl_set_string(handle, CURLOPT_NOPROXY, client.noProxy) }
        let headers = client.proxyConnectHeaders.flatMap { header in
            (header.values + header.secrets).map { "\(header.name): \($0)" }
        }
        if let list = list(headers) {
            lists.append(list)
            _ = ccurl_set_list(handle, CURLOPT_PROXYHEADER, list)
        }
    }

    private static func setTLS(_ tls: TLSClientConfig, _ handle: UnsafeMutableRawPointer) {
        if tls.insecureSkipVerify {
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 0)
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 0)
        }
        func set(_ option: CURLoption, _ file: String, _ blobOption: CURLoption, _ text: String) {
            if !file.isEmpty { _ = ccurl_set_string(handle, option, file) }
            guard !text.isEmpty else { return }
            var bytes = Array(text.utf8)
            bytes.withUnsafeMutableBytes { bytes in
                // 1: curl makes a copy.
                var blob = curl_blob(data: bytes.baseAddress, len: bytes.count, flags: 1)
                _ = withUnsafeMutablePointer(to: &blob) { ccurl_set_pointer(handle, blobOption, $0) }
            }
        }
        set(CURLOPT_CAINFO, tls.caFile, CURLOPT_CAINFO_BLOB, tls.ca)
        set(CURLOPT_SSLCERT, tls.certFile, CURLOPT_SSLCERT_BLOB, tls.cert)
        set(CURLOPT_SSLKEY, tls.keyFile, CURLOPT_SSLKEY_BLOB, tls.key)
        // curl's numbers: TLS 1.0…1.3 are 4…7, a largest version stands 16 bits higher.
        func number(_ name: String) -> Int? { ["TLS10": 4, "TLS11": 5, "TLS12": 6, "TLS13": 7][name] }
        let low = number(tls.minVersion) ?? 6
        let high = number(tls.maxVersion).map { $0 << 16 } ?? 0
        _ = ccurl_set_long(handle, CURLOPT_SSLVERSION, low | high)
    }

    /// Sets the URL; with a server name of its own, TLS and the certificate go by that name, the connection by the URL.
    private static func setURL(
        _ url: String, _ serverName: String, _ handle: UnsafeMutableRawPointer, _ headers: inout [String],
        _ lists: inout [UnsafeMutablePointer<curl_slist>]
    ) {
        guard !serverName.isEmpty, url.hasPrefix("https://") else {
            _ = ccurl_set_string(handle, CURLOPT_URL, url)
            return
        }
        let rest = url.dropFirst(8)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let afterBracket = authority.lastIndex(of: "]").map { authority[$0...] } ?? authority
        let port = afterBracket.lastIndex(of: ":").map { String(authority[authority.index(after: $0)...]) } ?? "443"
        let host = afterBracket.lastIndex(of: ":").map { authority[..<$0] } ?? authority
        _ = ccurl_set_string(handle, CURLOPT_URL, "https://\(serverName):\(port)\(rest.dropFirst(authority.count))")
        headers.append("Host: \(authority)")
        if let list = list(["\(serverName):\(port):\(host):\(port)"]) {
            lists.append(list)
            _ = ccurl_set_list(handle, CURLOPT_CONNECT_TO, list)
        }
    }
}
