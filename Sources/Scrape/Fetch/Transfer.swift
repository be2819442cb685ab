import CCurl
import Config
import Exposition
import Glibc
import Model

/// One HTTP request for a page, on a curl handle that is used again and again.
///
/// Owned by the loop while it runs, by a worker afterwards.
final class Transfer: @unchecked Sendable {
    // SAFETY: handed from the event loop to one worker and back through locked queues; never used by both.
    let handle: UnsafeMutableRawPointer
    private(set) var target: Target?
    /// The decompressed page.
    private(set) var body: [UInt8] = []
    /// The answer's first line without the protocol: `404 Not Found`.
    private var statusText = ""
    private var bodyLimit: Int64 = 0
    private(set) var isOverLimit = false
    /// When the scrape counts as begun, ms since the epoch.
    private(set) var scrapeTime: Int64 = 0
    /// When the request began, ns of the monotonic clock.
    private(set) var started: Int64 = 0
    private(set) var contentType: String?
    /// Why there is no page.
    private(set) var failure: ScrapeFailure?
    private var lists: [UnsafeMutablePointer<curl_slist>] = []

    /// No page is larger, whatever the configuration allows: a target must not be able to exhaust memory.
    static let bodySizeMax: Int64 = 1 << 30

    init?() {
        guard let handle = curl_easy_init() else { return nil }
        self.handle = handle
    }

    deinit {
        free()
        curl_easy_cleanup(handle)
    }

    private func free() {
        for list in lists { curl_slist_free_all(list) }
        lists = []
    }

    /// Prepares the request.
    func prepare(_ target: Target, scrapeTime: Int64, started: Int64) {
        self.target = target
        self.scrapeTime = scrapeTime
        self.started = started
        statusText = ""
        isOverLimit = false
        contentType = nil
        failure = nil
        body.removeAll(keepingCapacity: true)
        let limit = target.settings.config.limits.bodySize
        bodyLimit = limit > 0 ? min(limit, Self.bodySizeMax) : Self.bodySizeMax
        curl_easy_reset(handle)
        free()
        let me = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_set_write(handle, CURLOPT_WRITEFUNCTION, transferReceivesBody)
        _ = ccurl_set_pointer(handle, CURLOPT_WRITEDATA, me)
        _ = ccurl_set_write(handle, CURLOPT_HEADERFUNCTION, transferReceivesHeader)
        _ = ccurl_set_pointer(handle, CURLOPT_HEADERDATA, me)
        _ = ccurl_set_pointer(handle, CURLOPT_PRIVATE, me)
        let config = target.settings.config
        _ = ccurl_set_string(
            handle, CURLOPT_ACCEPT_ENCODING, config.enableCompression ? "gzip" : "identity")
        _ = ccurl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(min(target.definition.timeout, 1 << 31)))
        _ = ccurl_set_long(handle, CURLOPT_BUFFERSIZE, 65_536)
        if !target.definition.unixSocket.isEmpty {
            _ = ccurl_set_string(handle, CURLOPT_UNIX_SOCKET_PATH, target.definition.unixSocket)
        }
        var headers = [
            "Accept: \(target.settings.accept)", "User-Agent: \(target.settings.userAgent)",
            "X-Prometheus-Scrape-Timeout-Seconds: \(FloatText.fixed(Double(target.definition.timeout) / 1000))",
        ]
        do throws(ScrapeFailure) {
            lists = try CurlOptions.apply(config.client, url: target.definition.url, to: handle, headers: &headers)
        } catch {
            failure = error
        }
    }

    /// Called by curl with a piece of the page; false stops the transfer.
    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Bool {
        if Int64(body.count) &+ Int64(bytes.count) >= bodyLimit {
            isOverLimit = true
            return false
        }
        body.append(contentsOf: bytes)
        return true
    }

    /// Called by curl with a line of the answer's head.
    fileprivate func receiveHeader(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count > 5, bytes[0] == 0x48, bytes[1] == 0x54, bytes[2] == 0x54, bytes[3] == 0x50,
            let space = bytes.firstIndex(of: 0x20)
        else { return }
        // A redirect's answer comes first: what was collected for it does not count.
        body.removeAll(keepingCapacity: true)
        let rest = bytes[(space + 1)...].prefix { $0 != 0x0D && $0 != 0x0A }
        statusText = String(decoding: rest, as: UTF8.self)
    }

    /// Notes how the transfer ended.
    func complete(_ code: CURLcode) {
        defer { free() }
        guard failure == nil, let target else { return }
        if isOverLimit {
            failure = ScrapeFailure(.bodySizeLimit, "body size limit exceeded")
            return
        }
        guard code == CURLE_OK else {
            failure = ScrapeFailure(.network, networkError(code, target))
            return
        }
        var status = 0
        _ = ccurl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
        guard status == 200 else {
            let shown = statusText.isEmpty ? "\(status)" : statusText
            failure = ScrapeFailure(.status, "server returned HTTP status \(shown)")
            return
        }
        var type: UnsafeMutablePointer<CChar>?
        _ = ccurl_get_string(handle, CURLINFO_CONTENT_TYPE, &type)
        contentType = type.map { String(cString: $0) }
    }

    /// Marks a scrape that fails without a request.
    func refuse(_ target: Target, scrapeTime: Int64, started: Int64, _ failure: ScrapeFailure) {
        self.target = target
        self.scrapeTime = scrapeTime
        self.started = started
        contentType = nil
        isOverLimit = false
        body.removeAll(keepingCapacity: true)
        self.failure = failure
    }

    /// Lets go of the target, and of memory if the page was large.
    func recycle(keepingBytes limit: Int) {
        target = nil
        if body.capacity > limit { body = [] }
    }

    /// What went wrong, as Go's HTTP client would say it.
    private func networkError(_ code: CURLcode, _ target: Target) -> String {
        let url = target.definition.url
        let host = url.split(separator: "/").dropFirst().first.map(String.init) ?? url
        var text: String
        switch code {
        case CURLE_OPERATION_TIMEDOUT: text = "context deadline exceeded"
        case CURLE_COULDNT_RESOLVE_HOST:
            text = "dial tcp: lookup \(host.split(separator: ":").first.map(String.init) ?? host): no such host"
        case CURLE_COULDNT_CONNECT:
            var number = 0
            _ = ccurl_get_long(handle, CURLINFO_OS_ERRNO, &number)
            let reason =
                number > 0 ? String(cString: strerror(Int32(truncatingIfNeeded: number))) : "connection refused"
            text = "dial tcp \(host): connect: \(reason.lowercased())"
        case CURLE_GOT_NOTHING: text = "EOF"
        case CURLE_BAD_CONTENT_ENCODING: text = "gzip: invalid header"
        default: text = String(cString: curl_easy_strerror(code))
        }
        return "Get \(GoQuote.quote(url)): \(text)"
    }
}

/// Top level, because a closure handed to C must carry no isolation check.
private func transferReceivesBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let me else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size &* count)
    return Unmanaged<Transfer>.fromOpaque(me).takeUnretainedValue().receive(bytes) ? bytes.count : 0
}

private func transferReceivesHeader(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ me: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let me else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: data, count: size &* count)
    Unmanaged<Transfer>.fromOpaque(me).takeUnretainedValue().receiveHeader(bytes)
    return bytes.count
}
