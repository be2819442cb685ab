import CCurl
import Config
import Glibc

/// Maps an HTTP client configuration to options of a curl handle.
///
/// No other code does this.
enum CurlOptions {
    /// Lists that must exist until the transfer has ended.
    struct Lists {
        private var lists: [UnsafeMutablePointer<curl_slist>] = []

        /// Makes a list of `lines` without those that would end a header early.
        mutating func make(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
            var list: UnsafeMutablePointer<curl_slist>?
            for line in lines where !line.utf8.contains(where: { $0 == 0x0D || $0 == 0x0A || $0 == 0 }) {
                list = curl_slist_append(list, line) ?? list
            }
            if let list { lists.append(list) }
            return list
        }

        mutating func free() {
            for list in lists { curl_slist_free_all(list) }
            lists.removeAll(keepingCapacity: true)
        }
    }

    /// Sets the options that do not depend on the URL.
    ///
    /// - Returns: Whether curl accepts the certificates.
    static func apply(_ config: HTTPClientConfig, _ files: TLSFiles, to handle: UnsafeMutableRawPointer) -> Bool {
        _ = ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        // The transfer follows redirects itself, because it knows which hosts may receive the credentials.
        _ = ccurl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0)
        // 4: HTTP/2 over TLS only; 2: HTTP/1.1.
        _ = ccurl_set_long(handle, CURLOPT_HTTP_VERSION, config.enableHTTP2 ? 4 : 2)
        _ = ccurl_set_long(handle, CURLOPT_HTTP09_ALLOWED, 0)
        _ = ccurl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        // The transfer decodes chunks itself, because curl tolerates errors in them.
        _ = ccurl_set_long(handle, CURLOPT_HTTP_TRANSFER_DECODING, 0)
        _ = ccurl_set_long(handle, CURLOPT_BUFFERSIZE, 65_536)
        return setTLS(config.tls, files, handle)
    }

    /// The certificates that the environment names in place of the system's, as for programs of Go and OpenSSL.
    private static let trustedFile = variable("SSL_CERT_FILE")
    private static let trustedFolder = variable("SSL_CERT_DIR")

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Sets the certificates and versions of TLS; returns whether curl accepts them.
    static func setTLS(
        _ tls: TLSClientConfig, _ files: TLSFiles, _ handle: UnsafeMutableRawPointer
    ) -> Bool {
        if tls.insecureSkipVerify {
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 0)
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 0)
        }
        // A file that was not read must not count as no file.
        var isTaken =
            tls.caFile.isEmpty == files.authorities.isEmpty && tls.certFile.isEmpty == files.certificate.isEmpty
            && tls.keyFile.isEmpty == files.key.isEmpty
        func set(_ option: CURLoption, _ file: [UInt8], _ text: String) {
            var bytes = file.isEmpty ? Array(text.utf8) : file
            guard !bytes.isEmpty else { return }
            bytes.withUnsafeMutableBytes { bytes in
                // 1: curl makes a copy.
                var blob = curl_blob(data: bytes.baseAddress, len: bytes.count, flags: 1)
                let code = withUnsafeMutablePointer(to: &blob) { ccurl_set_pointer(handle, option, $0) }
                if code != CURLE_OK { isTaken = false }
            }
        }
        set(CURLOPT_CAINFO_BLOB, files.authorities, tls.ca)
        if !tls.caFile.isEmpty || !tls.ca.isEmpty {
            // Otherwise the system's folder of certificates would be trusted in addition.
            _ = ccurl_set_string(handle, CURLOPT_CAPATH, nil)
            // A changed file takes effect with the next connection.
            _ = ccurl_set_long(handle, CURLOPT_CA_CACHE_TIMEOUT, 0)
        } else {
            if let file = trustedFile { _ = ccurl_set_string(handle, CURLOPT_CAINFO, file) }
            if let folder = trustedFolder { _ = ccurl_set_string(handle, CURLOPT_CAPATH, folder) }
        }
        set(CURLOPT_SSLCERT_BLOB, files.certificate, tls.cert)
        set(CURLOPT_SSLKEY_BLOB, files.key, tls.key)
        // curl's numbers: TLS 1.0…1.3 are 4…7; a maximum version is stored 16 bits higher.
        func number(_ name: String) -> Int? { ["TLS10": 4, "TLS11": 5, "TLS12": 6, "TLS13": 7][name] }
        let low = number(tls.minVersion) ?? 6
        let high = number(tls.maxVersion).map { $0 << 16 } ?? 0
        _ = ccurl_set_long(handle, CURLOPT_SSLVERSION, low | high)
        return isTaken
    }

    /// Sets the URL and the options that depend on it: the proxy, and the name for TLS.
    ///
    /// - Returns: The `Host` header that the request needs; nil for curl's own.
    static func setURL(
        _ url: URLParts, _ config: HTTPClientConfig, _ handle: UnsafeMutableRawPointer, _ lists: inout Lists
    ) -> String? {
        setProxy(url, config, handle, &lists)
        let serverName = config.tls.serverName
        guard !serverName.isEmpty, url.scheme == "https" else {
            _ = ccurl_set_string(handle, CURLOPT_URL, url.text)
            _ = ccurl_set_list(handle, CURLOPT_CONNECT_TO, nil)
            return nil
        }
        // TLS and the certificate use the configured name; the connection uses the URL.
        var named = url
        named.host = serverName
        _ = ccurl_set_string(handle, CURLOPT_URL, named.text)
        let host = url.host.utf8.contains(0x3A) ? "[\(url.host)]" : url.host
        let port = url.effectivePort
        _ = ccurl_set_list(handle, CURLOPT_CONNECT_TO, lists.make(["\(serverName):\(port):\(host):\(port)"]))
        return url.authority
    }

    private static func setProxy(
        _ url: URLParts, _ config: HTTPClientConfig, _ handle: UnsafeMutableRawPointer, _ lists: inout Lists
    ) {
        let choice = ProxyChoice(url, config.proxy)
        // An empty text stops curl from reading the environment itself.
        _ = ccurl_set_string(handle, CURLOPT_PROXY, choice.proxy)
        _ = ccurl_set_string(handle, CURLOPT_NOPROXY, choice.exceptions)
        guard !choice.proxy.isEmpty else { return }
        // Headers for the server must not reach the proxy, and headers for the proxy must not reach the server.
        _ = ccurl_set_long(handle, CURLOPT_HEADEROPT, 1)
        guard url.scheme == "https", !config.proxy.connectHeaders.isEmpty else { return }
        let headers = config.proxy.connectHeaders.flatMap { header in
            (header.values + header.secrets).map { "\(header.name): \($0)" }
        }
        _ = ccurl_set_list(handle, CURLOPT_PROXYHEADER, lists.make(headers))
    }
}
