import CCurl
import Glibc
import Platform
import Synchronization

/// How a client talks to its servers.
package struct HTTPClientOptions: Sendable, Hashable {
    package var username = ""
    package var password = ""
    /// `type credentials` of the `Authorization` header; empty for none.
    package var authorization = ""
    package var headers: [String] = []
    package var followRedirects = true
    package var proxyURL = ""
    package var noProxy = ""
    package var proxyFromEnvironment = false
    /// PEM files; empty for the system's, or none.
    package var caFile = ""
    package var certFile = ""
    package var keyFile = ""
    package var serverName = ""
    package var insecureSkipVerify = false
    package var userAgent = "martlet"

    package init() {}
}

/// A request that goes out.
package struct ClientRequest: Sendable {
    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]
    /// Milliseconds from the connection's beginning to the answer's end.
    package var timeout: Int64

    package init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
        timeout: Int64 = 30_000
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }
}

/// What a server answered.
package struct ClientResponse: Sendable {
    package var status: Int
    package var contentType: String
    package var body: [UInt8]
}

/// Why there is no answer.
package struct HTTPClientError: Error, CustomStringConvertible {
    package var url: String
    package var reason: String
    package var description: String { "\(url): \(reason)" }
}

/// An HTTP client on libcurl: each request has a thread of its own while it lasts, at most `maxRequests` at once.
package final class HTTPClient: Sendable {
    /// The largest answer that is read, bytes.
    static let maxBodySize = 256 << 20

    private let options: HTTPClientOptions
    private let slots: Mutex<Slots>

    private struct Slots {
        var free: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    package init(options: HTTPClientOptions = HTTPClientOptions(), maxRequests: Int = 16) {
        self.options = options
        slots = Mutex(Slots(free: max(1, maxRequests)))
        Self.prepare()
    }

    /// libcurl's global state must be made once, before any thread uses it.
    private static let prepared: Bool = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

    @discardableResult
    package static func prepare() -> Bool { prepared }

    /// Sends a request; the calling task waits without holding a thread of the pool.
    package func send(_ request: ClientRequest) async throws -> ClientResponse {
        await enter()
        let options = options
        let result: Result<ClientResponse, HTTPClientError> = await withCheckedContinuation { continuation in
            let started = Thread.start("http-client") {
                continuation.resume(returning: Self.perform(request, options))
            }
            if started == nil {
                continuation.resume(
                    returning: .failure(HTTPClientError(url: request.url, reason: "no thread for the request")))
            }
        }
        leave()
        return try result.get()
    }

    /// Sends a request on the calling thread.
    package func sendBlocking(_ request: ClientRequest) throws -> ClientResponse {
        try Self.perform(request, options).get()
    }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let isFree = slots.withLock { slots in
                if slots.free > 0 {
                    slots.free -= 1
                    return true
                }
                slots.waiting.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
    }

    private func leave() {
        let next = slots.withLock { slots -> CheckedContinuation<Void, Never>? in
            if !slots.waiting.isEmpty { return slots.waiting.removeFirst() }
            slots.free += 1
            return nil
        }
        next?.resume()
    }

    private final class Body {
        var bytes: [UInt8] = []
    }

    fileprivate static func write(
        _ data: UnsafeMutablePointer<CChar>?, _ count: Int, _ context: UnsafeMutableRawPointer?
    ) -> Int {
        guard let data, let context else { return 0 }
        let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
        guard body.bytes.count + count <= maxBodySize else { return 0 }
        data.withMemoryRebound(to: UInt8.self, capacity: count) {
            body.bytes.append(contentsOf: UnsafeBufferPointer(start: $0, count: count))
        }
        return count
    }

    private static func perform(
        _ request: ClientRequest, _ options: HTTPClientOptions
    ) -> Result<ClientResponse, HTTPClientError> {
        guard prepared, let handle = curl_easy_init() else {
            return .failure(HTTPClientError(url: request.url, reason: "libcurl does not start"))
        }
        defer { curl_easy_cleanup(handle) }
        let body = Body()
        configure(handle, options)
        _ = ccurl_set_string(handle, CURLOPT_URL, request.url)
        _ = ccurl_set_string(handle, CURLOPT_PROTOCOLS_STR, "http,https")
        _ = ccurl_set_string(handle, CURLOPT_CUSTOMREQUEST, request.method)
        _ = ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(max(1, request.timeout)))
        _ = ccurl_set_long(handle, CURLOPT_NOSIGNAL, 1)
        _ = ccurl_set_string(handle, CURLOPT_ACCEPT_ENCODING, "")
        if !request.body.isEmpty || request.method == "POST" || request.method == "PUT" {
            _ = ccurl_set_off(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
            // libcurl copies the body here, so the pointer need not live on.
            request.body.withUnsafeBytes { bytes in
                var empty: UInt8 = 0
                withUnsafeMutablePointer(to: &empty) { fallback in
                    let pointer =
                        UnsafeMutableRawPointer(mutating: bytes.baseAddress) ?? UnsafeMutableRawPointer(fallback)
                    _ = ccurl_set_pointer(handle, CURLOPT_COPYPOSTFIELDS, pointer)
                }
            }
        }
        var list: UnsafeMutablePointer<curl_slist>?
        for (name, value) in request.headers { list = curl_slist_append(list, "\(name): \(value)") }
        for header in options.headers { list = curl_slist_append(list, header) }
        if !options.authorization.isEmpty { list = curl_slist_append(list, "Authorization: " + options.authorization) }
        list = curl_slist_append(list, "Expect:")
        defer { curl_slist_free_all(list) }
        _ = ccurl_set_list(handle, CURLOPT_HTTPHEADER, list)
        _ = ccurl_set_write(handle, CURLOPT_WRITEFUNCTION) { clientWrite($0, $1, $2, $3) }
        _ = ccurl_set_pointer(handle, CURLOPT_WRITEDATA, Unmanaged.passUnretained(body).toOpaque())
        let status = withExtendedLifetime(body) { curl_easy_perform(handle) }
        guard status == CURLE_OK else {
            return .failure(HTTPClientError(url: request.url, reason: String(cString: curl_easy_strerror(status))))
        }
        var code = 0
        _ = ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &code)
        var type: UnsafeMutablePointer<CChar>?
        _ = ccurl_get_string(handle, CURLINFO_CONTENT_TYPE, &type)
        return .success(
            ClientResponse(status: code, contentType: type.map { String(cString: $0) } ?? "", body: body.bytes))
    }

    private static func configure(_ handle: UnsafeMutableRawPointer, _ options: HTTPClientOptions) {
        func set(_ option: CURLoption, _ value: String) {
            if !value.isEmpty { _ = ccurl_set_string(handle, option, value) }
        }
        set(CURLOPT_USERAGENT, options.userAgent)
        if !options.username.isEmpty || !options.password.isEmpty {
            _ = ccurl_set_string(handle, CURLOPT_USERNAME, options.username)
            _ = ccurl_set_string(handle, CURLOPT_PASSWORD, options.password)
        }
        _ = ccurl_set_long(handle, CURLOPT_FOLLOWLOCATION, options.followRedirects ? 1 : 0)
        _ = ccurl_set_long(handle, CURLOPT_MAXREDIRS, 10)
        // Without a word of the configuration, the environment's proxies are not used.
        if !options.proxyFromEnvironment { _ = ccurl_set_string(handle, CURLOPT_PROXY, options.proxyURL) }
        set(CURLOPT_NOPROXY, options.noProxy)
        set(CURLOPT_CAINFO, options.caFile)
        set(CURLOPT_SSLCERT, options.certFile)
        set(CURLOPT_SSLKEY, options.keyFile)
        if options.insecureSkipVerify {
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 0)
            _ = ccurl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 0)
        }
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func clientWrite(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    HTTPClient.write(data, size &* count, context)
}
